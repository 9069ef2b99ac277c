//! Why a command failed, in one line, and the exit code for it.

use crate::text;
use fleetd_api::Problem;
use std::fmt;
use std::io;

/// The exit codes; `docs/fleetctl.md` has them as a table.
pub(crate) mod exit {
    /// The daemon is not there, it refused, or a unit failed.
    pub(crate) const FAILED: u8 = 1;
    /// `plan --exit-code`: something would change. (2 is a wrong command line, too.)
    pub(crate) const CHANGES: u8 = 2;
    /// `status`: a unit is not active.
    pub(crate) const NOT_ACTIVE: u8 = 3;
    /// `status`: there is no such unit.
    pub(crate) const NO_SUCH_UNIT: u8 = 4;
    /// `exec`: the program did not start; every other code is the program's own.
    pub(crate) const NOT_RUN: u8 = 125;
    /// Ended by Ctrl-C; what was asked for goes on.
    pub(crate) const INTERRUPTED: u8 = 130;
}

#[derive(Debug)]
pub(crate) struct Failure {
    /// Verb, object, cause. Empty: everything was said already.
    pub message: String,
    pub hint: Option<String>,
    /// The single faults, a line each.
    pub details: Vec<String>,
    pub code: u8,
    /// The answer was lost: what was asked for may have been done.
    pub unsure: bool,
}

impl Failure {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            hint: None,
            details: Vec::new(),
            code: exit::FAILED,
            unsure: false,
        }
    }

    /// A failure whose words stand on the terminal already.
    pub(crate) fn told(code: u8) -> Self {
        Self { code, ..Self::new("") }
    }

    /// `action` is verb and object.
    pub(crate) fn io(action: impl fmt::Display, error: &io::Error) -> Self {
        Self::new(format!("{action}: {}", text::cause(error)))
    }

    #[must_use]
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    #[must_use]
    pub(crate) fn code(mut self, code: u8) -> Self {
        self.code = code;
        self
    }

    #[must_use]
    pub(crate) fn unsure(mut self) -> Self {
        self.unsure = true;
        self
    }

    pub(crate) fn print(&self) {
        if !self.message.is_empty() {
            eprintln!("fleetctl: {self}");
        }
        for detail in &self.details {
            eprintln!("  {}", text::plain(detail));
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&text::plain(&self.message))?;
        match &self.hint {
            Some(hint) => write!(f, " ({})", text::plain(hint)),
            None => Ok(()),
        }
    }
}

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Self {
        Self { hint: problem.hint, details: problem.details, ..Self::new(problem.message) }
    }
}
