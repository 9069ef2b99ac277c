//! Makes one fleet of the hosts, by the commands that an operator would type.

use super::plan::{Host, Name};
use crate::failure::Failure;
use std::ffi::OsStr;
use std::io::Write;
use std::process::{Command, Stdio};

/// The first host begins a fleet and the others join it.
pub(super) fn form(name: &Name, hosts: &[Host]) -> Result<(), Failure> {
    let Some((&first, others)) = hosts.split_first() else { return Ok(()) };
    let address = first.address().to_string();
    fleetctl(name, first, &["init", "--advertise", &address], None)?;
    if others.is_empty() {
        return Ok(());
    }
    let uses = others.len().to_string();
    let said = fleetctl(name, first, &["token", "create", "--uses", &uses], None)?;
    let token = said.lines().next().unwrap_or_default();
    for &host in others {
        let own = host.address().to_string();
        let join = ["join", &address, "--token", "-", "--advertise", &own];
        fleetctl(name, host, &join, Some(token))?;
    }
    Ok(())
}

/// Runs this program on a host's socket; what it prints.
fn fleetctl(
    name: &Name,
    host: Host,
    arguments: &[&str],
    input: Option<&str>,
) -> Result<String, Failure> {
    let verb = arguments.first().copied().unwrap_or_default();
    let what = format!("{verb} on {host}");
    let mut command = Command::new("/proc/self/exe");
    command.arg("--socket").arg(name.place(host).socket()).args(arguments);
    // A flag of ours that came as a variable is not meant for them.
    let ours = std::env::vars_os().map(|(variable, _)| variable);
    for variable in ours.filter(|v| is_flag(v)) {
        command.env_remove(variable);
    }
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(|e| Failure::io(&what, &e))?;
    if let Some(mut stdin) = child.stdin.take() {
        // One that does not read it says itself what is wrong.
        let _ = stdin.write_all(input.unwrap_or_default().as_bytes());
    }
    let output = child.wait_with_output().map_err(|e| Failure::io(&what, &e))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let error = String::from_utf8_lossy(&output.stderr);
    let error = error.trim().lines().next().unwrap_or_default();
    let error = error.trim_start_matches("fleetctl: ").trim_start_matches("error: ");
    Err(Failure::new(format!("{what}: {error}")))
}

fn is_flag(variable: &OsStr) -> bool {
    variable.to_str().is_some_and(|name| name.starts_with("FLEETCTL_"))
}
