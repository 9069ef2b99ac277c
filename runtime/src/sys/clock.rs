//! Clocks that the standard library does not have.

use std::time::Duration;

/// Time since boot, suspended time included (clock_gettime(2), CLOCK_BOOTTIME): the same in every
/// process of the machine, never set back.
pub fn since_boot() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the kernel writes one timespec. The clock exists since Linux 2.6.39: it cannot fail.
    unsafe { libc::clock_gettime(libc::CLOCK_BOOTTIME, &raw mut time) };
    Duration::new(time.tv_sec.cast_unsigned(), u32::try_from(time.tv_nsec).unwrap_or(0))
}
