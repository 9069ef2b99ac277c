//! Real engines with `ocirun` as their runtime.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a panic is how a test fails")]

mod podman;
