//! Datagrams with the credentials of their senders (unix(7), SCM_CREDENTIALS).

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

use super::{check, uninterrupted};

const SIZE: u32 = size_of::<libc::ucred>() as u32;

/// The kernel adds the sender's credentials to each message from now on (socket(7), SO_PASSCRED).
pub fn ask(socket: BorrowedFd<'_>) -> io::Result<()> {
    let on = 1_i32;
    // SAFETY: the kernel reads one number of the size given.
    check(unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_PASSCRED,
            (&raw const on).cast(),
            size_of::<i32>() as libc::socklen_t,
        )
    })?;
    Ok(())
}

/// Takes one message without waiting: its length, and the process that sent it. Descriptors that come
/// along are closed: the kernel makes none for which there is no room.
pub fn receive(socket: BorrowedFd<'_>, buffer: &mut [u8]) -> io::Result<(usize, Option<i32>)> {
    let mut part = libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: buffer.len() };
    // Room for one header and the credentials, aligned as a header; told to the kernel to the byte.
    let mut control = [0_u64; 4];
    // SAFETY: CMSG_SPACE only computes.
    let space = unsafe { libc::CMSG_SPACE(SIZE) };
    debug_assert!(space as usize <= size_of_val(&control));
    // SAFETY: a msghdr of zeros is an empty message.
    let mut header: libc::msghdr = unsafe { std::mem::zeroed() };
    header.msg_iov = &raw mut part;
    header.msg_iovlen = 1;
    header.msg_control = control.as_mut_ptr().cast();
    header.msg_controllen = space as _;
    let flags = libc::MSG_CMSG_CLOEXEC | libc::MSG_DONTWAIT;
    let length = uninterrupted(|| {
        // SAFETY: part and control buffer outlive the call, which writes no more than their lengths.
        check(unsafe { libc::recvmsg(socket.as_raw_fd(), &raw mut header, flags) })
    })?;
    // SAFETY: the kernel has filled the control buffer with whole headers up to msg_controllen.
    let sender = unsafe {
        let first = libc::CMSG_FIRSTHDR(&raw const header);
        let is_credentials = !first.is_null()
            && ((*first).cmsg_level, (*first).cmsg_type)
                == (libc::SOL_SOCKET, libc::SCM_CREDENTIALS);
        is_credentials.then(|| libc::CMSG_DATA(first).cast::<libc::ucred>().read_unaligned().pid)
    };
    Ok((usize::try_from(length).unwrap_or(0), sender))
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd;
    use std::os::unix::net::UnixDatagram;

    use super::*;

    #[test]
    fn a_message_names_its_sender() {
        let (ours, theirs) = UnixDatagram::pair().unwrap();
        ask(ours.as_fd()).unwrap();
        theirs.send(b"word").unwrap();
        let mut buffer = [0; 64];
        let pid = i32::try_from(std::process::id()).unwrap();
        assert_eq!(receive(ours.as_fd(), &mut buffer).unwrap(), (4, Some(pid)));
        let error = receive(ours.as_fd(), &mut buffer).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
    }

    #[test]
    fn descriptors_that_come_along_are_not_taken() {
        let (ours, theirs) = UnixDatagram::pair().unwrap();
        ask(ours.as_fd()).unwrap();
        let (reader, writer) = std::io::pipe().unwrap();
        crate::sys::rights::send(theirs.as_fd(), b"x", &[writer.as_fd()]).unwrap();
        drop(writer);
        assert_eq!(receive(ours.as_fd(), &mut [0; 8]).unwrap().0, 1);
        // The end of the pipe: nobody has its other side any more.
        let text = std::io::read_to_string(reader).unwrap();
        assert_eq!(text, "");
    }
}
