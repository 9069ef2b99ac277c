//! Runs a plan where it is called, and writes a record of each test.
//!
//! System tests run one after the other, since they share the kernel's tables, and after each it is
//! looked what the test left behind. Unit tests run a few at a time.

use std::path::Path;
use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::arguments::Arguments;
use crate::leftovers::{Leftovers, Snapshot};
use crate::one;
use crate::plan::{Plan, Program};
use crate::record::{Outcome, Record, Writer};

pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode, String> {
    let plan = Plan::read(&arguments.path("plan")?)?;
    let records = Writer::create(&arguments.path("records")?)?;
    let logs = arguments.path("logs")?;
    let deadline = Duration::from_secs(arguments.number("deadline", 60)?);
    std::fs::create_dir_all(&logs).map_err(|e| format!("create {}: {e}", logs.display()))?;
    records.write(&Record::Ready)?;
    if arguments.is("clean") {
        let grace = Duration::from_secs(arguments.number("grace", 10)?);
        one_by_one(&plan, &records, &logs, deadline, grace)?;
    } else {
        let jobs = usize::try_from(arguments.number("jobs", 1)?).unwrap_or(1);
        several(&plan, &records, &logs, deadline, jobs)?;
    }
    records.write(&Record::Done)?;
    Ok(ExitCode::SUCCESS)
}

fn one_by_one(
    plan: &Plan,
    records: &Writer,
    logs: &Path,
    deadline: Duration,
    grace: Duration,
) -> Result<(), String> {
    let mut before = Snapshot::take()?;
    for (program, test) in plan.tests() {
        records.write(&Record::Started { test: Plan::name(program, test) })?;
        let mut ended = one::run(program, test, deadline, &logs.join("0"));
        let left = Leftovers::after(&before, grace)?;
        if !left.is_empty() {
            ended.output.push_str(&left.text());
            if !matches!(ended.outcome, Outcome::Failed(_)) {
                ended.outcome = Outcome::Failed(format!("left behind: {}", left.first()));
            }
            left.kill();
            before = Snapshot::take()?;
        }
        records.write(&Record::Ended(ended))?;
    }
    Ok(())
}

fn several(
    plan: &Plan,
    records: &Writer,
    logs: &Path,
    deadline: Duration,
    jobs: usize,
) -> Result<(), String> {
    let tests = plan.tests().collect::<Vec<(&Program, &str)>>();
    let next = AtomicUsize::new(0);
    let worker = |number: usize| -> Result<(), String> {
        let log = logs.join(number.to_string());
        while let Some((program, test)) = tests.get(next.fetch_add(1, Ordering::Relaxed)) {
            records.write(&Record::Started { test: Plan::name(program, test) })?;
            records.write(&Record::Ended(one::run(program, test, deadline, &log)))?;
        }
        Ok(())
    };
    std::thread::scope(|scope| {
        let workers = (0..jobs).map(|n| scope.spawn(move || worker(n))).collect::<Vec<_>>();
        workers.into_iter().try_for_each(|worker| {
            worker.join().map_err(|_| "a worker of the runner panicked".to_owned())?
        })
    })
}
