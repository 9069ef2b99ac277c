//! What happens, in order.

use crate::unit::UnitState;
use serde::{Deserialize, Serialize};

/// One thing that happened on this fleet. A client that lost its connection asks again with
/// `since=` the last index it saw.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    pub index: u64,
    /// Microseconds since the Unix epoch.
    pub time: u64,
    pub unit: Option<String>,
    #[serde(flatten)]
    pub kind: EventKind,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum EventKind {
    /// A unit file came, changed or went.
    Submitted,
    Destroyed,
    Desired {
        desired: crate::DesiredState,
    },
    /// A step of a start or stop began: `image`, `network`, `root`, `create`, `ready`, `stop`.
    Step {
        step: String,
        message: String,
    },
    /// A step ended well.
    Done {
        step: String,
        micros: u64,
    },
    State {
        state: Box<UnitState>,
    },
    Warning {
        message: String,
    },
    /// Events were dropped because this reader was slow: ask for the units again.
    Lagged,
}

/// A line of a unit's output.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogLine {
    /// RFC 3339 with nanoseconds, UTC.
    pub time: String,
    pub stream: LogStream,
    pub line: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogStream {
    Stdout,
    Stderr,
    /// The supervisor's own words, such as lines dropped on a full disk.
    Supervisor,
}
