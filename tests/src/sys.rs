//! System calls that tests and their runner share.

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

/// socket(2), closed on exec.
pub fn socket(domain: i32, kind: i32, protocol: i32) -> io::Result<OwnedFd> {
    // SAFETY: takes three integers, returns a new descriptor or -1.
    let fd = unsafe { libc::socket(domain, kind | libc::SOCK_CLOEXEC, protocol) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel has just made this descriptor, and nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// `SIOCSIFFLAGS` for `lo` of the caller's network namespace (netdevice(7)).
pub fn bring_loopback_up() -> io::Result<()> {
    let socket = socket(libc::AF_INET, libc::SOCK_DGRAM, 0)?;
    // SAFETY: `ifreq` is plain old data for which all zeroes are a value.
    let mut request = unsafe { std::mem::zeroed::<libc::ifreq>() };
    for (to, from) in request.ifr_name.iter_mut().zip(b"lo") {
        *to = from.cast_signed();
    }
    request.ifr_ifru.ifru_flags = libc::IFF_UP as i16;
    // musl's and glibc's declarations differ in the request's type.
    let number = libc::SIOCSIFFLAGS as libc::Ioctl;
    // SAFETY: SIOCSIFFLAGS reads an `ifreq`, and `request` is one that outlives the call.
    match unsafe { libc::ioctl(socket.as_raw_fd(), number, &raw const request) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Binds a packet socket to one link and ether type (packet(7)).
pub fn bind_to_link(socket: &OwnedFd, link: &str, ether_type: u16) -> io::Result<()> {
    let index = nix::net::if_::if_nametoindex(link)?;
    // SAFETY: `sockaddr_ll` is plain old data for which all zeroes are a value.
    let mut address = unsafe { std::mem::zeroed::<libc::sockaddr_ll>() };
    address.sll_family = libc::AF_PACKET as u16;
    address.sll_protocol = ether_type.to_be();
    address.sll_ifindex = index.cast_signed();
    let length = size_of::<libc::sockaddr_ll>() as libc::socklen_t;
    // SAFETY: the pointer is to a `sockaddr_ll` that outlives the call, and the length is its size.
    match unsafe { libc::bind(socket.as_raw_fd(), (&raw const address).cast(), length) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// `SO_RCVTIMEO` (socket(7)).
pub fn set_receive_timeout(socket: &OwnedFd, timeout: std::time::Duration) -> io::Result<()> {
    use nix::sys::socket::{setsockopt, sockopt};
    Ok(setsockopt(socket, sockopt::ReceiveTimeout, &timeout_value(timeout))?)
}

fn timeout_value(timeout: std::time::Duration) -> nix::sys::time::TimeVal {
    nix::sys::time::TimeVal::new(
        timeout.as_secs().cast_signed(),
        i64::from(timeout.subsec_micros()),
    )
}

/// Makes the calling thread, and no other, that of user and group 65534. The C library's function
/// would change all threads.
pub fn become_nobody_in_this_thread() -> io::Result<()> {
    const NOBODY: libc::c_long = 65534;
    for call in [libc::SYS_setresgid, libc::SYS_setresuid] {
        // SAFETY: both calls take three integers and touch no memory of ours.
        if unsafe { libc::syscall(call, NOBODY, NOBODY, NOBODY) } != 0 {
            return Err(io::Error::last_os_error());
        }
    }
    Ok(())
}
