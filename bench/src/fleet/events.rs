//! What a host tells of its units while the benchmark runs: `GET /v1/events`, read by a thread.

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use fleetd_api::{Event, EventKind};

pub(super) struct Heard {
    events: Arc<Mutex<Vec<Event>>>,
}

impl Heard {
    /// Listens until the host is gone.
    pub(super) fn of(socket: &Path) -> Heard {
        let heard = Heard { events: Arc::default() };
        let (events, socket) = (heard.events.clone(), socket.to_owned());
        // The answer ends when another host leads: then it is asked again.
        std::thread::spawn(move || while listen(&socket, &events).is_ok() {});
        heard
    }

    /// Since [`Self::forget`].
    pub(super) fn events(&self) -> Vec<Event> {
        lock(&self.events).clone()
    }

    pub(super) fn forget(&self) {
        lock(&self.events).clear();
    }
}

fn lock(events: &Mutex<Vec<Event>>) -> MutexGuard<'_, Vec<Event>> {
    events.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One answer, to its end. An error: the host does not answer any more.
fn listen(socket: &PathBuf, events: &Mutex<Vec<Event>>) -> std::io::Result<()> {
    let mut stream = UnixStream::connect(socket)?;
    // By HTTP/1.0 the lines come without lengths between them.
    stream.write_all(b"GET /v1/events HTTP/1.0\r\nHost: fleetd\r\n\r\n")?;
    for line in BufReader::new(stream).lines() {
        // The head is no JSON.
        if let Ok(event) = serde_json::from_str(&line?) {
            lock(events).push(event);
        }
    }
    Ok(())
}

/// When the fleet had decided on a unit's file, in microseconds since the epoch.
pub(super) fn submitted(events: &[Event], unit: &str) -> Option<u64> {
    let is =
        |event: &&Event| event.unit.as_deref() == Some(unit) && event.kind == EventKind::Submitted;
    events.iter().find(is).map(|event| event.time)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_units_own_submission_is_found() {
        let event = |time, unit: &str, kind| {
            let unit = Some(unit.to_owned());
            Event { index: time, origin: String::new(), time, unit, kind }
        };
        let step = EventKind::Step { step: "image".to_owned(), message: String::new() };
        let events = [
            event(1, "b", EventKind::Submitted),
            event(2, "a", step),
            event(3, "a", EventKind::Submitted),
            event(4, "a", EventKind::Submitted),
        ];
        assert_eq!(submitted(&events, "a"), Some(3));
        assert_eq!(submitted(&events, "c"), None);
    }
}
