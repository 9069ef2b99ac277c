//! What is shown while units move: on a terminal one line a unit that changes in place, elsewhere
//! one line a step. It goes to standard error: standard output has the results.

use crate::text;
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::time::Duration;

pub(crate) struct Progress {
    live: Option<MultiProgress>,
    silent: bool,
    bars: BTreeMap<String, ProgressBar>,
}

impl Progress {
    /// `silent`: nothing at all, as with `--json`.
    pub(crate) fn new(silent: bool) -> Self {
        let live = (!silent && std::io::stderr().is_terminal()).then(MultiProgress::new);
        Self { live, silent, bars: BTreeMap::new() }
    }

    /// A step began: what the unit waits for.
    pub(crate) fn waits(&mut self, unit: &str, step: &str, message: &str) {
        if let Some(bar) = self.bar(unit) {
            bar.set_message(text::plain(&format!("{step}: {message}")));
        }
    }

    /// A step takes long: without a live line, now is the time to say so.
    pub(crate) fn still_waits(&mut self, unit: &str, step: &str, message: &str) {
        if self.live.is_none() {
            self.line(&format!("{unit}: {step}: {message} ..."));
        }
    }

    /// A step ended.
    pub(crate) fn done(&mut self, unit: &str, step: &str, micros: u64) {
        self.line(&format!("{unit}: {step:<8} {:>8}", text::duration(micros)));
    }

    /// A word beside the steps.
    pub(crate) fn note(&mut self, message: &str) {
        self.line(message);
    }

    /// Nothing more is shown of the unit.
    pub(crate) fn end(&mut self, unit: &str) {
        if let Some(bar) = self.bars.remove(unit) {
            bar.finish_and_clear();
        }
    }

    fn line(&self, line: &str) {
        let line = text::plain(line);
        match &self.live {
            _ if self.silent => {}
            // A terminal that went away is no reason to give up.
            Some(live) => drop(live.println(line)),
            None => eprintln!("{line}"),
        }
    }

    fn bar(&mut self, unit: &str) -> Option<&ProgressBar> {
        let live = self.live.as_ref()?;
        Some(self.bars.entry(unit.to_owned()).or_insert_with(|| {
            let style = ProgressStyle::with_template("{spinner} {prefix}: {msg} {elapsed}")
                .unwrap_or_else(|_| ProgressStyle::default_spinner());
            let bar = live.add(ProgressBar::new_spinner().with_style(style));
            bar.set_prefix(unit.to_owned());
            bar.enable_steady_tick(Duration::from_millis(100));
            bar
        }))
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        for bar in self.bars.values() {
            bar.finish_and_clear();
        }
    }
}

/// Bytes that went, for a transfer; none where nobody looks.
pub(crate) fn bytes(message: String, silent: bool) -> Option<ProgressBar> {
    if silent || !std::io::stderr().is_terminal() {
        return None;
    }
    let style = ProgressStyle::with_template("{spinner} {msg} {bytes} ({bytes_per_sec})").ok()?;
    let bar = ProgressBar::new_spinner().with_style(style).with_message(message);
    bar.enable_steady_tick(Duration::from_millis(100));
    Some(bar)
}
