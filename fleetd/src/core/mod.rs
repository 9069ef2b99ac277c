//! Pure decisions: no clock, disk, socket or tokio. Time and randomness are arguments.

pub mod unit;
