//! What netd is asked and what it answers.
//!
//! The socket is a unix stream. Each request and each reply is one JSON object on one line; a
//! connection may carry any number of requests, answered in order. A descriptor travels as
//! `SCM_RIGHTS` with the first byte of the line it belongs to: the reply [`Reply::Attached`] brings
//! exactly one, the network namespace.
//!
//! The requests are level-triggered: an endpoint, once attached, is *desired* until it is detached
//! or missing from an [`Call::Apply`]. netd keeps that in its journal and makes the kernel match,
//! also after its own death.

mod endpoint;
mod message;
mod name;
mod network;
mod service;

pub use endpoint::{
    Attachment, Endpoint, EndpointSpec, MOST_NETWORKS, Mac, Place, PortMapping, Protocol,
};
pub use message::{
    Attached, Call, Counts, Difference, Document, ErrorKind, Failure, Finding, NetworkStatus,
    Reply, Request, Status, VERSION,
};
pub use name::{BadName, DnsName, EndpointId, LinkName, NetworkName, OwnerName};
pub use network::NetworkSpec;
pub use service::{Backend, Balance, MOST_BACKENDS, ServicePort, ServiceSpec};

/// Where netd listens unless it is told otherwise.
pub const DEFAULT_SOCKET: &str = "/run/flotilla/netd.sock";
/// The network that a host has unless its netd was told another name.
pub const DEFAULT_NETWORK: &str = "bridge";
/// Whose wishes a request is about unless it says so.
pub const DEFAULT_OWNER: &str = "fleetd";
/// The longest line either side accepts, in bytes.
pub const MAX_LINE: usize = 1024 * 1024;
