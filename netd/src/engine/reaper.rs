//! Deletes what is slow to delete, in a thread of its own: a link takes the kernel milliseconds.

use crate::conntrack;
use crate::core::Record;
use crate::link;
use crate::netlink::{Connection, Family};
use std::io;
use std::sync::mpsc;

enum Task {
    /// Deletes the link; then forgets the UDP flows that went to its published ports.
    Bury(Record),
    /// Forgets UDP flows to these ports of the host that went elsewhere until now.
    ForgetUdp(Vec<u16>),
}

pub(super) struct Reaper {
    tasks: mpsc::Sender<Task>,
    done: mpsc::Receiver<u32>,
}

impl Reaper {
    /// Starts the thread in the caller's network namespace.
    pub(super) fn start() -> io::Result<Self> {
        let (tasks, inbox) = mpsc::channel();
        let (outbox, done) = mpsc::channel();
        let mut route = Connection::open(Family::Route)?;
        let mut netfilter = Connection::open(Family::Netfilter)?;
        let work = move || {
            for task in inbox {
                let ports = match task {
                    Task::Bury(record) => {
                        let deleted = link::delete(&mut route, record.index, &record.link);
                        if let Err(e) = deleted {
                            eprintln!("netd: detach {}: {e}", record.spec.id);
                        }
                        if outbox.send(record.index).is_err() {
                            return;
                        }
                        udp_ports(&record)
                    }
                    Task::ForgetUdp(ports) => ports,
                };
                if !ports.is_empty()
                    && let Err(e) = conntrack::forget_udp(&mut netfilter, &ports)
                {
                    eprintln!("netd: forget UDP flows: {e}");
                }
            }
        };
        std::thread::Builder::new().name("reaper".to_owned()).spawn(work)?;
        Ok(Self { tasks, done })
    }

    pub(super) fn bury(&self, record: Record) {
        self.give(Task::Bury(record));
    }

    /// A client that went on sending while nobody had the port has a flow that leads nowhere, and
    /// would never meet the new mapping.
    pub(super) fn forget_udp(&self, before: &[u16], record: &Record) {
        let mut ports = udp_ports(record);
        ports.retain(|p| !before.contains(p));
        if !ports.is_empty() {
            self.give(Task::ForgetUdp(ports));
        }
    }

    /// Indices of links that have been deleted since the last call.
    pub(super) fn deleted(&self) -> Vec<u32> {
        self.done.try_iter().collect()
    }

    fn give(&self, task: Task) {
        // The thread ends only with the process.
        let _ = self.tasks.send(task);
    }
}

fn udp_ports(record: &Record) -> Vec<u16> {
    let udp = |m: &&netd_api::PortMapping| m.protocol == netd_api::Protocol::Udp;
    record.spec.ports.iter().filter(udp).map(|m| m.host_port).collect()
}
