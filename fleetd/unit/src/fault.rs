//! What is wrong with a unit file, and where.

use fleetd_api::{Problem, ProblemKind, UnitName, Warning};
use std::fmt;
use std::sync::Arc;

/// A line of a unit file or of a drop-in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// `web.container`, or `web.container.d/10-limits.conf`.
    pub file: Arc<str>,
    /// The first line is 1; 0 is the file as a whole.
    pub line: u32,
}

impl Place {
    pub fn fault(&self, message: impl Into<String>) -> Fault {
        Fault { place: self.clone(), message: message.into() }
    }

    pub fn warning(&self, message: impl Into<String>) -> Warning {
        Warning { file: self.file.to_string(), line: self.line, message: message.into() }
    }
}

/// Why a unit file cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    pub place: Place,
    pub message: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Place { file, line } = &self.place;
        match line {
            0 => write!(f, "{file}: {}", self.message),
            line => write!(f, "{file}:{line}: {}", self.message),
        }
    }
}

impl std::error::Error for Fault {}

/// All faults of one unit as the answer to who submitted it.
pub fn problem(name: &UnitName, faults: &[Fault]) -> Problem {
    match faults {
        [one] => Problem::new(ProblemKind::Invalid, format!("read {one}")),
        many => {
            let mut problem =
                Problem::new(ProblemKind::Invalid, format!("read {name}: {} faults", many.len()));
            problem.details = many.iter().map(Fault::to_string).collect();
            problem
        }
    }
}
