//! How units are, wherever they are: what their hosts say by gossip.

use super::Links;
use super::said::{self, Steps};
use crate::agent::context::{Context, now};
use crate::core::gossip::{Event, Key, Kind};
use crate::core::machine_id::MachineId;
use fleetd_api::{EventKind, StepTime, UnitState};
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::sync::broadcast::error::RecvError;

impl Links {
    /// A unit as another host says that it is there.
    pub fn state(&self, machine: MachineId, unit: &str) -> Option<UnitState> {
        let said: said::Unit = self.said(machine, Kind::Unit, unit)?;
        let steps = self.said::<Steps>(machine, Kind::Step, unit).unwrap_or_default().bounded();
        let done = steps
            .steps
            .into_iter()
            .filter_map(|step| Some(StepTime { step: step.step, micros: step.micros? }));
        Some(UnitState { steps: done.collect(), ..said.state })
    }

    /// Hosts that say that they have something of the unit.
    pub fn holders(&self, unit: &str) -> Vec<MachineId> {
        let records = self.gossip.records(None, Kind::Unit).into_iter();
        let of_unit = records.filter(|record| record.key.name == unit && record.value.is_some());
        of_unit.map(|record| record.key.host).filter(|host| *host != self.machine).collect()
    }

    pub(super) fn said<T: serde::de::DeserializeOwned>(
        &self,
        host: MachineId,
        kind: Kind,
        name: &str,
    ) -> Option<T> {
        let key = Key { host, kind, name: name.to_owned() };
        serde_json::from_slice(&self.gossip.record(&key)?.1).ok()
    }
}

/// Starts that are followed at once.
const MOST_STARTS: usize = 20_000;

/// What happens on other hosts becomes events here, until fleetd ends.
pub async fn hear(links: Arc<Links>, context: Arc<Context>) {
    let mut events = links.gossip.events();
    let mut starts: BTreeMap<(MachineId, String), Steps> = BTreeMap::new();
    loop {
        let key = match events.recv().await {
            Ok(Event::Record(key)) if key.host != links.machine => key,
            Ok(_) => continue,
            Err(RecvError::Lagged(_)) => {
                context.events.publish(now(), None, EventKind::Lagged);
                continue;
            }
            Err(RecvError::Closed) => return,
        };
        match key.kind {
            Kind::Unit => {
                if let Some(state) = links.state(key.host, &key.name) {
                    let kind = EventKind::State { state: Box::new(state) };
                    context.events.publish(now(), Some(&key.name), kind);
                }
            }
            Kind::Step => {
                let Some(steps) = links.said::<Steps>(key.host, Kind::Step, &key.name) else {
                    continue;
                };
                let steps = steps.bounded();
                // What a unit's host forgets is not told of: some are told twice, none is kept for ever.
                if starts.len() >= MOST_STARTS {
                    starts.clear();
                }
                let at = (key.host, key.name.clone());
                let before = starts.insert(at, steps.clone()).unwrap_or_default();
                for kind in news(&before, &steps) {
                    context.events.publish(now(), Some(&key.name), kind);
                }
            }
            _ => {}
        }
    }
}

/// What a start has come to since it was heard of last.
fn news(before: &Steps, after: &Steps) -> Vec<EventKind> {
    let known = if before.began == after.began { before.steps.as_slice() } else { &[] };
    let mut events = Vec::new();
    for (at, step) in after.steps.iter().enumerate() {
        let known = known.get(at);
        if known.is_none() {
            let (step, message) = (step.step.clone(), step.message.clone());
            events.push(EventKind::Step { step, message });
        }
        if let (Some(micros), true) = (step.micros, known.is_none_or(|k| k.micros.is_none())) {
            events.push(EventKind::Done { step: step.step.clone(), micros });
        }
    }
    events
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::membership::said::Step;

    fn steps(began: u64, steps: &[(&str, Option<u64>)]) -> Steps {
        let step = |(step, micros): &(&str, Option<u64>)| Step {
            step: (*step).to_owned(),
            message: String::new(),
            micros: *micros,
        };
        Steps { began, steps: steps.iter().map(step).collect() }
    }

    #[test]
    fn each_step_is_told_once_even_if_some_records_were_lost() {
        let first = steps(1, &[("image", None)]);
        let last = steps(1, &[("image", Some(5)), ("create", Some(7)), ("ready", None)]);
        assert_eq!(news(&Steps::default(), &first).len(), 1);
        assert_eq!(news(&first, &last).len(), 4);
        assert_eq!(news(&last, &last), []);
        assert_eq!(news(&last, &steps(2, &[("image", Some(1))])).len(), 2);
    }
}
