//! The system calls of the runner, one function a call, no policy.

mod netlink;
mod process;

pub(crate) use flotilla_tests::sys::bring_loopback_up;
pub(crate) use netlink::nft_tables;
pub(crate) use process::*;
