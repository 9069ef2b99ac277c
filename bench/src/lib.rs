//! Benchmarks, side by side with the peers installed on the machine.
//!
//! - `start`: how long `run` of a program that ends at once takes;
//! - `fleet`: what a fleet of hosts does, and how long it takes;
//! - `sys`: system calls, for the harness and for the programs that are measured (`src/bin/`).

pub mod fleet;
pub mod start;
pub mod sys;
