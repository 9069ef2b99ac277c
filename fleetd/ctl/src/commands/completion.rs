//! `completion`: the script that a shell completes commands with.

use crate::cli;
use crate::failure::Failure;

pub(super) fn run(shell: clap_complete::Shell) -> Result<u8, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut cli::command(), "fleetctl", &mut script);
    super::print(&String::from_utf8_lossy(&script))?;
    Ok(0)
}
