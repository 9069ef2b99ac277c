//! What needs `unsafe`: one function a call, no policy. Imports nothing of ours.

use rustix::thread::{ThreadNameSpaceType, UnshareFlags, move_into_thread_name_spaces};
use std::ffi::CString;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::Command;

/// New namespaces of these kinds for the calling thread (unshare(2)). Its table of descriptors stays
/// shared.
pub(super) fn unshare(kinds: UnshareFlags) -> io::Result<()> {
    let kinds = kinds & !UnshareFlags::FILES;
    // SAFETY: the call endangers descriptors only with FILES, which has been taken out.
    Ok(unsafe { rustix::thread::unshare_unsafe(kinds) }?)
}

/// What a program is moved into between fork and exec.
pub(super) struct Entry {
    /// `cgroup.procs` of its cgroup, open for writing.
    pub(super) cgroup: OwnedFd,
    /// A process whose network, mount and UTS namespaces it gets, as a pidfd.
    pub(super) namespaces: Option<OwnedFd>,
    /// Where it starts in there, if there is such a directory.
    pub(super) directory: Option<CString>,
    /// It leads a session of its own: no terminal's Ctrl-C reaches it.
    pub(super) session: bool,
}

/// Has the program moved when it is started.
pub(super) fn enter(command: &mut Command, entry: Entry) {
    let kinds = ThreadNameSpaceType::NETWORK
        | ThreadNameSpaceType::MOUNT
        | ThreadNameSpaceType::HOST_NAME_AND_NIS_DOMAIN_NAME;
    let act = move || -> io::Result<()> {
        rustix::io::write(&entry.cgroup, b"0")?;
        if let Some(process) = &entry.namespaces {
            move_into_thread_name_spaces(process.as_fd(), kinds)?;
        }
        if let Some(directory) = &entry.directory {
            // It may not be there in the other mount namespace.
            let _ = rustix::process::chdir(directory.as_c_str());
        }
        if entry.session {
            rustix::process::setsid()?;
        }
        Ok(())
    };
    // SAFETY: between fork and exec `act` makes system calls on what was prepared before the fork; it
    // allocates nothing and takes no lock.
    unsafe { command.pre_exec(act) };
}
