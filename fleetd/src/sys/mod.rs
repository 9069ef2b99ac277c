//! System calls: one function a call, typed in, `io::Result` out, no policy.

pub mod beneath;
pub mod inode;
pub mod overlay;
