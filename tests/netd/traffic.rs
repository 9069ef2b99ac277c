//! What goes over the network: the smallest of conversations.

use crate::namespace::Namespace;
use netd_api::Endpoint;
use std::io::{self, BufRead, BufReader, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::thread;
use std::time::Duration;

/// How long an answer may take before it counts as none.
const PATIENCE: Duration = Duration::from_secs(20);
/// How long to listen for what must not come.
pub(crate) const SILENCE: Duration = Duration::from_millis(700);

/// Serves TCP in a namespace: says who it is and whom it sees, then repeats lines.
pub(crate) fn serve_tcp(namespace: &Namespace, port: u16, name: &'static str) {
    let listener = namespace.run(|| TcpListener::bind((Ipv6Addr::UNSPECIFIED, port)).unwrap());
    thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            thread::spawn(move || -> io::Result<()> {
                let peer = stream.peer_addr()?.ip().to_canonical();
                stream.write_all(format!("{name} sees {peer}\n").as_bytes())?;
                let mut lines = BufReader::new(stream.try_clone()?);
                let mut line = String::new();
                while lines.read_line(&mut line)? > 0 {
                    stream.write_all(line.as_bytes())?;
                    line.clear();
                }
                Ok(())
            });
        }
    });
}

/// Serves UDP in a namespace: answers each datagram with who it is and whom it sees.
pub(crate) fn serve_udp(namespace: &Namespace, port: u16, name: &'static str) {
    let socket = namespace.run(|| UdpSocket::bind((Ipv6Addr::UNSPECIFIED, port)).unwrap());
    thread::spawn(move || {
        let mut buffer = [0; 2048];
        while let Ok((_, peer)) = socket.recv_from(&mut buffer) {
            let _ = socket
                .send_to(format!("{name} sees {}", peer.ip().to_canonical()).as_bytes(), peer);
        }
    });
}

/// An open conversation.
pub(crate) struct Talk {
    stream: BufReader<TcpStream>,
    /// What the server said first.
    pub(crate) greeting: String,
}

impl Talk {
    pub(crate) fn open(from: &Namespace, to: impl Into<IpAddr>, port: u16) -> io::Result<Self> {
        let address = SocketAddr::new(to.into(), port);
        let stream = from.run(|| TcpStream::connect_timeout(&address, PATIENCE))?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let mut talk = Self { stream: BufReader::new(stream), greeting: String::new() };
        talk.greeting = talk.line()?;
        Ok(talk)
    }

    /// Says something and gives what comes back.
    pub(crate) fn say(&mut self, text: &str) -> io::Result<String> {
        self.stream.get_mut().write_all(format!("{text}\n").as_bytes())?;
        self.line()
    }

    fn line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        if self.stream.read_line(&mut line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(line.trim_end().to_owned())
    }
}

/// Connects and gives the server's greeting.
pub(crate) fn greet(from: &Namespace, to: impl Into<IpAddr>, port: u16) -> io::Result<String> {
    Talk::open(from, to, port).map(|talk| talk.greeting)
}

/// Whether a TCP connection comes about within a short time.
pub(crate) fn can_connect(from: &Namespace, to: impl Into<IpAddr>, port: u16) -> bool {
    let address = SocketAddr::new(to.into(), port);
    from.run(|| TcpStream::connect_timeout(&address, SILENCE)).is_ok()
}

/// Sends a datagram and gives the answer.
pub(crate) fn ask_udp(from: &Namespace, to: impl Into<IpAddr>, port: u16) -> io::Result<String> {
    let to = to.into();
    let any = if to.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
    let socket = from.run(|| UdpSocket::bind(any)).unwrap();
    ask_udp_on(&socket, to, port)
}

pub(crate) fn ask_udp_on(
    socket: &UdpSocket,
    to: impl Into<IpAddr>,
    port: u16,
) -> io::Result<String> {
    socket.set_read_timeout(Some(PATIENCE))?;
    socket.send_to(b"hello", (to.into(), port))?;
    let mut buffer = [0; 2048];
    let (length, _) = socket.recv_from(&mut buffer)?;
    Ok(String::from_utf8_lossy(&buffer[..length]).into_owned())
}

/// The first IPv4 address of an endpoint.
pub(crate) fn address_of(endpoint: &Endpoint) -> Ipv4Addr {
    let four = |address| match address {
        IpAddr::V4(address) => Some(address),
        IpAddr::V6(_) => None,
    };
    endpoint.addresses().find_map(four).unwrap()
}

/// The first IPv6 address of an endpoint.
pub(crate) fn address6_of(endpoint: &Endpoint) -> IpAddr {
    endpoint.addresses().find(IpAddr::is_ipv6).unwrap()
}
