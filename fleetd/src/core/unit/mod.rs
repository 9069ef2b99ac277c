//! Unit files: from text to what the agent acts on.

pub mod container;
