//! How a host obeys its assignment sets: which one it takes over, and what that means for its units.

use crate::core::decided::{AssignmentSet, Entry};
use crate::core::machine_id::MachineId;
use crate::pki::signed::{Purpose, Signed};
use fleetd_api::DesiredState;
use std::collections::BTreeSet;
use std::sync::Arc;

/// The set in a signed document, if a key of the fleet has signed it, it is of this machine and newer
/// than the one of index `above`. `signers`: 64 hex digits each.
pub fn read<'k>(
    signed: &Signed,
    signers: impl IntoIterator<Item = &'k str>,
    machine: MachineId,
    above: u64,
) -> Result<AssignmentSet, String> {
    let verify = |signer| signed.verify(Purpose::AssignmentSet, signer).map_err(|e| e.to_string());
    let mut payload = Err("it is signed by nobody".to_owned());
    for signer in signers {
        payload = verify(signer);
        if payload.is_ok() {
            break;
        }
    }
    let payload = payload?;
    let set: AssignmentSet = serde_json::from_str(payload).map_err(|e| e.to_string())?;
    if set.machine != machine {
        return Err(format!("it is of host {}", set.machine));
    }
    if set.index <= above {
        return Err(format!("it is of index {}, and this host has {above}", set.index));
    }
    Ok(set)
}

/// Whether a set takes the place of the one that a host has.
pub fn is_newer(offered: &AssignmentSet, have: &AssignmentSet) -> bool {
    offered.index > have.index
}

/// What is different for the units of a host with a newer set.
#[derive(Debug, Default, PartialEq)]
pub struct Difference<'a> {
    /// New ones, and those of which something else is wanted.
    pub changed: BTreeSet<&'a str>,
    /// Those that have no place here any more, as they were last.
    pub left: Vec<(&'a str, &'a Entry)>,
}

pub fn difference<'a>(before: &'a AssignmentSet, after: &'a AssignmentSet) -> Difference<'a> {
    let is_other = |name: &String| before.units.get(name) != after.units.get(name);
    let changed = after.units.keys().filter(|name| is_other(name)).map(String::as_str).collect();
    let gone = before.units.iter().filter(|(name, _)| !after.units.contains_key(*name));
    let left = gone.map(|(name, last)| (name.as_str(), last.entry.as_ref())).collect();
    Difference { changed, left }
}

/// Of whom a set's indices are: of a fleet, or of one host alone. Those of others are no older and no
/// newer.
pub fn source(set: &AssignmentSet) -> String {
    match &set.view {
        Some(view) => view.fleet.to_string(),
        None => set.machine.to_string(),
    }
}

/// Whether a set can be compared with the decision that a run of this source obeys. A host goes on
/// counting when it founds a fleet; empty: the run is of a fleetd that did not write it down.
pub fn knows(set: &AssignmentSet, source_of_run: &str) -> bool {
    source_of_run.is_empty()
        || source_of_run == source(set)
        || source_of_run == set.machine.to_string()
}

/// What a set says of a unit.
#[derive(Debug, PartialEq)]
pub enum Wish<'a> {
    /// It has its place here.
    As(&'a Arc<Entry>),
    /// It has none: what runs of it ends.
    Ends,
    /// The set is older than what the unit has obeyed: it can neither know nor end its run.
    Unknown,
}

/// `order`: the newest decision that the unit has obeyed here.
pub fn wish<'a>(set: &'a AssignmentSet, unit: &str, order: u64) -> Wish<'a> {
    let is_older = order > set.index;
    match set.units.get(unit) {
        Some(assigned) if !is_older || launches(&assigned.entry) => Wish::As(&assigned.entry),
        _ if is_older => Wish::Unknown,
        Some(assigned) => Wish::As(&assigned.entry),
        None => Wish::Ends,
    }
}

fn launches(entry: &Entry) -> bool {
    entry.desired == DesiredState::Launched && !entry.destroyed
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::decided::set::Assigned;
    use crate::pki::signed::Signer;

    #[test]
    fn only_a_newer_set_of_this_host_by_the_fleets_key_is_taken() {
        let (seed, public) = Signer::generate().unwrap();
        let (other, _) = Signer::generate().unwrap();
        let set = |machine, index| {
            let set = AssignmentSet { machine, index, ..AssignmentSet::default() };
            serde_json::to_string(&set).unwrap()
        };
        let sign =
            |seed: &str, payload| Signer::read(seed).unwrap().sign(Purpose::AssignmentSet, payload);
        let own = MachineId(1);
        let take = |signed: &Signed| read(signed, [public.as_str()], own, 5).map(|set| set.index);
        assert_eq!(take(&sign(&seed, set(own, 6))), Ok(6));
        assert!(take(&sign(&seed, set(own, 5))).unwrap_err().contains("this host has 5"));
        assert!(take(&sign(&seed, set(MachineId(2), 6))).unwrap_err().contains("of host"));
        assert!(take(&sign(&other, set(own, 6))).unwrap_err().contains("signature"));
        assert!(take(&sign(&seed, "{".to_owned())).is_err());
    }

    fn set(index: u64, units: &[(&str, DesiredState)]) -> AssignmentSet {
        let assigned = |(name, desired): &(&str, DesiredState)| {
            let entry = Arc::new(Entry { desired: *desired, ..Entry::gone() });
            ((*name).to_owned(), Assigned { entry, epoch: 1 })
        };
        let units = units.iter().map(assigned).collect();
        AssignmentSet { index, units, ..AssignmentSet::default() }
    }

    #[test]
    fn a_set_ends_only_what_is_not_newer_than_itself() {
        let (launched, inactive) = (DesiredState::Launched, DesiredState::Inactive);
        let set = set(7, &[("a", launched), ("b", inactive)]);
        assert!(matches!(wish(&set, "a", 9), Wish::As(_)), "it does not end it");
        assert!(matches!(wish(&set, "b", 7), Wish::As(_)));
        assert_eq!(wish(&set, "b", 8), Wish::Unknown);
        assert_eq!(wish(&set, "c", 7), Wish::Ends);
        assert_eq!(wish(&set, "c", 8), Wish::Unknown);
        assert_eq!(wish(&set, "c", 0), Wish::Ends);
    }

    #[test]
    fn what_is_other_is_told_and_what_is_the_same_is_not() {
        let (launched, loaded) = (DesiredState::Launched, DesiredState::Loaded);
        let before = set(1, &[("a", launched), ("b", launched), ("c", launched)]);
        let after = set(2, &[("a", launched), ("b", loaded), ("d", launched)]);
        let difference = difference(&before, &after);
        assert_eq!(difference.changed, ["b", "d"].into());
        let left: Vec<&str> = difference.left.iter().map(|(name, _)| *name).collect();
        assert_eq!(left, ["c"]);
    }

    #[test]
    fn a_database_that_is_new_says_nothing_of_runs_of_the_lost_one() {
        let own = AssignmentSet { machine: MachineId(1), index: 9, ..AssignmentSet::default() };
        assert!(knows(&own, &source(&own)) && knows(&own, ""));
        let lost = AssignmentSet { machine: MachineId(2), ..own.clone() };
        assert!(!knows(&own, &source(&lost)));
    }
}
