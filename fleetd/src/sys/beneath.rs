//! Opening files below a directory, whatever the content of that directory tries.

use rustix::fs::{Mode, OFlags, ResolveFlags, openat, openat2};
use rustix::io::Errno;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

/// `openat2` gives EAGAIN when a rename passed by while it resolved `..` (openat2(2)).
const RACES: usize = 256;

fn resolve(
    dir: BorrowedFd<'_>,
    path: &Path,
    flags: OFlags,
    how: ResolveFlags,
) -> io::Result<OwnedFd> {
    for _ in 0..RACES {
        match openat2(dir, path, flags | OFlags::CLOEXEC, Mode::empty(), how) {
            Err(Errno::AGAIN) => {}
            other => return Ok(other?),
        }
    }
    Err(io::Error::other("the directory changes too fast to be resolved"))
}

/// A directory of our own, by a path that nobody else writes to. For reading.
pub fn directory(path: &Path) -> io::Result<OwnedFd> {
    let flags = OFlags::DIRECTORY | OFlags::RDONLY | OFlags::CLOEXEC;
    Ok(rustix::fs::open(path, flags, Mode::empty())?)
}

/// The directory at `path` in the tree of `root`, as an `O_PATH` descriptor. Symbolic links are
/// followed as if `root` were `/`; other file systems are not entered. The empty path is `root`.
pub fn directory_in_root(root: BorrowedFd<'_>, path: &Path) -> io::Result<OwnedFd> {
    in_root(root, path, OFlags::PATH | OFlags::DIRECTORY)
}

/// The same, open for reading, so that times can be set and entries listed.
pub fn readable_directory_in_root(root: BorrowedFd<'_>, path: &Path) -> io::Result<OwnedFd> {
    in_root(root, path, OFlags::RDONLY | OFlags::DIRECTORY)
}

/// What is at `path` in the tree of `root`, as an `O_PATH` descriptor; a symbolic link in the last
/// place is itself the result.
pub fn inode_in_root(root: BorrowedFd<'_>, path: &Path) -> io::Result<OwnedFd> {
    in_root(root, path, OFlags::PATH | OFlags::NOFOLLOW)
}

fn in_root(root: BorrowedFd<'_>, path: &Path, flags: OFlags) -> io::Result<OwnedFd> {
    let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
    let how = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS | ResolveFlags::NO_XDEV;
    resolve(root, path, flags, how)
}

/// The entry `name` of `dir` itself, as an `O_PATH` descriptor. Nothing is followed.
pub fn entry(dir: BorrowedFd<'_>, name: &Path) -> io::Result<OwnedFd> {
    here(dir, name, OFlags::PATH | OFlags::NOFOLLOW)
}

/// The directory `name` of `dir`, for reading; ENOTDIR or ELOOP if it is something else.
pub fn subdirectory(dir: BorrowedFd<'_>, name: &Path) -> io::Result<OwnedFd> {
    here(dir, name, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW)
}

fn here(dir: BorrowedFd<'_>, name: &Path, flags: OFlags) -> io::Result<OwnedFd> {
    let how = ResolveFlags::BENEATH
        | ResolveFlags::NO_SYMLINKS
        | ResolveFlags::NO_MAGICLINKS
        | ResolveFlags::NO_XDEV;
    resolve(dir, name, flags, how)
}

/// A new regular file `name` in `dir`, for writing, mode 0600; EEXIST if anything is there.
pub fn create(dir: BorrowedFd<'_>, name: &Path) -> io::Result<OwnedFd> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    Ok(openat(dir, name, flags, Mode::RUSR | Mode::WUSR)?)
}

/// Names in a directory without `.` and `..`, in no order. At most `limit` of them, so that
/// memory stays bounded: call again after they were dealt with.
pub fn names(dir: impl AsFd, limit: usize) -> io::Result<Vec<std::ffi::OsString>> {
    use std::os::unix::ffi::OsStringExt;
    let mut names = Vec::new();
    for entry in rustix::fs::Dir::read_from(dir)? {
        let name = entry?.file_name().to_bytes().to_vec();
        if name != b"." && name != b".." {
            names.push(std::ffi::OsString::from_vec(name));
            if names.len() == limit {
                break;
            }
        }
    }
    Ok(names)
}
