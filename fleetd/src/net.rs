//! Sockets: the kernel's. In a simulated fleet, those of its network.

#[cfg(not(test))]
pub(crate) use tokio::net::{TcpListener, TcpStream, UdpSocket};

#[cfg(test)]
pub(crate) use crate::simulation::sockets::{TcpListener, TcpStream, UdpSocket};

use std::io;
use std::net::{IpAddr, SocketAddr};

/// Whether this host has an address. An error: it cannot be known.
pub(crate) fn has(address: IpAddr) -> io::Result<bool> {
    #[cfg(test)]
    if turmoil::in_simulation() {
        return Ok(true);
    }
    match std::net::TcpListener::bind(SocketAddr::new(address, 0)) {
        Ok(_) => Ok(true),
        Err(e) if e.kind() == io::ErrorKind::AddrNotAvailable => Ok(false),
        Err(e) => Err(e),
    }
}
