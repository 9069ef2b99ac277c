//! Deletes what is slow to delete, in a thread of its own: a link takes the kernel milliseconds.

use super::{Inbox, News};
use crate::conntrack::{self, Flow};
use crate::core::Record;
use crate::link;
use crate::netlink::{Connection, Family, Refused};
use netd_api::Protocol;
use std::collections::BTreeSet;
use std::io;
use std::sync::mpsc;

enum Task {
    /// Deletes the links, and forgets what went to and from the endpoint.
    Bury(Record),
    /// Forgets UDP flows to its published ports that went elsewhere until now.
    Welcome(Record),
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
    for task in tasks {
        match task {
            Task::Bury(record) => gone.extend(record.addresses()),
            Task::Welcome(record) => {
                ports.extend(udp_ports(record));
                right.extend(record.addresses());
            }
        }
    }
    conntrack::forget(netfilter, |flow: &Flow| {
        flow.is_of(&gone)
            || flow.is_udp() && ports.contains(&flow.port) && !right.contains(&flow.answers)
    })
}

fn udp_ports(record: &Record) -> BTreeSet<u16> {
    let udp = record.bindings().filter(|binding| binding.protocol == Protocol::Udp);
    udp.map(|binding| binding.port).collect()
}
