//! How many and how long.

use std::time::Duration;

/// Of a listener.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Connections at once.
    pub connections: usize,
    /// The same from one address (IPv6: from one /64).
    pub connections_of_address: usize,
    /// Connections that have not shown a certificate yet.
    pub handshakes: usize,
    pub handshakes_of_address: usize,
    /// Connections of those who want to join.
    pub joins: usize,

    /// From the connection to the end of the handshake.
    pub handshake: Duration,
    /// From the first byte of a request to the end of its header.
    pub header: Duration,
    /// Without a request.
    pub idle: Duration,
    /// For the whole body of a request that is not a stream.
    pub body: Duration,
    /// Between two pieces of one that is.
    pub piece: Duration,
    /// The whole of a connection to join.
    pub join: Duration,
    /// Bytes of a body of somebody who wants to join.
    pub join_body: usize,
    /// What is under way may take so long after it was told to end.
    pub closing: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 4096,
            connections_of_address: 256,
            handshakes: 512,
            handshakes_of_address: 64,
            joins: 32,
            handshake: Duration::from_secs(10),
            header: Duration::from_secs(10),
            idle: Duration::from_secs(90),
            body: Duration::from_secs(30),
            piece: Duration::from_secs(60),
            join: Duration::from_secs(30),
            join_body: 64 * 1024,
            closing: Duration::from_secs(10),
        }
    }
}

/// The longest header of a request or answer, in bytes.
pub(super) const HEADER: usize = 64 * 1024;
/// How often certificates are looked at again without a cause: clocks are set.
pub(super) const LOOK: Duration = Duration::from_secs(60);
/// After a failed accept, such as for want of descriptors.
pub(super) const REST: Duration = Duration::from_millis(100);
