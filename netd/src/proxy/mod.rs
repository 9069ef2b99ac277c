//! Published ports on 127.0.0.1 and ::1.
//!
//! Traffic to the host's other addresses is translated in the kernel. For 127.0.0.1 that would need
//! `route_localnet`, which opens the loopback network to neighbours (CVE-2020-8558), and for ::1 there
//! is no such thing; so netd listens there itself and passes on what it hears. The same socket keeps
//! the port from being taken.

mod tcp;
mod udp;

use crate::core::Binding;
use crate::sys;
use netd_api::Protocol;
use nix::sys::socket::SockType;
use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, UdpSocket};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

/// A port that is ours now.
pub enum Reserved {
    Tcp(TcpListener),
    Udp(UdpSocket),
}

/// Takes a port of the host: on its one address, else on the loopback address of its family. A port
/// that somebody listens on at one of `addresses` is in use too, since the translation would hide
/// that listener. None: the host has no IPv6 to listen on, and nobody asked for it by name.
pub fn reserve(binding: &Binding, addresses: &[IpAddr]) -> io::Result<Option<Reserved>> {
    let Binding { host, port, protocol } = *binding;
    let listens_at = match host {
        IpAddr::V4(host) if host.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(host) if host.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        host => host,
    };
    if host == IpAddr::V6(Ipv6Addr::UNSPECIFIED) && !addresses.contains(&listens_at) {
        return Ok(None);
    }
    if host.is_unspecified() {
        let others = addresses.iter().filter(|a| a.is_ipv4() == host.is_ipv4());
        for address in others.filter(|a| !a.is_loopback()) {
            sys::socket::try_bind(SocketAddr::new(*address, port), kind(protocol))?;
        }
    }
    let address = SocketAddr::new(listens_at, port);
    Ok(Some(match protocol {
        Protocol::Tcp => {
            let listener = TcpListener::bind(address)?;
            listener.set_nonblocking(true)?;
            Reserved::Tcp(listener)
        }
        Protocol::Udp => {
            let socket = UdpSocket::bind(address)?;
            socket.set_nonblocking(true)?;
            Reserved::Udp(socket)
        }
    }))
}

fn kind(protocol: Protocol) -> SockType {
    match protocol {
        Protocol::Tcp => SockType::Stream,
        Protocol::Udp => SockType::Datagram,
    }
}

enum Command {
    Open { binding: Binding, reserved: Reserved, target: SocketAddr },
    Retarget { binding: Binding, target: SocketAddr },
    Close { binding: Binding, closed: std::sync::mpsc::Sender<()> },
}

/// Says from any thread what the listeners shall do.
#[derive(Clone)]
pub struct Proxies(mpsc::UnboundedSender<Command>);

impl Proxies {
    pub fn new() -> (Self, Server) {
        let (sender, commands) = mpsc::unbounded_channel();
        (Self(sender), Server { commands, open: HashMap::new() })
    }

    pub fn open(&self, binding: Binding, reserved: Reserved, target: SocketAddr) {
        self.send(Command::Open { binding, reserved, target });
    }

    /// New connections go to `target`; those that are there stay.
    pub fn retarget(&self, binding: Binding, target: SocketAddr) {
        self.send(Command::Retarget { binding, target });
    }

    /// Ends the listener and its connections; the receiver hears, or hangs up, when the port is free.
    pub fn close(&self, binding: Binding) -> std::sync::mpsc::Receiver<()> {
        let (closed, receiver) = std::sync::mpsc::channel();
        self.send(Command::Close { binding, closed });
        receiver
    }

    fn send(&self, command: Command) {
        // An error means that the server has ended, and with it the process.
        let _ = self.0.send(command);
    }
}

/// The listeners.
pub struct Server {
    commands: mpsc::UnboundedReceiver<Command>,
    open: HashMap<Binding, (JoinHandle<()>, watch::Sender<SocketAddr>)>,
}

impl Server {
    /// Serves until every [`Proxies`] is gone.
    pub async fn run(mut self) {
        while let Some(command) = self.commands.recv().await {
            match command {
                Command::Open { binding, reserved, target } => match serve(reserved, target) {
                    Ok(task) => {
                        self.open.insert(binding, task);
                    }
                    Err(e) => crate::say::say(format_args!("listen on port {binding}: {e}")),
                },
                Command::Retarget { binding, target } => {
                    if let Some((_, sender)) = self.open.get(&binding) {
                        sender.send_replace(target);
                    }
                }
                Command::Close { binding, closed } => {
                    if let Some((task, _)) = self.open.remove(&binding) {
                        task.abort();
                        // Aborted or ended: either way its sockets are closed now.
                        let _ = task.await;
                    }
                    let _ = closed.send(());
                }
            }
        }
    }
}

fn serve(
    reserved: Reserved,
    target: SocketAddr,
) -> io::Result<(JoinHandle<()>, watch::Sender<SocketAddr>)> {
    let (sender, target) = watch::channel(target);
    let task = match reserved {
        Reserved::Tcp(listener) => {
            tokio::spawn(tcp::serve(tokio::net::TcpListener::from_std(listener)?, target))
        }
        Reserved::Udp(socket) => {
            tokio::spawn(udp::serve(tokio::net::UdpSocket::from_std(socket)?, target))
        }
    };
    Ok((task, sender))
}
