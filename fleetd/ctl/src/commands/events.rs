//! `events`: what has happened to units, and what happens.

use super::follow::{AWAY, RETRY};
use super::{Context, print};
use crate::cli::Events as Flags;
use crate::client;
use crate::failure::{Failure, exit};
use crate::{names, text};
use fleetd_api::{DesiredState, UnitName};
use fleetd_api::{Event, EventKind, UnitState};
use std::fmt::Write;
use tokio::time::Instant;

pub(super) async fn run(context: &Context, flags: &Flags) -> Result<u8, Failure> {
    let mut reader = Reader {
        context,
        units: named(context, flags).await?,
        // All that is kept is what comes after no event at all.
        seen: flags.since.clone().or((!flags.follow).then(Id::default)),
        begins: flags.since.is_none() && !flags.follow,
        heard: false,
    };
    if !flags.follow {
        return reader.copy(false).await.map(|()| 0);
    }
    tokio::select! {
        ended = reader.follow() => ended.map(|()| 0),
        interrupted = tokio::signal::ctrl_c() => match interrupted {
            Ok(()) => Ok(exit::INTERRUPTED),
            Err(error) => Err(Failure::io("watch for Ctrl-C", &error)),
        },
    }
}

/// Which event: `INDEX` or `INDEX@ORIGIN`, of the fleetd that has counted it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Id {
    index: u64,
    origin: Option<String>,
}

impl std::str::FromStr for Id {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (index, origin) = match text.split_once('@') {
            Some((index, origin)) => (index, Some(origin.to_owned())),
            None => (text, None),
        };
        let wrong = || "it takes the id of an event, as a line has it: INDEX@ORIGIN".to_owned();
        Ok(Self { index: index.parse().map_err(|_| wrong())?, origin })
    }
}

impl Id {
    fn of(event: &Event) -> Self {
        Self { index: event.index, origin: Some(event.origin.clone()) }
    }
}

/// None: all of them.
async fn named(context: &Context, flags: &Flags) -> Result<Option<Vec<String>>, Failure> {
    if flags.units.is_empty() {
        return Ok(None);
    }
    // One that is gone, or still to come, has events too.
    let mut units = Vec::new();
    let mut known = None;
    for argument in &flags.units {
        if names::is_glob(argument) {
            if known.is_none() {
                known = Some(context.units().await?);
            }
            let listed = known.as_deref().unwrap_or_default();
            let found = names::select(std::slice::from_ref(argument), listed)?;
            units.extend(found.into_iter().map(|unit| unit.name.clone()));
        } else {
            units.push(names::resolve(argument, |_| false).map(|name: UnitName| name.to_string())?);
        }
    }
    Ok(Some(units))
}

struct Reader<'c> {
    context: &'c Context,
    /// None: all of them.
    units: Option<Vec<String>>,
    /// The last event that was told.
    seen: Option<Id>,
    /// It begins with all that is kept: that older ones are missing is no news then.
    begins: bool,
    /// A stream was there.
    heard: bool,
}

impl Reader<'_> {
    /// Goes on where it broke off, by whatever host leads then.
    async fn follow(&mut self) -> Result<(), Failure> {
        let mut lost: Option<Instant> = None;
        loop {
            let before = self.seen.clone();
            let broken = self.copy(true).await;
            // Nobody was there at all, or nobody reads any more.
            if let Err(failure) = &broken
                && (!self.heard || failure.message.is_empty())
            {
                return broken;
            }
            if self.seen != before {
                lost = None;
            }
            let since = *lost.get_or_insert_with(Instant::now);
            if since.elapsed() > AWAY {
                let gone = "follow events: fleetd went away and did not come back";
                return Err(broken.err().unwrap_or_else(|| Failure::new(gone)));
            }
            tokio::time::sleep(RETRY).await;
        }
    }

    /// Tells one stream to its end.
    async fn copy(&mut self, follow: bool) -> Result<(), Failure> {
        let mut lines = self.context.client.lines(&path(follow, self.seen.as_ref())).await?;
        self.heard = true;
        while let Some(event) = lines.next::<Event>().await? {
            let is_no_news = event.kind == EventKind::Lagged && self.begins;
            self.begins = false;
            self.seen = Some(Id::of(&event));
            if !is_no_news && self.is_meant(&event) {
                tell(self.context, &event)?;
            }
        }
        Ok(())
    }

    fn is_meant(&self, event: &Event) -> bool {
        let Some(units) = &self.units else { return true };
        event.kind == EventKind::Lagged
            || event.unit.as_ref().is_some_and(|unit| units.contains(unit))
    }
}

fn path(follow: bool, seen: Option<&Id>) -> String {
    let mut path = format!("/v1/events?follow={follow}");
    if let Some(Id { index, origin }) = seen {
        let _ = write!(path, "&since={index}");
        if let Some(origin) = origin {
            let _ = write!(path, "&origin={}", client::encode(origin));
        }
    }
    path
}

fn tell(context: &Context, event: &Event) -> Result<(), Failure> {
    let line = match context.json {
        true => serde_json::to_string(event)
            .map_err(|error| Failure::new(format!("write JSON: {error}")))?,
        false => line(event),
    };
    print(&(line + "\n"))
}

/// `2025-11-20 19:22:06.123 UTC web.container: active (running) on 113f16a7`
fn line(event: &Event) -> String {
    let unit = event.unit.as_deref().map(|unit| format!(" {unit}:")).unwrap_or_default();
    let said = match &event.kind {
        EventKind::Submitted => "submitted".to_owned(),
        EventKind::Destroyed => "destroyed".to_owned(),
        EventKind::Desired { desired } => format!("is to be {}", word(*desired)),
        EventKind::Step { step, message } => format!("{step}: {message} ..."),
        EventKind::Done { step, micros } => format!("{step}: done in {}", text::duration(*micros)),
        EventKind::State { state } => of(state),
        EventKind::Warning { message } => format!("warning: {message}"),
        EventKind::Lagged => format!(
            "events before {}@{} are missing here: another host leads, or fleetd has begun anew",
            event.index, event.origin
        ),
    };
    text::plain(&format!("{}{unit} {said}", text::time_to_the_millisecond(event.time)))
}

fn word(desired: DesiredState) -> &'static str {
    match desired {
        DesiredState::Inactive => "inactive",
        DesiredState::Loaded => "loaded",
        DesiredState::Launched => "launched",
    }
}

fn of(state: &UnitState) -> String {
    let active = serde_json::to_value(state.active).ok();
    let active = active.as_ref().and_then(|value| value.as_str()).unwrap_or("unknown").to_owned();
    let machine = state.machine.as_deref();
    let place = machine.map(|id| format!(" on {}", text::short(id))).unwrap_or_default();
    let message = state.message.as_ref().map(|said| format!(": {said}")).unwrap_or_default();
    format!("{active} ({}){place}{message}", state.sub)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(kind: serde_json::Value) -> Event {
        let mut event = serde_json::json!({
            "index": 7, "origin": "a-1", "time": 1_763_666_526_123_456_u64, "unit": "web.container",
        });
        event.as_object_mut().unwrap().extend(kind.as_object().unwrap().clone());
        serde_json::from_value(event).unwrap()
    }

    #[test]
    fn a_line_says_when_what_happened_to_which_unit() {
        let state = serde_json::json!({
            "current": "launched", "load": "loaded", "active": "failed", "sub": "failed",
            "machine": "113f16a7aaaa", "pid": null, "address": null, "ports": [], "since": null,
            "health": null, "restarts": 0, "last_exit": null, "message": "exit code 1\u{1b}[0m",
        });
        for (kind, words) in [
            (serde_json::json!({"kind": "submitted"}), "submitted"),
            (serde_json::json!({"kind": "desired", "desired": "loaded"}), "is to be loaded"),
            (
                serde_json::json!({"kind": "done", "step": "image", "micros": 400}),
                "image: done in 0.4 ms",
            ),
            (
                serde_json::json!({"kind": "state", "state": state}),
                "failed (failed) on 113f16a7: exit code 1\u{fffd}[0m",
            ),
        ] {
            let expected = format!("2025-11-20 19:22:06.123 UTC web.container: {words}");
            assert_eq!(line(&event(kind)), expected);
        }
    }

    #[test]
    fn an_id_is_an_index_and_whose_it_is() {
        let id = |text: &str| text.parse::<Id>();
        assert_eq!(id("7"), Ok(Id { index: 7, origin: None }));
        assert_eq!(
            path(true, id("7@a-1").ok().as_ref()),
            "/v1/events?follow=true&since=7&origin=a-1"
        );
        assert_eq!(path(false, None), "/v1/events?follow=false");
        assert!(id("a-1").is_err() && id("").is_err());
    }
}
