//! What the fleet's benchmarks run in containers: `stamp SOCKET [NAME]`.
//!
//! The first thing that it does is to look at the clock; it sends `NAME NANOSECONDS` as a datagram to the socket, and
//! stays until SIGTERM. NAME is `STAMP_NAME` of the environment where it is not an argument.

use std::ffi::OsString;
use std::os::unix::net::UnixDatagram;
use std::process::ExitCode;

fn main() -> ExitCode {
    let began = bench::sys::monotonic_nanos();
    match tell(began) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("stamp: {error}");
            ExitCode::FAILURE
        }
    }
}

fn tell(began: u64) -> std::io::Result<()> {
    // Before anybody can be told that it runs: the first process of a container does not end by a signal by itself.
    bench::sys::hold_terminate()?;
    let mut arguments = std::env::args_os().skip(1);
    let socket = arguments.next().ok_or(std::io::ErrorKind::InvalidInput)?;
    let name = arguments.next().or_else(|| std::env::var_os("STAMP_NAME")).unwrap_or_default();
    let mut word: OsString = name;
    word.push(format!(" {began}"));
    UnixDatagram::unbound()?.send_to(word.as_encoded_bytes(), socket)?;
    bench::sys::wait_for_terminate()
}
