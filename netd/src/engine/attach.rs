//! A new endpoint.

use super::{Answer, Engine, not_written, refused};
use crate::core::plan::{self, Change};
use crate::core::ruleset::Element;
use crate::core::{Binding, Record, failure};
use crate::link::{self, Place};
use crate::netlink::Refused;
use crate::pool::Ready;
use crate::proxy::{self, Reserved};
use crate::store::Entry;
use netd_api::{Attached, EndpointSpec, ErrorKind, Failure, PortMapping, Reply};
use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::os::fd::OwnedFd;
use std::sync::Arc;

/// A listener that was taken for a mapping.
pub(super) struct Taken {
    pub(super) binding: Binding,
    reserved: Reserved,
    port: u16,
}

impl Engine {
    /// Checks, chooses, reserves; then writes the journal, the namespace, the sets; then serves.
    pub(super) fn attach(&mut self, spec: EndpointSpec) -> Result<Answer, Failure> {
        if let Some(record) = self.desired.endpoints.get(&spec.id) {
            return self.attach_again(&spec, record);
        }
        self.desired.check(&spec, &self.network)?;
        let address = self.ipam.pick(spec.address, spec.names.first())?;
        let taken = self.reserve(&spec.ports)?;
        let (ready, pooled) = self.pool.take().map_err(|e| refused("attach", &spec.id, &e))?;
        let Ready { namespace, mut inside, link, index } = ready;
        let record = Record { spec, address, link, index };

        let entry = Entry::Attach(record.clone());
        self.journal.append(&[entry]).map_err(|e| not_written("attach", &record.spec.id, &e))?;
        let place = self.place(address);
        let done = link::configure(&mut inside, place)
            .and_then(|()| link::label(&mut self.route, index, record.spec.id.as_str()))
            .and_then(|()| self.put_in(&record));
        if let Err(e) = done {
            return Err(self.give_up(&record, &e));
        }
        drop(inside);
        self.ipam.take(address);
        if let Some(name) = record.spec.names.first() {
            self.ipam.remember(name, address);
        }
        self.serve(&record, taken);
        Ok(self.accept(record, namespace, pooled))
    }

    /// The same answer again, if we can still give it.
    fn attach_again(&self, spec: &EndpointSpec, record: &Record) -> Result<Answer, Failure> {
        let id = &spec.id;
        if *spec != record.spec {
            let message = format!("attach {id}: it is attached with another specification");
            let hint = Some("apply changes ports and names; detach it to change more".to_owned());
            return Err(Failure { hint, ..failure(ErrorKind::Invalid, message) });
        }
        match self.held.get(id) {
            Some(namespace) => Ok(self.attached(record, Arc::clone(namespace), false)),
            None => Err(Failure {
                hint: Some("detach it, then attach with a new id".to_owned()),
                ..failure(
                    ErrorKind::InUse,
                    format!(
                        "attach {id}: netd was restarted and does not hold its namespace any more"
                    ),
                )
            }),
        }
    }

    fn accept(&mut self, record: Record, namespace: OwnedFd, pooled: bool) -> Answer {
        let namespace = Arc::new(namespace);
        let answer = self.attached(&record, Arc::clone(&namespace), pooled);
        self.held.insert(record.spec.id.clone(), namespace);
        self.desired.insert(record);
        answer
    }

    fn attached(&self, record: &Record, namespace: Arc<OwnedFd>, pooled: bool) -> Answer {
        Answer {
            reply: Reply::Attached(Attached {
                endpoint: record.endpoint(&self.network),
                dns: self.network.gateway().into(),
                search: self.network.search.clone(),
                pooled,
            }),
            descriptor: Some(namespace),
        }
    }

    fn place(&self, address: Ipv4Addr) -> Place {
        Place { address, prefix: self.network.subnet.prefix_len(), gateway: self.network.gateway() }
    }

    /// Puts the endpoint into the sets, and takes out what was detached before, in one transaction:
    /// an address or a port passes from one to the other without being both's or nobody's.
    fn put_in(&mut self, record: &Record) -> Result<(), Refused> {
        let mut change = plan::change(&self.dying, [record]);
        self.keep_ports(&mut change);
        match self.nft.change(&change) {
            Ok(()) => self.hand_to_reaper(),
            Err(_) => {
                // The sets are not what we think: somebody else was there.
                self.hand_to_reaper();
                self.replace_tables()?;
                self.nft.change(&plan::change([], [record]))?;
            }
        }
        Ok(())
    }

    /// A detached link stays in `ports` until it is deleted: what is in `ports` and not in
    /// `sources` may send nothing.
    pub(super) fn keep_ports(&self, change: &mut Change) {
        change.remove.retain(|e| !matches!(e, Element::Port { .. }));
    }

    /// Undoes an attachment that the kernel refused. Its namespace is dropped by the caller's
    /// return, and its link vanishes with it.
    fn give_up(&mut self, record: &Record, e: &Refused) -> Failure {
        let id = &record.spec.id;
        let told = refused("attach", id, e);
        if let Err(e) = self.journal.append(&[Entry::Detach(id.clone())]) {
            // The next start finds the endpoint without its link, and forgets it.
            crate::say::say(format_args!("undo attach {id}: {e}"));
        }
        self.restore_tables();
        told
    }

    /// Takes the host's ports of these mappings, all or none.
    pub(super) fn reserve(&mut self, mappings: &[PortMapping]) -> Result<Vec<Taken>, Failure> {
        if mappings.is_empty() {
            return Ok(Vec::new());
        }
        let addresses = self
            .host_addresses()
            .map_err(|e| failure(ErrorKind::System, format!("publish ports: {e}")))?;
        let mut taken = Vec::new();
        for mapping in mappings {
            let binding = Binding::of(mapping)?;
            let reserved =
                self.reserve_one(&binding, &addresses).map_err(|e| cannot_publish(&binding, &e))?;
            taken.push(Taken { binding, reserved, port: mapping.container_port });
        }
        Ok(taken)
    }

    /// The host's addresses where others may listen. At the gateway's it is our name server.
    pub(super) fn host_addresses(&mut self) -> Result<Vec<Ipv4Addr>, Refused> {
        let gateway = self.network.gateway();
        let all = link::addresses(&mut self.route)?.into_iter().map(|a| a.address);
        Ok(all.filter(|a| *a != gateway).collect())
    }

    fn reserve_one(&mut self, binding: &Binding, host: &[Ipv4Addr]) -> io::Result<Reserved> {
        match proxy::reserve(binding, host) {
            Err(e) if e.kind() == io::ErrorKind::AddrInUse && !self.closing.is_empty() => {
                self.wait_for_closed_ports();
                proxy::reserve(binding, host)
            }
            other => other,
        }
    }

    /// Opens the names and the listeners.
    pub(super) fn serve(&mut self, record: &Record, taken: Vec<Taken>) {
        self.zone.change(|z| z.insert(&record.spec, record.address));
        for Taken { binding, reserved, port } in taken {
            self.proxies.open(binding, reserved, SocketAddrV4::new(record.address, port));
        }
        self.reaper.welcome(record);
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
