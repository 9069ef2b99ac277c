//! Pseudo terminals (pty(7)).

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};

use super::{check, descriptor};

/// Lets the other side of a master be opened.
pub fn unlock(master: BorrowedFd<'_>) -> io::Result<()> {
    let zero: libc::c_int = 0;
    // SAFETY: the kernel reads one int.
    check(unsafe { libc::ioctl(master.as_raw_fd(), libc::TIOCSPTLCK as _, &raw const zero) })?;
    Ok(())
}

/// The other side of a master, by the master itself and by no path (ioctl_tty(2), TIOCGPTPEER).
pub fn peer(master: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    let flags = libc::O_RDWR | libc::O_NOCTTY | libc::O_CLOEXEC;
    // SAFETY: the argument is a number.
    descriptor(unsafe { libc::ioctl(master.as_raw_fd(), libc::TIOCGPTPEER as _, flags) })
}

/// The number N of `/dev/pts/N`.
pub fn number(master: BorrowedFd<'_>) -> io::Result<u32> {
    let mut number: libc::c_uint = 0;
    // SAFETY: the kernel writes one unsigned int.
    check(unsafe { libc::ioctl(master.as_raw_fd(), libc::TIOCGPTN as _, &raw mut number) })?;
    Ok(number)
}

pub fn set_size(terminal: BorrowedFd<'_>, rows: u16, columns: u16) -> io::Result<()> {
    let size = libc::winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
    // SAFETY: the kernel reads one winsize.
    check(unsafe { libc::ioctl(terminal.as_raw_fd(), libc::TIOCSWINSZ as _, &raw const size) })?;
    Ok(())
}

/// Rows and columns; an error where `terminal` is none.
pub fn size(terminal: BorrowedFd<'_>) -> io::Result<(u16, u16)> {
    let mut size = MaybeUninit::<libc::winsize>::uninit();
    // SAFETY: the kernel writes one winsize when it answers 0.
    check(unsafe { libc::ioctl(terminal.as_raw_fd(), libc::TIOCGWINSZ as _, size.as_mut_ptr()) })?;
    // SAFETY: filled, see above.
    let size = unsafe { size.assume_init() };
    Ok((size.ws_row, size.ws_col))
}

/// Makes `terminal` the controlling one of the caller's session.
pub fn set_controlling(terminal: BorrowedFd<'_>) -> io::Result<()> {
    // SAFETY: the argument is a number.
    check(unsafe { libc::ioctl(terminal.as_raw_fd(), libc::TIOCSCTTY as _, 0) })?;
    Ok(())
}

/// How a terminal treats what passes through it.
#[derive(Clone, Copy)]
pub struct Mode(libc::termios);

pub fn mode(terminal: BorrowedFd<'_>) -> io::Result<Mode> {
    let mut mode = MaybeUninit::uninit();
    // SAFETY: tcgetattr fills the struct when it answers 0.
    check(unsafe { libc::tcgetattr(terminal.as_raw_fd(), mode.as_mut_ptr()) })?;
    // SAFETY: filled, see above.
    Ok(Mode(unsafe { mode.assume_init() }))
}

pub fn set_mode(terminal: BorrowedFd<'_>, mode: &Mode) -> io::Result<()> {
    // SAFETY: the struct is initialized.
    check(unsafe { libc::tcsetattr(terminal.as_raw_fd(), libc::TCSANOW, &raw const mode.0) })?;
    Ok(())
}

impl Mode {
    /// Passes every byte on as it is.
    #[must_use]
    pub fn raw(mut self) -> Self {
        // SAFETY: the struct is initialized.
        unsafe { libc::cfmakeraw(&raw mut self.0) };
        self
    }
}
