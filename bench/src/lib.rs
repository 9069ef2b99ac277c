//! Benchmarks, side by side with the peers installed on the machine.
//!
//! - `start`: how long `run` of a program that ends at once takes;
//! - `sys`: system calls, for the harness and for the floor (`src/bin/floor.rs`).

pub mod start;
pub mod sys;
