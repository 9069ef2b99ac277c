//! `netd diff`

use super::{CommandError, ask, connect, system};
use crate::cli::Arguments;
use netd_api::{Call, Reply};
use std::io::Write;

/// A line for each thing that is missing or strange. That there is one is an error, so that a script
/// can tell.
pub(super) fn run(arguments: &Arguments) -> Result<(), CommandError> {
    let stream = connect(arguments)?;
    let Reply::Difference { differences } = ask(&stream, Call::Diff)? else {
        return Err(CommandError::Answer("compare: netd answered something else".to_owned()));
    };
    let count = differences.len();
    let text: String = differences.iter().map(|difference| format!("{difference}\n")).collect();
    std::io::stdout().write_all(text.as_bytes()).map_err(system("write to stdout"))?;
    if count == 0 {
        return Ok(());
    }
    let things = if count == 1 { "thing differs" } else { "things differ" };
    Err(CommandError::Answer(format!("compare the kernel with what is wanted: {count} {things}")))
}
