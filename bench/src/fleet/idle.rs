//! Part `idle`: what the daemons of a fleet in which nothing happens take of their hosts.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::bare::cgroup2;
use super::ground::{Ground, said};
use super::stamps::Stamps;
use super::table::{Row, Table};
use super::units::{self, Network};

pub(super) const PART: &str = "idle";
const UNITS: usize = 6;
/// What the start has set off is over by then.
const REST: Duration = Duration::from_secs(20);
const LOOK: Duration = Duration::from_secs(60);
/// MiB; percent of one core.
const MEMORY: f64 = 30.0;
const PROCESSOR: f64 = 1.0;

#[allow(clippy::disallowed_methods, reason = "that nothing happens takes its time")]
pub(super) fn run(stamps: &Stamps) -> Result<Vec<Table>, String> {
    let ground = Ground::up("idle", 3)?;
    ground.import(&units::root(stamps)?, units::IMAGE)?;
    let more = format!("[X-Fleet]\nReplicas={UNITS}\n");
    let path = units::write(stamps, "web@.container", Network::Default, &more)?;
    said(&mut ground.ctl("h1", ["start".as_ref(), path.as_os_str()]))?;
    std::thread::sleep(REST);
    let processes = processes(&ground)?;
    let before = looks(&processes)?;
    let begun = Instant::now();
    std::thread::sleep(LOOK);
    let time = begun.elapsed().as_secs_f64();
    let after = looks(&processes)?;
    let (mut memory, mut processor, mut wakes) = (Vec::new(), Vec::new(), Vec::new());
    for name in ["fleetd", "netd", "ocirun"] {
        let those: Vec<usize> =
            (0..processes.len()).filter(|at| processes[*at].name == name).collect();
        if those.is_empty() {
            return Err(format!("find {name} on the hosts: there is none"));
        }
        let each = |f: &dyn Fn(usize) -> f64| those.iter().map(|at| f(*at)).collect::<Vec<_>>();
        let what = if name == "ocirun" { "ocirun supervise, each" } else { name };
        memory.push(Row::new(what, each(&|at| after[at].memory)));
        let percent = |at: usize| (after[at].processor - before[at].processor) / time * 100.0;
        processor.push(Row::new(what, each(&percent)));
        wakes.push(Row::new(what, each(&|at| (after[at].wakes - before[at].wakes) / time)));
    }
    let memory = with_target(memory, MEMORY);
    let processor = with_target(processor, PROCESSOR);
    let of = |title: &str, unit, rows| {
        let title = format!("three hosts with {UNITS} units, nothing happens: {title}");
        Table { part: PART, title, unit, rows }
    };
    Ok(vec![
        of("memory that is there (RSS)", "MiB", memory),
        of("processor time in a minute", "% of a core", processor),
        of("times that a thread had to wait", "per second", wakes),
    ])
}

/// fleetd's, the first row.
fn with_target(rows: Vec<Row>, target: f64) -> Vec<Row> {
    let mut rows = rows.into_iter();
    rows.next().map(|first| first.target(target)).into_iter().chain(rows).collect()
}

struct Process {
    name: String,
    directory: PathBuf,
}

/// Those of all hosts, whichever cgroup they are in.
fn processes(ground: &Ground) -> Result<Vec<Process>, String> {
    let mount = cgroup2()?;
    let mut open: Vec<PathBuf> =
        ground.hosts().iter().map(|host| mount.join(ground.cgroup(host))).collect();
    let mut found = Vec::new();
    while let Some(cgroup) = open.pop() {
        let pids = fs::read_to_string(cgroup.join("cgroup.procs")).unwrap_or_default();
        for pid in pids.lines() {
            let directory = Path::new("/proc").join(pid);
            let name = fs::read_to_string(directory.join("comm")).unwrap_or_default();
            found.push(Process { name: name.trim().to_owned(), directory });
        }
        let below = fs::read_dir(&cgroup).map_err(|e| format!("read {}: {e}", cgroup.display()))?;
        open.extend(below.flatten().map(|entry| entry.path()).filter(|path| path.is_dir()));
    }
    Ok(found)
}

struct Look {
    /// MiB.
    memory: f64,
    /// Seconds, of all threads.
    processor: f64,
    /// Voluntary context switches of all threads.
    wakes: f64,
}

fn looks(processes: &[Process]) -> Result<Vec<Look>, String> {
    processes.iter().map(|process| look(&process.directory)).collect()
}

fn look(process: &Path) -> Result<Look, String> {
    let doing = |error| format!("look at {}: {error}", process.display());
    let status = fs::read_to_string(process.join("status")).map_err(doing)?;
    let memory = field(&status, "VmRSS:") / 1024.0;
    let (mut nanos, mut wakes) = (0.0, 0.0);
    for thread in fs::read_dir(process.join("task")).map_err(doing)?.flatten() {
        // It may have ended.
        let times = fs::read_to_string(thread.path().join("schedstat")).unwrap_or_default();
        nanos += times.split(' ').next().and_then(|time| time.parse().ok()).unwrap_or(0.0);
        let status = fs::read_to_string(thread.path().join("status")).unwrap_or_default();
        wakes += field(&status, "voluntary_ctxt_switches:");
    }
    Ok(Look { memory, processor: nanos / 1e9, wakes })
}

/// The number after a name of `/proc/PID/status`; 0 where there is none.
fn field(status: &str, name: &str) -> f64 {
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_the_number_after_its_whole_name() {
        let status = "Name:\tx\nVmRSS:\t   2048 kB\nnonvoluntary_ctxt_switches:\t7\nvoluntary_ctxt_switches:\t5\n";
        assert_eq!(field(status, "VmRSS:"), 2048.0);
        assert_eq!(field(status, "voluntary_ctxt_switches:"), 5.0);
        assert_eq!(field(status, "VmSwap:"), 0.0);
    }

    #[test]
    fn this_process_has_memory() {
        assert!(look(Path::new("/proc/self")).unwrap().memory > 0.1);
    }
}
