//! A fleet goes on after most of its voters are lost, in a generation of its own.
//!
//! The host that is told to becomes the only voter, with what its database has or with what a backup
//! has, and starts again. The others hear by gossip of a newer set, fetch it and obey. Who has decided in an
//! earlier generation gives that up when it hears of a later one: it keeps a copy of its database and
//! reads the new log.

use super::Links;
use super::identity::Identity;
use super::seat::Seat;
use crate::agent::assignments::Assignments;
use crate::agent::place::{Place, write_whole};
use crate::consensus::raft::{Voter, alone};
use crate::consensus::{Consensus, Form};
use crate::core::decided::{
    AssignmentSet, Command, Decided, GENERATION, View, fleet, image, machine,
};
use crate::core::machine_id::MachineId;
use crate::sentence::cause;
use crate::store::{self, Store};
use ring::rand::{SecureRandom, SystemRandom};
use serde::{Deserialize, Serialize};
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// Two hosts that are told to recover at the same time are not to come to the same generation: each
/// leaves out so many at most.
const LEFT_OUT: u64 = 1000;

/// What this host is to do at its next start, in `recovery.json`.
#[derive(Debug, Serialize, Deserialize)]
pub struct Recovery {
    /// What was decided up to this index, here or in what is lost, is older than what comes.
    above: u64,
    /// What this host obeyed when it was told. With a newer set since, the fleet was not lost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    obeyed: Option<u64>,
    /// In place of what the database has: an [`image`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    facts: Option<String>,
}

fn path(place: &Place) -> PathBuf {
    place.state_dir.join("recovery.json")
}

/// Where the database of an earlier generation is kept: one of them.
fn kept(place: &Place) -> PathBuf {
    place.state_dir.join("fleetd.redb.earlier")
}

impl Recovery {
    /// `known`: the newest index that is known of.
    pub fn new(known: u64) -> Self {
        let mut random = [0; 8];
        // Without a random number the next generation is as good, for one host that recovers.
        let _ = SystemRandom::new().fill(&mut random);
        let left_out = u64::from_le_bytes(random) % LEFT_OUT;
        let above = known.saturating_add(left_out * GENERATION);
        Self { above, obeyed: None, facts: None }
    }

    /// Only if the host hears of no newer set until then.
    pub fn unless_told(self, place: &Place, machine: MachineId) -> Self {
        Self { obeyed: Some(Assignments::open(place, machine).index()), ..self }
    }

    /// With what a backup has.
    pub fn with(self, facts: &Decided) -> Result<Self, String> {
        let written = image::write(facts).map_err(|e| e.to_string())?;
        let facts = String::from_utf8(written).map_err(|e| e.to_string())?;
        Ok(Self { facts: Some(facts), ..self })
    }

    pub fn generation(&self) -> u64 {
        self.above / GENERATION + 1
    }

    /// To be followed by a new start of fleetd.
    pub fn write(&self, place: &Place) -> Result<(), String> {
        let json = serde_json::to_vec(self).map_err(|e| e.to_string())?;
        write_whole(&path(place), &json)
    }

    fn read(place: &Place) -> Result<Option<Self>, String> {
        let path = path(place);
        match std::fs::read(&path) {
            Ok(json) => serde_json::from_slice(&json).map(Some).map_err(|e| {
                format!("read {}: {e} (remove it to start without it)", path.display())
            }),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(format!("read {}: {}", path.display(), cause(&e))),
        }
    }

    /// `view`: what the other hosts go by, as far as this one knows.
    fn change(&self, known: Decided, own: &Identity, view: &View) -> Result<Decided, String> {
        let mut decided = match &self.facts {
            Some(facts) => image::read(facts.as_bytes()).map_err(|e| e.to_string())?,
            None => known,
        };
        if let Some(fleet) = decided.fleet.as_mut() {
            Arc::make_mut(fleet).beside(view).map_err(|refusal| refusal.to_string())?;
        }
        let (machine, address) = (own.machine, own.address.to_string());
        let mut join = None;
        if decided.machines.get(&machine).is_none_or(|known| known.address != address) {
            join = Some(machine::Command::Join { machine, address, key: own.fingerprint() }.into());
        }
        let voters = fleet::Command::Voters { voters: [machine].into() };
        let raise = Command::Raise { above: self.above };
        for command in [Some(raise), join, Some(voters.into())].into_iter().flatten() {
            decided.apply(&command).map_err(|refusal| refusal.to_string())?;
        }
        Ok(decided)
    }
}

/// Does what this host was told before it started again. Before the database is opened; after a crash
/// in between it is done again, or found to be done.
pub fn go_on(place: &Place, own: Option<&Identity>) -> Result<(), String> {
    let Some(recovery) = Recovery::read(place)? else { return Ok(()) };
    if let Some(own) = own {
        let database = place.database();
        // It may have been moved away.
        drop(Store::open(&database, &own.machine.to_string()).map_err(|e| e.to_string())?);
        let known = alone::index(&database).map_err(|e| e.to_string())?;
        let set = Assignments::open(place, own.machine).subscribe().borrow().clone();
        if recovery.obeyed.is_some_and(|obeyed| obeyed < set.index) {
            tracing::warn!("not recovered: the fleet has gone on meanwhile, and this host with it");
        } else if known / GENERATION < recovery.generation() {
            let voter = Voter { address: own.address.to_string() };
            let view = set.view.as_ref().unwrap_or(&own.view);
            let change = |known| recovery.change(known, own, view);
            let done = alone::alone(&database, own.machine, voter, change);
            done.map_err(|e| format!("recover: {e} ({} says so)", path(place).display()))?;
            tracing::warn!(
                "recovered: this host alone decides, in generation {}",
                recovery.generation()
            );
        }
    }
    std::fs::remove_file(path(place))
        .map_err(|e| format!("remove {}: {}", path(place).display(), cause(&e)))
}

/// Gives up a database of an earlier generation than the fleet is in. Before it is opened.
pub fn give_up(place: &Place, own: &Identity) -> Result<(), String> {
    let database = place.database();
    if !database.exists() {
        return Ok(());
    }
    let set = Assignments::open(place, own.machine).subscribe().borrow().clone();
    let unread = |e: store::Error| format!("{e}; {}", Form::Member.remedy());
    let index = alone::index(&database).map_err(unread)?;
    if !is_left_behind(index, &set) {
        return Ok(());
    }
    let kept = kept(place);
    match std::fs::copy(&database, &kept) {
        Ok(_) => tracing::warn!(
            "the fleet has gone on in generation {} without what this host has decided in \
             generation {}: that is kept in {}",
            set.index / GENERATION,
            index / GENERATION,
            kept.display()
        ),
        Err(e) => tracing::warn!("keep {}: {}", kept.display(), cause(&e)),
    }
    store::forget(&database).map_err(|e| e.to_string())
}

/// Whether the fleet has gone on in a later generation than that of a database. A set that names this
/// host as the only voter is of its own database, of which an older copy was put in its place.
fn is_left_behind(index: u64, set: &AssignmentSet) -> bool {
    let voters = set.view.as_ref().map(|view| view.voters.keys().copied().collect::<Vec<_>>());
    index > 0
        && set.index / GENERATION > index / GENERATION
        && voters.is_some_and(|voters| voters != [set.machine])
}

/// Starts fleetd again as soon as the fleet has left its database behind.
pub async fn watch(
    consensus: Consensus,
    seat: Arc<Seat>,
    mut sets: watch::Receiver<Arc<AssignmentSet>>,
    restart: CancellationToken,
) {
    loop {
        let set = sets.borrow_and_update().clone();
        seat.obeys(set.index);
        if is_left_behind(consensus.decided().index, &set) {
            tracing::warn!("the fleet is in a later generation; fleetd starts again in it");
            return restart.cancel();
        }
        if sets.changed().await.is_err() {
            return;
        }
    }
}

impl Links {
    /// The newest index that this host knows of, by its own database, its set, and what others say.
    pub fn newest(&self, consensus: &Consensus, obeyed: u64) -> u64 {
        let others = self.obeyed().into_iter().map(|(_, index)| index);
        others.chain([consensus.decided().index, obeyed]).max().unwrap_or(0)
    }

    /// Of the sets that living hosts say they obey.
    pub fn obeyed(&self) -> Vec<(MachineId, u64)> {
        use super::said::{Obeys, read};
        use crate::core::gossip::Kind;
        let said = self.gossip.records(None, Kind::Obeys).into_iter();
        let said = said.filter_map(|record| Some((record.key.host, read::<Obeys>(&record)?.index)));
        said.filter(|(host, _)| *host != self.machine && self.may_live(*host)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::decided::View;
    use crate::pki::fixture;

    fn set(index: u64, voters: &[u128]) -> AssignmentSet {
        let voters = voters.iter().map(|id| (MachineId(*id), String::new())).collect();
        let authority = fixture::fleet();
        let view = Some(View {
            fleet: authority.fleet().clone(),
            bundle: fixture::bundle(&[&authority]),
            revoked: Default::default(),
            gossip_keys: Vec::new(),
            signer: String::new(),
            hosts_may: crate::pki::Role::Admin,
            other_signer: None,
            voters,
        });
        AssignmentSet { machine: MachineId(1), index, view, ..AssignmentSet::default() }
    }

    #[test]
    fn a_database_is_left_behind_by_a_later_generation_that_others_decide() {
        let later = 3 * GENERATION + 7;
        assert!(is_left_behind(2 * GENERATION + 900, &set(later, &[2])));
        assert!(is_left_behind(2 * GENERATION + 900, &set(later, &[1, 2, 3])));
        // A copy of its own database.
        assert!(!is_left_behind(2 * GENERATION + 900, &set(later, &[1])));
        // The log is read up to here only.
        assert!(!is_left_behind(3 * GENERATION, &set(later, &[2])));
        // Nothing to give up.
        assert!(!is_left_behind(0, &set(later, &[2])));
        assert!(!is_left_behind(2 * GENERATION, &AssignmentSet::default()));
    }
}
