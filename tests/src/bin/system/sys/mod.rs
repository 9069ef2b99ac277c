//! The system calls of the runner, one function a call, no policy.

mod netlink;
mod process;

pub(crate) use netlink::{bring_loopback_up, nft_tables};
pub(crate) use process::*;
