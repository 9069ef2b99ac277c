//! `ocirun supervise`, seen from outside: over its socket, in its files, in the kernel.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod attach;
mod client;
mod end;
mod exec;
mod log;
mod notify;
mod protocol;
mod reexec;
mod start;
mod stop;
mod supervised;
mod sys;
