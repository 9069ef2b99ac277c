//! Stream sockets that carry descriptors (unix(7), SCM_RIGHTS), without blocking.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use super::{check, uninterrupted};

/// The most descriptors that are sent or received with one call.
pub const MOST: usize = 8;

/// Room for one header and [`MOST`] descriptors, aligned as a header.
type Control = [u64; 2 + MOST / 2 + 1];

/// Sends as many of the bytes as fit now, and `passed` with the first of them.
pub fn send(socket: BorrowedFd<'_>, bytes: &[u8], passed: &[BorrowedFd<'_>]) -> io::Result<usize> {
    if passed.len() > MOST {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    let mut part = libc::iovec { iov_base: bytes.as_ptr().cast_mut().cast(), iov_len: bytes.len() };
    let mut control: Control = [0; _];
    // SAFETY: a msghdr of zeros is an empty message.
    let mut header: libc::msghdr = unsafe { std::mem::zeroed() };
    header.msg_iov = &raw mut part;
    header.msg_iovlen = 1;
    if !passed.is_empty() {
        let size = (passed.len() * size_of::<i32>()) as u32;
        header.msg_control = control.as_mut_ptr().cast();
        // SAFETY: CMSG_SPACE only computes.
        header.msg_controllen = unsafe { libc::CMSG_SPACE(size) } as _;
        // SAFETY: the control buffer is aligned for a header and has room for MOST descriptors
        // behind it, of which there are no more.
        unsafe {
            let first = libc::CMSG_FIRSTHDR(&raw const header);
            (*first).cmsg_level = libc::SOL_SOCKET;
            (*first).cmsg_type = libc::SCM_RIGHTS;
            (*first).cmsg_len = libc::CMSG_LEN(size) as _;
            let data = libc::CMSG_DATA(first).cast::<i32>();
            for (index, file) in passed.iter().enumerate() {
                data.add(index).write_unaligned(file.as_raw_fd());
            }
        }
    }
    let sent = uninterrupted(|| {
        // SAFETY: the header points to a part and a control buffer that outlive the call.
        check(unsafe {
            libc::sendmsg(
                socket.as_raw_fd(),
                &raw const header,
                libc::MSG_NOSIGNAL | libc::MSG_DONTWAIT,
            )
        })
    })?;
    Ok(usize::try_from(sent).unwrap_or(0))
}

/// What one [`receive`] gave.
pub struct Received {
    /// Of the buffer; 0 at the end of the stream.
    pub length: usize,
    pub passed: Vec<OwnedFd>,
    /// More descriptors came than there is room for, here or in this process.
    pub truncated: bool,
}

/// Receives what is there now.
pub fn receive(socket: BorrowedFd<'_>, buffer: &mut [u8]) -> io::Result<Received> {
    let mut part = libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: buffer.len() };
    let mut control: Control = [0; _];
    // SAFETY: a msghdr of zeros is an empty message.
    let mut header: libc::msghdr = unsafe { std::mem::zeroed() };
    header.msg_iov = &raw mut part;
    header.msg_iovlen = 1;
    header.msg_control = control.as_mut_ptr().cast();
    header.msg_controllen = size_of::<Control>() as _;
    let flags = libc::MSG_CMSG_CLOEXEC | libc::MSG_DONTWAIT;
    let length = uninterrupted(|| {
        // SAFETY: part and control buffer outlive the call, which writes no more than their lengths.
        check(unsafe { libc::recvmsg(socket.as_raw_fd(), &raw mut header, flags) })
    })?;
    let mut passed = Vec::new();
    // SAFETY: the kernel has filled the control buffer with whole headers up to msg_controllen;
    // each of the numbers behind one of type SCM_RIGHTS is a descriptor that it has just made for us.
    unsafe {
        let mut current = libc::CMSG_FIRSTHDR(&raw const header);
        while !current.is_null() {
            if ((*current).cmsg_level, (*current).cmsg_type) == (libc::SOL_SOCKET, libc::SCM_RIGHTS)
            {
                #[allow(clippy::unnecessary_cast, reason = "the type differs between libraries")]
                let size = (*current).cmsg_len as usize - libc::CMSG_LEN(0) as usize;
                let data = libc::CMSG_DATA(current).cast::<i32>();
                for index in 0..size / size_of::<i32>() {
                    passed.push(OwnedFd::from_raw_fd(data.add(index).read_unaligned()));
                }
            }
            current = libc::CMSG_NXTHDR(&raw const header, current);
        }
    }
    let truncated = header.msg_flags & libc::MSG_CTRUNC != 0;
    Ok(Received { length: usize::try_from(length).unwrap_or(0), passed, truncated })
}

/// The user id of the process that connected (socket(7), SO_PEERCRED).
pub fn peer_user(socket: BorrowedFd<'_>) -> io::Result<u32> {
    let mut peer = MaybeUninit::<libc::ucred>::uninit();
    let mut size = size_of::<libc::ucred>() as libc::socklen_t;
    // SAFETY: the kernel fills the whole struct of the size given when it answers 0.
    check(unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_PEERCRED,
            peer.as_mut_ptr().cast(),
            &raw mut size,
        )
    })?;
    // SAFETY: filled, see above.
    Ok(unsafe { peer.assume_init() }.uid)
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::os::fd::AsFd;
    use std::os::unix::net::UnixStream;

    use super::*;

    #[test]
    fn descriptors_arrive_with_their_bytes() {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let (mut end, writer) = std::io::pipe().unwrap();
        let passed = vec![writer.as_fd(); MOST];
        assert_eq!(send(ours.as_fd(), b"hello", &passed).unwrap(), 5);
        drop(writer);
        let mut buffer = [0; 64];
        let received = receive(theirs.as_fd(), &mut buffer).unwrap();
        assert_eq!((received.length, received.truncated), (5, false));
        assert_eq!(received.passed.len(), MOST);
        for file in received.passed {
            std::fs::File::from(file).write_all(b"x").unwrap();
        }
        let mut text = String::new();
        end.read_to_string(&mut text).unwrap();
        assert_eq!(text, "x".repeat(MOST));
    }

    #[test]
    fn an_empty_socket_does_not_block_and_a_closed_one_ends() {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let error = receive(theirs.as_fd(), &mut [0; 8]).err().unwrap();
        assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
        drop(ours);
        assert_eq!(receive(theirs.as_fd(), &mut [0; 8]).unwrap().length, 0);
        assert!(send(theirs.as_fd(), b"x", &[]).is_err());
    }
}
