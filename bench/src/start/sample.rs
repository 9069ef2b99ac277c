//! What is measured, and what is said of many measurements. Pure but for the seed.

use std::time::Duration;

/// One run.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sample {
    /// From before the spawn to after the wait.
    pub(super) wall: Duration,
    /// User and system time of the runtime and what it waited for.
    pub(super) cpu: Duration,
}

/// The value below which `percent` of the values lie; zero of none.
pub(super) fn percentile(values: impl Iterator<Item = Duration>, percent: usize) -> Duration {
    let mut values: Vec<Duration> = values.collect();
    values.sort_unstable();
    let at = (values.len() * percent / 100).min(values.len().saturating_sub(1));
    values.get(at).copied().unwrap_or_default()
}

/// The same of numbers; not a number of none.
pub(crate) fn percentile_of(values: &[f64], percent: usize) -> f64 {
    let mut values = values.to_vec();
    values.sort_unstable_by(f64::total_cmp);
    let at = (values.len() * percent / 100).min(values.len().saturating_sub(1));
    values.get(at).copied().unwrap_or(f64::NAN)
}

/// splitmix64: the order of turns needs no better.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn seeded() -> Random {
        use std::hash::{BuildHasher, RandomState};
        Random(RandomState::new().hash_one(0))
    }

    /// Fisher and Yates.
    pub(crate) fn shuffle(&mut self, order: &mut [usize]) {
        for end in (1..order.len()).rev() {
            let other = (self.next() % (end as u64 + 1)) as usize;
            order.swap(end, other);
        }
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_values_that_were_seen() {
        let values = || (1..=100).rev().map(Duration::from_millis);
        assert_eq!(percentile(values(), 50), Duration::from_millis(51));
        assert_eq!(percentile(values(), 95), Duration::from_millis(96));
        assert_eq!(percentile(values().take(1), 95), Duration::from_millis(100));
        assert_eq!(percentile(std::iter::empty(), 50), Duration::ZERO);
        let numbers: Vec<f64> = (1..=100).rev().map(f64::from).collect();
        assert_eq!([50, 95, 100].map(|p| percentile_of(&numbers, p)), [51.0, 96.0, 100.0]);
    }

    #[test]
    fn a_shuffled_order_holds_everybody_once() {
        let mut order: Vec<usize> = (0..10).collect();
        Random::seeded().shuffle(&mut order);
        order.sort_unstable();
        assert_eq!(order, (0..10).collect::<Vec<_>>());
    }
}
