//! The time that this host has really lived through.
//!
//! A process that was stopped, a machine that was paused and a clock that was set look alike from
//! inside: between two calls more time has passed than was asked for, or less than none. What was
//! not lived through does not count: no timer runs out in it, so nobody is taken for dead because
//! this host was away.

use std::time::Duration;

/// Late by more than this is away; less is a busy machine, and counts.
const AWAY: Duration = Duration::from_millis(300);

#[derive(Debug, Default)]
pub(super) struct Lived {
    /// The time that counts, since the start.
    lived: Duration,
    /// The clock of the last call.
    clock: Option<Duration>,
    /// When, in time that counts, the next call was due at the latest.
    due: Duration,
}

/// What a call found out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Passed {
    pub(super) now: Duration,
    /// Later than it was due, by time that counts or does not.
    pub(super) late: Duration,
    /// It was away.
    pub(super) away: bool,
}

impl Lived {
    /// The time that counts, at this reading of a clock.
    pub(super) fn advance(&mut self, clock: Duration) -> Passed {
        let before = self.clock.replace(clock).unwrap_or(clock);
        let reached = self.lived.saturating_add(clock.saturating_sub(before));
        let late = reached.saturating_sub(self.due.max(self.lived));
        let away = late > AWAY || clock < before;
        self.lived = if away { self.due.max(self.lived) } else { reached };
        Passed { now: self.lived, late, away }
    }

    /// Says that it is to be called again by `due`.
    pub(super) fn expect(&mut self, due: Duration) {
        self.due = due.max(self.lived);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    fn started() -> Lived {
        let mut lived = Lived::default();
        lived.advance(ms(1_000_000));
        lived.expect(ms(200));
        lived
    }

    #[test]
    fn time_in_which_it_was_called_counts() {
        let mut lived = started();
        assert_eq!(lived.advance(ms(1_000_150)), Passed { now: ms(150), late: ms(0), away: false });
        assert_eq!(
            lived.advance(ms(1_000_260)),
            Passed { now: ms(260), late: ms(60), away: false }
        );
    }

    #[test]
    fn a_pause_and_a_jump_ahead_do_not_count() {
        for clock in [ms(1_002_000), Duration::from_secs(4_600)] {
            let mut lived = started();
            let passed = lived.advance(clock);
            assert_eq!((passed.now, passed.away), (ms(200), true));
        }
    }

    #[test]
    fn after_a_jump_back_time_goes_on_at_once() {
        let mut lived = started();
        let passed = lived.advance(ms(10));
        assert_eq!((passed.now, passed.away), (ms(200), true));
        lived.expect(ms(400));
        assert_eq!(lived.advance(ms(110)), Passed { now: ms(300), late: ms(0), away: false });
        assert!(lived.advance(Duration::MAX).away);
    }
}
