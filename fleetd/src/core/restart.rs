//! When a unit that ended starts again, as systemd.service(5) has it.

use crate::core::unit::container::{Restart, Service};
use fleetd_api::ExitReason;

/// Microseconds since the epoch.
pub type Time = u64;

/// How a run ended, in the words of the table of `Restart=` in systemd.service(5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// Exit code 0, or SIGHUP, SIGINT, SIGTERM or SIGPIPE.
    Clean,
    UncleanCode,
    UncleanSignal,
    Timeout,
    Watchdog,
    /// It never ran: its image, network, root or program could not be had. systemd counts these
    /// as failures.
    StartFailed,
}

const CLEAN_SIGNALS: [&str; 4] = ["HUP", "INT", "TERM", "PIPE"];

/// Sorts an exit. A oneshot is clean only with code 0: `Clean exit status` of systemd.service(5).
pub fn ending(exit: &ExitReason, oneshot: bool) -> Ending {
    if exit.oom {
        return Ending::UncleanSignal;
    }
    match (exit.code, exit.signal.as_deref()) {
        (Some(0), _) => Ending::Clean,
        (Some(_), _) => Ending::UncleanCode,
        (None, Some(signal)) if !oneshot && CLEAN_SIGNALS.contains(&signal) => Ending::Clean,
        (None, Some(_)) => Ending::UncleanSignal,
        // Its supervisor was killed, and the container with it.
        (None, None) => Ending::UncleanSignal,
    }
}

/// Whether the policy starts the unit again after this ending.
pub fn restarts(policy: Restart, ending: Ending) -> bool {
    use Ending::{Clean, Timeout, UncleanSignal, Watchdog};
    match policy {
        Restart::No => false,
        Restart::Always => true,
        Restart::OnSuccess => ending == Clean,
        Restart::OnFailure => ending != Clean,
        Restart::OnAbnormal => matches!(ending, UncleanSignal | Timeout | Watchdog),
        Restart::OnAbort => ending == UncleanSignal,
        Restart::OnWatchdog => ending == Watchdog,
    }
}

/// Microseconds until the restart that would be the `nth` in a row (first: 1). `RestartSteps=`
/// steps lead from `RestartSec=` to `RestartMaxDelaySec=`, each longer by the same factor.
pub fn delay(service: &Service, nth: u32) -> u64 {
    let base = micros(service.restart_sec);
    let Some(max) = service.restart_max_delay.map(micros) else { return base };
    if service.restart_steps == 0 || nth <= 1 || base == 0 || max <= base {
        return base;
    }
    if nth > service.restart_steps {
        return max;
    }
    let part = f64::from(nth - 1) / f64::from(service.restart_steps);
    (base as f64 * (max as f64 / base as f64).powf(part)) as u64
}

/// Whether another start now would be over `StartLimitBurst=` within `StartLimitIntervalSec=`.
/// Forgets the starts that no longer count.
pub fn over_limit(service: &Service, starts: &mut Vec<Time>, now: Time) -> bool {
    let interval = micros(service.start_limit_interval);
    if interval == 0 || service.start_limit_burst == 0 {
        starts.clear();
        return false;
    }
    // Those of the future are of a clock that was set back since.
    starts.retain(|start| *start <= now && now - *start < interval);
    starts.len() >= service.start_limit_burst as usize
}

pub fn micros(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
#[path = "restart_tests.rs"]
mod tests;
