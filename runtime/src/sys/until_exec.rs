//! Descriptors of a process that is about to become another program.

use std::mem::ManuallyDrop;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

/// Numbers below this are few enough to be left open.
const FEW: i32 = 256;

/// A descriptor that execve(2) closes, with all the others at once, instead of a call of its own.
///
/// All descriptors here are close-on-exec. Only those of high numbers are closed when they are
/// dropped, so that a long list of mounts does not reach the limit of open files.
#[derive(Debug)]
pub struct UntilExec(ManuallyDrop<OwnedFd>);

impl From<OwnedFd> for UntilExec {
    fn from(file: OwnedFd) -> Self {
        Self(ManuallyDrop::new(file))
    }
}

impl AsFd for UntilExec {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl Drop for UntilExec {
    fn drop(&mut self) {
        if self.0.as_raw_fd() >= FEW {
            // SAFETY: this is the only drop of the descriptor, and nobody uses it afterwards.
            unsafe { ManuallyDrop::drop(&mut self.0) };
        }
    }
}
