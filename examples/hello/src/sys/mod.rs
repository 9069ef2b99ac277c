//! The one system call that the standard library does not offer.

use std::io;

extern "C" fn end(_signal: libc::c_int) {
    // SAFETY: _exit is async-signal-safe (signal-safety(7)) and does not return.
    unsafe { libc::_exit(0) }
}

/// From here on SIGTERM and SIGINT end the process with status 0.
pub(crate) fn end_on_sigterm() -> io::Result<()> {
    for signal in [libc::SIGTERM, libc::SIGINT] {
        // SAFETY: `end` has the signature of a handler, lives as long as the program and calls
        // only what is async-signal-safe.
        let previous = unsafe { libc::signal(signal, end as *const () as libc::sighandler_t) };
        if previous == libc::SIG_ERR {
            return Err(io::Error::last_os_error());
        }
    }
    Ok(())
}
