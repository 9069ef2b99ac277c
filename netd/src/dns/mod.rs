//! The containers' name server, on the bridge's address.
//!
//! Answers for endpoints from the [`Zone`]; asks the host's own name servers for the rest. There is no
//! cache, so nothing that one container asks can spoil another's answer.

mod answer;
mod forward;
mod resolv_conf;
mod server;
mod zone;

pub use forward::Forwarder;
pub use server::{Sockets, bind, serve};
pub use zone::{Answer, SharedZone, Zone};
