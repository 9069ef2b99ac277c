//! `fleetctl playground`, by what its faults do: to processes, packets, disks. Its own `/var/lib` is
//! what each test runs on.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(clippy::expect_used, reason = "a test fails by panicking")]

mod daemons;
mod down;
mod fleet;
mod hosts;
mod network;
mod pause;
mod power;
mod wire;
