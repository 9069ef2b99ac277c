//! Files by descriptor.

use std::ffi::{CStr, CString};
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use super::{check, descriptor, path, uninterrupted};

pub const RESOLVE_NO_XDEV: u64 = 0x01;
pub const RESOLVE_NO_MAGICLINKS: u64 = 0x02;
pub const RESOLVE_NO_SYMLINKS: u64 = 0x04;
pub const RESOLVE_BENEATH: u64 = 0x08;
pub const RESOLVE_IN_ROOT: u64 = 0x10;

/// Superblock numbers of statfs(2).
pub const PROC_SUPER_MAGIC: i64 = 0x9fa0;
pub const DEVPTS_SUPER_MAGIC: i64 = 0x1cd1;
pub const CGROUP2_SUPER_MAGIC: i64 = 0x6367_7270;

/// The working directory, as the place of a relative path.
pub fn here() -> BorrowedFd<'static> {
    // SAFETY: AT_FDCWD is no descriptor that could be closed; calls that take a place accept it.
    unsafe { BorrowedFd::borrow_raw(libc::AT_FDCWD) }
}

#[repr(C)]
struct OpenHow {
    flags: u64,
    mode: u64,
    resolve: u64,
}

/// Opens `name` below `at` with the `RESOLVE_*` rules.
pub fn openat2(
    at: BorrowedFd<'_>,
    name: &Path,
    flags: i32,
    mode: u32,
    resolve: u64,
) -> io::Result<OwnedFd> {
    let name = path(name)?;
    let how = OpenHow { flags: (flags | libc::O_CLOEXEC) as u64, mode: mode.into(), resolve };
    // A rename beside us makes the kernel ask for another try (EAGAIN).
    for _ in 0..128 {
        // SAFETY: the name is NUL-terminated, `how` has the size given; both are only read.
        let result = descriptor(unsafe {
            libc::syscall(
                libc::SYS_openat2,
                at.as_raw_fd(),
                name.as_ptr(),
                std::ptr::from_ref(&how),
                size_of::<OpenHow>(),
            )
        });
        match result {
            Err(e) if matches!(e.raw_os_error(), Some(libc::EAGAIN | libc::EINTR)) => {}
            result => return result,
        }
    }
    Err(io::Error::from_raw_os_error(libc::EAGAIN))
}

/// Opens `name` below `at`, following links.
pub fn openat(at: BorrowedFd<'_>, name: &Path, flags: i32, mode: u32) -> io::Result<OwnedFd> {
    let name = path(name)?;
    uninterrupted(|| {
        // SAFETY: the name is NUL-terminated and outlives the call.
        descriptor(unsafe {
            libc::openat(at.as_raw_fd(), name.as_ptr(), flags | libc::O_CLOEXEC, mode)
        })
    })
}

pub fn mkdirat(at: BorrowedFd<'_>, name: &Path, mode: u32) -> io::Result<()> {
    let name = path(name)?;
    // SAFETY: the name is NUL-terminated.
    check(unsafe { libc::mkdirat(at.as_raw_fd(), name.as_ptr(), mode) })?;
    Ok(())
}

pub fn mknodat(at: BorrowedFd<'_>, name: &Path, mode: u32, device: u64) -> io::Result<()> {
    let name = path(name)?;
    // SAFETY: the name is NUL-terminated.
    check(unsafe { libc::mknodat(at.as_raw_fd(), name.as_ptr(), mode, device) })?;
    Ok(())
}

pub fn symlinkat(target: &Path, at: BorrowedFd<'_>, name: &Path) -> io::Result<()> {
    let (target, name) = (path(target)?, path(name)?);
    // SAFETY: both names are NUL-terminated.
    check(unsafe { libc::symlinkat(target.as_ptr(), at.as_raw_fd(), name.as_ptr()) })?;
    Ok(())
}

/// Removes a name; `directory` chooses between unlink(2) and rmdir(2).
pub fn unlinkat(at: BorrowedFd<'_>, name: &Path, directory: bool) -> io::Result<()> {
    let name = path(name)?;
    let flags = if directory { libc::AT_REMOVEDIR } else { 0 };
    // SAFETY: the name is NUL-terminated.
    check(unsafe { libc::unlinkat(at.as_raw_fd(), name.as_ptr(), flags) })?;
    Ok(())
}

pub fn readlinkat(at: BorrowedFd<'_>, name: &Path) -> io::Result<PathBuf> {
    use std::os::unix::ffi::OsStringExt;
    let name = path(name)?;
    let mut buffer = vec![0_u8; 4096];
    // SAFETY: the kernel writes at most the buffer's length into it.
    let length = check(unsafe {
        libc::readlinkat(at.as_raw_fd(), name.as_ptr(), buffer.as_mut_ptr().cast(), buffer.len())
    })?;
    buffer.truncate(usize::try_from(length).unwrap_or(0));
    Ok(PathBuf::from(std::ffi::OsString::from_vec(buffer)))
}

pub fn fstat(file: BorrowedFd<'_>) -> io::Result<libc::stat> {
    let mut stat = MaybeUninit::uninit();
    // SAFETY: the kernel fills the whole struct when it answers 0.
    check(unsafe { libc::fstat(file.as_raw_fd(), stat.as_mut_ptr()) })?;
    // SAFETY: filled, see above.
    Ok(unsafe { stat.assume_init() })
}

/// What is at `name`, which is not followed if it is a link.
pub fn fstatat(at: BorrowedFd<'_>, name: &Path) -> io::Result<libc::stat> {
    let name = path(name)?;
    let mut stat = MaybeUninit::uninit();
    // SAFETY: the name is NUL-terminated; the kernel fills the whole struct when it answers 0.
    check(unsafe {
        libc::fstatat(at.as_raw_fd(), name.as_ptr(), stat.as_mut_ptr(), libc::AT_SYMLINK_NOFOLLOW)
    })?;
    // SAFETY: filled, see above.
    Ok(unsafe { stat.assume_init() })
}

/// The kind of an open file's file system, `*_SUPER_MAGIC`.
pub fn file_system(file: BorrowedFd<'_>) -> io::Result<i64> {
    let mut stat = MaybeUninit::<libc::statfs>::uninit();
    // SAFETY: the kernel fills the whole struct when it answers 0.
    check(unsafe { libc::fstatfs(file.as_raw_fd(), stat.as_mut_ptr()) })?;
    // SAFETY: filled, see above.
    let stat = unsafe { stat.assume_init() };
    #[allow(clippy::unnecessary_cast, reason = "the type differs between libraries")]
    Ok(stat.f_type as i64)
}

/// Whether the mount that an open file lies on is read-only.
pub fn is_read_only(file: BorrowedFd<'_>) -> io::Result<bool> {
    let mut stat = MaybeUninit::<libc::statvfs>::uninit();
    // SAFETY: the library fills the whole struct when it answers 0.
    check(unsafe { libc::fstatvfs(file.as_raw_fd(), stat.as_mut_ptr()) })?;
    // SAFETY: filled, see above.
    let stat = unsafe { stat.assume_init() };
    Ok(stat.f_flag & libc::ST_RDONLY != 0)
}

pub fn fchown(file: BorrowedFd<'_>, uid: u32, gid: u32) -> io::Result<()> {
    // SAFETY: no pointer is passed.
    check(unsafe { libc::fchown(file.as_raw_fd(), uid, gid) })?;
    Ok(())
}

/// Gives the name, which is not followed if it is a link, to a user and a group.
pub fn fchownat(at: BorrowedFd<'_>, name: &Path, uid: u32, gid: u32) -> io::Result<()> {
    let name = path(name)?;
    // SAFETY: the name is NUL-terminated.
    check(unsafe {
        libc::fchownat(at.as_raw_fd(), name.as_ptr(), uid, gid, libc::AT_SYMLINK_NOFOLLOW)
    })?;
    Ok(())
}

pub fn fchdir(directory: BorrowedFd<'_>) -> io::Result<()> {
    // SAFETY: no pointer is passed.
    check(unsafe { libc::fchdir(directory.as_raw_fd()) })?;
    Ok(())
}

pub fn chdir(name: &CStr) -> io::Result<()> {
    // SAFETY: the name is NUL-terminated.
    check(unsafe { libc::chdir(name.as_ptr()) })?;
    Ok(())
}

/// getcwd(2) itself: unlike the C library's function it tells an unreachable directory by a
/// path that does not begin with `/`.
pub fn getcwd() -> io::Result<Vec<u8>> {
    let mut buffer = vec![0_u8; 4096];
    // SAFETY: the kernel writes at most the buffer's length into it.
    let length =
        check(unsafe { libc::syscall(libc::SYS_getcwd, buffer.as_mut_ptr(), buffer.len()) })?;
    buffer.truncate(usize::try_from(length).unwrap_or(0).saturating_sub(1));
    Ok(buffer)
}

pub fn umask(mask: u32) {
    // SAFETY: umask cannot fail and passes no pointer.
    unsafe { libc::umask(mask) };
}

/// Whether the caller may execute what `name` leads to, with its effective ids.
pub fn may_execute(name: &CStr) -> io::Result<()> {
    // SAFETY: the name is NUL-terminated.
    check(unsafe { libc::faccessat(libc::AT_FDCWD, name.as_ptr(), libc::X_OK, libc::AT_EACCESS) })?;
    Ok(())
}

pub fn read(file: BorrowedFd<'_>, buffer: &mut [u8]) -> io::Result<usize> {
    uninterrupted(|| {
        // SAFETY: the kernel writes at most the buffer's length into it.
        let length = check(unsafe {
            libc::read(file.as_raw_fd(), buffer.as_mut_ptr().cast(), buffer.len())
        })?;
        Ok(usize::try_from(length).unwrap_or(0))
    })
}

/// Reads from the beginning, whatever was read before.
pub fn read_from_start(file: BorrowedFd<'_>, buffer: &mut [u8]) -> io::Result<usize> {
    uninterrupted(|| {
        // SAFETY: the kernel writes at most the buffer's length into it.
        let length = check(unsafe {
            libc::pread(file.as_raw_fd(), buffer.as_mut_ptr().cast(), buffer.len(), 0)
        })?;
        Ok(usize::try_from(length).unwrap_or(0))
    })
}

/// One write, as files of the kernel want it; a part written is an error.
pub fn write_whole(file: BorrowedFd<'_>, data: &[u8]) -> io::Result<()> {
    let written = uninterrupted(|| {
        // SAFETY: the kernel reads at most the data's length.
        check(unsafe { libc::write(file.as_raw_fd(), data.as_ptr().cast(), data.len()) })
    })?;
    if usize::try_from(written) == Ok(data.len()) {
        Ok(())
    } else {
        Err(io::Error::from(io::ErrorKind::WriteZero))
    }
}

/// The whole file `name` below `at`, of `longest` bytes at most; a longer one is `FileTooLarge`.
pub fn read_whole(at: BorrowedFd<'_>, name: &Path, longest: usize) -> io::Result<Vec<u8>> {
    let file = openat(at, name, libc::O_RDONLY, 0)?;
    let mut text = Vec::new();
    let mut part = [0; 16384];
    loop {
        let length = read(std::os::fd::AsFd::as_fd(&file), &mut part)?;
        if length == 0 {
            return Ok(text);
        }
        if text.len() + length > longest {
            return Err(io::Error::from(io::ErrorKind::FileTooLarge));
        }
        text.extend_from_slice(&part[..length]);
    }
}

/// A file of the kernel with one value or line in it, which one read brings.
pub fn read_small(at: BorrowedFd<'_>, name: &Path) -> io::Result<Vec<u8>> {
    let file = openat(at, name, libc::O_RDONLY, 0)?;
    let mut part = [0; 4096];
    let length = read(std::os::fd::AsFd::as_fd(&file), &mut part)?;
    Ok(part[..length].to_vec())
}

/// Makes or replaces the contents of the file `name` below `at`, which is no link.
pub fn write_file(at: BorrowedFd<'_>, name: &Path, mode: u32, data: &[u8]) -> io::Result<()> {
    let flags = libc::O_WRONLY | libc::O_CREAT | libc::O_TRUNC | libc::O_NOFOLLOW;
    let file = openat(at, name, flags, mode)?;
    let mut left = data;
    while !left.is_empty() {
        let written = write(std::os::fd::AsFd::as_fd(&file), left)?;
        left = &left[written..];
    }
    Ok(())
}

pub fn dup2(from: BorrowedFd<'_>, to: i32) -> io::Result<()> {
    // SAFETY: callers name 0 to 2 or a number that they own; nothing typed is closed by it.
    check(unsafe { libc::dup3(from.as_raw_fd(), to, 0) })?;
    Ok(())
}

/// One write, of as much as is taken at once.
pub fn write(file: BorrowedFd<'_>, data: &[u8]) -> io::Result<usize> {
    uninterrupted(|| {
        // SAFETY: the kernel reads at most the data's length.
        let written =
            check(unsafe { libc::write(file.as_raw_fd(), data.as_ptr().cast(), data.len()) })?;
        Ok(usize::try_from(written).unwrap_or(0))
    })
}

/// Whether the number is that of an open descriptor.
pub fn is_open(number: u32) -> bool {
    let Ok(number) = i32::try_from(number) else { return false };
    // SAFETY: F_GETFD only asks, and fails for a number that is not open.
    unsafe { libc::fcntl(number, libc::F_GETFD) != -1 }
}

/// Reads and writes on this open file answer `WouldBlock` instead of waiting.
pub fn set_nonblocking(file: BorrowedFd<'_>) -> io::Result<()> {
    // SAFETY: no pointer is passed.
    let flags = check(unsafe { libc::fcntl(file.as_raw_fd(), libc::F_GETFL) })?;
    // SAFETY: as above.
    check(unsafe { libc::fcntl(file.as_raw_fd(), libc::F_SETFL, flags | libc::O_NONBLOCK) })?;
    Ok(())
}

/// Descriptor 0.
pub fn standard_input() -> BorrowedFd<'static> {
    // SAFETY: Rust's start makes sure that it is open, and nobody here closes it.
    unsafe { BorrowedFd::borrow_raw(0) }
}

/// Marks all descriptors from `first` on as close-on-exec.
pub fn close_on_exec_from(first: u32) -> io::Result<()> {
    const CLOSE_RANGE_CLOEXEC: u32 = 4;
    // SAFETY: no descriptor is closed now, so none that is owned becomes invalid.
    check(unsafe { libc::syscall(libc::SYS_close_range, first, u32::MAX, CLOSE_RANGE_CLOEXEC) })?;
    Ok(())
}

/// Whether `file` cannot be changed by anybody (`chattr +i`, see ioctl_iflags(2)).
pub fn is_immutable(file: BorrowedFd<'_>) -> io::Result<bool> {
    const IMMUTABLE: libc::c_int = 0x10;
    let mut flags: libc::c_int = 0;
    // SAFETY: the kernel writes an int to where it is pointed.
    check(unsafe { libc::ioctl(file.as_raw_fd(), libc::FS_IOC_GETFLAGS as _, &raw mut flags) })?;
    Ok(flags & IMMUTABLE != 0)
}

/// The kind of namespace (`CLONE_NEW*`) behind a descriptor of `/proc/PID/ns/*`.
pub fn namespace_type(file: BorrowedFd<'_>) -> io::Result<i32> {
    const NS_GET_NSTYPE: u32 = 0xb703;
    // SAFETY: no pointer is passed.
    check(unsafe { libc::ioctl(file.as_raw_fd(), NS_GET_NSTYPE as _) })
}

/// Replaces the directory `name` below `at` in one step.
pub fn renameat(at: BorrowedFd<'_>, from: &Path, to: &Path) -> io::Result<()> {
    let (from, to): (CString, CString) = (path(from)?, path(to)?);
    // SAFETY: both names are NUL-terminated.
    check(unsafe { libc::renameat(at.as_raw_fd(), from.as_ptr(), at.as_raw_fd(), to.as_ptr()) })?;
    Ok(())
}
