//! `ListenStream=`, `ListenDatagram=` and the ports behind them.

use crate::asks::Protocol;
use crate::assign::{Taken, Value, wrong};
use crate::mapping;
use crate::names;
use crate::specifier::Unexpanded;
use crate::syntax::head;
use std::net::IpAddr;

/// What one line says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Listen {
    pub protocol: Protocol,
    pub address: Option<IpAddr>,
    pub port: u16,
}

/// One word of `TargetPort=`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Target {
    /// The port of the virtual address. None: its only one.
    pub of: Option<u16>,
    pub port: u16,
}

impl Value<'_> {
    pub fn listen_stream(&self) -> Taken<Vec<Listen>> {
        self.listen(Protocol::Tcp)
    }

    pub fn listen_datagram(&self) -> Taken<Vec<Listen>> {
        self.listen(Protocol::Udp)
    }

    fn listen(&self, protocol: Protocol) -> Taken<Vec<Listen>> {
        let text = self.name()?;
        if text.starts_with(['/', '@']) {
            return wrong("a path is of one host, and this is of the fleet: PORT or ADDRESS:PORT");
        }
        if text.starts_with("vsock:") {
            return wrong("a vsock is of one host, and this is of the fleet: PORT or ADDRESS:PORT");
        }
        let read = match text.rsplit_once(':') {
            None => port(&text).map(|port| (None, port)),
            Some((ip, number)) => address(ip).and_then(|ip| Ok((Some(ip), port(number)?))),
        };
        let (address, port) = read.map_err(Unexpanded::Wrong)?;
        Ok(vec![Listen { protocol, address, port }])
    }

    /// `PORT`, or `PORT:PORT` with that of the virtual address in front, in words.
    pub fn targets(&self) -> Taken<Vec<Target>> {
        let target = |word: String| match word.split_once(':') {
            None => Ok(Target { of: None, port: port(&word)? }),
            Some((of, to)) => Ok(Target { of: Some(port(of)?), port: port(to)? }),
        };
        let targets = self.words()?.into_iter().map(target);
        targets.collect::<Result<_, _>>().map_err(Unexpanded::Wrong)
    }
}

fn port(text: &str) -> Result<u16, String> {
    match mapping::range(text)? {
        (first, last) if first == last => Ok(first),
        _ => Err(format!("{:?} is more than one port: write a line for each", head(text))),
    }
}

/// IPv6 in brackets, as systemd has it.
fn address(text: &str) -> Result<IpAddr, String> {
    let address = mapping::address(text)?;
    if address.is_unspecified() {
        return Err(format!("{text} is every address, and this has one of its own: PORT alone"));
    }
    names::own_address(&address.to_string())
}
