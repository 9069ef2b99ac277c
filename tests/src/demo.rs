//! The demo, as a test runs it.

use crate::programs;
use std::path::Path;
use std::process::{Command, Stdio};

/// In a mount namespace with a /var/lib of its own, which can hold an overlay's upper directory
/// and is the machine's no more. Nothing may be left there or in /run.
const SCRIPT: &str = "
set -eu
mount -t tmpfs tmpfs /var/lib
\"$1\" demo
\"$1\" up
\"$1\" down
[ -z \"$(ls -A /var/lib)\" ] || { echo \"left in /var/lib:\"; ls -A /var/lib; exit 1; } >&2
[ ! -e /run/flotilla-demo ] || { echo \"/run/flotilla-demo is left\"; exit 1; } >&2
";

/// The same with that of three hosts.
const OF_THREE: &str = "
set -eu
mount -t tmpfs tmpfs /var/lib
\"$1\" demo
[ ! -e /run/flotilla-playground/demo ] || { echo \"the hosts are left in /run\"; exit 1; } >&2
";

/// Runs `demo`, then `up` and `down`, in the caller's network namespace. Gives all that it says; an
/// error is the same when it fails.
pub fn demo() -> Result<String, String> {
    run("fleet-of-one", SCRIPT)
}

/// Runs the demo of three hosts.
pub fn demo_of_three() -> Result<String, String> {
    run("fleet-of-three", OF_THREE)
}

fn run(example: &str, lines: &str) -> Result<String, String> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples").join(example);
    let fleetd = programs::path("fleetd");
    let folder = fleetd.parent().ok_or("find the programs: no directory")?;
    let output = Command::new("unshare")
        .args(["--mount", "bash", "-c", lines, "demo"])
        .arg(script)
        .env("FLOTILLA_PROGRAMS", folder)
        .stdin(Stdio::null())
        .output()
        .map_err(|e| format!("start unshare: {e}"))?;
    let words = [output.stdout, output.stderr].concat();
    let words = String::from_utf8_lossy(&words).into_owned();
    if output.status.success() { Ok(words) } else { Err(words) }
}
