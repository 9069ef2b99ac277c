//! Waiting for what no event tells of.

use std::time::{Duration, Instant};

/// Far longer than anything takes, also on an emulated processor.
const PATIENCE: Duration = Duration::from_secs(180);

/// Looks until what is seen is good, and gives what was seen last where it never is. Half of the time
/// is left to those who are to bring it about.
pub fn look_until<T>(look: impl Fn() -> T, good: impl Fn(&T) -> bool) -> Result<T, T> {
    let start = Instant::now();
    loop {
        let begun = Instant::now();
        let seen = look();
        if good(&seen) {
            return Ok(seen);
        }
        if start.elapsed() > PATIENCE {
            return Err(seen);
        }
        std::thread::park_timeout(begun.elapsed());
    }
}

/// Waits until something holds.
pub fn eventually(what: &str, holds: impl Fn() -> bool) {
    let held = look_until(holds, |holds| *holds);
    assert!(held.is_ok(), "{what}: not so after {} s", PATIENCE.as_secs());
}
