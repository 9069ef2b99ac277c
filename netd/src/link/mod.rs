//! Links, addresses and routes, by rtnetlink.
//!
//! Owns the bridge and the veth pairs on the host's side, and what is inside a namespace before a
//! container runs in it. Decides nothing: `core/` and `engine/` say what is wanted.

mod bridge;
mod dump;
mod message;
mod pair;
mod watch;

pub use bridge::{delete, ensure_bridge, find_bridge, join_bridge, label};
pub use dump::{Address, Link, addresses, links, routes};
pub use pair::{Place, configure, make_pair};
pub use watch::{Gone, watch};

/// What is wrong between us and the kernel.
pub use crate::netlink::Refused;
