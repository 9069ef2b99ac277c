//! What is to happen when, in an order that only depends on what was asked for.

use std::collections::BTreeMap;
use std::time::Duration;

#[derive(Debug)]
pub(super) struct Timers<T> {
    /// By time, and then by the order in which they were set.
    queue: BTreeMap<(Duration, u64), T>,
    set: u64,
}

impl<T> Default for Timers<T> {
    fn default() -> Self {
        Self { queue: BTreeMap::new(), set: 0 }
    }
}

impl<T> Timers<T> {
    pub(super) fn set(&mut self, at: Duration, timer: T) {
        self.set += 1;
        self.queue.insert((at, self.set), timer);
    }

    /// Takes the first one that is due.
    pub(super) fn due(&mut self, now: Duration) -> Option<T> {
        let first = self.queue.first_entry().filter(|first| first.key().0 <= now)?;
        Some(first.remove())
    }

    pub(super) fn next(&self) -> Option<Duration> {
        self.queue.first_key_value().map(|((at, _), _)| *at)
    }

    pub(super) fn len(&self) -> usize {
        self.queue.len()
    }
}
