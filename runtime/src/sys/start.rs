//! What a program does before its first own line, as far as this one needs it.
//!
//! Rust's own start also installs handlers that tell a stack overflow from another fault: ten system
//! calls, twice in a `run`.

use std::ffi::{CStr, OsString, c_char};
use std::io;
use std::os::unix::ffi::OsStringExt;

use super::check;

/// Opens /dev/null for those of 0, 1 and 2 that are not open, so that no other file gets their
/// numbers; has writing to a closed pipe be an error and no signal; and has children that ended wait
/// for this program: who ignores SIGCHLD, and execve(2) keeps that, has none to wait for (waitpid(2)).
pub fn begin() -> io::Result<()> {
    let mut standard = [0, 1, 2].map(|fd| libc::pollfd { fd, events: 0, revents: 0 });
    // SAFETY: the kernel writes to `revents` of three entries.
    check(unsafe { libc::poll(standard.as_mut_ptr(), 3, 0) })?;
    for entry in &standard {
        if entry.revents & libc::POLLNVAL != 0 {
            // SAFETY: the name is NUL-terminated. The lowest free number is the one that is missing.
            check(unsafe { libc::open(c"/dev/null".as_ptr(), libc::O_RDWR) })?;
        }
    }
    for (signal, action) in [(libc::SIGPIPE, libc::SIG_IGN), (libc::SIGCHLD, libc::SIG_DFL)] {
        // SAFETY: neither action installs a handler.
        if unsafe { libc::signal(signal, action) } == libc::SIG_ERR {
            return Err(io::Error::last_os_error());
        }
    }
    Ok(())
}

/// The arguments of C's `main`.
///
/// # Safety
/// `list` holds `count` pointers to NUL-terminated strings.
pub unsafe fn arguments(count: i32, list: *const *const c_char) -> Vec<OsString> {
    (0..usize::try_from(count).unwrap_or(0))
        .map(|index| {
            // SAFETY: the caller vouches for the list.
            let text = unsafe { CStr::from_ptr(*list.add(index)) };
            OsString::from_vec(text.to_bytes().to_vec())
        })
        .collect()
}

/// Defines C's `main`, which begins, reads the arguments and ends with what `$run` answers:
/// `fn(io::Result<()>, &[OsString]) -> i32`. For a program without Rust's own start (`no_main`).
#[macro_export]
macro_rules! entry {
    ($run:path) => {
        // SAFETY: the one `main` of this program; the C library calls it as its standard says.
        #[unsafe(no_mangle)]
        extern "C" fn main(count: i32, list: *const *const std::ffi::c_char) -> i32 {
            let began = $crate::sys::start::begin();
            // SAFETY: count and list are those of the C library.
            let arguments = unsafe { $crate::sys::start::arguments(count, list) };
            $run(began, &arguments)
        }
    };
}
