//! How many system calls a run makes, counted by strace over all its processes and threads.

use std::process::{Command, Stdio};

use super::contender::Contender;
use super::stage::Stage;

/// None where there is no strace.
pub(super) fn count(
    contender: &Contender,
    stage: &Stage,
    seccomp: bool,
) -> Result<Option<u64>, String> {
    let run = contender.command(stage, seccomp);
    let mut strace = Command::new("strace");
    strace.args(["-f", "-c", "-U", "calls,name", "-o"]).arg(stage.counted());
    strace.arg(run.get_program()).args(run.get_args());
    let status = strace.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
    match status {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(format!("run strace: {error}")),
        Ok(status) if !status.success() => {
            Err(format!("{} under strace: {status}", contender.name))
        }
        Ok(_) => {
            let summary = std::fs::read_to_string(stage.counted())
                .map_err(|error| format!("read what strace counted: {error}"))?;
            Ok(total(&summary))
        }
    }
}

/// The first number of the line that ends with `total`.
fn total(summary: &str) -> Option<u64> {
    let line = summary.lines().rfind(|line| line.trim_end().ends_with("total"))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_total_is_read_from_the_summary() {
        let summary = "    calls syscall\n--------- ----\n       38 prctl\n      147 total\n";
        assert_eq!(total(summary), Some(147));
        assert_eq!(total("nothing"), None);
    }
}
