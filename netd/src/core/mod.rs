//! What should be: pure decisions, without clock, disk, socket or kernel.
//!
//! [`Desired`] says what is wanted; [`ipam`] gives addresses; [`plan`] turns the difference between
//! wanted and observed into operations; [`recover`] finds out what was wanted from the kernel; [`ruleset`] says in nftables' terms what
//! the packets' way is.

mod desired;
pub mod difference;
pub mod ipam;
pub mod network;
pub mod plan;
pub mod recover;
pub mod ruleset;
#[cfg(test)]
pub(crate) mod samples;
pub mod service;

pub use desired::{Binding, Desired, Place, Published, Record, failure, interface};
pub use network::Network;
pub use service::Service;
