//! What happened, in order: a ring that keeps the latest events for whoever asks.
//!
//! Indexes begin with the time of fleetd's start in microseconds, so that they grow from one
//! fleetd to the next and a client can go on with `since=` across a restart.

use fleetd_api::{Event, EventKind};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::watch;

/// As many events are kept; a reader that is further behind is told so.
const KEPT: usize = 8192;

#[derive(Clone)]
pub struct Events {
    ring: Arc<Mutex<Ring>>,
    latest: watch::Sender<u64>,
}

struct Ring {
    events: VecDeque<Arc<Event>>,
    latest: u64,
}

/// Where one reader is.
pub struct Reader {
    events: Events,
    changes: watch::Receiver<u64>,
    after: u64,
}

impl Events {
    /// `now`: microseconds since the epoch.
    pub fn new(now: u64) -> Self {
        let ring = Ring { events: VecDeque::new(), latest: now };
        Self { ring: Arc::new(Mutex::new(ring)), latest: watch::Sender::new(now) }
    }

    /// Adds an event; gives its index.
    pub fn publish(&self, now: u64, unit: Option<&str>, kind: EventKind) -> u64 {
        let mut ring = self.ring.lock().unwrap_or_else(PoisonError::into_inner);
        ring.latest += 1;
        let index = ring.latest;
        let unit = unit.map(str::to_owned);
        ring.events.push_back(Arc::new(Event { index, time: now, unit, kind }));
        if ring.events.len() > KEPT {
            ring.events.pop_front();
        }
        // Under the lock: the number that readers wait for never goes back.
        self.latest.send_replace(index);
        index
    }

    /// The index of the latest event.
    pub fn latest(&self) -> u64 {
        *self.latest.borrow()
    }

    /// A reader of what comes after `since`; none: after now.
    pub fn reader(&self, since: Option<u64>) -> Reader {
        let after = since.unwrap_or_else(|| self.latest());
        Reader { events: self.clone(), changes: self.latest.subscribe(), after }
    }

    /// What comes after the index, and whether something between was dropped.
    fn after(&self, index: u64) -> (bool, Vec<Arc<Event>>) {
        let ring = self.ring.lock().unwrap_or_else(PoisonError::into_inner);
        let first = ring.latest + 1 - ring.events.len() as u64;
        // One that is ahead is of another host, or of a clock that was set back.
        let dropped = index + 1 < first || index > ring.latest;
        (dropped, ring.events.iter().filter(|event| event.index > index).cloned().collect())
    }
}

impl Reader {
    /// Waits until there is something; [`EventKind::Lagged`] comes first where events are missing.
    pub async fn next(&mut self, now: u64) -> Vec<Arc<Event>> {
        loop {
            self.changes.mark_unchanged();
            let (dropped, mut events) = self.events.after(self.after);
            if dropped {
                let lagged = Event {
                    index: self.after.min(self.events.latest()),
                    time: now,
                    unit: None,
                    kind: EventKind::Lagged,
                };
                events.insert(0, Arc::new(lagged));
                self.after = self.events.latest();
            }
            if let Some(last) = events.last() {
                self.after = self.after.max(last.index);
                return events;
            }
            if self.changes.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn warning(text: &str) -> EventKind {
        EventKind::Warning { message: text.to_owned() }
    }

    #[tokio::test]
    async fn a_reader_gets_what_came_after_its_index() {
        let events = Events::new(1000);
        let first = events.publish(1, None, warning("a"));
        events.publish(2, Some("u.container"), warning("b"));
        let seen = events.reader(Some(first)).next(0).await;
        assert_eq!(seen.len(), 1);
        assert_eq!(seen[0].kind, warning("b"));
    }

    #[tokio::test]
    async fn a_reader_of_an_earlier_fleetd_is_told_that_it_missed_something() {
        let events = Events::new(1000);
        events.publish(1, None, warning("a"));
        let seen = events.reader(Some(5)).next(0).await;
        assert_eq!(seen[0].kind, EventKind::Lagged);
        assert_eq!(seen[1].kind, warning("a"));
    }

    #[tokio::test]
    async fn a_slow_reader_is_told_and_goes_on() {
        let events = Events::new(0);
        let mut reader = events.reader(None);
        for n in 0..KEPT as u64 + 10 {
            events.publish(n, None, warning("x"));
        }
        let seen = reader.next(0).await;
        assert_eq!(seen[0].kind, EventKind::Lagged);
        assert_eq!(seen.len(), KEPT + 1);
        let last = events.publish(0, None, warning("y"));
        assert_eq!(reader.next(0).await[0].index, last);
    }
}
