//! What to do about one unit: the decided state against the observed one.
//!
//! [`Life::step`] is called whenever anything about the unit may have changed; it is level-triggered,
//! so a call too many does nothing. It changes the unit's [`Life`] and says what the agent must do
//! and when to call again at the latest.

use crate::core::restart::{self, Ending, Time, micros};
use crate::core::unit::container::{Service, ServiceType};
use fleetd_api::ExitReason;
use serde::{Deserialize, Serialize};

/// What was decided.
#[derive(Debug, Clone, Copy)]
pub struct Want<'a> {
    pub launched: bool,
    /// Index of the latest decision to start: wakes a unit that failed or finished.
    pub start: u64,
    /// Index of the latest decision to restart: also replaces a run that is older.
    pub restart: u64,
    /// None: the unit file cannot be used.
    pub service: Option<&'a Service>,
    /// Why it cannot.
    pub unusable: Option<&'a str>,
}

/// The unit's run as it is now.
#[derive(Debug, Clone, PartialEq)]
pub enum Seen {
    /// There is none, and nothing of one is left.
    Nothing,
    /// Being prepared. `order`: the decision it obeys.
    Preparing { order: u64 },
    /// It could not be started; nothing of it is left.
    StartFailed { error: String, kind: StartError },
    /// The program runs. `ready`: it has said so (Type=notify). `asked`: this fleetd has asked it
    /// to end.
    Running { order: u64, since: Time, ready: bool, asked: bool },
    /// The program has ended; what the run made is still there.
    Ended { exit: ExitReason, at: Time },
    /// It is being taken away.
    Clearing,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StartError {
    /// It may work the next time: the policy decides.
    Fault,
    /// We took it back ourselves, because the unit was stopped meanwhile.
    Cancelled,
}

/// What the agent is to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Begin a run that obeys the decision `order`.
    Start { order: u64 },
    /// Give up the preparation.
    Cancel,
    /// Ask the program to end and kill what is left after the unit's stop timeout.
    Stop,
    /// Take away what the ended run made.
    Clear,
}

/// Where the unit is. The names are those of systemd's ActiveState and SubState.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "phase", rename_all = "kebab-case")]
pub enum Phase {
    /// inactive (dead)
    Dead,
    /// activating (start)
    Starting,
    /// active (running)
    Running,
    /// active (exited)
    Exited,
    /// deactivating (stop-sigterm)
    Stopping { because: StopCause },
    /// activating (auto-restart)
    AutoRestart { until: Time },
    /// failed (failed)
    Failed,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StopCause {
    /// It is no longer wanted.
    Unwanted,
    /// A newer decision asks for a new run.
    Replaced,
    /// It was not ready in time.
    StartTimeout,
}

/// What is remembered about a unit from run to run; kept on disk for the boot, so that a oneshot
/// that is done is not done again by a new fleetd.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Life {
    #[serde(flatten)]
    pub phase: Phase,
    /// When the phase began.
    pub since: Time,
    /// The decision that the latest run obeyed.
    pub order: u64,
    /// Restarts by policy since the administrator's start.
    pub restarts: u32,
    /// Restarts in a row, for the delay; a run that lasts clears it.
    pub streak: u32,
    /// Recent starts, for the start limit.
    pub starts: Vec<Time>,
    pub last_exit: Option<ExitReason>,
    pub message: Option<String>,
    /// When the latest run began to run.
    pub ran_from: Option<Time>,
}

impl Default for Life {
    fn default() -> Self {
        Self {
            phase: Phase::Dead,
            since: 0,
            order: 0,
            restarts: 0,
            streak: 0,
            starts: Vec::new(),
            last_exit: None,
            message: None,
            ran_from: None,
        }
    }
}

/// What [`Life::step`] asks for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Step {
    pub action: Option<Action>,
    /// Call again at this time at the latest.
    pub wake: Option<Time>,
}

impl Step {
    fn act(action: Action) -> Self {
        Self { action: Some(action), wake: None }
    }

    fn wake(time: Time) -> Self {
        Self { action: None, wake: Some(time) }
    }
}

impl Life {
    /// Takes in what is seen and decides the next action. `now`: microseconds since the epoch.
    pub fn step(&mut self, want: &Want, seen: &Seen, now: Time) -> Step {
        match seen {
            Seen::Clearing => Step::default(),
            Seen::Ended { exit, at } => {
                if !self.resting() {
                    self.settle(want, exit.clone(), *at, now);
                }
                Step::act(Action::Clear)
            }
            Seen::StartFailed { error, kind } => {
                if !self.resting() {
                    self.start_failed(want, error, *kind, now);
                }
                Step::act(Action::Clear)
            }
            Seen::Nothing => self.without_run(want, now),
            Seen::Preparing { order } => self.preparing(want, *order, now),
            Seen::Running { order, since, ready, asked } => {
                let step = self.running(want, *order, *since, *ready, now);
                // Whoever asked last may have died before the supervisor heard of it.
                if self.stopping() && !asked { Step::act(Action::Stop) } else { step }
            }
        }
    }

    /// Whether no run belongs to the phase.
    pub fn resting(&self) -> bool {
        matches!(
            self.phase,
            Phase::Dead | Phase::Exited | Phase::Failed | Phase::AutoRestart { .. }
        )
    }

    fn enter(&mut self, phase: Phase, now: Time) {
        if self.phase != phase {
            self.phase = phase;
            self.since = now;
        }
    }

    fn without_run(&mut self, want: &Want, now: Time) -> Step {
        let newest = want.start.max(want.restart);
        if !want.launched {
            // Whatever makes it wanted again starts it, also the old decision of a fleet that was
            // restored.
            self.order = 0;
            // systemd keeps `failed` for the administrator to see until the next start.
            if self.phase != Phase::Failed {
                self.enter(Phase::Dead, now);
            }
            return Step::default();
        }
        let Some(service) = want.service else {
            self.enter(Phase::Failed, now);
            self.message = want.unusable.map(str::to_owned);
            return Step::default();
        };
        // systemd.unit(5): what is active is not activated again; only a restart does its work anew.
        if self.phase == Phase::Exited && want.restart <= self.order {
            self.order = self.order.max(newest);
        }
        if newest > self.order {
            *self = Self { order: newest, last_exit: self.last_exit.clone(), ..Self::default() };
            return self.begin(now);
        }
        if let Phase::AutoRestart { until } = &mut self.phase {
            // A clock that was set back would make it wait for as long.
            *until = (*until).min(now.saturating_add(restart::delay(service, self.streak + 1)));
        }
        match self.phase {
            Phase::AutoRestart { until } if now < until => Step::wake(until),
            Phase::AutoRestart { .. } => {
                if restart::over_limit(service, &mut self.starts, now) {
                    return self.limit_hit(service, now);
                }
                self.restarts += 1;
                self.streak += 1;
                self.begin(now)
            }
            // A run was there and nothing of it is: the preparation of a fleetd that was killed,
            // or a machine that went down. The decision still stands.
            Phase::Starting | Phase::Running | Phase::Stopping { .. } => self.begin(now),
            Phase::Dead | Phase::Exited | Phase::Failed => Step::default(),
        }
    }

    fn begin(&mut self, now: Time) -> Step {
        self.starts.push(now);
        self.message = None;
        self.ran_from = None;
        self.phase = Phase::Starting;
        self.since = now;
        Step::act(Action::Start { order: self.order })
    }

    fn limit_hit(&mut self, service: &Service, now: Time) -> Step {
        let text = format!(
            "start again: {} starts within {:?} are the limit (StartLimitBurst=, StartLimitIntervalSec=); start it by hand",
            service.start_limit_burst, service.start_limit_interval
        );
        self.enter(Phase::Failed, now);
        self.message = Some(match self.message.take() {
            Some(cause) => format!("{cause}; {text}"),
            None => text,
        });
        Step::default()
    }

    fn preparing(&mut self, want: &Want, order: u64, now: Time) -> Step {
        self.order = self.order.max(order);
        if !want.launched || want.restart > order {
            let because = if want.launched { StopCause::Replaced } else { StopCause::Unwanted };
            if self.stopping() {
                return Step::default();
            }
            self.enter(Phase::Stopping { because }, now);
            return Step::act(Action::Cancel);
        }
        // The unit may be wanted again after a cancel: the run that is on its way will do, if the
        // cancel comes too late, and else its failure counts as cancelled.
        self.obey(want);
        self.enter(Phase::Starting, now);
        Step::default()
    }

    /// A start of what starts or runs is obeyed already: it must not be found again, and make a
    /// second run, when this one has ended.
    fn obey(&mut self, want: &Want) {
        if want.restart <= self.order {
            self.order = self.order.max(want.start);
        }
    }

    fn stopping(&self) -> bool {
        matches!(self.phase, Phase::Stopping { .. })
    }

    fn running(&mut self, want: &Want, order: u64, since: Time, ready: bool, now: Time) -> Step {
        self.order = self.order.max(order);
        self.ran_from = Some(since);
        let stop = if !want.launched {
            Some(StopCause::Unwanted)
        } else if want.restart > order && want.service.is_some() {
            Some(StopCause::Replaced)
        } else {
            None
        };
        if let Some(because) = stop {
            return self.stop(because, now);
        }
        if self.stopping() {
            // Wanted again while it ends: what is asked to end cannot be asked to stay.
            return Step::default();
        }
        self.obey(want);
        let kind = want.service.map_or(ServiceType::Simple, |service| service.kind);
        let done = match kind {
            ServiceType::Simple | ServiceType::Exec => true,
            ServiceType::Notify => ready,
            ServiceType::Oneshot => false,
        };
        if done {
            self.enter(Phase::Running, now);
            return Step::default();
        }
        if self.phase != Phase::Starting {
            self.enter(Phase::Starting, since);
        }
        // systemd.service(5): a oneshot has no start timeout unless one is set; the parser's
        // default is None there.
        let Some(timeout) = want.service.and_then(|service| service.timeout_start) else {
            return Step::default();
        };
        let deadline = since.saturating_add(micros(timeout));
        if now >= deadline { self.stop(StopCause::StartTimeout, now) } else { Step::wake(deadline) }
    }

    /// The supervisor holds the stop timeout, also when fleetd dies.
    fn stop(&mut self, because: StopCause, now: Time) -> Step {
        match self.phase {
            Phase::Stopping { because: StopCause::StartTimeout } => {}
            // What was to be replaced may be unwanted by now, and the other way round.
            Phase::Stopping { .. } => self.phase = Phase::Stopping { because },
            _ => self.enter(Phase::Stopping { because }, now),
        }
        Step::default()
    }

    fn start_failed(&mut self, want: &Want, error: &str, kind: StartError, now: Time) {
        self.ran_from = None;
        if kind == StartError::Cancelled || (self.stopping() && !want.launched) {
            self.enter(Phase::Dead, now);
            return self.order_again(want);
        }
        self.message = Some(error.to_owned());
        self.last_exit = Some(ExitReason {
            code: None,
            signal: None,
            oom: false,
            error: Some(error.to_owned()),
        });
        self.rest(want, Ending::StartFailed, now);
    }

    /// A stop that was ours and is overtaken by a wish to run leads to a start at once, also if the
    /// decision that asked for a newer run is lost by then.
    fn order_again(&mut self, want: &Want) {
        if want.launched {
            self.phase = Phase::AutoRestart { until: 0 };
        } else {
            // As in [`Self::without_run`], which may not see it before it is wanted again.
            self.order = 0;
        }
    }

    fn settle(&mut self, want: &Want, exit: ExitReason, at: Time, now: Time) {
        let oneshot = want.service.is_some_and(|service| service.kind == ServiceType::Oneshot);
        let ending = restart::ending(&exit, oneshot);
        let lasted = self.ran_from.map_or(0, |from| at.saturating_sub(from));
        self.last_exit = Some(exit.clone());
        self.message = None;
        if want.service.is_some_and(|service| lasted > lasting(service)) {
            self.streak = 0;
        }
        match self.phase {
            Phase::Stopping { because: StopCause::Unwanted | StopCause::Replaced } => {
                self.enter(Phase::Dead, now);
                self.order_again(want);
            }
            _ if !want.launched => {
                self.enter(Phase::Dead, now);
                self.order_again(want);
            }
            Phase::Stopping { because: StopCause::StartTimeout } => {
                self.message = Some("start: not ready within TimeoutStartSec=".to_owned());
                self.rest(want, Ending::Timeout, now);
            }
            Phase::Starting if ending == Ending::Clean && notifies(want) => {
                // systemd's result `protocol`.
                self.message = Some("start: it ended before it said READY=1".to_owned());
                self.rest(want, Ending::StartFailed, now);
            }
            _ => {
                if ending != Ending::Clean {
                    self.message = Some(sentence(&exit));
                }
                self.rest(want, ending, now);
            }
        }
    }

    /// Restarts by policy, or comes to rest.
    fn rest(&mut self, want: &Want, ending: Ending, now: Time) {
        let Some(service) = want.service else { return self.enter(Phase::Failed, now) };
        let oneshot = service.kind == ServiceType::Oneshot;
        let again = restart::restarts(service.restart, ending)
            // systemd.service(5): a oneshot that ended well is done.
            && !(oneshot && ending == Ending::Clean);
        if again && want.launched {
            let until = now.saturating_add(restart::delay(service, self.streak + 1));
            self.enter(Phase::AutoRestart { until }, now);
        } else if ending != Ending::Clean {
            self.enter(Phase::Failed, now);
        } else if service.remain_after_exit {
            self.enter(Phase::Exited, now);
        } else {
            self.enter(Phase::Dead, now);
        }
    }
}

fn notifies(want: &Want) -> bool {
    want.service.is_some_and(|service| service.kind == ServiceType::Notify)
}

/// A run that lasts this long ends a row of failures.
fn lasting(service: &Service) -> u64 {
    micros(service.start_limit_interval)
        .max(service.restart_max_delay.map_or(0, micros))
        .max(micros(service.restart_sec))
}

fn sentence(exit: &ExitReason) -> String {
    match exit {
        ExitReason { error: Some(error), .. } => error.clone(),
        ExitReason { oom: true, .. } => "killed: out of memory (MemoryMax=)".to_owned(),
        ExitReason { code: Some(code), .. } => format!("exited with code {code}"),
        ExitReason { signal: Some(signal), .. } => format!("killed by SIG{signal}"),
        _ => "ended, how is not known".to_owned(),
    }
}

#[cfg(test)]
#[path = "reconcile_tests.rs"]
mod tests;
