//! Unix sockets: between parent and child, and to those who are handed descriptors.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use super::{check, descriptor, uninterrupted};

/// Two connected sockets that keep the borders of messages.
pub fn pair() -> io::Result<(OwnedFd, OwnedFd)> {
    use std::os::fd::FromRawFd;
    let mut ends = [-1_i32; 2];
    let kind = libc::SOCK_SEQPACKET | libc::SOCK_CLOEXEC;
    // SAFETY: the kernel writes two numbers.
    check(unsafe { libc::socketpair(libc::AF_UNIX, kind, 0, ends.as_mut_ptr()) })?;
    // SAFETY: the kernel has just made these two descriptors for us.
    Ok(unsafe { (OwnedFd::from_raw_fd(ends[0]), OwnedFd::from_raw_fd(ends[1])) })
}

/// Sends one message; a closed peer is an error, not a signal.
pub fn send(socket: BorrowedFd<'_>, message: &[u8]) -> io::Result<()> {
    uninterrupted(|| {
        // SAFETY: the kernel reads at most the message's length.
        check(unsafe {
            libc::send(
                socket.as_raw_fd(),
                message.as_ptr().cast(),
                message.len(),
                libc::MSG_NOSIGNAL,
            )
        })
    })?;
    Ok(())
}

/// Receives one message; its length, 0 at the end.
pub fn receive(socket: BorrowedFd<'_>, buffer: &mut [u8]) -> io::Result<usize> {
    let length = uninterrupted(|| {
        // SAFETY: the kernel writes at most the buffer's length into it.
        check(unsafe {
            libc::recv(socket.as_raw_fd(), buffer.as_mut_ptr().cast(), buffer.len(), 0)
        })
    })?;
    Ok(usize::try_from(length).unwrap_or(0))
}

/// Sends `message` with one descriptor (unix(7), SCM_RIGHTS).
pub fn send_descriptor(
    socket: BorrowedFd<'_>,
    message: &[u8],
    passed: BorrowedFd<'_>,
) -> io::Result<()> {
    let mut part =
        libc::iovec { iov_base: message.as_ptr().cast_mut().cast(), iov_len: message.len() };
    // Room for one header and one descriptor, aligned as a header.
    let mut control = [0_u64; 4];
    // SAFETY: CMSG_SPACE and CMSG_LEN only compute.
    let (space, length) = unsafe { (libc::CMSG_SPACE(4), libc::CMSG_LEN(4)) };
    // SAFETY: a msghdr of zeros is an empty message.
    let mut header: libc::msghdr = unsafe { std::mem::zeroed() };
    header.msg_iov = &raw mut part;
    header.msg_iovlen = 1;
    header.msg_control = control.as_mut_ptr().cast();
    header.msg_controllen = space as _;
    // SAFETY: the control buffer has room for the first header and one descriptor behind it (24 of
    // 32 bytes), and is aligned for it.
    unsafe {
        let first = libc::CMSG_FIRSTHDR(&raw const header);
        (*first).cmsg_level = libc::SOL_SOCKET;
        (*first).cmsg_type = libc::SCM_RIGHTS;
        (*first).cmsg_len = length as _;
        libc::CMSG_DATA(first).cast::<i32>().write_unaligned(passed.as_raw_fd());
    }
    uninterrupted(|| {
        // SAFETY: the header points to a part and a control buffer that outlive the call.
        check(unsafe { libc::sendmsg(socket.as_raw_fd(), &raw const header, libc::MSG_NOSIGNAL) })
    })?;
    Ok(())
}

/// Receives one byte or more, and the descriptor that came with it.
pub fn receive_descriptor(socket: BorrowedFd<'_>) -> io::Result<Option<OwnedFd>> {
    use std::os::fd::FromRawFd;
    let mut data = [0_u8; 4096];
    let mut part = libc::iovec { iov_base: data.as_mut_ptr().cast(), iov_len: data.len() };
    let mut control = [0_u64; 4];
    // SAFETY: CMSG_SPACE only computes.
    let space = unsafe { libc::CMSG_SPACE(4) };
    // SAFETY: a msghdr of zeros is an empty message.
    let mut header: libc::msghdr = unsafe { std::mem::zeroed() };
    header.msg_iov = &raw mut part;
    header.msg_iovlen = 1;
    header.msg_control = control.as_mut_ptr().cast();
    header.msg_controllen = space as _;
    uninterrupted(|| {
        // SAFETY: part and control buffer outlive the call, which writes no more than their lengths.
        check(unsafe { libc::recvmsg(socket.as_raw_fd(), &raw mut header, libc::MSG_CMSG_CLOEXEC) })
    })?;
    // SAFETY: the kernel has filled the control buffer up to msg_controllen.
    unsafe {
        let first = libc::CMSG_FIRSTHDR(&raw const header);
        if first.is_null() || (*first).cmsg_type != libc::SCM_RIGHTS {
            return Ok(None);
        }
        let raw = libc::CMSG_DATA(first).cast::<i32>().read_unaligned();
        Ok(Some(OwnedFd::from_raw_fd(raw)))
    }
}

fn address(path: &Path) -> io::Result<libc::sockaddr_un> {
    // SAFETY: a sockaddr_un of zeros is valid.
    let mut address: libc::sockaddr_un = unsafe { std::mem::zeroed() };
    address.sun_family = libc::AF_UNIX as libc::sa_family_t;
    let bytes = path.as_os_str().as_bytes();
    if bytes.len() >= address.sun_path.len() || bytes.contains(&0) {
        return Err(io::Error::from_raw_os_error(libc::ENAMETOOLONG));
    }
    for (to, from) in address.sun_path.iter_mut().zip(bytes) {
        *to = from.cast_signed();
    }
    Ok(address)
}

const ADDRESS_SIZE: libc::socklen_t = size_of::<libc::sockaddr_un>() as libc::socklen_t;

fn stream() -> io::Result<OwnedFd> {
    // SAFETY: no pointer is passed.
    descriptor(unsafe { libc::socket(libc::AF_UNIX, libc::SOCK_STREAM | libc::SOCK_CLOEXEC, 0) })
}

/// A stream socket that listens at `path`, of 107 bytes at most.
pub fn listen(path: &Path) -> io::Result<OwnedFd> {
    let (address, socket) = (address(path)?, stream()?);
    // SAFETY: the address has the size given.
    check(unsafe { libc::bind(socket.as_raw_fd(), (&raw const address).cast(), ADDRESS_SIZE) })?;
    // SAFETY: no pointer is passed.
    check(unsafe { libc::listen(socket.as_raw_fd(), 8) })?;
    Ok(socket)
}

/// A stream socket that is connected to the one at `path`, of 107 bytes at most.
pub fn connect(path: &Path) -> io::Result<OwnedFd> {
    let (address, socket) = (address(path)?, stream()?);
    // SAFETY: the address has the size given.
    check(unsafe { libc::connect(socket.as_raw_fd(), (&raw const address).cast(), ADDRESS_SIZE) })?;
    Ok(socket)
}

/// Blocks until somebody connects.
pub fn accept(socket: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    uninterrupted(|| {
        // SAFETY: no address is asked for.
        descriptor(unsafe {
            libc::accept4(
                socket.as_raw_fd(),
                std::ptr::null_mut(),
                std::ptr::null_mut(),
                libc::SOCK_CLOEXEC,
            )
        })
    })
}
