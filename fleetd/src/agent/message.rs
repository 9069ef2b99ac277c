//! What the agent's tasks tell it.

use crate::core::reconcile::StartError;
use crate::core::run::{RunId, RunRecord};
use fleetd_api::ExitReason;

#[derive(Debug)]
pub struct Message {
    pub unit: String,
    pub run: RunId,
    pub what: What,
}

#[derive(Debug)]
pub enum What {
    /// The preparation waits for something, in words; none: no longer.
    Waits(Option<String>),
    StartFailed {
        error: String,
        kind: StartError,
    },
    Running(Box<Running>),
    /// The program has said that it is ready.
    Ready,
    Health {
        passed: bool,
        at: u64,
    },
    Ended {
        exit: ExitReason,
        at: u64,
    },
    /// Nothing of the run is left.
    Cleared,
}

/// A program that runs.
#[derive(Debug)]
pub struct Running {
    pub record: RunRecord,
    pub pid: i32,
    /// Microseconds since the epoch.
    pub since: u64,
    pub ready: bool,
}
