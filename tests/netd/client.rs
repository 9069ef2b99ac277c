//! A peer of netd's socket.

use crate::namespace::Namespace;
use netd_api::{
    Attached, Attachment, Backend, Balance, Call, DnsName, Document, EndpointId, EndpointSpec,
    Failure, NetworkName, NetworkSpec, OwnerName, PortMapping, Protocol, Reply, Request,
    ServicePort, ServiceSpec,
};
use nix::sys::socket::{ControlMessageOwned, MsgFlags, recvmsg};
use std::io::{self, IoSliceMut, Write};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

pub(crate) struct Client {
    pub(crate) stream: UnixStream,
    /// For whom it asks.
    pub(crate) owner: Option<OwnerName>,
}

impl Client {
    pub(crate) fn connect(socket: &Path) -> io::Result<Self> {
        let stream = UnixStream::connect(socket)?;
        stream.set_read_timeout(Some(Duration::from_secs(60)))?;
        Ok(Self { stream, owner: None })
    }

    pub(crate) fn call(&mut self, call: Call) -> io::Result<(Reply, Vec<OwnedFd>)> {
        let request = Request { owner: self.owner.clone(), ..Request::from(call) };
        let mut line = serde_json::to_vec(&request).unwrap();
        line.push(b'\n');
        self.stream.write_all(&line)?;
        self.reply()
    }

    /// Reads one reply, and the descriptors that came with it.
    pub(crate) fn reply(&mut self) -> io::Result<(Reply, Vec<OwnedFd>)> {
        let (mut line, mut descriptors) = (Vec::new(), Vec::new());
        while !line.ends_with(b"\n") {
            let mut buffer = [0; 4096];
            let mut control = nix::cmsg_space!([std::os::fd::RawFd; 4]);
            let mut parts = [IoSliceMut::new(&mut buffer)];
            let flags = MsgFlags::MSG_CMSG_CLOEXEC;
            let message =
                recvmsg::<()>(self.stream.as_raw_fd(), &mut parts, Some(&mut control), flags)?;
            for control in message.cmsgs()? {
                if let ControlMessageOwned::ScmRights(fds) = control {
                    // SAFETY: the kernel has just made these descriptors for us.
                    descriptors
                        .extend(fds.into_iter().map(|fd| unsafe { OwnedFd::from_raw_fd(fd) }));
                }
            }
            let length = message.bytes;
            if length == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            line.extend_from_slice(&buffer[..length]);
        }
        Ok((serde_json::from_slice(&line)?, descriptors))
    }

    /// Attaches, or gives the failure.
    pub(crate) fn try_attach(
        &mut self,
        spec: EndpointSpec,
    ) -> Result<(Attached, Namespace), Failure> {
        match self.call(Call::Attach { endpoint: spec }).unwrap() {
            (Reply::Attached(attached), mut fds) => {
                assert_eq!(fds.len(), 1, "an attachment brings one descriptor");
                Ok((attached, Namespace::from(fds.remove(0))))
            }
            (Reply::Failed(failure), fds) => {
                assert!(fds.is_empty());
                Err(failure)
            }
            (other, _) => panic!("attach: {other:?}"),
        }
    }

    pub(crate) fn attach(&mut self, spec: EndpointSpec) -> (Attached, Namespace) {
        self.try_attach(spec).unwrap_or_else(|e| panic!("{e}"))
    }

    /// Applies a document, or gives the failure.
    pub(crate) fn try_apply(&mut self, document: Document) -> Result<Vec<EndpointId>, Failure> {
        match self.call(Call::Apply { document }).unwrap().0 {
            Reply::Applied { missing } => Ok(missing),
            Reply::Failed(failure) => Err(failure),
            other => panic!("apply: {other:?}"),
        }
    }

    pub(crate) fn detach(&mut self, id: &str) {
        let call = Call::Detach { id: EndpointId::new(id).unwrap() };
        assert_eq!(self.call(call).unwrap().0, Reply::Detached);
    }
}

/// A specification whose first name is the id up to a colon.
pub(crate) fn spec(id: &str, ports: &[PortMapping]) -> EndpointSpec {
    let name = id.split(':').next().unwrap();
    EndpointSpec {
        id: EndpointId::new(id).unwrap(),
        networks: vec![on(netd_api::DEFAULT_NETWORK)],
        names: vec![DnsName::new(name).unwrap()],
        ports: ports.to_vec(),
    }
}

/// A place on a network, with whatever comes.
pub(crate) fn on(network: &str) -> Attachment {
    Attachment::to(NetworkName::new(network).unwrap())
}

/// A network with these subnets.
pub(crate) fn network(name: &str, subnets: &[&str]) -> NetworkSpec {
    NetworkSpec {
        name: NetworkName::new(name).unwrap(),
        subnets: subnets.iter().map(|net| net.parse().unwrap()).collect(),
        services: vec![],
        internal: false,
        mtu: None,
        search: None,
    }
}

/// A service with one port of TCP and UDP, in front of these endpoints' addresses.
pub(crate) fn service(name: &str, addresses: &[&str], backends: &[&Attached]) -> ServiceSpec {
    let port = |protocol| ServicePort { protocol, port: 80, target: 8080 };
    let backend =
        |attached: &&Attached| Backend { addresses: attached.endpoint.places[0].addresses.clone() };
    ServiceSpec {
        name: DnsName::new(name).unwrap(),
        network: attached_to(backends),
        names: vec![],
        addresses: addresses.iter().map(|address| address.parse().unwrap()).collect(),
        ports: vec![port(Protocol::Tcp), port(Protocol::Udp)],
        backends: backends.iter().map(backend).collect(),
        balance: Balance::Random,
    }
}

/// The network of the first, else the one of this file's services.
fn attached_to(backends: &[&Attached]) -> NetworkName {
    let first = backends.first().map(|attached| attached.endpoint.places[0].network.clone());
    first.unwrap_or_else(|| NetworkName::new("front").unwrap())
}

pub(crate) fn tcp(host_port: u16, container_port: u16) -> PortMapping {
    PortMapping { host_ip: None, host_port, container_port, protocol: Protocol::Tcp }
}

pub(crate) fn udp(host_port: u16, container_port: u16) -> PortMapping {
    PortMapping { protocol: Protocol::Udp, ..tcp(host_port, container_port) }
}
