//! Lines about strangers in the log: enough to see what happens, too few to fill a disk with.

use std::fmt::Display;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// So many lines in such a time.
const MOST: u32 = 20;
const SPAN: Duration = Duration::from_secs(60);

#[derive(Default)]
pub(super) struct Complaints(Mutex<Option<Span>>);

struct Span {
    begun: Instant,
    lines: u32,
    left_out: u64,
}

impl Complaints {
    pub(super) fn log(&self, line: impl Display) {
        match self.admit() {
            Some(0) => tracing::warn!("{line}"),
            Some(left_out) => tracing::warn!("{line} ({left_out} like this were not logged)"),
            None => {}
        }
    }

    /// With how many were left out before it; none: this one is left out.
    fn admit(&self) -> Option<u64> {
        let mut span = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let old = span.take_if(|span| now.duration_since(span.begun) >= SPAN);
        let left_out = old.map_or(0, |span| span.left_out);
        let span = span.get_or_insert(Span { begun: now, lines: 0, left_out: 0 });
        if span.lines < MOST {
            span.lines += 1;
            return Some(left_out);
        }
        span.left_out += 1;
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn many_complaints_are_few_lines() {
        let complaints = Complaints::default();
        let admitted = (0..1000).filter(|_| complaints.admit().is_some()).count();
        assert_eq!(admitted, 20);
        tokio::time::advance(SPAN).await;
        assert_eq!(complaints.admit(), Some(980));
        assert_eq!(complaints.admit(), Some(0));
    }
}
