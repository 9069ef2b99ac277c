//! With systemd as the first process. These tests run only in a machine of their own.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod machine;
