//! Device nodes and links in the container's /dev.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;

use super::Init;
use super::inside::{self, Kind, Links};
use crate::error::{Doing, Error, Result};
use crate::plan::devices::{LINKS, Node};
use crate::plan::mount_options::Bind;
use crate::sys::{file, mount};

/// Makes them, unless /dev is bound from the host: then it is as its owner wants it.
pub(super) fn make(root: BorrowedFd<'_>, init: &Init<'_>) -> Result<()> {
    let bound = init.mounts.iter().any(|prepared| {
        prepared.mount.destination == Path::new("/dev")
            && matches!(prepared.options.bind, Some(Bind::One | Bind::Recursive))
    });
    if bound {
        return Ok(());
    }
    // Not through a link: an image whose /dev points elsewhere must not have nodes made there.
    let dev = inside::find_or_make(root, Path::new("/dev"), Kind::Directory, Links::None)
        .map_err(|error| error.within("open /dev"))?;
    file::umask(0);
    for (index, node) in init.nodes.iter().enumerate() {
        let step = |error: Error| error.within(format_args!("make {}", node.path.display()));
        match init.host_nodes.get(index) {
            Some(tree) => {
                inside::find_or_make(root, &node.path, Kind::File, Links::Inside)
                    .and_then(|place| {
                        mount::move_mount(tree.as_fd(), place.as_fd()).doing("attach the host's")
                    })
                    .map_err(step)?;
            }
            None => self::node(root, dev.as_fd(), node).map_err(step)?,
        }
    }
    file::umask(0o022);
    for (name, target) in LINKS {
        match file::symlinkat(Path::new(target), dev.as_fd(), Path::new(name)) {
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
            result => result.doing(format_args!("make /dev/{name}"))?,
        }
    }
    Ok(())
}

fn node(root: BorrowedFd<'_>, dev: BorrowedFd<'_>, node: &Node) -> Result<()> {
    let opened;
    let (parent, name) = match node.path.strip_prefix("/dev") {
        Ok(name) if name.components().count() == 1 => (dev, name),
        _ => {
            let (Some(parent), Some(name)) = (node.path.parent(), node.path.file_name()) else {
                return Err(Error::new("it is no path of a file"));
            };
            opened = inside::find_or_make(root, parent, Kind::Directory, Links::Inside)?;
            (opened.as_fd(), Path::new(name))
        }
    };
    match file::mknodat(parent, name, node.mode, node.device) {
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {
            let stat = file::fstatat(parent, name).doing("look at what is there")?;
            if stat.st_mode & libc::S_IFMT != node.mode & libc::S_IFMT
                || stat.st_rdev != node.device
            {
                return Err(Error::new("something else is there"));
            }
        }
        result => result.doing("make the node")?,
    }
    if (node.uid, node.gid) != (0, 0) {
        file::fchownat(parent, name, node.uid, node.gid).doing("give it to its owner")?;
    }
    Ok(())
}
