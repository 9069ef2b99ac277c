//! Deletes what is slow to delete, in a thread of its own: a link takes the kernel milliseconds.

use super::{Inbox, News};
use crate::conntrack;
use crate::core::Record;
use crate::link;
use crate::netlink::{Connection, Family, Refused};
use netd_api::Protocol;
use std::io;
use std::net::Ipv4Addr;
use std::sync::mpsc;

enum Task {
    /// Deletes the link; then forgets the UDP flows that went to it by its published ports.
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
            for task in inbox {
                let forgotten = match &task {
                    Task::Bury(record) => {
                        let deleted = link::delete(&mut route, record.index, &record.link);
                        if let Err(e) = deleted {
                            crate::say::say(format_args!("detach {}: {e}", record.spec.id));
                        }
                        if engine.send(News::Buried(record.index)).is_err() {
                            return;
                        }
                        forget_udp(&mut netfilter, record, |from| from == record.address)
                    }
                    Task::Welcome(record) => {
                        forget_udp(&mut netfilter, record, |from| from != record.address)
                    }
                };
                if let Err(e) = forgotten {
                    crate::say::say(format_args!("forget UDP flows: {e}"));
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
        self.give(Task::Welcome(record.clone()));
    }

    fn give(&self, task: Task) {
        // The thread ends only with the process.
        let _ = self.tasks.send(task);
    }
}

fn forget_udp(
    netfilter: &mut Connection,
    record: &Record,
    wrong: impl Fn(Ipv4Addr) -> bool,
) -> Result<(), Refused> {
    let udp = record.bindings().filter(|b| b.protocol == Protocol::Udp);
    let ports: Vec<u16> = udp.map(|b| b.port).collect();
    if ports.is_empty() { Ok(()) } else { conntrack::forget_udp(netfilter, &ports, wrong) }
}
