//! A fleet that is asked over the network: mutual TLS to any of its hosts, and through that one to
//! the host that has to answer.

use crate::failure::Failure;
use crate::text;
use crate::user_file::UserFile;
use fleetd_pki::refusal::explain;
use fleetd_pki::{Credentials, Expected, MachineId, tls};
use std::cell::Cell;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// A host that does not answer for so long is passed over.
const CONNECT: Duration = Duration::from_secs(3);
/// What is spoken.
const HTTP: &[u8] = b"http/1.1";

pub(crate) struct Remote {
    credentials: Arc<Credentials>,
    /// `ADDRESS:PORT` of each; the first that works is asked.
    hosts: Vec<String>,
    /// The one that worked last.
    works: Cell<usize>,
}

impl Remote {
    /// `host`: the only one to ask, in place of those of the file.
    pub(crate) fn new(file: &UserFile, path: &Path, host: Option<&str>) -> Result<Self, Failure> {
        let hosts: Vec<String> = match host {
            Some(host) => vec![with_port(host)?],
            None => file.hosts.iter().map(|host| host.address.clone()).collect(),
        };
        if hosts.is_empty() {
            let message = format!("use {}: it names no host of the fleet", path.display());
            return Err(Failure::new(message).hint("--host ADDRESS names one"));
        }
        let credentials = file.credentials(path)?;
        Ok(Self { credentials, hosts, works: Cell::new(0) })
    }

    /// Which host is asked, for messages.
    pub(crate) fn name(&self) -> &str {
        self.hosts.get(self.works.get()).map_or("the fleet", String::as_str)
    }

    /// The next host is tried from here on. False: there is no other one.
    pub(crate) fn next(&self) -> bool {
        self.works.set((self.works.get() + 1) % self.hosts.len().max(1));
        self.hosts.len() > 1
    }

    /// How often it makes sense to try another host.
    pub(crate) fn count(&self) -> usize {
        self.hosts.len()
    }

    /// To any host of the fleet: the one that worked last, or the next that does.
    pub(crate) async fn connect(&self) -> Result<TlsStream<TcpStream>, Failure> {
        let mut causes = Vec::new();
        for _ in 0..self.hosts.len() {
            let address = self.name().to_owned();
            match tokio::time::timeout(CONNECT, self.enter(&address)).await {
                Ok(Ok(stream)) => return Ok(stream),
                Ok(Err(cause)) => causes.push(format!("{address}: {cause}")),
                Err(_) => {
                    causes.push(format!("{address}: no answer after {} s", CONNECT.as_secs()))
                }
            }
            self.next();
        }
        let causes = text::plain(&causes.join("; "));
        Err(match self.hosts.len() {
            1 => Failure::new(format!("connect to {causes}")),
            _ => Failure::new(format!("connect to the fleet: no host answers: {causes}")),
        })
    }

    async fn enter(&self, address: &str) -> Result<TlsStream<TcpStream>, String> {
        let tcp = TcpStream::connect(address).await.map_err(|e| text::cause(&e))?;
        tcp.set_nodelay(true).map_err(|e| text::cause(&e))?;
        self.shake(tcp, Expected::AnyHost).await
    }

    /// TLS with one host, over a way to it.
    pub(crate) async fn shake<S>(&self, way: S, expected: Expected) -> Result<TlsStream<S>, String>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let mut config = tls::client(&self.credentials, expected).map_err(|e| e.to_string())?;
        config.alpn_protocols = vec![HTTP.to_vec()];
        let connector = TlsConnector::from(Arc::new(config));
        connector.connect(tls::server_name(), way).await.map_err(|e| explain(&e))
    }
}

/// Where a redirect leads.
pub(crate) struct Elsewhere {
    pub machine: MachineId,
    /// With its query.
    pub path: String,
}

impl Elsewhere {
    /// From its two headers.
    pub(crate) fn read(machine: &str, location: &str) -> Option<Self> {
        let rest = location.strip_prefix("https://")?;
        let path = rest.get(rest.find('/')?..)?.to_owned();
        Some(Self { machine: machine.parse().ok()?, path })
    }
}

/// `ADDRESS` or `ADDRESS:PORT`, a name of the DNS, too: who answers there shows a certificate.
fn with_port(host: &str) -> Result<String, Failure> {
    let port = fleetd_api::FLEET_PORT;
    let failed =
        || Failure::new(format!("read host {host:?}: it is neither ADDRESS nor ADDRESS:PORT"));
    if let Ok(ip) = host.trim_matches(['[', ']']).parse::<std::net::IpAddr>() {
        return Ok(std::net::SocketAddr::new(ip, port).to_string());
    }
    match host.rsplit_once(':') {
        None if !host.is_empty() => Ok(format!("{host}:{port}")),
        Some((name, port)) if !name.is_empty() && port.parse::<u16>().is_ok() => {
            Ok(host.to_owned())
        }
        _ => Err(failed()),
    }
}

/// What broke a connection: the other side's words about our certificate, where it has said any.
pub(crate) fn why(error: &hyper::Error) -> String {
    let mut source: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(inner) = source {
        if let Some(io) = inner.downcast_ref::<io::Error>() {
            return explain(io);
        }
        source = inner.source();
    }
    error.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_has_the_fleets_port_unless_it_says_another() {
        let read = |text| with_port(text).map_err(|failure| failure.to_string());
        assert_eq!(read("10.0.0.1"), Ok("10.0.0.1:7400".to_owned()));
        assert_eq!(read("10.0.0.1:80"), Ok("10.0.0.1:80".to_owned()));
        assert_eq!(read("2001:db8::1"), Ok("[2001:db8::1]:7400".to_owned()));
        assert_eq!(read("[2001:db8::1]:80"), Ok("[2001:db8::1]:80".to_owned()));
        assert_eq!(read("h1.example.org"), Ok("h1.example.org:7400".to_owned()));
        for wrong in ["", ":80", "a:b", "a:99999"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_redirect_is_taken_only_whole() {
        let id = "0".repeat(31) + "7";
        let found = Elsewhere::read(&id, "https://10.0.0.1:7400/v1/units?here=true").unwrap();
        assert_eq!((found.machine, found.path.as_str()), (MachineId(7), "/v1/units?here=true"));
        assert!(Elsewhere::read("x", "https://10.0.0.1:7400/v1").is_none());
        assert!(Elsewhere::read(&id, "http://10.0.0.1/v1").is_none());
        assert!(Elsewhere::read(&id, "https://10.0.0.1").is_none());
    }
}
