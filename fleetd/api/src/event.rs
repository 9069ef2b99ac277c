//! What happens, in order.

use crate::unit::UnitState;
use serde::{Deserialize, Serialize};

/// One thing that happened on this fleet. A client that lost its connection asks again with `since=`
/// and `origin=` of the last event that it saw, this host or another one: what it has missed comes
/// first, or [`EventKind::Lagged`] where that cannot be had.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Event {
    pub index: u64,
    /// Whose count the index is: of one host, from one start of its fleetd to the next.
    #[serde(default)]
    pub origin: String,
    /// Microseconds since the Unix epoch.
    pub time: u64,
    pub unit: Option<String>,
    #[serde(flatten)]
    pub kind: EventKind,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
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
    /// Events are missing: this reader was slow, or what it has seen before is of another host or of
    /// an earlier fleetd. Ask for the units again.
    Lagged,
}

/// A line of a unit's output.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct LogLine {
    /// RFC 3339 with nanoseconds, UTC.
    pub time: String,
    pub stream: LogStream,
    pub line: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum LogStream {
    Stdout,
    Stderr,
    /// The supervisor's own words, such as lines dropped on a full disk.
    Supervisor,
}
