//! Randomness and the clock of the wall, as a simulated fleet has them: in the place of libc's functions,
//! so that whatever draws or looks (rings, hash maps, runtimes, elections) gets what the seed says.
//!
//! Only the thread that has begun a simulation gets it; everybody else gets the kernel's.

use libc::{c_char, c_int, c_long, c_uint, c_void, size_t, ssize_t, timespec};
use std::cell::Cell;
use std::sync::atomic::{AtomicPtr, Ordering};
use std::time::Duration;

/// Since the epoch, where the simulation is at the moment.
pub type Wall = fn() -> Duration;

thread_local! {
    static RANDOM: Cell<Option<u64>> = const { Cell::new(None) };
    static WALL: Cell<Option<Wall>> = const { Cell::new(None) };
}

/// From here on this thread is one of a simulation.
pub fn begin(seed: u64, wall: Wall) {
    RANDOM.set(Some(seed));
    WALL.set(Some(wall));
}

/// The next random number of this thread; none: it is of no simulation. (splitmix64)
fn draw() -> Option<u64> {
    let state = RANDOM.try_with(Cell::get).ok().flatten()?.wrapping_add(0x9e37_79b9_7f4a_7c15);
    RANDOM.set(Some(state));
    let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    Some(mixed ^ (mixed >> 31))
}

/// Fills a buffer; false: this thread is of no simulation.
///
/// # Safety
///
/// There are `length` bytes to write to.
unsafe fn fill(buffer: *mut c_void, length: size_t) -> bool {
    for at in 0..length {
        let Some(number) = draw() else { return false };
        // SAFETY: `at` is below `length`.
        unsafe { buffer.cast::<u8>().add(at).write(number.to_le_bytes()[0]) };
    }
    RANDOM.try_with(Cell::get).ok().flatten().is_some()
}

/// The function of libc that one here stands before.
fn behind(kept: &AtomicPtr<c_void>, name: &'static std::ffi::CStr) -> *mut c_void {
    let known = kept.load(Ordering::Relaxed);
    if !known.is_null() {
        return known;
    }
    // SAFETY: the name is a C string.
    let found = unsafe { libc::dlsym(libc::RTLD_NEXT, name.as_ptr().cast::<c_char>()) };
    assert!(!found.is_null(), "libc has no {name:?}");
    kept.store(found, Ordering::Relaxed);
    found
}

type Syscall =
    unsafe extern "C" fn(c_long, c_long, c_long, c_long, c_long, c_long, c_long) -> c_long;

/// syscall(2): who asks for random numbers by number.
///
/// # Safety
///
/// As that of libc: a variadic one gets its arguments in the same registers.
// SAFETY: it does what libc's does, or what getrandom(2) does.
#[unsafe(no_mangle)]
unsafe extern "C" fn syscall(
    number: c_long,
    a: c_long,
    b: c_long,
    c: c_long,
    d: c_long,
    e: c_long,
    f: c_long,
) -> c_long {
    static LIBC: AtomicPtr<c_void> = AtomicPtr::new(std::ptr::null_mut());
    // SAFETY: the caller's buffer of the caller's length.
    if number == libc::SYS_getrandom && unsafe { fill(a as *mut c_void, b as size_t) } {
        return b;
    }
    // SAFETY: libc's function has this type but for being variadic.
    let libc: Syscall = unsafe { std::mem::transmute(behind(&LIBC, c"syscall")) };
    // SAFETY: the caller's arguments.
    unsafe { libc(number, a, b, c, d, e, f) }
}

/// getrandom(2)
///
/// # Safety
///
/// As that of libc.
// SAFETY: it does what libc's does.
#[unsafe(no_mangle)]
unsafe extern "C" fn getrandom(buffer: *mut c_void, length: size_t, flags: c_uint) -> ssize_t {
    type Getrandom = unsafe extern "C" fn(*mut c_void, size_t, c_uint) -> ssize_t;
    static LIBC: AtomicPtr<c_void> = AtomicPtr::new(std::ptr::null_mut());
    // SAFETY: the caller's buffer of the caller's length.
    if unsafe { fill(buffer, length) } {
        return length.cast_signed();
    }
    // SAFETY: libc's function has this type.
    let libc: Getrandom = unsafe { std::mem::transmute(behind(&LIBC, c"getrandom")) };
    // SAFETY: the caller's arguments.
    unsafe { libc(buffer, length, flags) }
}

/// clock_gettime(2): only the clock of the wall is another one.
///
/// # Safety
///
/// As that of libc.
// SAFETY: it does what libc's does.
#[unsafe(no_mangle)]
unsafe extern "C" fn clock_gettime(clock: c_int, time: *mut timespec) -> c_int {
    type ClockGettime = unsafe extern "C" fn(c_int, *mut timespec) -> c_int;
    static LIBC: AtomicPtr<c_void> = AtomicPtr::new(std::ptr::null_mut());
    let wall = WALL.try_with(Cell::get).ok().flatten().filter(|_| clock == libc::CLOCK_REALTIME);
    if let Some(wall) = wall {
        let now = wall();
        let tv_sec = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
        // SAFETY: the caller's time to write to.
        unsafe { time.write(timespec { tv_sec, tv_nsec: now.subsec_nanos().into() }) };
        return 0;
    }
    // SAFETY: libc's function has this type.
    let libc: ClockGettime = unsafe { std::mem::transmute(behind(&LIBC, c"clock_gettime")) };
    // SAFETY: the caller's arguments.
    unsafe { libc(clock, time) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::hash::{BuildHasher, RandomState};
    use std::time::{SystemTime, UNIX_EPOCH};

    /// What every source of randomness gives, and the clock.
    fn draws(seed: u64) -> (Vec<u64>, Duration) {
        let drawn = std::thread::spawn(move || {
            begin(seed, || Duration::from_secs(7));
            let mut ring = [0; 8];
            let random = ring::rand::SystemRandom::new();
            ring::rand::SecureRandom::fill(&random, &mut ring).unwrap();
            let drawn =
                [u64::from_le_bytes(ring), RandomState::new().hash_one(1), openraft_draws()];
            (drawn.to_vec(), SystemTime::now().duration_since(UNIX_EPOCH).unwrap())
        });
        drawn.join().unwrap()
    }

    /// openraft has a `rand` of its own, an earlier one.
    fn openraft_draws() -> u64 {
        let config = openraft::Config { election_timeout_max: u64::MAX, ..Default::default() };
        config.new_rand_election_timeout::<openraft::TokioRuntime>()
    }

    #[test]
    fn the_same_seed_draws_the_same_wherever_it_is_drawn() {
        let (one, other, third) = (draws(1), draws(1), draws(2));
        assert_eq!(one, other);
        assert_eq!(one.1, Duration::from_secs(7));
        let same = one.0.iter().zip(&third.0).filter(|(a, b)| a == b).count();
        assert_eq!(same, 0, "{one:?} {third:?}");
    }

    #[test]
    fn another_thread_has_the_kernels() {
        begin(1, || Duration::from_secs(7));
        let other = std::thread::spawn(|| (RandomState::new().hash_one(1), SystemTime::now()));
        let (drawn, now) = other.join().unwrap();
        assert_ne!(drawn, RandomState::new().hash_one(1));
        assert!(now.duration_since(UNIX_EPOCH).unwrap() > Duration::from_secs(1_000_000_000));
    }
}
