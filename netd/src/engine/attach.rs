//! A new endpoint.

use super::{Answer, Engine, not_written, refused};
use crate::core::plan;
use crate::core::recover::label;
use crate::core::{Network, Place, Published, Record, failure, interface};
use crate::link::{self, Inside, Outside};
use crate::netlink::{Connection, Refused};
use crate::pool::{Ready, Target};
use crate::store::Entry;
use netd_api::{Attached, Attachment, EndpointSpec, ErrorKind, Failure, OwnerName, Reply};
use std::os::fd::OwnedFd;
use std::sync::Arc;

impl Engine {
    /// Checks, chooses, reserves; then writes the journal, the namespace, the sets; then serves.
    pub(super) fn attach(
        &mut self,
        owner: &OwnerName,
        spec: EndpointSpec,
    ) -> Result<Answer, Failure> {
        if let Some(record) = self.desired.endpoints.get(&spec.id) {
            return self.attach_again(owner, &spec, record);
        }
        self.desired.check(&spec)?;
        let mut record = Record { owner: owner.clone(), places: self.choose(&spec)?, spec };
        let taken = self.reserve(record.published().collect())?;
        let id = record.spec.id.clone();
        let made = self.make_links(&mut record).map_err(|e| refused("attach", &id, &e))?;
        let Made { namespace, mut inside, pooled } = made;

        let entry = Entry::Attach(record.clone());
        self.journal.append(&[entry]).map_err(|e| not_written("attach", &id, &e))?;
        let done = self.connect(&record, &mut inside).and_then(|()| self.put_in(&record));
        if let Err(e) = done {
            return Err(self.give_up(&record, &e));
        }
        drop(inside);
        self.ipams.take(&record);
        self.serve(&record, taken);
        Ok(self.accept(record, namespace, pooled))
    }

    /// The same answer again, if we can still give it.
    fn attach_again(
        &self,
        owner: &OwnerName,
        spec: &EndpointSpec,
        record: &Record,
    ) -> Result<Answer, Failure> {
        let id = &spec.id;
        if *owner != record.owner {
            let message = format!("attach {id}: {} has an endpoint of that id", record.owner);
            return Err(failure(ErrorKind::InUse, message));
        }
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

    /// What it gets on each network. Its links are made later.
    fn choose(&self, spec: &EndpointSpec) -> Result<Vec<Place>, Failure> {
        let name = spec.names.first();
        let mut places = Vec::new();
        for (number, attachment) in spec.networks.iter().enumerate() {
            let network = self.desired.networks.get(&attachment.network).ok_or_else(|| {
                let message = format!("attach {}: no network {}", spec.id, attachment.network);
                failure(ErrorKind::Invalid, message)
            })?;
            let addresses = self.ipams.pick(attachment, name)?;
            places.push(Place {
                network: network.name.clone(),
                group: network.group,
                internal: network.internal,
                gateways: addresses.iter().filter_map(|a| network.gateway_for(*a)).collect(),
                addresses,
                mac: link::HOST_MAC,
                interface: interface(number, attachment),
                link: netd_api::LinkName::numbered(0),
                index: 0,
            });
        }
        Ok(places)
    }

    /// Takes a namespace and makes in it what links it lacks.
    fn make_links(&mut self, record: &mut Record) -> Result<Made, Refused> {
        let ipv6 = record.addresses().any(|address| address.is_ipv6());
        let targets: Vec<Target> = record.places.iter().map(|p| self.target(p, ipv6)).collect();
        let Some((first, _)) = targets.split_first() else {
            let cause = std::io::Error::from(std::io::ErrorKind::InvalidInput);
            return Err(Refused::new("choose a network", cause));
        };
        let (ready, made_for, pooled) = self.take_namespace(*first)?;
        let Ready { namespace, mut inside, mac, link, index } = ready;
        for (number, place) in record.places.iter_mut().enumerate() {
            (place.link, place.mac, place.index) = if number == 0 {
                (link.clone(), mac, index)
            } else {
                self.maker.make_more(&mut inside, number, &place.interface, targets[number])?
            };
            let attachment = &record.spec.networks[number];
            let made_for = if number == 0 { made_for } else { targets[number] };
            suit(&mut inside, number, place, attachment, (made_for, targets[number]))?;
        }
        Ok(Made { namespace, inside, pooled })
    }

    fn target(&self, place: &Place, ipv6: bool) -> Target {
        let network = self.desired.networks.get(&place.network);
        let mtu = network.and_then(|network| network.mtu).unwrap_or(self.mtu);
        Target { group: place.group, mtu, ipv6 }
    }

    /// From the pool of its kind, else a new one; with what it was made for.
    fn take_namespace(&mut self, target: Target) -> Result<(Ready, Target, bool), Refused> {
        match self.pools.iter().find(|pool| pool.target().ipv6 == target.ipv6) {
            Some(pool) => {
                let (ready, pooled) = pool.take()?;
                Ok((ready, pool.target(), pooled))
            }
            None => Ok((self.maker.make(target)?, target, false)),
        }
    }

    /// Addresses and routes on both sides.
    fn connect(&mut self, record: &Record, inside: &mut Connection) -> Result<(), Refused> {
        for (number, place) in record.places.iter().enumerate() {
            let Some(network) = self.desired.networks.get(&place.network) else { continue };
            let (addresses, gateways) = (&place.addresses, &place.gateways);
            let wanted = Inside { number, addresses, gateways, subnets: &network.subnets };
            link::configure(inside, &wanted)?;
            self.lead(record, place)?;
        }
        Ok(())
    }

    /// The host's side of one of its links.
    pub(super) fn lead(&mut self, record: &Record, place: &Place) -> Result<(), Refused> {
        let network = self.desired.networks.get(&place.network);
        let mtu = network.and_then(|network: &Network| network.mtu).filter(|mtu| *mtu != self.mtu);
        let Place { index, group, addresses, gateways, mac, .. } = place;
        let (index, group, mac) = (*index, *group, *mac);
        let label = label(&record.spec.id, &place.network);
        let outside = Outside { index, group, addresses, gateways, mac, mtu, label: &label };
        link::lead(&mut self.route, &outside)
    }

    fn accept(&mut self, record: Record, namespace: OwnedFd, pooled: bool) -> Answer {
        let namespace = Arc::new(namespace);
        let answer = self.attached(&record, Arc::clone(&namespace), pooled);
        self.held.insert(record.spec.id.clone(), namespace);
        self.desired.insert(record);
        answer
    }

    fn attached(&self, record: &Record, namespace: Arc<OwnedFd>, pooled: bool) -> Answer {
        let networks = &self.desired.networks;
        let first = record.places.first().and_then(|place| networks.get(&place.network));
        Answer {
            reply: Reply::Attached(Attached {
                endpoint: record.endpoint(),
                dns: first.map(|network| network.gateways().collect()).unwrap_or_default(),
                search: first.unwrap_or(&self.header.network).search.clone(),
                pooled,
            }),
            descriptor: Some(namespace),
        }
    }

    /// Puts the endpoint into the sets, and takes out what was detached before, in one transaction:
    /// an address or a port passes from one to the other without being both's or nobody's.
    fn put_in(&mut self, record: &Record) -> Result<(), Refused> {
        let change = plan::change(&self.dying, [record]);
        let done = self.nft.change(&change);
        self.hand_to_reaper();
        if done.is_err() {
            // The sets are not what we think: somebody else was there.
            self.replace_table()?;
            self.nft.change(&plan::change([], [record]))?;
        }
        Ok(())
    }

    /// Undoes an attachment that the kernel refused. Its namespace is dropped by the caller's
    /// return, and its links vanish with it.
    fn give_up(&mut self, record: &Record, e: &Refused) -> Failure {
        let id = &record.spec.id;
        let told = refused("attach", id, e);
        if let Err(e) = self.journal.append(&[Entry::Detach(id.clone())]) {
            // The next start finds the endpoint without its links, and forgets it.
            crate::say::say(format_args!("undo attach {id}: {e}"));
        }
        self.restore_table();
        told
    }

    /// The ports of these endpoints that nobody of ours has yet.
    pub(super) fn new_ports(&self, records: &[Record]) -> Vec<Published> {
        let ours: Vec<_> = self.desired.endpoints.values().flat_map(Record::bindings).collect();
        let all = records.iter().flat_map(Record::published);
        all.filter(|published| !ours.contains(&published.binding)).collect()
    }
}

/// A namespace with all of its links.
struct Made {
    namespace: OwnedFd,
    inside: Connection,
    pooled: bool,
}

/// Makes a link as its attachment wants it. `targets`: what it was made for, and what for it is.
fn suit(
    inside: &mut Connection,
    number: usize,
    place: &mut Place,
    attachment: &Attachment,
    (made_for, wanted): (Target, Target),
) -> Result<(), Refused> {
    let name = (number == 0 && place.interface.as_str() != "eth0").then_some(&place.interface);
    let mac = attachment.mac.filter(|mac| *mac != place.mac);
    let mtu = (made_for.mtu != wanted.mtu).then_some(wanted.mtu);
    place.mac = mac.unwrap_or(place.mac);
    if name.is_some() || mac.is_some() || mtu.is_some() {
        link::alter(inside, number, name.map(netd_api::LinkName::as_str), mac, mtu)?;
    }
    Ok(())
}
