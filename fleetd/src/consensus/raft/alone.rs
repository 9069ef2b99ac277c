//! A member of a group goes on as a group of its own: most of the others are lost, or it has what
//! was decided from a backup.
//!
//! Everything that is in its log counts, since it may have been acknowledged. The log itself ends
//! there: whoever joins the new group gets what was decided as a snapshot.

use super::log::{COMMITTED, PURGED, VOTE};
use super::machine::{APPLIED, Position};
use super::{Entry, LogId, Voter};
use crate::core::decided::Decided;
use crate::core::machine_id::MachineId;
use crate::store::{self, facts, log as table};
use openraft::{CommittedLeaderId, EntryPayload, Membership, StoredMembership, Vote};
use redb::Database;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Changes the database of a fleetd that does not run. `change` gets what was decided and gives what
/// is from now on; where it refuses, nothing is changed.
pub fn alone(
    path: &Path,
    own: MachineId,
    voter: Voter,
    change: impl FnOnce(Decided) -> Result<Decided, String>,
) -> Result<(), String> {
    let done = store::offline(path, |database| {
        let (before, decided, last) = read(database)?;
        let after = match change(decided) {
            Ok(after) => after,
            Err(refused) => return Ok(Err(refused)),
        };
        let vote = table::get::<Vote<MachineId>>(database, VOTE)?;
        let vote = vote.unwrap_or_else(|| Vote::new(1, own));
        let last = last.unwrap_or_else(|| LogId::new(CommittedLeaderId::new(1, own), 0));
        let members = Membership::new(vec![BTreeSet::from([own])], BTreeMap::from([(own, voter)]));
        let membership = StoredMembership::new(Some(last), members);
        let position = Position { log_id: Some(last), membership };
        let transaction = database.begin_write()?;
        facts::write(&transaction, &before, &after)?;
        table::remove(&transaction, ..)?;
        table::put(&transaction, VOTE, &table::json(&vote)?)?;
        table::put(&transaction, PURGED, &table::json(&last)?)?;
        table::put(&transaction, COMMITTED, &table::json(&Some(last))?)?;
        table::put(&transaction, APPLIED, &table::json(&position)?)?;
        transaction.commit()?;
        Ok(Ok(()))
    });
    done.map_err(|e| e.to_string())?
}

/// The index of what was decided, as far as it is known to be; 0: nothing was.
pub fn index(path: &Path) -> Result<u64, store::Error> {
    store::offline(path, |database| Ok(facts::read(database)?.index))
}

/// The facts, what they become with all of the log, and where that ends.
fn read(database: &Database) -> Result<(Decided, Decided, Option<LogId>), redb::Error> {
    let before = facts::read(database)?;
    let applied = table::get::<Position>(database, APPLIED)?.unwrap_or_default().log_id;
    let next = applied.map_or(0, |id| id.index + 1);
    let (mut decided, mut last) = (before.clone(), applied);
    for (_, entry) in table::read::<Entry>(database, next..)? {
        last = Some(entry.log_id);
        if let EntryPayload::Normal(command) = entry.payload {
            // What is refused changes nothing, as it would in the group.
            let _ = decided.apply(&command);
        }
    }
    Ok((before, decided, last))
}
