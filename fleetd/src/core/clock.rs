//! The time that units live by: it passes as time does, whatever is done to the clock of the wall.
//!
//! It is told as the wall's time was when this boot was first looked at, plus what has passed since,
//! so that what one fleetd has written down means the same to the next one.

use super::restart::Time;
use serde::{Deserialize, Serialize};

/// For as long as a clock of the wall is that far from what it was, it was not set: it is only adjusted.
const SET: u64 = 1_000_000;

/// One boot of a host. All times: microseconds; `passed`: since the boot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Steady {
    /// The wall's time at the boot, by the clock as it was at the first look.
    booted: Time,
}

impl Steady {
    pub fn begin(wall: Time, passed: u64) -> Self {
        Self { booted: wall.saturating_sub(passed) }
    }

    pub fn now(self, passed: u64) -> Time {
        self.booted.saturating_add(passed)
    }

    /// When something was that somebody else has dated by the wall's clock, as it is now.
    pub fn of_wall(self, at: Time, wall: Time, passed: u64) -> Time {
        self.now(passed).saturating_sub(wall.saturating_sub(at))
    }

    /// How far the wall's clock is ahead. `before`: what was said last, which holds while it was not set.
    pub fn ahead(self, before: i64, wall: Time, passed: u64) -> i64 {
        let ahead =
            i64::try_from(i128::from(wall) - i128::from(self.now(passed))).unwrap_or(before);
        if ahead.abs_diff(before) < SET { before } else { ahead }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000;
    const HOUR: u64 = 3_600 * SECOND;

    #[test]
    fn it_passes_whatever_is_done_to_the_clock() {
        let steady = Steady::begin(1_000 * HOUR, 10 * SECOND);
        assert_eq!(steady.now(10 * SECOND), 1_000 * HOUR);
        assert_eq!(steady.now(12 * SECOND), 1_000 * HOUR + 2 * SECOND);
        // What is dated now is dated by the clock as it is now.
        for wall in [999 * HOUR, 1_000 * HOUR + 2 * SECOND, 1_001 * HOUR] {
            let at = steady.of_wall(wall - SECOND, wall, 12 * SECOND);
            assert_eq!(at, 1_000 * HOUR + SECOND, "{wall}");
        }
        assert_eq!(
            steady.of_wall(1_002 * HOUR, 1_000 * HOUR, 12 * SECOND),
            steady.now(12 * SECOND)
        );
    }

    #[test]
    fn a_clock_that_is_set_is_told_from_one_that_is_adjusted() {
        let steady = Steady::begin(1_000 * HOUR, 0);
        assert_eq!(steady.ahead(0, 1_000 * HOUR + 9_000, 0), 0);
        assert_eq!(steady.ahead(0, 1_001 * HOUR, 0), 3_600_000_000);
        assert_eq!(steady.ahead(0, 999 * HOUR + SECOND, SECOND), -3_600_000_000);
        assert_eq!(steady.ahead(3_600_000_000, 1_001 * HOUR + 5, 0), 3_600_000_000);
    }
}
