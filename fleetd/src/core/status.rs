//! A unit's state in the words of fleet and systemd.

use crate::core::reconcile::{Life, Phase};
use fleetd_api::{Active, DesiredState, Load};

/// systemd's ActiveState and SubState.
pub fn systemd(phase: Phase) -> (Active, &'static str) {
    match phase {
        Phase::Dead => (Active::Inactive, "dead"),
        Phase::Starting => (Active::Activating, "start"),
        Phase::Running => (Active::Active, "running"),
        Phase::Exited => (Active::Active, "exited"),
        Phase::Stopping { .. } => (Active::Deactivating, "stop-sigterm"),
        Phase::AutoRestart { .. } => (Active::Activating, "auto-restart"),
        Phase::Failed => (Active::Failed, "failed"),
    }
}

/// fleet's state that the unit has reached: launched while something of it is alive.
pub fn reached(desired: DesiredState, life: &Life) -> DesiredState {
    let alive = !matches!(life.phase, Phase::Dead | Phase::Failed);
    match (alive, desired) {
        (true, _) => DesiredState::Launched,
        (false, DesiredState::Inactive) => DesiredState::Inactive,
        (false, _) => DesiredState::Loaded,
    }
}

pub fn load(desired: DesiredState, usable: bool) -> Load {
    match (usable, desired) {
        (false, _) => Load::Error,
        (true, DesiredState::Inactive) => Load::NotLoaded,
        (true, _) => Load::Loaded,
    }
}

/// A signal's name without SIG (signal(7)), or its number.
pub fn signal_name(number: i32) -> String {
    nix::sys::signal::Signal::try_from(number).map_or_else(
        |_| number.to_string(),
        |signal| signal.as_str().trim_start_matches("SIG").to_owned(),
    )
}

/// The number of a signal as images and units write it: `SIGTERM`, `TERM`, `15`.
pub fn signal_number(name: &str) -> Option<i32> {
    if let Ok(number) = name.parse::<i32>() {
        return (1..=64).contains(&number).then_some(number);
    }
    let upper = name.to_ascii_uppercase();
    let full = if upper.starts_with("SIG") { upper } else { format!("SIG{upper}") };
    if let Some(offset) = full.strip_prefix("SIGRTMIN+") {
        // systemd's own programs end on SIGRTMIN+3; the kernel's RTMIN is 32, libc's 34.
        return offset.parse::<i32>().ok().map(|n| 34 + n).filter(|n| *n <= 64);
    }
    full.parse::<nix::sys::signal::Signal>().ok().map(|signal| signal as i32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signals_are_known_by_every_spelling() {
        for name in ["TERM", "SIGTERM", "sigterm", "15"] {
            assert_eq!(signal_number(name), Some(15), "{name}");
        }
        assert_eq!(signal_number("SIGRTMIN+3"), Some(37));
        assert_eq!(signal_number("0"), None);
        assert_eq!(signal_number("NOPE"), None);
        assert_eq!(signal_name(9), "KILL");
    }

    #[test]
    fn a_unit_that_restarts_counts_as_launched() {
        let life = Life { phase: Phase::AutoRestart { until: 1 }, ..Life::default() };
        assert_eq!(reached(DesiredState::Launched, &life), DesiredState::Launched);
        assert_eq!(reached(DesiredState::Launched, &Life::default()), DesiredState::Loaded);
        assert_eq!(reached(DesiredState::Inactive, &Life::default()), DesiredState::Inactive);
    }
}
