//! What this host says of itself by gossip.

use super::Links;
use super::said::{self, Capacity, Obeys, Step, Steps};
use crate::agent::context::{Context, now};
use crate::agent::{self, Progress};
use crate::consensus::Consensus;
use crate::core::decided::GENERATION;
use crate::core::disk::Disk;
use crate::core::gossip::{Kind, MAX_BROADCAST};
use crate::events::Reader;
use crate::image::Names;
use fleetd_api::{Active, Event, EventKind};
use futures_util::FutureExt;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use tokio::sync::watch;

/// A message longer than this is cut off: what does not fit a packet takes its time.
const MESSAGE: usize = 300;

pub async fn capacity(links: &Links, capacity: &Capacity) {
    links.write(Kind::Capacity, "", capacity).await;
}

/// How full its disk is, until fleetd ends.
pub async fn disk(links: Arc<Links>, mut capacity: Capacity, mut disks: watch::Receiver<Disk>) {
    loop {
        capacity.facts.disk = *disks.borrow_and_update();
        self::capacity(&links, &capacity).await;
        if disks.changed().await.is_err() {
            return;
        }
    }
}

/// Whether this host leads, until fleetd ends.
pub async fn part(links: Arc<Links>, consensus: Consensus) {
    loop {
        let leads = consensus.leads();
        let term = consensus.raft().map_or(0, |raft| raft.metrics().borrow().current_term);
        let generation = consensus.decided().index / GENERATION;
        links.write(Kind::Raft, "", &said::Raft { leads, term, generation }).await;
        let own = links.machine;
        if consensus.wait_leader(|leader| (leader == Some(own)) != leads).await.is_none() {
            return;
        }
    }
}

/// Whose certificate this host shows, until fleetd ends.
pub async fn certificate(links: Arc<Links>) {
    let mut changes = links.credentials.subscribe();
    let mut told = None;
    loop {
        let authority = links.authority();
        if let Some(authority) = authority.filter(|authority| told != Some(*authority)) {
            links.write(Kind::Certificate, "", &said::Certificate { authority }).await;
            told = Some(authority);
        }
        if !changes.changed().await {
            return;
        }
    }
}

/// Names of so many images are told: the others of a host that holds more are had from their registries.
const IMAGES: usize = 256;
/// Of a record.
const LONGEST_NAME: usize = 255;

/// Which images it holds, until fleetd ends.
pub async fn images(links: Arc<Links>, mut names: watch::Receiver<Arc<Names>>) {
    let mut told = Names::new();
    loop {
        let now = names.borrow_and_update().clone();
        let fits = now.iter().filter(|(name, _)| name.len() <= LONGEST_NAME).take(IMAGES);
        let now: Names = fits.map(|(name, digest)| (name.clone(), digest.clone())).collect();
        for name in told.keys().filter(|name| !now.contains_key(*name)) {
            links.gossip.delete(Kind::Image, name).await;
        }
        for (name, digest) in now.iter().filter(|(name, digest)| told.get(*name) != Some(digest)) {
            links.write(Kind::Image, name, &said::Image { digest: digest.clone() }).await;
        }
        told = now;
        if names.changed().await.is_err() {
            return;
        }
    }
}

/// How its units are, and which set it has taken over, until fleetd ends.
pub async fn units(links: Arc<Links>, context: Arc<Context>, agent: agent::Handle) {
    let mut progress = agent.progress.clone();
    let Some(reader) = context.own.as_ref().map(|own| own.reader(None, None)) else { return };
    let mut teller =
        Teller { links, agent, reader, there: BTreeSet::new(), starts: BTreeMap::new() };
    // What was there before the first event.
    let mut touched: BTreeSet<String> = teller.agent.board.names();
    let mut events = Vec::new();
    loop {
        // First how far the agent is, then what happened: all of it has happened by then.
        let at = progress.borrow_and_update().clone();
        while let Some(more) = teller.reader.next(now()).now_or_never() {
            events.extend(more);
        }
        teller.tell(&at, touched, &events).await;
        (touched, events) = Default::default();
        tokio::select! {
            changed = progress.changed() => if changed.is_err() { return },
            more = teller.reader.next(now()) => events = more,
        }
    }
}

struct Teller {
    links: Arc<Links>,
    agent: agent::Handle,
    reader: Reader,
    there: BTreeSet<String>,
    starts: BTreeMap<String, Steps>,
}

impl Teller {
    /// In one go, so that it leaves in one packet where it fits: units first, then the set.
    async fn tell(&mut self, at: &Progress, touched: BTreeSet<String>, events: &[Arc<Event>]) {
        let mut touched = touched;
        touched.extend(self.there.symmetric_difference(&at.runs).cloned());
        for event in events {
            match (&event.unit, &event.kind) {
                (Some(unit), EventKind::Step { step, message }) => {
                    self.begins(unit, event.time, step, message);
                    self.tell_steps(unit).await;
                }
                (Some(unit), EventKind::Done { step, micros }) => {
                    self.ends(unit, step, *micros);
                    self.tell_steps(unit).await;
                }
                (Some(unit), EventKind::State { state }) => {
                    if state.active != Active::Activating
                        && let Some(start) = self.starts.get_mut(unit)
                    {
                        // The next step is of another start.
                        start.began = 0;
                    }
                    touched.insert(unit.clone());
                }
                // Some were dropped.
                (_, EventKind::Lagged) => touched.extend(self.agent.board.names()),
                _ => {}
            }
        }
        for unit in &touched {
            self.tell_unit(unit, at).await;
        }
        self.there.clone_from(&at.runs);
        let obeys = Obeys { index: at.index, kept: Some(at.kept), there: said::digest(&at.runs) };
        self.links.write(Kind::Obeys, "", &obeys).await;
    }

    async fn tell_unit(&mut self, unit: &str, at: &Progress) {
        let Some(mut state) = self.agent.board.get(unit) else {
            self.starts.remove(unit);
            self.links.gossip.delete(Kind::Step, unit).await;
            return self.links.gossip.delete(Kind::Unit, unit).await;
        };
        // They have a record of their own.
        state.steps.clear();
        let there = at.runs.contains(unit);
        let mut said = said::Unit { there, state };
        if serde_json::to_vec(&said).is_ok_and(|json| json.len() + 200 > MAX_BROADCAST) {
            said.state.message =
                said.state.message.map(|text| text.chars().take(MESSAGE).collect());
        }
        self.links.write(Kind::Unit, unit, &said).await;
    }

    fn begins(&mut self, unit: &str, time: u64, step: &str, message: &str) {
        let start = self.starts.entry(unit.to_owned()).or_default();
        if start.began == 0 {
            *start = Steps { began: time, steps: Vec::new() };
        }
        let message = message.chars().take(MESSAGE).collect();
        start.steps.push(Step { step: step.to_owned(), message, micros: None });
    }

    fn ends(&mut self, unit: &str, name: &str, micros: u64) {
        let Some(start) = self.starts.get_mut(unit) else { return };
        let open = start.steps.iter_mut().rev().find(|step| step.step == name);
        match open.filter(|step| step.micros.is_none()) {
            Some(step) => step.micros = Some(micros),
            None => start.steps.push(Step {
                step: name.to_owned(),
                message: String::new(),
                micros: Some(micros),
            }),
        }
    }

    async fn tell_steps(&self, unit: &str) {
        if let Some(start) = self.starts.get(unit) {
            self.links.write(Kind::Step, unit, start).await;
        }
    }
}

impl Links {
    async fn write(&self, kind: Kind, name: &str, said: &impl Serialize) {
        match serde_json::to_vec(said) {
            Ok(json) => self.gossip.write(kind, name, &json).await,
            Err(error) => tracing::warn!("tell the fleet of {kind:?} {name}: {error}"),
        }
    }
}
