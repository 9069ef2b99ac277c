//! How hosts speak to each other, and users to hosts: HTTP/1.1 over mutual TLS on one TCP port.
//!
//! | File | Owns |
//! |---|---|
//! | [`listen`] | the port: accepts, and bounds what is open ([`places`]) |
//! | [`handshake`] | TLS with a deadline; whether somebody wants to join |
//! | [`connection`] | one connection until it ends ([`stream`], [`head`], [`validity`]) |
//! | [`local`] | the same over the unix socket |
//! | [`caller`] | who asks |
//! | [`access`], [`table`] | what the caller may do: one layer, and its rules as data |
//! | [`client`] | asks other hosts; [`error`]: its sentences |
//! | [`upgrade`] | streams that leave HTTP |
//! | [`forward`] | hands a request on to another host |
//! | [`raft`] | Raft's messages |
//! | [`body`] | deadlines of request bodies |
//! | [`limits`], [`complaints`] | numbers; a log that cannot be flooded |
//!
//! Who a peer is, [`crate::pki`] says; nothing here reads a certificate. `docs/peer.md` has the
//! limits, the headers and the table.

pub mod access;
mod answer;
mod body;
pub mod caller;
pub mod client;
mod complaints;
mod connection;
pub mod error;
pub mod forward;
mod handshake;
mod head;
pub mod limits;
pub mod listen;
pub mod local;
mod places;
pub mod raft;
mod stream;
pub mod table;
pub mod upgrade;
mod validity;

pub use caller::{Caller, Via, Who};
pub use client::Client;
pub use error::Error;
pub use forward::forward;
pub use limits::Limits;
pub use listen::{Listener, listen};

#[cfg(test)]
mod tests;
