//! What should be: pure decisions, without clock, disk, socket or kernel.
//!
//! [`Network`] and [`Record`] say what is wanted; [`ipam`] gives addresses; [`plan`] turns the
//! difference between wanted and observed into operations; [`ruleset`] says in nftables' terms what
//! the packets' way is.

mod desired;
pub mod ipam;
mod network;
pub mod plan;
pub mod recover;
pub mod ruleset;

pub use desired::{Binding, Desired, Record, conflict, failure};
pub use network::{Mac, Network, choose_subnet};
