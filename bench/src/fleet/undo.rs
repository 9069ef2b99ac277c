//! What has to be undone, however the benchmark ends: by itself, by an error, or because a signal told it to.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::sys;

type Deed = Box<dyn FnOnce() + Send>;

/// By the order in which they were done.
static DEEDS: Mutex<BTreeMap<u64, Deed>> = Mutex::new(BTreeMap::new());

fn deeds() -> MutexGuard<'static, BTreeMap<u64, Deed>> {
    DEEDS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Undoes when it is dropped, or at a signal that ends the process.
pub(super) struct Undo(u64);

impl Undo {
    pub(super) fn later(deed: impl FnOnce() + Send + 'static) -> Undo {
        let mut deeds = deeds();
        let number = deeds.last_key_value().map_or(0, |(last, _)| last + 1);
        deeds.insert(number, Box::new(deed));
        Undo(number)
    }
}

impl Drop for Undo {
    fn drop(&mut self) {
        let deed = deeds().remove(&self.0);
        if let Some(deed) = deed {
            deed();
        }
    }
}

/// From here on SIGHUP, SIGINT and SIGTERM undo everything, the newest first, before they end the process.
pub(super) fn at_signals() -> Result<(), String> {
    let told = sys::hear_of_end().map_err(|error| format!("handle signals: {error}"))?;
    let mut told = std::fs::File::from(told);
    std::thread::spawn(move || {
        if told.read_exact(&mut [0]).is_ok() {
            eprintln!("flotilla-bench: told to end: removing what was made");
            // Held from here on: nobody makes anything new that has to be undone.
            let mut deeds = deeds();
            while let Some((_, deed)) = deeds.pop_last() {
                deed();
            }
            std::process::exit(130);
        }
    });
    Ok(())
}
