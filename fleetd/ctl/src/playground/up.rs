//! `up` and `down`.

use super::cgroup::Cgroup;
use super::cli::Up;
use super::cuts::Cuts;
use super::host::{Ground, remove};
use super::plan::{Host, MOST_HOSTS, Name, SWITCH};
use super::state::{Lock, Playground, Running, make_private, option};
use super::{fleet, link, list, namespace};
use crate::cli::TableFlags;
use crate::commands::print;
use crate::failure::Failure;
use std::fs;
use std::path::PathBuf;

pub(super) fn up(ground: &Ground, flags: &Up, json: bool) -> Result<u8, Failure> {
    let name = &ground.name;
    let programs = programs(flags)?;
    let _lock = Lock::take(name, true)?;
    if name.state().exists() || cgroups(ground).any(|cgroup| cgroup.exists()) {
        let hint = format!("fleetctl playground down{} removes it", option(name));
        return Err(Failure::new(format!("make playground {name}: it is there")).hint(hint));
    }
    let hosts: Vec<Host> = Host::first(flags.hosts).collect();
    let playground = make(ground, &hosts, programs).inspect_err(|_| {
        // The first failure is the one to tell.
        let _ = clear(ground);
    })?;
    if !flags.separate {
        fleet::form(name, &hosts).map_err(|failure| {
            let hint = format!("the hosts run: fleetctl playground list{}", option(name));
            failure.hint(hint)
        })?;
    }
    list::show(ground, &playground, &TableFlags::default(), json)?;
    if !json {
        print(&text(name, flags.hosts, flags.separate))?;
    }
    Ok(0)
}

/// The switch and the hosts, each a fleet of its own.
fn make(ground: &Ground, hosts: &[Host], programs: PathBuf) -> Result<Playground, Failure> {
    let name = &ground.name;
    make_private(&name.state())?;
    let entrance = Cgroup::new(&ground.cgroups, &name.cgroup(SWITCH)).make()?;
    let switch = namespace::start(SWITCH, None, entrance)?;
    link::make_switch(&switch)?;
    let mut playground = Playground {
        switch,
        programs,
        hosts: hosts.iter().map(|host| (*host, Running::default())).collect(),
        cuts: Cuts::default(),
    };
    ground.boot(&mut playground, hosts)?;
    playground.save(name)?;
    Ok(playground)
}

/// Where the programs are that the hosts run.
fn programs(flags: &Up) -> Result<PathBuf, Failure> {
    let folder = match &flags.programs {
        Some(folder) => std::path::absolute(folder)
            .map_err(|e| Failure::io(format!("find {}", folder.display()), &e))?,
        None => {
            let own = std::env::current_exe();
            let own = own.map_err(|e| Failure::io("find this program", &e))?;
            own.parent().map(PathBuf::from).unwrap_or_default()
        }
    };
    for program in ["netd", "fleetd", "ocirun"] {
        let path = folder.join(program);
        fs::metadata(&path).map_err(|e| {
            Failure::io(format!("find {}", path.display()), &e)
                .hint("--programs names the directory of netd, fleetd and ocirun")
        })?;
    }
    Ok(folder)
}

/// What can be done now.
fn text(name: &Name, count: u8, separate: bool) -> String {
    let socket = name.place(Host::FIRST).socket();
    let (what, victim) = match (separate, count) {
        (_, 1) => ("One host is running.".to_owned(), "h1"),
        (true, _) => (format!("{count} hosts are running, each a fleet of its own."), "h2"),
        (false, _) => (format!("A fleet of {count} hosts is running."), "h2"),
    };
    let mut lines = vec![
        ("list".to_owned(), "the hosts and how they are"),
        (format!("kill {victim}"), "cuts the power; start boots it again"),
        (format!("pause {victim}"), "stops every process; resume lets them go on"),
        (format!("kill-daemon {victim}"), "kills fleetd and netd; start-daemon starts them"),
        (format!("exec {victim} -- sh"), "a shell on the host"),
        ("down".to_owned(), "removes every trace"),
    ];
    if count > 1 {
        lines.insert(3, (format!("cut {victim} --from h1"), "no packet passes; heal undoes it"));
    }
    let width = lines.iter().map(|(command, _)| command.len()).max().unwrap_or(0);
    let line = |(command, does): &(String, &str)| {
        format!("  fleetctl playground{} {command:width$}  # {does}\n", option(name))
    };
    let lines: String = lines.iter().map(line).collect();
    let socket = socket.display();
    format!("\n{what} In this shell:\n\n  export FLEETCTL_SOCKET={socket}\n{lines}")
}

pub(super) fn down(ground: &Ground) -> Result<u8, Failure> {
    let _lock = Lock::take(&ground.name, false)?;
    clear(ground)?;
    Ok(0)
}

/// Ends and removes whatever there may be of the playground. It is found by its names alone, so it
/// does not matter how far a command came that was killed, or whether the machine was rebooted.
fn clear(ground: &Ground) -> Result<(), Failure> {
    let name = &ground.name;
    let mut results: Vec<Result<(), Failure>> = Vec::new();
    // All die before the first is waited for.
    results.extend(cgroups(ground).map(|cgroup| cgroup.kill()));
    results.extend(cgroups(ground).map(|cgroup| cgroup.end()));
    results.push(remove(&name.state()));
    results.push(remove(&name.run()));
    // Those of all playgrounds go with the last one.
    let _ = fs::remove_dir(Name::all_states());
    let _ = fs::remove_dir(Name::all_runs());
    let mut failures = results.into_iter().filter_map(Result::err);
    let Some(mut first) = failures.next() else { return Ok(()) };
    first.details.extend(failures.map(|failure| failure.to_string()));
    Err(first)
}

fn cgroups(ground: &Ground) -> impl Iterator<Item = Cgroup> {
    let hosts = Host::first(MOST_HOSTS).map(|host| ground.name.cgroup(host));
    hosts.chain([ground.name.cgroup(SWITCH)]).map(|path| Cgroup::new(&ground.cgroups, &path))
}
