//! What sockets need beyond the standard library.

use nix::sys::socket::{
    AddressFamily, ControlMessage, MsgFlags, SockFlag, SockType, SockaddrStorage, bind, sendmsg,
    setsockopt, socket, sockopt,
};
use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};

/// Lets a socket send a datagram of `length` bytes (`SO_SNDBUFFORCE`, socket(7)); the default holds
/// about 200 KiB with the kernel's overhead.
pub fn reserve_send_buffer(socket: RawFd, length: usize) -> io::Result<()> {
    const DEFAULT_IS_ENOUGH: usize = 64 * 1024;
    if length <= DEFAULT_IS_ENOUGH {
        return Ok(());
    }
    let size =
        libc::c_int::try_from(length).map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
    // SAFETY: the option takes an int; the pointer is to one that lives through the call, and the
    // length is its size. An invalid descriptor is an error of the call.
    let result = unsafe {
        libc::setsockopt(
            socket,
            libc::SOL_SOCKET,
            libc::SO_SNDBUFFORCE,
            (&raw const size).cast(),
            size_of::<libc::c_int>() as libc::socklen_t,
        )
    };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Lets `bytes` of datagrams wait in a socket (`SO_RCVBUFFORCE`, socket(7)); the kernel takes twice as
/// much for its own overhead. The default is about 200 KiB.
pub fn reserve_receive_buffer(socket: &impl AsFd, bytes: usize) -> io::Result<()> {
    Ok(setsockopt(socket, sockopt::RcvBufForce, &bytes)?)
}

/// Sends bytes without waiting, with a descriptor riding on the first of them (unix(7)). Gives how
/// many bytes were taken.
pub fn send_with_descriptor(
    socket: &impl AsRawFd,
    bytes: &[u8],
    descriptor: Option<BorrowedFd<'_>>,
) -> io::Result<usize> {
    let fds = descriptor.map(|d| [d.as_raw_fd()]);
    let rights: Vec<ControlMessage<'_>> =
        fds.iter().map(|fds| ControlMessage::ScmRights(fds)).collect();
    let flags = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL;
    Ok(sendmsg::<()>(socket.as_raw_fd(), &[IoSlice::new(bytes)], &rights, flags, None)?)
}

/// Whether an address and port could be bound now: `EADDRINUSE` when somebody listens there. TCP
/// connections that are closing do not count.
pub fn try_bind(address: SocketAddr, kind: SockType) -> io::Result<()> {
    let family = match address {
        SocketAddr::V4(_) => AddressFamily::Inet,
        SocketAddr::V6(_) => AddressFamily::Inet6,
    };
    let probe = socket(family, kind, SockFlag::SOCK_CLOEXEC, None)?;
    if kind == SockType::Stream {
        setsockopt(&probe, sockopt::ReuseAddr, &true)?;
    }
    Ok(bind(probe.as_raw_fd(), &SockaddrStorage::from(address))?)
}
