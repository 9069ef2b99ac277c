//! Every system call that the standard library does not make, and every `unsafe` block: one
//! function a call, typed, without policy. Imports nothing of ours.

pub mod file;
pub mod netns;
pub mod pidfd;
pub mod socket;
