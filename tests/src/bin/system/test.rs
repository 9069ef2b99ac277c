//! `system test`: every test, in every place where it belongs.

use std::path::Path;
use std::process::{Command, ExitCode};
use std::time::Duration;

use crate::arguments::Arguments;
use crate::follow::{self, End, Records};
use crate::plan::{self, Kind, Plan};
use crate::record::{Ended, Outcome, Record};
use crate::report::Report;
use crate::sys;

/// How long a test may take on the host, in seconds.
const DEADLINE: u64 = 90;

pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode, String> {
    let mut plan = plan::make(&arguments.path("messages")?, arguments.is("ignored"))?;
    let filter = arguments.text("filter");
    plan.retain(filter);
    if plan.programs.is_empty() {
        return Err(format!("no test has a name with `{filter}` in it"));
    }
    let work = arguments.path("work")?;
    let mut report = Report::default();
    let jobs = std::thread::available_parallelism().map_or(1, usize::from).to_string();
    on_host("unit", &plan.of(&[Kind::Unit]), &["--jobs", &jobs], &work, &mut report)?;
    let options = ["--isolated", "yes", "--clean", "yes"];
    on_host("host", &plan.of(&[Kind::System]), &options, &work, &mut report)?;
    Ok(if report.finish() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Runs a plan on this machine.
fn on_host(
    place: &str,
    plan: &Plan,
    options: &[&str],
    work: &Path,
    report: &mut Report,
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
        .args(["--deadline", &DEADLINE.to_string()])
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
    let silence = |_: Option<&Record>| Duration::from_secs(DEADLINE + 60);
    let end = follow::follow(&mut child, &mut records, silence, |record| {
        if let Record::Ended(ended) = record {
            report.add(place, ended);
        }
    })?;
    fail_the_rest(place, plan, &end, report);
    // What a test leaves in it has been reported with the test.
    std::fs::remove_dir_all(&scratch).map_err(|e| format!("remove {}: {e}", scratch.display()))
}

/// Every test of the plan without a record failed: it was not run.
fn fail_the_rest(place: &str, plan: &Plan, end: &End, report: &mut Report) {
    let reason = match end {
        End::Exited(status) => format!("not run to its end: the runner ended with {status}"),
        End::Silent(time) => format!("not run to its end: nothing came for {} s", time.as_secs()),
    };
    for (program, test) in plan.tests() {
        let test = Plan::name(program, test);
        if !report.is_known(place, &test) {
            let outcome = Outcome::Failed(reason.clone());
            report.add(place, &Ended { test, outcome, millis: 0, output: String::new() });
        }
    }
}
