//! `ocirun`, an OCI runtime for Linux.
//!
//! ```text
//! main.rs  cli.rs  commands/     the command line
//! supervise/                     monitor and runtime of one container, for fleetd
//! launch/  init/  join/          a start: the parent's side, the child's side; one more program
//! cgroup/  store/  hooks.rs      what a container has outside itself
//! spec/  plan/  seccomp/         pure: the document, the decisions, the compiler
//! sys/                           system calls
//! ```
//!
//! No thread, no async runtime, no logging framework: the process that clones has one thread, so
//! that the child may do what a child of fork(2) may.

pub mod cgroup;
pub mod cli;
pub mod commands;
pub mod error;
pub mod hooks;
pub mod init;
pub mod join;
pub mod launch;
pub mod log;
pub mod plan;
pub mod seal;
pub mod seccomp;
pub mod spec;
pub mod store;
pub mod supervise;
pub mod sys;
