//! The caller's terminal: raw while a program inside a container has it, quiet while a secret is typed,
//! and its size.

use crate::failure::{Failure, exit};
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcgetwinsize, tcsetattr};
use std::io;
use tokio::signal::unix::{SignalKind, signal};

/// Rows and columns of the terminal on standard input.
pub(crate) fn size() -> Option<(u16, u16)> {
    let size = tcgetwinsize(rustix::stdio::stdin()).ok()?;
    Some((size.ws_row, size.ws_col))
}

/// Standard input hands over every key as it is typed, until this is dropped.
pub(crate) struct Raw(Termios);

impl Raw {
    pub(crate) fn enter() -> Result<Self, Failure> {
        let told = |error: rustix::io::Errno| {
            Failure::io("make the terminal raw", &io::Error::from(error))
        };
        let before = tcgetattr(rustix::stdio::stdin()).map_err(|error| {
            told(error).hint("-t needs a terminal on standard input; without it: -i")
        })?;
        let mut raw = before.clone();
        raw.make_raw();
        tcsetattr(rustix::stdio::stdin(), OptionalActions::Drain, &raw).map_err(told)?;
        Ok(Self(before))
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        back(&self.0);
    }
}

/// What is typed is not shown, until this is dropped.
struct Quiet(Termios);

impl Quiet {
    fn enter() -> Result<Self, Failure> {
        let told =
            |error: rustix::io::Errno| Failure::io("hide what is typed", &io::Error::from(error));
        let before = tcgetattr(rustix::stdio::stdin()).map_err(told)?;
        let mut quiet = before.clone();
        quiet.local_modes.remove(LocalModes::ECHO);
        // What was typed before it was hidden is no part of it.
        tcsetattr(rustix::stdio::stdin(), OptionalActions::Flush, &quiet).map_err(told)?;
        Ok(Self(before))
    }
}

impl Drop for Quiet {
    fn drop(&mut self) {
        back(&self.0);
        // The one that was typed is not shown either.
        eprintln!();
    }
}

/// A line that is typed and not shown. To be called in [`unless_interrupted`].
pub(crate) async fn hidden(prompt: &str) -> Result<String, Failure> {
    let quiet = Quiet::enter()?;
    eprint!("{prompt}: ");
    let typed = tokio::task::spawn_blocking(|| {
        let mut line = String::new();
        io::stdin().read_line(&mut line).map(|_| line)
    });
    let typed = typed.await.map_err(io::Error::other).flatten();
    drop(quiet);
    let line = typed.map_err(|error| Failure::io("read standard input", &error))?;
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}

/// Who breaks off gets the terminal back as it was: what `work` has made of it ends with it.
///
/// Only where a terminal is made quiet: a read that blocks would keep the signal from being seen, and half of
/// what was piped in would count when its writer has died of the same Ctrl-C.
pub(crate) async fn unless_interrupted<T>(
    work: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    let watch = |kind| signal(kind).map_err(|error| Failure::io("watch for signals", &error));
    let (mut interrupt, mut terminate) =
        (watch(SignalKind::interrupt())?, watch(SignalKind::terminate())?);
    tokio::select! {
        done = work => done,
        _ = interrupt.recv() => Err(Failure::told(exit::INTERRUPTED)),
        _ = terminate.recv() => Err(Failure::told(exit::INTERRUPTED)),
    }
}

fn back(before: &Termios) {
    // Nobody is left to tell if the terminal is gone.
    let _ = tcsetattr(rustix::stdio::stdin(), OptionalActions::Drain, before);
}
