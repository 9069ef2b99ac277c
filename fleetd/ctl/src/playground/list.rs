//! `list`: the hosts and how they are, as the kernel has it.

use super::cli::Daemon;
use super::host::Ground;
use super::plan::Host;
use super::process::Process;
use super::state::{Playground, Running};
use crate::cli::TableFlags;
use crate::commands::{print, print_json};
use crate::failure::Failure;
use crate::table::{self, Column, View};
use serde::Serialize;
use std::net::Ipv4Addr;
use std::path::PathBuf;

#[derive(Serialize)]
struct Row {
    host: Host,
    address: Ipv4Addr,
    /// `running`, or what is the matter, separated by commas.
    state: String,
    socket: PathBuf,
    /// Of the process that holds the host's namespaces; none if the host is killed.
    pid: Option<i32>,
    /// The hosts that its packets do not reach.
    dropped: Vec<Host>,
}

const COLUMNS: &[Column<Row>] = &[
    Column { name: "host", cell: |row, _| row.host.to_string() },
    Column { name: "address", cell: |row, _| row.address.to_string() },
    Column { name: "state", cell: |row, _| row.state.clone() },
    Column { name: "socket", cell: |row, _| row.socket.display().to_string() },
    Column { name: "pid", cell: |row, _| row.pid.map(|pid| pid.to_string()).unwrap_or_default() },
];

const DEFAULT: &[&str] = &["host", "address", "state", "socket"];

pub(super) fn run(ground: &Ground, flags: &TableFlags, json: bool) -> Result<u8, Failure> {
    show(ground, &Playground::load(&ground.name)?, flags, json).map(|()| 0)
}

pub(super) fn show(
    ground: &Ground,
    playground: &Playground,
    flags: &TableFlags,
    json: bool,
) -> Result<(), Failure> {
    let rows = rows(ground, playground);
    if json {
        return print_json(&rows);
    }
    let view = View { full: flags.full, machines: &[] };
    print(&table::render(COLUMNS, DEFAULT, &rows, flags, &view)?)
}

fn rows(ground: &Ground, playground: &Playground) -> Vec<Row> {
    let row = |(&host, running): (&Host, &Running)| Row {
        host,
        address: host.address(),
        state: state(ground, playground, host, running),
        socket: ground.name.place(host).socket(),
        pid: running.holder.filter(Process::runs).map(|holder| holder.pid),
        dropped: playground.cuts.pairs().filter(|(from, _)| *from == host).map(|p| p.1).collect(),
    };
    playground.hosts.iter().map(row).collect()
}

fn state(ground: &Ground, playground: &Playground, host: Host, running: &Running) -> String {
    let mut words = Vec::new();
    if !running.holder.is_some_and(|holder| holder.runs()) {
        words.push("killed".to_owned());
    } else {
        if ground.cgroup(host).is_frozen() {
            words.push("paused".to_owned());
        }
        let down = Daemon::ALL.into_iter();
        let down = down.filter(|daemon| !running.daemons.get(daemon).is_some_and(Process::runs));
        words.extend(down.map(|daemon| format!("{daemon} down")));
    }
    words.extend(playground.cuts.words(host, &playground.names()));
    if words.is_empty() { "running".to_owned() } else { words.join(", ") }
}
