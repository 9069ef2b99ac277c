//! Links, addresses, routes and neighbours, by rtnetlink.
//!
//! Owns the host's own link, the veth pairs on both sides, and what is inside a namespace before a
//! container runs in it. Decides nothing: `core/` and `engine/` say what is wanted.

mod device;
mod dump;
mod message;
mod pair;
mod watch;

pub use device::{ensure_device, find_device};
pub use dump::{Link, addresses, links, neighbours, routes};
pub use pair::{
    HOST_MAC, Inside, Outside, Pair, alter, await_carrier, configure, delete, lead, make_pair,
    open_host_end, regroup,
};
pub use watch::{Changed, watch};

/// What is wrong between us and the kernel.
pub use crate::netlink::Refused;
