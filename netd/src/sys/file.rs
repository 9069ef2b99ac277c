//! Files.

use nix::fcntl::{FallocateFlags, fallocate};
use std::io;
use std::os::fd::AsFd;

/// fallocate(2): keeps blocks for the file up to that length, which stays what it is.
pub fn keep_room(file: impl AsFd, length: u32) -> io::Result<()> {
    let flags = FallocateFlags::FALLOC_FL_KEEP_SIZE;
    Ok(fallocate(file, flags, 0, length.into())?)
}
