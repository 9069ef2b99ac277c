//! What the system tests share.
//!
//! A system test is an ordinary `#[test]` of one of this package's test programs. It runs on the
//! host, and again in the virtual machine; where it lacks something it says what and is skipped:
//!
//! ```ignore
//! #[test]
//! fn a_memory_limit_kills() {
//!     require!(need::root());
//!     require!(need::controller("memory"));
//!     let scratch = Scratch::new();
//!     // look at effects
//! }
//! ```

mod demo;
pub mod need;
pub mod playground;
pub mod programs;
mod random;
mod scratch;
mod signals;
pub mod sys;
mod wait;

pub use demo::{demo, demo_of_three};
pub use random::Random;
pub use scratch::Scratch;
pub use signals::ignored_signals;
pub use wait::{eventually, look_until};

/// Goes on with the value of an `Ok`, or leaves the test as skipped with the reason of an `Err`.
#[macro_export]
macro_rules! require {
    ($need:expr) => {
        match $need {
            Ok(value) => value,
            Err(reason) => {
                // The runner looks for this line.
                println!("{}{reason}", $crate::need::SKIPPED);
                return;
            }
        }
    };
}
