//! A question before something that cannot be taken back.

use crate::failure::Failure;
use std::io::{self, BufRead, IsTerminal, Write};

/// Whoever is not there to be asked says it with a flag.
pub(super) fn confirm(question: &str, flag: &str) -> Result<(), Failure> {
    let nothing = |cause: &str| Failure::new(format!("{cause}; nothing was changed")).hint(flag);
    if !io::stdin().is_terminal() {
        return Err(nothing("ask: standard input is no terminal"));
    }
    eprint!("{question}? Type yes: ");
    let _ = io::stderr().flush();
    let mut answer = String::new();
    let read = io::stdin().lock().read_line(&mut answer);
    read.map_err(|error| Failure::io("read the answer", &error))?;
    if answer.trim() == "yes" { Ok(()) } else { Err(nothing("it was not a yes")) }
}
