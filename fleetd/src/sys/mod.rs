//! System calls: one function a call, typed in, `io::Result` out, no policy.

pub mod beneath;
mod borrow;
pub mod file;
pub mod inode;
pub mod inotify;
pub mod memory;
pub mod mount;
pub mod overlay;
pub mod process;
#[cfg(test)]
pub mod simulated;
pub mod socket;
pub mod spawn;
pub mod time;
pub mod watch;
