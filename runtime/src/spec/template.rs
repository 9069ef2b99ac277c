//! The `config.json` that `ocirun spec` writes: a shell on a terminal, isolated as the
//! specification's own example is.
//!
//! A text and no value that is written out: the code for that would be a twentieth of the program.

use super::{Spec, load};
use crate::error::Result;

/// The document.
pub const TEXT: &str = include_str!("template.json");

/// The same, read; with `terminal` the shell gets one.
pub fn spec(terminal: bool) -> Result<Spec> {
    let mut spec: Spec = load::parse(TEXT.as_bytes())?;
    if let Some(process) = &mut spec.process {
        process.terminal = terminal;
    }
    Ok(spec)
}
