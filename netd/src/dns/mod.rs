//! The containers' name server, on the host's addresses on its networks.
//!
//! Answers for endpoints from the [`Zone`]; asks the host's own name servers for the rest. There is no
//! cache, so nothing that one container asks can spoil another's answer.

mod answer;
mod forward;
mod listeners;
mod resolv_conf;
mod server;
mod zone;

pub use forward::Forwarder;
pub use listeners::{Listeners, Wanted};
pub use server::serve;
pub use zone::{Answer, SharedZone, Zone};
