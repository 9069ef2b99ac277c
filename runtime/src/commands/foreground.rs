//! Waits for a program in the foreground: signals are passed on, and a terminal is relayed.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use super::terminal::Relay;
use crate::error::{Doing, Result};
use crate::sys::process::{self, Exit};
use crate::sys::signal::{self, SignalSet};

/// What a caller sends us, the program is to get. Not SIGCHLD, which is ours, and not what the kernel
/// sends for our own faults.
const PASSED_ON: &[i32] = &[
    libc::SIGHUP,
    libc::SIGINT,
    libc::SIGQUIT,
    libc::SIGTERM,
    libc::SIGUSR1,
    libc::SIGUSR2,
    libc::SIGCONT,
    libc::SIGWINCH,
    libc::SIGALRM,
];

pub(super) struct Foreground {
    signals: OwnedFd,
}

impl Foreground {
    /// From here on signals wait to be passed on.
    pub(super) fn begin() -> Result<Self> {
        let set = SignalSet::of(PASSED_ON);
        signal::set_blocked(&set).doing("block signals")?;
        let signals = signal::signalfd(&set).doing("make a signalfd")?;
        Ok(Self { signals })
    }

    /// Blocks until the child behind `pidfd` ends. `console` is where its terminal's master comes
    /// from, if it has one of ours.
    pub(super) fn wait(
        &self,
        pidfd: BorrowedFd<'_>,
        console: Option<BorrowedFd<'_>>,
    ) -> Result<Exit> {
        let mut relay = console.map(Relay::begin).transpose()?;
        loop {
            let mut files = vec![(pidfd, libc::POLLIN), (self.signals.as_fd(), libc::POLLIN)];
            if let Some(relay) = &relay {
                files.extend(relay.interests());
            }
            let events = signal::poll(&files, -1).doing("wait for the program")?;
            if events[1] != 0 {
                self.pass_on(pidfd, relay.as_ref())?;
            }
            if let Some(relay) = &mut relay {
                relay.move_bytes()?;
            }
            if events[0] != 0 {
                if let Some(relay) = &mut relay {
                    relay.drain()?;
                }
                return process::wait(pidfd).doing("wait for the program");
            }
        }
    }

    fn pass_on(&self, pidfd: BorrowedFd<'_>, relay: Option<&Relay>) -> Result<()> {
        let signal = signal::take_signal(self.signals.as_fd()).doing("take a signal")?;
        if signal == libc::SIGWINCH
            && let Some(relay) = relay
        {
            relay.copy_size();
            return Ok(());
        }
        match process::pidfd_send_signal(pidfd, signal) {
            // It has just ended.
            Err(error) if error.raw_os_error() == Some(libc::ESRCH) => Ok(()),
            result => result.doing(format_args!("pass signal {signal} on")),
        }
    }
}
