//! The listeners of published ports.

use super::Engine;
use crate::core::{Binding, Published, Record, failure};
use crate::link;
use crate::netlink::Refused;
use crate::proxy::{self, Reserved};
use netd_api::{ErrorKind, Failure, Finding};
use std::io;
use std::net::IpAddr;

/// A listener that was taken for a port.
pub(super) struct Taken {
    pub(super) published: Published,
    /// None where the host has no IPv6.
    reserved: Option<Reserved>,
}

impl Engine {
    /// Takes these ports of the host, all or none.
    pub(super) fn reserve(&mut self, ports: Vec<Published>) -> Result<Vec<Taken>, Failure> {
        if ports.is_empty() {
            return Ok(Vec::new());
        }
        let addresses = self
            .host_addresses()
            .map_err(|e| failure(ErrorKind::System, format!("publish ports: {e}")))?;
        let mut taken = Vec::new();
        for published in ports {
            let reserved = self
                .reserve_one(&published.binding, &addresses)
                .map_err(|e| cannot_publish(&published.binding, &e))?;
            taken.push(Taken { published, reserved });
        }
        Ok(taken)
    }

    /// The host's addresses where others may listen. At the gateways' it is our name server.
    fn host_addresses(&mut self) -> Result<Vec<IpAddr>, Refused> {
        let all = link::addresses(&mut self.route)?;
        let device = self.device;
        // A link-local address is not to be bound without its link.
        let usable = |a: &IpAddr| !matches!(a, IpAddr::V6(a) if a.is_unicast_link_local());
        Ok(all.iter().filter(|a| a.link != device).map(|a| a.address).filter(usable).collect())
    }

    fn reserve_one(&mut self, binding: &Binding, host: &[IpAddr]) -> io::Result<Option<Reserved>> {
        match proxy::reserve(binding, host) {
            Err(e) if e.kind() == io::ErrorKind::AddrInUse && !self.closing.is_empty() => {
                self.wait_for_closed_ports();
                proxy::reserve(binding, host)
            }
            other => other,
        }
    }

    fn wait_for_closed_ports(&mut self) {
        for closed in self.closing.drain(..) {
            // A hang-up says the same as an answer.
            let _ = closed.recv();
        }
    }

    /// Opens the names and the listeners.
    pub(super) fn serve(&mut self, record: &Record, taken: Vec<Taken>) {
        self.zone.change(|z| z.insert(record));
        for Taken { published, reserved } in taken {
            if let Some(reserved) = reserved {
                self.proxies.open(published.binding, reserved, published.target);
            }
        }
        self.reaper.welcome(record);
    }

    /// Names and listeners of the endpoints that were there before this start.
    pub(super) fn open_all(&mut self) -> Result<(), Refused> {
        let addresses = self.host_addresses()?;
        for record in self.desired.endpoints.values() {
            self.zone.change(|z| z.insert(record));
            for Published { binding, target } in record.published() {
                match proxy::reserve(&binding, &addresses) {
                    Ok(Some(reserved)) => self.proxies.open(binding, reserved, target),
                    Ok(None) => {}
                    Err(e) => self.findings.push(Finding {
                        message: format!(
                            "port {binding} of {} is not served on the loopback address: {e}",
                            record.spec.id
                        ),
                        hint: Some("somebody took it while netd was down".to_owned()),
                    }),
                }
            }
        }
        Ok(())
    }
}

fn cannot_publish(binding: &Binding, e: &io::Error) -> Failure {
    match e.kind() {
        io::ErrorKind::AddrInUse => Failure {
            hint: Some(format!("see who listens: ss -lnp 'sport = :{}'", binding.port)),
            ..failure(ErrorKind::InUse, format!("publish port {binding}: another program uses it"))
        },
        io::ErrorKind::AddrNotAvailable => failure(
            ErrorKind::Invalid,
            format!("publish port {binding}: this host does not have that address"),
        ),
        _ => failure(ErrorKind::System, format!("publish port {binding}: {e}")),
    }
}
