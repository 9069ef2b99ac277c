//! Looks again and again until something is so, and shows meanwhile what it waits for. Ctrl-C ends
//! the waiting.

use super::Context;
use super::follow::LONG_STEP;
use crate::failure::Failure;
use crate::progress::Progress;
use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::pin::pin;
use std::time::Duration;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::{Instant, sleep, sleep_until};

/// What one host or fleet waits for.
#[derive(Debug, Clone)]
pub(super) struct Waits {
    pub subject: String,
    pub step: &'static str,
    pub message: String,
}

/// How the waiting ended.
#[derive(Debug)]
pub(super) enum End<T> {
    Reached(T),
    /// Ctrl-C.
    Interrupted,
    /// It took longer than was allowed.
    GaveUp,
}

pub(super) struct Poll {
    progress: Progress,
    interrupt: Signal,
    /// As of the last look.
    waits: Vec<Waits>,
    /// The last message that was told, by subject.
    told: BTreeMap<String, String>,
}

impl Poll {
    pub(super) fn new(context: &Context) -> Result<Self, Failure> {
        let interrupt = signal(SignalKind::interrupt())
            .map_err(|error| Failure::io("watch for Ctrl-C", &error))?;
        let progress = Progress::new(context.json);
        Ok(Self { progress, interrupt, waits: Vec::new(), told: BTreeMap::new() })
    }

    /// What it waited for when the waiting ended.
    pub(super) fn waits(&self) -> &[Waits] {
        &self.waits
    }

    /// Waits for one piece of work.
    pub(super) async fn during<T>(
        &mut self,
        waits: Waits,
        work: impl Future<Output = Result<T, Failure>>,
    ) -> Result<End<T>, Failure> {
        self.show(vec![waits]);
        let mut work = pin!(work);
        let end = loop {
            tokio::select! {
                done = &mut work => break done.map(End::Reached),
                _ = self.interrupt.recv() => break Ok(End::Interrupted),
                () = sleep(LONG_STEP) => self.tell(),
            }
        };
        self.clear();
        end
    }

    /// Looks every `pause` until a look breaks with what was waited for; else it says what is
    /// missing. `limit`: for so long at most.
    pub(super) async fn until<T>(
        &mut self,
        pause: Duration,
        limit: Option<Duration>,
        look: impl AsyncFnMut() -> Result<ControlFlow<T, Vec<Waits>>, Failure>,
    ) -> Result<End<T>, Failure> {
        let deadline = limit.map(|limit| Instant::now() + limit);
        let end = self.look(pause, deadline, look).await;
        self.clear();
        end
    }

    async fn look<T>(
        &mut self,
        pause: Duration,
        deadline: Option<Instant>,
        mut look: impl AsyncFnMut() -> Result<ControlFlow<T, Vec<Waits>>, Failure>,
    ) -> Result<End<T>, Failure> {
        let mut told = Instant::now();
        loop {
            let found = tokio::select! {
                found = look() => found?,
                _ = self.interrupt.recv() => return Ok(End::Interrupted),
                () = reached(deadline) => return Ok(End::GaveUp),
            };
            match found {
                ControlFlow::Break(so) => return Ok(End::Reached(so)),
                ControlFlow::Continue(waits) => self.show(waits),
            }
            if told.elapsed() >= LONG_STEP {
                self.tell();
                told = Instant::now();
            }
            tokio::select! {
                () = sleep(pause) => {}
                _ = self.interrupt.recv() => return Ok(End::Interrupted),
                () = reached(deadline) => return Ok(End::GaveUp),
            }
        }
    }

    fn show(&mut self, waits: Vec<Waits>) {
        for before in &self.waits {
            if !waits.iter().any(|now| now.subject == before.subject) {
                self.progress.end(&before.subject);
            }
        }
        for Waits { subject, step, message } in &waits {
            self.progress.waits(subject, step, message);
        }
        self.waits = waits;
    }

    /// Where there is no live line: what is new since it was told last.
    fn tell(&mut self) {
        for Waits { subject, step, message } in &self.waits {
            let before = self.told.insert(subject.clone(), message.clone());
            if before.as_ref() != Some(message) {
                self.progress.still_waits(subject, step, message);
            }
        }
    }

    fn clear(&mut self) {
        for Waits { subject, .. } in &self.waits {
            self.progress.end(subject);
        }
    }
}

async fn reached(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}
