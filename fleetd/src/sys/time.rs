//! Clocks.

use rustix::time::{ClockId, clock_gettime};

/// clock_gettime(2), CLOCK_BOOTTIME: microseconds since the boot, also those that the host slept through.
/// Nobody can set it.
pub fn since_boot() -> u64 {
    let time = clock_gettime(ClockId::Boottime);
    let micros = |seconds: i64, nanoseconds: i64| {
        u64::try_from(seconds.saturating_mul(1_000_000).saturating_add(nanoseconds / 1_000))
    };
    micros(time.tv_sec, time.tv_nsec).unwrap_or(0)
}
