//! Time: that of the simulation, and what the clock of the wall shows on each host.

use super::host::COUNT;
use std::cell::{Cell, RefCell};
use std::time::Duration;
use tracing::span::{Attributes, Id};
use tracing::{Subscriber, field};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

/// When a simulation begins: some day.
pub(super) const EPOCH: Duration = Duration::from_secs(1_800_000_000);

thread_local! {
    /// Microseconds since the beginning, at the last step.
    static STEP: Cell<u64> = const { Cell::new(0) };
    /// The host that is at work: the innermost, since tasks carry the span that they were begun in.
    static AT_WORK: RefCell<Vec<Option<usize>>> = const { RefCell::new(Vec::new()) };
    /// Seconds by which the clocks of the hosts are wrong.
    static WRONG: RefCell<[i64; COUNT]> = const { RefCell::new([0; COUNT]) };
}

/// A step begins.
pub(super) fn step(micros: u64) {
    STEP.set(micros);
}

/// Microseconds since the beginning of the simulation.
pub(super) fn micros() -> u64 {
    // While a host is taken down there is no time.
    let now = tokio::runtime::Handle::try_current().ok().and_then(|_| turmoil::sim_elapsed());
    now.map_or(STEP.get(), |now| u64::try_from(now.as_micros()).unwrap().max(STEP.get()))
}

pub(super) fn at_work() -> Option<usize> {
    AT_WORK.with_borrow(|inside| inside.last().copied().flatten())
}

/// Lets a host do something outside of its turn: begin, or come to its end.
pub(super) fn with_at_work<T>(host: usize, act: impl FnOnce() -> T) -> T {
    AT_WORK.with_borrow_mut(|inside| inside.push(Some(host)));
    let done = act();
    AT_WORK.with_borrow_mut(Vec::pop);
    done
}

/// The clock of a host is wrong by so many seconds from here on.
pub(super) fn set_wrong(host: usize, seconds: i64) {
    WRONG.with_borrow_mut(|wrong| wrong[host] = seconds);
}

/// Since 1970, as the host at work sees it.
pub(super) fn now() -> Duration {
    let wrong = at_work().map_or(0, |host| WRONG.with_borrow(|wrong| wrong[host]));
    let now = EPOCH + Duration::from_micros(micros());
    let off = Duration::from_secs(wrong.unsigned_abs());
    if wrong < 0 { now - off } else { now + off }
}

/// Finds out which host is at work: the simulation opens a span for each. And takes what fleetd logs.
pub(super) struct Listener;

#[derive(Default)]
struct Name(Option<usize>);

impl field::Visit for Name {
    fn record_debug(&mut self, field: &field::Field, value: &dyn std::fmt::Debug) {
        if field.name() == "name" {
            let name = format!("{value:?}");
            self.0 = name.trim_matches('"').strip_prefix('h').and_then(|n| n.parse().ok());
        }
    }
}

#[derive(Default)]
struct Line(String);

impl field::Visit for Line {
    fn record_debug(&mut self, field: &field::Field, value: &dyn std::fmt::Debug) {
        if field.name() == "message" {
            self.0 = format!("{value:?}");
        }
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Listener {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let mut name = Name::default();
        attributes.record(&mut name);
        if let (Some(span), true) = (context.span(id), attributes.metadata().name() == "node") {
            span.extensions_mut().insert(name);
        }
    }

    fn on_enter(&self, id: &Id, context: Context<'_, S>) {
        let span = context.span(id);
        if let Some(name) = span.and_then(|span| span.extensions().get::<Name>().map(|n| n.0)) {
            AT_WORK.with_borrow_mut(|inside| inside.push(name));
        }
    }

    fn on_exit(&self, id: &Id, context: Context<'_, S>) {
        let is_host = context.span(id).is_some_and(|s| s.extensions().get::<Name>().is_some());
        if is_host {
            AT_WORK.with_borrow_mut(Vec::pop);
        }
    }

    fn on_event(&self, event: &tracing::Event<'_>, _: Context<'_, S>) {
        let mut line = Line::default();
        event.record(&mut line);
        super::world::logged(&line.0);
    }
}
