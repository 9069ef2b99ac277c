//! `fleetd` with `netd` and `ocirun` under it, as an administrator and a client of its containers see
//! them.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(clippy::expect_used, reason = "a test fails by panicking")]

mod admin;
mod bad_input;
mod client;
mod clock;
mod faults;
mod health;
mod host;
mod kernel;
mod leaks;
mod limits;
mod output;
mod place;
mod restart;
mod secrets;
mod start;
