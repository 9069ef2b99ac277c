//! The containers' name server, on the bridge's address.

mod zone;

pub use zone::{Answer, SharedZone, Zone};
