//! Who is there, who is dead, and what each host says about itself.
//!
//! Membership is SWIM by `foca`; what stands around it here: packets that only the fleet can read
//! ([`packet`]), a check over a reliable stream before anybody is called dead, a clock that counts
//! only what was lived through, and the records of every host with their repair.
//!
//! [`Gossip::handle`] takes one input and a reading of a clock and says what is to be done. It knows
//! no socket and no time of its own, and draws from the generator that it was given: the same seed
//! and inputs give the same outputs. `crate::gossip` drives it. What it promises: `docs/gossip.md`.

mod clock;
mod direct;
pub mod exchange;
mod health;
mod interface;
mod judging;
mod limits;
mod machine;
mod member;
mod message;
mod node;
pub mod packet;
mod parameters;
mod peers;
mod probing;
mod reason;
mod record;
mod records;
mod relay;
mod runtime;
pub mod set_digest;
mod timers;
mod wire;

pub use interface::{Input, Output, Turn};
pub use limits::Limits;
pub use machine::Gossip;
pub use member::{Event, Member, State};
pub use node::Node;
pub use parameters::Parameters;
pub use reason::{Dropped, Reason};
pub use record::{Key, Kind, MAX_BROADCAST, MAX_NAME, MAX_VALUE, Record, Version};
pub use records::Records;
pub use relay::{Shared, lock};
