//! Whether a unit has reached what was asked of it: events in, a verdict out. No clock, no
//! connection.

use fleetd_api::{Active, DesiredState, EventKind, ExitReason, Load, StepTime, UnitState};

/// The step that ends a run.
const STOP: &str = "stop";
/// The step that finds a host for the unit.
pub(crate) const PLACE: &str = "place";

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Goal {
    Loaded,
    Started,
    /// Active again, with another first process than this one.
    Restarted {
        old_pid: Option<i32>,
    },
    Stopped,
    Unloaded,
    Destroyed,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    Waiting,
    Reached,
    /// One phrase on why it will not be.
    Failed(String),
}

/// Where one unit stands on its way.
#[derive(Debug, Clone)]
pub(crate) struct Watch {
    pub goal: Goal,
    /// What the unit does right now: the step and what it waits for.
    pub current: Option<(String, String)>,
    pub steps: Vec<StepTime>,
    pub state: Option<UnitState>,
    pub verdict: Verdict,
    /// A run has begun since the request: an end that is seen now is that run's, not of one before.
    begun: bool,
}

impl Watch {
    pub(crate) fn new(goal: Goal) -> Self {
        Self {
            goal,
            current: None,
            steps: Vec::new(),
            state: None,
            verdict: Verdict::Waiting,
            begun: false,
        }
    }

    /// What happened to the unit after the request.
    pub(crate) fn event(&mut self, kind: &EventKind) {
        if self.verdict != Verdict::Waiting {
            return;
        }
        match kind {
            EventKind::Step { step, message } => {
                self.begun |= step != STOP && step != PLACE;
                self.current = Some((step.clone(), message.clone()));
            }
            EventKind::Done { step, micros } => {
                self.begun |= step != STOP;
                self.current = None;
                self.steps.push(StepTime { step: step.clone(), micros: *micros });
            }
            EventKind::State { state } => self.state(state, true),
            EventKind::Destroyed => {
                self.verdict = match self.goal {
                    Goal::Destroyed => Verdict::Reached,
                    _ => Verdict::Failed("it was destroyed".to_owned()),
                };
            }
            EventKind::Desired { desired } => self.desired(*desired),
            EventKind::Submitted | EventKind::Warning { .. } | EventKind::Lagged => {}
        }
    }

    /// The unit as it is. `fresh`: as of after the request; else it may be from before.
    pub(crate) fn state(&mut self, state: &UnitState, fresh: bool) {
        if self.verdict != Verdict::Waiting {
            return;
        }
        self.verdict = self.judge(state, fresh);
        self.begun |= fresh && state.active == Active::Activating;
        self.state = Some(state.clone());
    }

    /// Somebody else wants something else of it.
    fn desired(&mut self, desired: DesiredState) {
        let wanted = match self.goal {
            Goal::Started | Goal::Restarted { .. } => DesiredState::Launched,
            _ => return,
        };
        if desired < wanted {
            self.verdict = Verdict::Failed("it was stopped by somebody else".to_owned());
        }
    }

    fn judge(&self, state: &UnitState, fresh: bool) -> Verdict {
        if fresh && state.load == Load::Error && self.goal != Goal::Destroyed {
            return Verdict::Failed(reason(state));
        }
        let reached = match (&self.goal, state.active) {
            (Goal::Started, Active::Active) => true,
            (Goal::Restarted { old_pid }, Active::Active) => state.pid != *old_pid,
            // How the old run ended is not how the new one does.
            (Goal::Restarted { .. }, Active::Failed) if !self.begun => false,
            (Goal::Started | Goal::Restarted { .. }, Active::Failed) if fresh => {
                return Verdict::Failed(reason(state));
            }
            // A program that ran to its end: well or not.
            (Goal::Started | Goal::Restarted { .. }, Active::Inactive) if fresh && self.begun => {
                match &state.last_exit {
                    Some(exit) if !ended_well(exit) => return Verdict::Failed(reason(state)),
                    exit => exit.is_some(),
                }
            }
            (Goal::Loaded, _) => {
                state.current >= DesiredState::Loaded && state.load == Load::Loaded
            }
            (Goal::Stopped, Active::Inactive | Active::Failed) => {
                state.current <= DesiredState::Loaded
            }
            (Goal::Unloaded, Active::Inactive | Active::Failed) => {
                state.current == DesiredState::Inactive
            }
            _ => false,
        };
        if reached { Verdict::Reached } else { Verdict::Waiting }
    }
}

fn ended_well(exit: &ExitReason) -> bool {
    exit.code == Some(0) && exit.error.is_none() && !exit.oom
}

/// Why a unit is as it is.
pub(crate) fn reason(state: &UnitState) -> String {
    let exit = state.last_exit.as_ref().map(exit_text);
    state.message.clone().or(exit).unwrap_or_else(|| state.sub.clone())
}

/// `exit code 1`, `killed by KILL (out of memory)`
pub(crate) fn exit_text(exit: &ExitReason) -> String {
    let oom = if exit.oom { " (out of memory)" } else { "" };
    match (exit.code, &exit.signal, &exit.error) {
        (_, _, Some(error)) => error.clone(),
        (Some(code), _, _) => format!("exit code {code}{oom}"),
        (_, Some(signal), _) => format!("killed by {signal}{oom}"),
        _ => format!("it ended{oom}"),
    }
}

#[cfg(test)]
#[path = "wait_tests.rs"]
mod tests;
