//! `netd`, seen from containers, from its host and from a neighbour: all of them network namespaces
//! of the test's own, so nothing touches the machine's network.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(clippy::expect_used, reason = "a test fails by panicking")]

mod attacks;
mod client;
mod dns;
mod endpoints;
mod findings;
mod input;
mod measure;
mod namespace;
mod networks;
mod ports;
mod repair;
mod restart;
mod ruleset;
mod services;
mod traffic;
mod world;
