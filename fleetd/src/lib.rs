//! The fleet daemon of one host.
//!
//! | Room | Owns |
//! |---|---|
//! | [`cli`] | the commands and their flags |
//! | [`http`] | the API on the unix socket |
//! | [`consensus`] | what was decided: a Raft group, and what its leader does |
//! | [`sentence`] | errors as the end of a sentence |
//! | [`store`] | the database below it |
//! | [`agent`] | makes this host match: starts, stops, adopts, cleans up |
//! | [`events`] | what happened, for whoever listens |
//! | [`logs`] | reads the log files that supervisors write |
//! | [`gossip`] | who is there, who is dead, what each host says about itself |
//! | [`net`], [`blocking`] | sockets and threads, which a simulation has of its own |
//! | [`host`], [`notify_systemd`] | facts about the host; words to its init |
//! | [`image`] | images and root file systems |
//! | [`membership`] | this host as one of a fleet: how it comes in, what it tells and hears |
//! | [`peer`] | how hosts and users speak to each other: HTTP over mutual TLS |
//! | [`pki`] | certificates and join tokens: who is a host of the fleet; a package of its own |
//! | [`core`] | pure decisions: no clock, disk, socket or tokio |
//! | [`keep_cgroup`] | the process that holds the containers' cgroup under systemd |
//! | [`sys`] | system calls, and all unsafe code |

pub mod agent;
mod blocking;
pub mod cli;
pub mod consensus;
pub mod core;
pub mod events;
pub mod gossip;
pub mod host;
pub mod http;
pub mod image;
pub mod keep_cgroup;
pub mod logs;
pub mod membership;
mod net;
pub mod notify_systemd;
pub mod peer;
#[cfg(test)]
mod simulation;
pub mod store;
pub mod sys;

pub use fleetd_pki as pki;
pub use fleetd_pki::sentence;
