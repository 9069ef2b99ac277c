//! Netlink for the three kernel subsystems that netd speaks to: routes and links, nftables, conntrack.
//!
//! Owns the encoding of messages and the conversation on a socket. Knows no link, rule or
//! connection: `link/`, `nft/` and `conntrack.rs` do. The kernel answers a request before `send`
//! returns, so plain blocking sockets are used, from threads that may wait for the kernel's locks.
//!
//! Reading skips what it does not know: a new attribute of a new kernel, or another program's
//! strange link, must not keep netd from starting.

mod attribute;
mod connection;
mod message;

pub use attribute::{Attributes, Builder, attributes, body};
pub use connection::{Connection, Family, Refused};
pub use message::Messages;
