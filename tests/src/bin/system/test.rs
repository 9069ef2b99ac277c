//! `system test`: every test, in every place where it belongs.

use std::path::Path;
use std::process::{Command, ExitCode};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::arguments::Arguments;
use crate::follow::{self, End, Records};
use crate::plan::{self, Kind, Plan};
use crate::record::{Ended, Outcome, Record};
use crate::report::Report;
use crate::sys;
use crate::vm::{self, Kernel, Machine};

/// How long an ordinary test may take on the host, in seconds.
const DEADLINE: u64 = 90;

pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode, String> {
    let mut plan = plan::make(&arguments.path("messages")?, arguments.is("ignored"))?;
    let filter = arguments.text("filter");
    plan.retain(filter);
    if plan.programs.is_empty() {
        return Err(format!("no test has a name with `{filter}` in it"));
    }
    let work = arguments.path("work")?;
    let boots = boots(arguments.text("vm"), &plan, filter.is_empty(), &work.join("vm"))?;
    let report = Mutex::new(Report::default());
    let jobs = std::thread::available_parallelism().map_or(1, usize::from).to_string();
    on_host("unit", &plan.of(&[Kind::Unit]), &["--jobs", &jobs], &work, &report)?;
    let options = ["--isolated", "yes", "--clean", "yes"];
    on_host("host", &plan.of(&[Kind::System, Kind::Fleet]), &options, &work, &report)?;
    in_vms(&boots, &work, &report)?;
    for (program, test) in plan.of(&[Kind::Systemd]).tests() {
        let test = Plan::name(program, test);
        if boots.iter().all(|(machine, _)| !machine.systemd) {
            let outcome = Outcome::Skipped("needs systemd in the virtual machine".to_owned());
            lock(&report).add("host", &Ended { test, outcome, millis: 0, output: String::new() });
        }
    }
    let report = report.into_inner().map_err(|e| e.to_string())?;
    Ok(if report.finish() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The machines to boot, and what runs in each: none if there is nothing to run.
fn boots(
    which: &str,
    plan: &Plan,
    is_whole: bool,
    cache: &Path,
) -> Result<Vec<(Machine, Plan)>, String> {
    let names: &[&str] = match which {
        "none" => &[],
        "oldest" => &["oldest"],
        "newest" => &["newest"],
        "all" | "" => &["oldest", "newest"],
        _ => return Err(format!("VM={which}: expected all, none, oldest or newest")),
    };
    let ordinary = plan.of(&[Kind::System, Kind::Fleet]);
    let systemd = plan.of(&[Kind::Systemd]);
    if names.is_empty() || (ordinary.programs.is_empty() && systemd.programs.is_empty()) {
        return Ok(Vec::new());
    }
    let layer = vm::layer(cache)?;
    let kernels = names.iter().map(|name| Kernel::prepare(name, cache));
    let mut kernels = kernels.collect::<Result<Vec<_>, _>>()?;
    // A release may have no kernel but its own.
    kernels.dedup_by_key(|kernel| kernel.release());
    let machine = |kernel: &Kernel, systemd| Machine {
        kernel: kernel.clone(),
        layer: layer.clone(),
        systemd,
    };
    // Who asks for some tests by name wants them everywhere.
    let count = if is_whole { kernels.len() } else { 1 };
    let share = |(k, number)| (machine(k, false), ordinary.share(number % count, count));
    let mut boots = kernels.iter().zip(0..).map(share).collect::<Vec<_>>();
    boots.extend(kernels.last().map(|k| (machine(k, true), systemd)));
    boots.retain(|(_, plan)| !plan.programs.is_empty());
    Ok(boots)
}

/// Boots the machines, two at a time: one leaves a processor idle most of the time.
fn in_vms(boots: &[(Machine, Plan)], work: &Path, report: &Mutex<Report>) -> Result<(), String> {
    let next = AtomicUsize::new(0);
    let worker = || {
        while let Some((machine, plan)) = boots.get(next.fetch_add(1, Ordering::Relaxed)) {
            in_vm(machine, plan, work, report)?;
        }
        Ok(())
    };
    std::thread::scope(|scope| {
        let workers = [scope.spawn(worker), scope.spawn(worker)];
        workers.into_iter().try_for_each(|worker| {
            worker.join().map_err(|_| "a thread of the runner panicked".to_owned())?
        })
    })
}

/// Runs a plan on this machine.
fn on_host(
    place: &str,
    plan: &Plan,
    options: &[&str],
    work: &Path,
    report: &Mutex<Report>,
) -> Result<(), String> {
    if plan.programs.is_empty() {
        return Ok(());
    }
    let folder = work.join(place);
    std::fs::create_dir_all(&folder).map_err(|e| format!("create {}: {e}", folder.display()))?;
    plan.write(&folder.join("plan"))?;
    let mut records = Records::create(&folder.join("records"))?;
    let scratch = nix::unistd::mkdtemp(&std::env::temp_dir().join("flotilla-tests-XXXXXX"))
        .map_err(|e| format!("make a scratch directory: {e}"))?;

    let own = std::env::current_exe().map_err(|e| format!("find this program: {e}"))?;
    let mut command = Command::new(own);
    command
        .arg("place")
        .args(["--deadline", &plan.deadline(DEADLINE).to_string()])
        .arg("--plan")
        .arg(folder.join("plan"))
        .arg("--records")
        .arg(folder.join("records"))
        .arg("--logs")
        .arg(folder.join("logs"))
        .args(options)
        .env("FLOTILLA_SCRATCH", &scratch);
    sys::dies_with_parent(&mut command);
    let mut child = command.spawn().map_err(|e| format!("start the tests: {e}"))?;
    let silence = |_: Option<&Record>| Duration::from_secs(plan.deadline(DEADLINE) + 60);
    let end = follow::follow(&mut child, &mut records, silence, |record| {
        take(place, record, report);
    })?;
    let reason = match end {
        End::Exited(status) => format!("the runner ended too early ({status})"),
        End::Silent(time) => format!("nothing came for {} s", time.as_secs()),
    };
    fail_the_rest(place, plan, &reason, report);
    // What a test leaves in it has been reported with the test.
    std::fs::remove_dir_all(&scratch).map_err(|e| format!("remove {}: {e}", scratch.display()))
}

/// Runs a plan in the virtual machine.
fn in_vm(
    machine: &Machine,
    plan: &Plan,
    work: &Path,
    report: &Mutex<Report>,
) -> Result<(), String> {
    let place = machine.place();
    let end = vm::run(machine, plan, &work.join(&place), |record| take(&place, record, report))?;
    if let Some(reason) = end {
        fail_the_rest(&place, plan, &reason, report);
    }
    Ok(())
}

fn take(place: &str, record: &Record, report: &Mutex<Report>) {
    if let Record::Ended(ended) = record {
        lock(report).add(place, ended);
    }
}

/// Every test of the plan without a record has failed: the one that ran when the place ended, and
/// those that come after it.
fn fail_the_rest(place: &str, plan: &Plan, reason: &str, report: &Mutex<Report>) {
    let mut report = lock(report);
    let names = plan.tests().map(|(program, test)| Plan::name(program, test));
    let rest = names.filter(|test| !report.is_known(place, test)).collect::<Vec<_>>();
    if !rest.is_empty() {
        report.cut(place, reason, rest);
    }
}

fn lock(report: &Mutex<Report>) -> std::sync::MutexGuard<'_, Report> {
    // A thread that panicked while it printed has left whole entries.
    report.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}
