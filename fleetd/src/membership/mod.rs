//! This host as one of a fleet: how it comes in, what it is connected with, what it tells and hears.
//!
//! Raft decides, gossip spreads, hosts act (docs/design.md): here the three are tied together. In a
//! fleet of one that nobody has founded none of it runs.
//!
//! | File | Owns |
//! |---|---|
//! | [`identity`] | what makes this host one of the fleet, on disk |
//! | [`found`], [`join`], [`admit`] | the first host, another one, and who lets it in |
//! | [`links`] | credentials, connections and gossip of a fleetd that runs |
//! | [`part`] | its tasks, all of them |
//! | [`seat`], [`streams`] | what Raft's messages and gossip's streams need |
//! | [`sets`] | assignment sets: announced, served, fetched, verified |
//! | [`newest`] | whether this host knows what it is to run, after a start |
//! | [`tell`], [`said`] | what this host says by gossip, and in which form |
//! | [`sight`] | what the leader sees of all hosts |
//! | [`states`] | how units are, wherever they are |
//! | [`earlier`] | voters that cannot read what is to be decided |
//! | [`leader`] | who decides, and where he is reached |
//! | [`recovery`] | the fleet goes on after most voters are lost; who was left behind gives up |
//! | [`twin`] | another machine with the same id |
//! | [`users`] | who gives users their certificates |
//! | [`trust`] | other keys, other voters, the next certificate |

pub mod admit;
pub mod earlier;
pub mod found;
pub mod identity;
pub mod join;
pub mod leader;
pub mod links;
pub mod newest;
pub mod part;
pub mod recovery;
pub mod said;
pub mod seat;
pub mod sets;
pub mod sight;
pub mod states;
pub mod streams;
pub mod tell;
pub mod trust;
pub mod twin;
pub mod users;

pub use links::Links;

/// Seconds since the epoch.
pub fn now() -> u64 {
    crate::agent::context::now() / 1_000_000
}
