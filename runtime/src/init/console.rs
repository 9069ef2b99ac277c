//! The container's terminal: a pair from its own devpts, the slave bound to /dev/console, the
//! master sent to whoever asked for it.
//!
//! No path of the image is followed to get there (CVE-2025-52565): the master comes from the devpts
//! that lies at /dev/pts, and the slave from the master.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use super::Init;
use super::inside::{self, Kind, Links};
use crate::error::{Doing, Error, Result};
use crate::spec::Process;
use crate::sys::{file, mount, socket, terminal};

/// The slave; `None` without `process.terminal`.
pub(super) fn open(root: BorrowedFd<'_>, init: &Init<'_>) -> Result<Option<OwnedFd>> {
    let process = init.program.process();
    if !process.terminal {
        return Ok(None);
    }
    let step = |error: Error| error.within("open the terminal");
    let slave = pair(root, process, init.console).map_err(step)?;
    // The file may be the image's: whatever is there and is no link is covered.
    let place = inside::find_or_make(root, Path::new("/dev/console"), Kind::File, Links::None)
        .map_err(|error| error.within("make /dev/console"))?;
    mount::open_tree_clone(slave.as_fd(), Path::new(""), false)
        .and_then(|tree| mount::move_mount(tree.as_fd(), place.as_fd()))
        .doing("mount /dev/console")?;
    Ok(Some(slave))
}

/// Makes the pair on the devpts below `root`, sends the master to `console`, answers the slave.
pub(crate) fn pair(
    root: BorrowedFd<'_>,
    process: &Process,
    console: Option<BorrowedFd<'_>>,
) -> Result<OwnedFd> {
    let Some(console) = console else {
        return Err(Error::new("process.terminal: nobody takes it").hint("give --console-socket"));
    };
    let path = Path::new("/dev/pts/ptmx");
    let flags = libc::O_RDWR | libc::O_NOCTTY;
    let master = inside::open(root, path, flags, Links::None)
        .doing("open /dev/pts/ptmx")
        .map_err(|error| error.hint("process.terminal needs a devpts at /dev/pts"))?;
    let magic = file::file_system(master.as_fd()).doing("look at /dev/pts")?;
    if magic != file::DEVPTS_SUPER_MAGIC {
        return Err(Error::new("/dev/pts is no devpts: process.terminal needs one"));
    }
    terminal::unlock(master.as_fd()).doing("unlock it")?;
    let slave = terminal::peer(master.as_fd()).doing("open its other side")?;
    if let Some(size) = process.console_size {
        terminal::set_size(master.as_fd(), size.height, size.width).doing("set its size")?;
    }
    let number = terminal::number(master.as_fd()).doing("look at it")?;
    // Engines read the name, and want no more of it than that it is there.
    let name = format!("/dev/pts/{number}");
    socket::send_descriptor(console, name.as_bytes(), master.as_fd())
        .doing("send it to the console socket")?;
    Ok(slave)
}
