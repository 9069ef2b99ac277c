//! What happened, in order: a ring that keeps the latest events for whoever asks.
//!
//! Indexes begin with the time of fleetd's start in microseconds, so that they grow from one fleetd to
//! the next. Of two hosts they may meet all the same: so each count has a name, its origin, and who
//! goes on from another one is told that something may be missing.

use fleetd_api::{Event, EventKind};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::watch;

/// As many events are kept; a reader that is further behind is told so.
const KEPT: usize = 8192;

#[derive(Clone)]
pub struct Events {
    origin: Arc<str>,
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
    /// It has seen another count.
    foreign: bool,
}

impl Events {
    /// `host`: whose events they are. `now`: microseconds since the epoch.
    pub fn new(host: &str, now: u64) -> Self {
        let ring = Ring { events: VecDeque::new(), latest: now };
        let origin = format!("{host}-{now:x}").into();
        Self { origin, ring: Arc::new(Mutex::new(ring)), latest: watch::Sender::new(now) }
    }

    /// Adds an event; gives its index.
    pub fn publish(&self, now: u64, unit: Option<&str>, kind: EventKind) -> u64 {
        let mut ring = self.ring.lock().unwrap_or_else(PoisonError::into_inner);
        ring.latest += 1;
        let index = ring.latest;
        let (origin, unit) = (self.origin.to_string(), unit.map(str::to_owned));
        ring.events.push_back(Arc::new(Event { index, origin, time: now, unit, kind }));
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

    /// A reader of what comes after `since`, by the count that is called `origin`; none: after now, by
    /// this one.
    pub fn reader(&self, since: Option<u64>, origin: Option<&str>) -> Reader {
        let after = since.unwrap_or_else(|| self.latest());
        let foreign = origin.is_some_and(|origin| *origin != *self.origin);
        Reader { events: self.clone(), changes: self.latest.subscribe(), after, foreign }
    }

    /// What comes after the index, and whether something between was dropped; with the latest index.
    fn after(&self, index: u64) -> (bool, Vec<Arc<Event>>, u64) {
        let ring = self.ring.lock().unwrap_or_else(PoisonError::into_inner);
        let first = ring.latest + 1 - ring.events.len() as u64;
        // One that is ahead is of another host, or of a clock that was set back.
        let dropped = index + 1 < first || index > ring.latest;
        let after = ring.events.iter().filter(|event| event.index > index).cloned();
        (dropped, after.collect(), ring.latest)
    }
}

impl Reader {
    /// Waits until there is something; [`EventKind::Lagged`] comes first where events are missing.
    pub async fn next(&mut self, now: u64) -> Vec<Arc<Event>> {
        loop {
            self.changes.mark_unchanged();
            let events = self.now(now);
            if !events.is_empty() {
                return events;
            }
            if self.changes.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }

    /// What is there already, with the same first line.
    pub fn now(&mut self, now: u64) -> Vec<Arc<Event>> {
        let (dropped, mut events, latest) = self.events.after(self.after);
        if std::mem::take(&mut self.foreign) {
            // Which of these it has seen elsewhere nobody knows.
            self.after = latest;
            return vec![Arc::new(self.lagged(latest, now))];
        }
        if dropped {
            let before = events.first().map_or(latest, |first| first.index - 1);
            events.insert(0, Arc::new(self.lagged(before, now)));
            self.after = latest;
        }
        if let Some(last) = events.last() {
            self.after = self.after.max(last.index);
        }
        events
    }

    fn lagged(&self, index: u64, time: u64) -> Event {
        let origin = self.events.origin.to_string();
        Event { index, origin, time, unit: None, kind: EventKind::Lagged }
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
        let events = Events::new("a", 1000);
        let first = events.publish(1, None, warning("a"));
        events.publish(2, Some("u.container"), warning("b"));
        let seen = events.reader(Some(first), Some("a-3e8")).next(0).await;
        assert_eq!(seen.len(), 1);
        assert_eq!(seen[0].kind, warning("b"));
    }

    #[tokio::test]
    async fn a_reader_of_an_earlier_fleetd_is_told_that_it_missed_something() {
        let events = Events::new("a", 1000);
        events.publish(1, None, warning("a"));
        let seen = events.reader(Some(5), None).next(0).await;
        assert_eq!(seen[0].kind, EventKind::Lagged);
        assert_eq!(seen[1].kind, warning("a"));
    }

    /// Two fleetds that were started together count alike.
    #[tokio::test]
    async fn a_reader_from_another_host_is_told_even_if_its_number_fits() {
        let (one, other) = (Events::new("a", 1000), Events::new("b", 1000));
        let seen = one.publish(1, None, warning("a"));
        other.publish(1, None, warning("b"));
        other.publish(2, None, warning("c"));
        let mut reader = other.reader(Some(seen), Some("a-3e8"));
        let kinds: Vec<EventKind> = reader.next(0).await.iter().map(|e| e.kind.clone()).collect();
        assert_eq!(kinds, [EventKind::Lagged]);
        let last = other.publish(3, None, warning("d"));
        let next = reader.next(0).await;
        assert_eq!((next.len(), next[0].index, next[0].origin.as_str()), (1, last, "b-3e8"));
        // By its own count nothing is missing.
        let own = other.reader(Some(last - 1), Some("b-3e8")).next(0).await;
        assert_eq!(own.iter().map(|event| event.index).collect::<Vec<_>>(), [last]);
    }

    #[tokio::test]
    async fn who_does_not_wait_gets_what_is_there() {
        let events = Events::new("a", 1000);
        let first = events.publish(1, None, warning("a"));
        let mut reader = events.reader(Some(first - 1), Some("a-3e8"));
        assert_eq!(reader.now(0).len(), 1);
        assert_eq!(reader.now(0).len(), 0);
    }

    #[tokio::test]
    async fn a_slow_reader_is_told_and_goes_on() {
        let events = Events::new("a", 0);
        let mut reader = events.reader(None, None);
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
