//! The clock of the agent ([`Steady`]), kept in `clock.json` of the run directory for the boot.

use super::context::now;
use super::place::{Place, write_whole};
use crate::core::clock::Steady;
use crate::core::restart::Time;
use crate::sys::time::since_boot;
use serde::{Deserialize, Serialize};
use std::sync::atomic::{AtomicI64, Ordering};

#[derive(Serialize, Deserialize)]
struct Kept {
    boot_id: String,
    steady: Steady,
}

#[derive(Debug)]
pub struct Clock {
    steady: Steady,
    /// How far the wall's clock was ahead at the last look.
    ahead: AtomicI64,
}

impl Clock {
    /// The clock that this boot has had so far, or a new one.
    pub fn open(place: &Place, boot_id: &str) -> Self {
        let path = place.run_dir.join("clock.json");
        let kept = std::fs::read(&path).ok();
        let kept = kept.and_then(|bytes| serde_json::from_slice::<Kept>(&bytes).ok());
        let steady = match kept.filter(|kept| kept.boot_id == boot_id) {
            Some(kept) => kept.steady,
            None => {
                let steady = Steady::begin(now(), since_boot());
                let kept = Kept { boot_id: boot_id.to_owned(), steady };
                let written = serde_json::to_vec(&kept).map_err(|e| e.to_string());
                if let Err(error) = written.and_then(|bytes| write_whole(&path, &bytes)) {
                    tracing::warn!("{error}");
                }
                steady
            }
        };
        Self { steady, ahead: AtomicI64::new(0) }
    }

    pub fn now(&self) -> Time {
        self.steady.now(since_boot())
    }

    /// When something was that another program has dated by the wall's clock.
    pub fn of_wall(&self, at: Time) -> Time {
        self.steady.of_wall(at, now(), since_boot())
    }

    /// A time of this clock as the wall's clock shows it, for people.
    pub fn shown(&self, at: Time) -> Time {
        let before = self.ahead.load(Ordering::Relaxed);
        let ahead = self.steady.ahead(before, now(), since_boot());
        self.ahead.store(ahead, Ordering::Relaxed);
        at.saturating_add_signed(ahead)
    }
}
