//! Pure decisions: no clock, disk, socket or tokio. Time and randomness are arguments.

pub mod clock;
pub mod cluster;
pub mod decided;
pub mod disk;
pub mod environment;
pub mod gossip;
pub mod health;
pub mod log;
pub mod obey;
pub mod oci;
pub mod reconcile;
pub mod restart;
pub mod run;
pub mod schedule;
pub mod status;

#[cfg(test)]
pub(crate) mod tests;

pub use fleetd_pki::machine_id;
pub use fleetd_unit as unit;
