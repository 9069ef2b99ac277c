//! What the leader sees of all hosts: who lives, what each has, what runs there.

use super::Links;
use super::said::{self, Capacity, Obeys};
use crate::agent::Progress;
use crate::consensus::Consensus;
use crate::core::cluster::{Facts, Observed, Seen};
use crate::core::decided::Decided;
use crate::core::gossip::{Event, Kind, State};
use crate::core::machine_id::MachineId;
use crate::image::Names;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::broadcast::error::{RecvError, TryRecvError};
use tokio::sync::{broadcast, watch};
use tokio::time::{Instant, sleep_until};

/// A dead host keeps its units so long, in case it comes back: most of what looks like a death and
/// is none is over by then.
const GRACE: Duration = Duration::from_secs(3);
/// A host that was never heard of keeps them so long: after a start of the whole fleet they come
/// one by one.
const UNHEARD: Duration = Duration::from_secs(20);

/// What this host knows of itself without gossip.
pub struct Own {
    pub facts: Facts,
    pub progress: watch::Receiver<Progress>,
    pub images: watch::Receiver<Arc<Names>>,
}

pub struct Sight {
    links: Arc<Links>,
    own: Facts,
    images: Arc<BTreeSet<String>>,
    /// Since when a host has been dead or unheard of.
    away: BTreeMap<MachineId, Instant>,
    observed: Observed,
}

/// Watches until fleetd ends.
pub fn watch(
    links: Arc<Links>,
    consensus: Consensus,
    Own { facts, progress, images }: Own,
) -> watch::Receiver<Arc<Observed>> {
    let events = links.gossip.events();
    let sight = Sight {
        links,
        own: facts,
        images: Arc::default(),
        away: BTreeMap::new(),
        observed: Observed::default(),
    };
    let (show, observed) = watch::channel(Arc::default());
    tokio::spawn(sight.run(events, consensus, (progress, images), show));
    observed
}

impl Sight {
    async fn run(
        mut self,
        mut events: broadcast::Receiver<Event>,
        consensus: Consensus,
        (mut progress, mut images): (watch::Receiver<Progress>, watch::Receiver<Arc<Names>>),
        show: watch::Sender<Arc<Observed>>,
    ) {
        let mut changes = consensus.changes();
        let mut certificates = self.links.credentials.subscribe();
        let mut disks = consensus.disks();
        let mut led = false;
        // None: all of them.
        let mut touched: Option<BTreeSet<MachineId>> = None;
        loop {
            let decided = changes.borrow_and_update().clone();
            let leads = consensus.leads();
            if leads && !led {
                // What was not heard before somebody had to listen does not count.
                self.away.clear();
                touched = None;
            }
            led = leads;
            self.own.disk = *disks.borrow_and_update();
            self.images = Arc::new(images.borrow_and_update().keys().cloned().collect());
            let next = self.look(&decided, touched.take(), &progress.borrow_and_update());
            show.send_if_modified(|shown| {
                let changed = **shown != self.observed;
                if changed {
                    *shown = Arc::new(self.observed.clone());
                }
                changed
            });
            let mut some = BTreeSet::new();
            tokio::select! {
                changed = changes.changed() => if changed.is_err() { return } else { touched = None },
                changed = progress.changed() => {
                    if changed.is_err() {
                        return;
                    }
                    some.insert(self.links.machine);
                    touched = Some(some);
                }
                true = certificates.changed() => {
                    some.insert(self.links.machine);
                    touched = Some(some);
                }
                changed = disks.changed() => {
                    if changed.is_err() {
                        return;
                    }
                    some.insert(self.links.machine);
                    touched = Some(some);
                }
                changed = images.changed() => {
                    if changed.is_err() {
                        return;
                    }
                    some.insert(self.links.machine);
                    touched = Some(some);
                }
                event = events.recv() => {
                    let whole = match event {
                        Ok(event) => take(event, &mut some),
                        Err(RecvError::Lagged(_)) => true,
                        Err(RecvError::Closed) => return,
                    };
                    touched = drain(&mut events, some, whole);
                }
                () = until(next) => touched = None,
                _ = consensus.wait_leader(|l| (l == Some(self.links.machine)) != leads) => {
                    touched = None;
                }
            }
        }
    }

    /// Looks at these hosts, or at all; and when somebody's time will be over.
    fn look(
        &mut self,
        decided: &Decided,
        touched: Option<BTreeSet<MachineId>>,
        progress: &Progress,
    ) -> Option<Instant> {
        if touched.is_none() {
            self.observed.machines.retain(|id, _| decided.machines.contains_key(id));
            self.away.retain(|id, _| decided.machines.contains_key(id));
        }
        let now = Instant::now();
        for id in decided.machines.keys() {
            if touched.as_ref().is_none_or(|touched| touched.contains(id)) {
                let before = self.observed.machines.remove(id).unwrap_or_default();
                let seen = match *id == self.links.machine {
                    true => self.itself(progress),
                    false => self.see(*id, before, now),
                };
                self.observed.machines.insert(*id, seen);
            }
        }
        let ends = self.away.iter().map(|(id, since)| *since + self.patience(*id));
        ends.filter(|end| *end > now).min()
    }

    fn itself(&self, progress: &Progress) -> Seen {
        let Progress { index, kept, runs } = progress.clone();
        let (facts, authority) = (Some(self.own.clone()), self.links.authority());
        let images = Some(self.images.clone());
        Seen { alive: true, lost: false, facts, obeys: index, kept, runs, images, authority }
    }

    fn patience(&self, id: MachineId) -> Duration {
        let seen = self.links.gossip.seen();
        if seen.borrow().members.contains_key(&id) { GRACE } else { UNHEARD }
    }

    fn see(&mut self, id: MachineId, before: Seen, now: Instant) -> Seen {
        let state = {
            let seen = self.links.gossip.seen();
            seen.borrow().members.get(&id).map(|member| member.state)
        };
        let alive = matches!(state, Some(State::Alive | State::Suspected));
        let lost = if alive {
            self.away.remove(&id);
            false
        } else {
            let since = *self.away.entry(id).or_insert(now);
            let lost = now >= since + self.patience(id);
            if lost && !before.lost {
                tracing::warn!("host {id} is dead: its units go elsewhere, if this host leads");
            }
            lost
        };
        let said = self.links.said::<Capacity>(id, Kind::Capacity, "").map(Capacity::bounded);
        let images = said.as_ref().is_some_and(|said| said.tells_images);
        let images = images.then(|| Arc::new(self.images(id)));
        let facts = said.map(|said| said.facts);
        let said = self.links.said::<said::Certificate>(id, Kind::Certificate, "");
        let authority = said.map(|said| said.authority).or(before.authority);
        let before = (before.obeys, before.kept, before.runs);
        let (obeys, kept, runs) = self.obeys(id).unwrap_or(before);
        Seen { alive, lost, facts, obeys, kept, runs, images, authority }
    }

    fn images(&self, id: MachineId) -> BTreeSet<String> {
        let said = self.links.gossip.records(Some(id), Kind::Image).into_iter();
        let said = said.filter(|record| said::read::<said::Image>(record).is_some());
        said.map(|record| record.key.name).collect()
    }

    /// The set that it has taken over, the one on its disk, and what is there of units; none: not all
    /// of it has come yet.
    fn obeys(&self, id: MachineId) -> Option<(u64, u64, BTreeSet<String>)> {
        let said: Obeys = self.links.said(id, Kind::Obeys, "")?;
        let units = self.links.gossip.records(Some(id), Kind::Unit).into_iter();
        let there =
            units.filter(|record| said::read::<said::Unit>(record).is_some_and(|unit| unit.there));
        let runs: BTreeSet<String> = there.map(|record| record.key.name).collect();
        let kept = said.kept.unwrap_or(said.index);
        (said::digest(&runs) == said.there).then_some((said.index, kept, runs))
    }
}

fn tells_of_a_host(kind: Kind) -> bool {
    matches!(kind, Kind::Capacity | Kind::Unit | Kind::Obeys | Kind::Certificate | Kind::Image)
}

/// Whom an event is about. True: look at everybody.
fn take(event: Event, touched: &mut BTreeSet<MachineId>) -> bool {
    match event {
        Event::Record(key) if !tells_of_a_host(key.kind) => {}
        Event::Record(key) => drop(touched.insert(key.host)),
        Event::Joined(id)
        | Event::Restarted(id)
        | Event::Suspected(id)
        | Event::Cleared(id)
        | Event::Dead(id)
        | Event::Returned(id)
        | Event::Left(id)
        | Event::Forgotten(id) => drop(touched.insert(id)),
        Event::Twin(..) | Event::Outdone | Event::Generation(_) => return true,
    }
    false
}

/// What else has happened meanwhile: one look for all of it.
fn drain(
    events: &mut broadcast::Receiver<Event>,
    mut touched: BTreeSet<MachineId>,
    mut whole: bool,
) -> Option<BTreeSet<MachineId>> {
    loop {
        match events.try_recv() {
            Ok(event) => whole |= take(event, &mut touched),
            Err(TryRecvError::Lagged(_)) => whole = true,
            Err(TryRecvError::Empty | TryRecvError::Closed) => break,
        }
    }
    (!whole).then_some(touched)
}

async fn until(time: Option<Instant>) {
    match time {
        Some(time) => sleep_until(time).await,
        None => std::future::pending().await,
    }
}
