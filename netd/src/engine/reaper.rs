//! Deletes what is slow to delete, in a thread of its own: a link takes the kernel milliseconds.

use super::{Inbox, News};
use crate::conntrack::{self, Flow};
use crate::core::{Record, Service};
use crate::link;
use crate::netlink::{Connection, Family, Refused};
use netd_api::{Protocol, ServicePort};
use std::collections::BTreeSet;
use std::io;
use std::net::IpAddr;
use std::sync::mpsc;

enum Task {
    /// Deletes the links, and forgets what went to and from the endpoint.
    Bury(Record),
    /// Forgets UDP flows to its published ports that went elsewhere until now.
    Welcome(Record),
    /// Forgets UDP flows to these virtual addresses that none of these backends answers.
    Rebalance { addresses: BTreeSet<IpAddr>, backends: BTreeSet<IpAddr> },
}

pub(super) struct Reaper {
    tasks: mpsc::Sender<Task>,
}

impl Reaper {
    /// Starts the thread in the caller's network namespace. It tells the engine of each deletion.
    pub(super) fn start(engine: Inbox) -> io::Result<Self> {
        let (tasks, inbox) = mpsc::channel();
        let mut route = Connection::open(Family::Route)?;
        let mut netfilter = Connection::open(Family::Netfilter)?;
        let work = move || {
            while let Ok(first) = inbox.recv() {
                // One look at all connections is enough for all that waits.
                let tasks: Vec<Task> = std::iter::once(first).chain(inbox.try_iter()).collect();
                for task in &tasks {
                    if let Task::Bury(record) = task {
                        delete_links(&mut route, record);
                        if engine.send(News::Buried(record.spec.id.clone())).is_err() {
                            return;
                        }
                    }
                }
                if let Err(e) = forget(&mut netfilter, &tasks) {
                    crate::say::say(format_args!("forget connections: {e}"));
                }
            }
        };
        std::thread::Builder::new().name("reaper".to_owned()).spawn(work)?;
        Ok(Self { tasks })
    }

    pub(super) fn bury(&self, record: Record) {
        self.give(Task::Bury(record));
    }

    /// A client that went on sending while nobody had the port has a flow that leads nowhere, and
    /// would never meet the new mapping.
    pub(super) fn welcome(&self, record: &Record) {
        if !udp_ports(record).is_empty() {
            self.give(Task::Welcome(record.clone()));
        }
    }

    /// A client that goes on sending to a service would never meet a backend that is new, nor leave one
    /// that has gone.
    pub(super) fn rebalance(&self, old: Option<&Service>, new: Option<&Service>) {
        let both = || old.into_iter().chain(new);
        let is_udp = |port: &ServicePort| port.protocol == Protocol::Udp;
        if both().any(|service| service.spec.ports.iter().any(is_udp)) {
            let addresses = both().flat_map(|service| service.spec.addresses.clone()).collect();
            let backends = new.map(Service::backends).unwrap_or_default();
            self.give(Task::Rebalance { addresses, backends });
        }
    }

    fn give(&self, task: Task) {
        // The thread ends only with the process.
        let _ = self.tasks.send(task);
    }
}

fn delete_links(route: &mut Connection, record: &Record) {
    for place in &record.places {
        if let Err(e) = link::delete(route, place.index, place.link.as_str()) {
            crate::say::say(format_args!("detach {}: {e}", record.spec.id));
        }
    }
}

fn forget(netfilter: &mut Connection, tasks: &[Task]) -> Result<(), Refused> {
    let (mut gone, mut ports, mut right) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    let mut services = Vec::new();
    for task in tasks {
        match task {
            Task::Bury(record) => gone.extend(record.addresses()),
            Task::Welcome(record) => {
                ports.extend(udp_ports(record));
                right.extend(record.addresses());
            }
            Task::Rebalance { addresses, backends } => services.push((addresses, backends)),
        }
    }
    conntrack::forget(netfilter, |flow: &Flow| {
        let is_wrong = |(to, by): &(&BTreeSet<IpAddr>, &BTreeSet<IpAddr>)| {
            to.contains(&flow.destination) && !by.contains(&flow.answers)
        };
        flow.is_of(&gone)
            || flow.is_udp() && services.iter().any(is_wrong)
            || flow.is_udp() && ports.contains(&flow.port) && !right.contains(&flow.answers)
    })
}

fn udp_ports(record: &Record) -> BTreeSet<u16> {
    let udp = record.bindings().filter(|binding| binding.protocol == Protocol::Udp);
    udp.map(|binding| binding.port).collect()
}
