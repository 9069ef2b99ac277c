//! Health checks: when to look, and what a row of results means.

use crate::core::restart::{Time, micros};
use crate::core::unit::container::HealthCheck;
use fleetd_api::Health;

/// The health of one run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Record {
    pub health: Health,
    /// Failures in a row.
    failures: u32,
    began: Time,
}

impl Record {
    /// `began`: when the program started to run.
    pub fn new(began: Time) -> Self {
        Self { health: Health::Starting, failures: 0, began }
    }

    /// Takes in one result. Failures within `HealthStartPeriod=` do not count until the first
    /// success. `HealthRetries=` failures in a row make the unit unhealthy, one success healthy.
    pub fn take(&mut self, check: &HealthCheck, passed: bool, now: Time) {
        if passed {
            self.failures = 0;
            self.health = Health::Healthy;
            return;
        }
        let young = now < self.began.saturating_add(micros(check.start_period));
        if self.health == Health::Starting && young {
            return;
        }
        self.failures = self.failures.saturating_add(1);
        if self.failures >= check.retries.max(1) {
            self.health = Health::Unhealthy;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn check() -> HealthCheck {
        HealthCheck {
            command: vec!["/probe".to_owned()],
            interval: Duration::from_secs(30),
            timeout: Duration::from_secs(5),
            retries: 3,
            start_period: Duration::from_secs(10),
        }
    }

    #[test]
    fn a_row_of_failures_makes_unhealthy_and_one_success_healthy() {
        let mut record = Record::new(0);
        for now in [11_000_000, 12_000_000] {
            record.take(&check(), false, now);
            assert_eq!(record.health, Health::Starting);
        }
        record.take(&check(), false, 13_000_000);
        assert_eq!(record.health, Health::Unhealthy);
        record.take(&check(), true, 14_000_000);
        assert_eq!(record.health, Health::Healthy);
        record.take(&check(), false, 15_000_000);
        assert_eq!(record.health, Health::Healthy);
    }

    #[test]
    fn failures_within_the_start_period_do_not_count() {
        let mut record = Record::new(0);
        for now in 0..9 {
            record.take(&check(), false, now * 1_000_000);
        }
        assert_eq!(record.health, Health::Starting);
    }

    #[test]
    fn the_first_success_ends_the_start_period() {
        let mut record = Record::new(0);
        record.take(&check(), true, 1);
        for _ in 0..3 {
            record.take(&check(), false, 2);
        }
        assert_eq!(record.health, Health::Unhealthy);
    }
}
