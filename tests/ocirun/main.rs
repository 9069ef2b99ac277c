//! `ocirun`, seen from inside the containers that it starts.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod attack_procfs;
mod attack_races;
mod attack_users;
mod attacks;
mod bundle;
mod calls;
mod command_line;
mod exec;
mod failures;
mod hooks;
mod identity;
mod isolation;
mod lifecycle;
mod limits;
mod mounts;
mod peers;
mod seccomp;
mod terminal;
