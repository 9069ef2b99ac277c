//! One test: a process in a session of its own, its output in a file, a deadline.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use flotilla_tests::need::SKIPPED;

use crate::plan::{Plan, Program};
use crate::record::{Ended, Outcome};
use crate::sys;

/// How much of a failed test's output is kept: the end of it.
const OUTPUT_KEPT: u64 = 64 << 10;

/// Runs a test and judges it. `log` is a file for its output, overwritten.
pub(crate) fn run(program: &Program, test: &str, deadline: Duration, log: &Path) -> Ended {
    let name = Plan::name(program, test);
    let begin = Instant::now();
    let (outcome, output) = match attempt(program, test, deadline, log) {
        Ok((end, output)) => (judge(end, deadline, &output), output),
        Err(error) => (Outcome::Failed(error), String::new()),
    };
    let millis = u64::try_from(begin.elapsed().as_millis()).unwrap_or(u64::MAX);
    let output = if matches!(outcome, Outcome::Failed(_)) { output } else { String::new() };
    Ended { test: name, outcome, millis, output }
}

/// How its process ended; none: it had to be killed at the deadline.
type End = Option<ExitStatus>;

fn attempt(
    program: &Program,
    test: &str,
    deadline: Duration,
    log: &Path,
) -> Result<(End, String), String> {
    let open = |e| format!("open {}: {e}", log.display());
    let mut output = File::options()
        .create(true)
        .truncate(true)
        .read(true)
        .write(true)
        .open(log)
        .map_err(open)?;
    let mut command = Command::new(&program.executable);
    command
        .args(["--exact", test, "--nocapture", "--include-ignored"])
        .current_dir(&program.folder)
        .env("CARGO_MANIFEST_DIR", &program.folder)
        .stdin(Stdio::null())
        .stdout(sys::appending(log).map_err(open)?)
        .stderr(sys::appending(log).map_err(open)?);
    sys::in_new_session(&mut command);
    let mut child =
        command.spawn().map_err(|e| format!("run {}: {e}", program.executable.display()))?;
    let in_time = sys::ends_within(child.id(), deadline).map_err(|e| format!("wait: {e}"))?;
    if !in_time {
        sys::kill_group(child.id());
    }
    let status = child.wait().map_err(|e| format!("wait for the test: {e}"))?;
    // Whatever of its group is still there belongs to a test that is over.
    sys::kill_group(child.id());
    Ok((in_time.then_some(status), tail(&mut output)?))
}

fn tail(file: &mut File) -> Result<String, String> {
    let read = |e| format!("read the output: {e}");
    let size = file.seek(SeekFrom::End(0)).map_err(read)?;
    file.seek(SeekFrom::Start(size.saturating_sub(OUTPUT_KEPT))).map_err(read)?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).map_err(read)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn judge(end: End, deadline: Duration, output: &str) -> Outcome {
    let Some(status) = end else {
        return Outcome::Failed(format!("did not end within {} s", deadline.as_secs()));
    };
    if let Some(signal) = status.signal() {
        return Outcome::Failed(format!("ended by signal {signal}"));
    }
    if !status.success() {
        return Outcome::Failed(reason(output).unwrap_or(status.to_string()));
    }
    match output.lines().find_map(skipped) {
        Some(reason) => Outcome::Skipped(reason.to_owned()),
        None => Outcome::Passed,
    }
}

/// The reason in a line that says that the test was skipped. Where tests run on one processor
/// libtest has begun the line with `test NAME ... `.
fn skipped(line: &str) -> Option<&str> {
    let line = line.strip_prefix("test ").and_then(|l| l.split_once(" ... ")).map_or(line, |l| l.1);
    line.strip_prefix(SKIPPED)
}

/// The first line of what a panic said.
fn reason(output: &str) -> Option<String> {
    let mut lines = output.lines().skip_while(|line| !line.contains(" panicked at "));
    let place = lines.next()?;
    let place = place.split_once("panicked at ")?.1.trim_end_matches(':');
    Some(format!("{place}: {}", lines.next()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn exited(code: i32) -> End {
        Some(ExitStatus::from_raw(code << 8))
    }

    #[test]
    fn a_skip_is_seen_with_its_reason() {
        let skip = Outcome::Skipped("needs root".to_owned());
        assert_eq!(judge(exited(0), SECOND, "\nrunning 1 test\nSKIPPED: needs root\n"), skip);
        let one_processor = "test a::b ... SKIPPED: needs root\nok\n";
        assert_eq!(judge(exited(0), SECOND, one_processor), skip);
        assert_eq!(judge(exited(0), SECOND, "it printed SKIPPED: not"), Outcome::Passed);
    }

    #[test]
    fn a_skip_does_not_hide_a_failure() {
        let failed = judge(exited(101), SECOND, "SKIPPED: needs root\n");
        assert_eq!(failed, Outcome::Failed("exit status: 101".to_owned()));
        assert_eq!(
            judge(Some(ExitStatus::from_raw(11)), SECOND, "SKIPPED: x\n"),
            Outcome::Failed("ended by signal 11".to_owned())
        );
        assert_eq!(judge(None, SECOND, ""), Outcome::Failed("did not end within 1 s".to_owned()));
    }

    #[test]
    fn the_reason_of_a_failure_is_what_panicked() {
        let output = "running 1 test\nthread 'a' (7) panicked at x/main.rs:3:4:\nboom\nnote: run\n";
        let failed = judge(exited(101), SECOND, output);
        assert_eq!(failed, Outcome::Failed("x/main.rs:3:4: boom".to_owned()));
    }
}
