//! Who is to decide: one host of a fleet of one or two, three of more, five of a large one.
//!
//! Those who decide stay as long as they can. A dead one is replaced once its units would be, and
//! only by one that lives: a fleet that shrinks to one living voter because all others are away
//! would let that one decide alone. One whose disk is full is replaced, too, while most others have room.

use super::Observed;
use crate::core::decided::Decided;
use crate::core::disk::Disk;
use crate::core::machine_id::MachineId;
use std::collections::BTreeSet;

/// From so many hosts on there are three voters, and from so many five.
const THREE: usize = 3;
const FIVE: usize = 50;

/// `leader`: who asks; it stays.
pub fn voters(decided: &Decided, observed: &Observed, leader: MachineId) -> BTreeSet<MachineId> {
    let now = decided.fleet.as_ref().map(|fleet| fleet.voters.clone()).unwrap_or_default();
    let known = |id: &MachineId| decided.machines.contains_key(id);
    let alive = |id: &MachineId| *id == leader || presence(observed, id).is_some_and(|seen| seen.0);
    let lost = |id: &MachineId| *id != leader && presence(observed, id).is_some_and(|seen| seen.1);
    let is_full =
        |id: &MachineId| observed.machines.get(id).is_some_and(|seen| seen.disk().is_full());
    let count = match decided.machines.len() {
        0..THREE => 1,
        THREE..FIVE => 3,
        FIVE.. => 5,
    };
    // In the order in which they are to stay.
    let mut wanted: Vec<MachineId> = now.iter().copied().filter(known).collect();
    wanted.sort_by_key(|id| (*id != leader, !alive(id), lost(id), *id));
    let mut fresh: Vec<MachineId> = decided
        .machines
        .iter()
        .filter(|(id, machine)| !now.contains(id) && alive(id) && !machine.draining)
        .map(|(id, _)| *id)
        .collect();
    fresh.sort_by_key(is_full);
    if !wanted.contains(&leader) && known(&leader) {
        wanted.insert(0, leader);
        fresh.retain(|id| *id != leader);
    }
    let mut fresh = fresh.into_iter().peekable();
    for id in wanted.iter_mut().filter(|id| lost(id)) {
        if let Some(next) = fresh.next() {
            *id = next;
        }
    }
    // One whose disk is full is replaced only by one whose disk is not, and if most others can agree to it.
    let full = |id: &MachineId| *id != leader && is_full(id) && have_room(decided, observed);
    for id in wanted.iter_mut().filter(|id| full(id)) {
        if let Some(next) = fresh.next_if(|next| !is_full(next)) {
            *id = next;
        }
    }
    wanted.extend(fresh);
    wanted.truncate(count);
    // Of two the second one would only have to be there as well.
    if wanted.len() == 2 {
        wanted.truncate(if now.len() >= 2 { 2 } else { 1 });
    }
    wanted.into_iter().collect()
}

/// Whether most of the voters live without this one: without them nobody could replace it.
pub fn keeps_majority(decided: &Decided, observed: &Observed, machine: MachineId) -> bool {
    let voters = decided.fleet.as_ref().map(|fleet| fleet.voters.clone()).unwrap_or_default();
    let lives = |id: &&MachineId| presence(observed, id).is_some_and(|seen| seen.0);
    let others = voters.iter().filter(|id| **id != machine).filter(lives).count();
    !voters.contains(&machine) || others * 2 > voters.len()
}

/// Whether most of the voters live and can write down what is new. Of whom nothing is known yet, it is
/// taken that he can.
pub fn have_room(decided: &Decided, observed: &Observed) -> bool {
    let Some(fleet) = &decided.fleet else { return true };
    let can = |id: &&MachineId| {
        observed.machines.get(id).is_none_or(|seen| seen.alive && seen.disk() != Disk::ReserveUsed)
    };
    fleet.voters.iter().filter(can).count() * 2 > fleet.voters.len()
}

fn presence(observed: &Observed, id: &MachineId) -> Option<(bool, bool)> {
    observed.machines.get(id).map(|seen| (seen.alive, seen.lost))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::cluster::Seen;
    use crate::core::decided::Fleet;
    use crate::pki::fixture;
    use std::sync::Arc;

    fn seen(alive: bool, lost: bool) -> Seen {
        Seen { alive, lost, ..Seen::default() }
    }

    fn fleet(hosts: u128, voters: &[u128]) -> (Decided, Observed) {
        let authority = fixture::fleet();
        let fleet = Fleet {
            voters: voters.iter().map(|id| MachineId(*id)).collect(),
            ..crate::core::decided::fleet::fixture(&authority)
        };
        let mut decided = Decided { fleet: Some(Arc::new(fleet)), ..Decided::default() };
        let mut observed = Observed::default();
        for id in 1..=hosts {
            decided.machines.insert(MachineId(id), Arc::default());
            observed.machines.insert(MachineId(id), seen(true, false));
        }
        (decided, observed)
    }

    fn ids(of: BTreeSet<MachineId>) -> Vec<u128> {
        of.into_iter().map(|id| id.0).collect()
    }

    #[test]
    fn their_number_follows_that_of_the_hosts() {
        for (hosts, count) in [(1, 1), (2, 1), (3, 3), (4, 3), (49, 3), (50, 5), (1000, 5)] {
            let (decided, observed) = fleet(hosts, &[1]);
            assert_eq!(voters(&decided, &observed, MachineId(1)).len(), count, "{hosts}");
        }
    }

    #[test]
    fn a_lost_one_is_replaced_by_one_that_lives_and_a_silent_one_stays() {
        let (decided, mut observed) = fleet(4, &[1, 2, 3]);
        observed.machines.insert(MachineId(2), seen(false, false));
        assert_eq!(ids(voters(&decided, &observed, MachineId(1))), [1, 2, 3]);
        observed.machines.insert(MachineId(2), seen(false, true));
        assert_eq!(ids(voters(&decided, &observed, MachineId(1))), [1, 3, 4]);
        observed.machines.insert(MachineId(4), seen(false, false));
        assert_eq!(ids(voters(&decided, &observed, MachineId(1))), [1, 2, 3]);
    }

    #[test]
    fn one_whose_disk_is_full_is_replaced_while_the_others_have_room() {
        let (decided, mut observed) = fleet(4, &[1, 2, 3]);
        let fill = |observed: &mut Observed, id: u128, disk| {
            let facts = Some(crate::core::cluster::Facts { disk, ..Default::default() });
            observed.machines.insert(MachineId(id), Seen { facts, ..seen(true, false) });
        };
        fill(&mut observed, 2, Disk::ReserveUsed);
        assert_eq!(ids(voters(&decided, &observed, MachineId(1))), [1, 3, 4]);
        assert!(have_room(&decided, &observed));
        fill(&mut observed, 3, Disk::Full);
        assert!(have_room(&decided, &observed), "its reserve is there");
        fill(&mut observed, 3, Disk::ReserveUsed);
        assert!(!have_room(&decided, &observed));
        assert_eq!(ids(voters(&decided, &observed, MachineId(1))), [1, 2, 3]);
        fill(&mut observed, 3, Disk::Room);
        fill(&mut observed, 4, Disk::Full);
        assert_eq!(ids(voters(&decided, &observed, MachineId(1))), [1, 2, 3]);
        // The leader lets another one lead first.
        fill(&mut observed, 2, Disk::Room);
        fill(&mut observed, 1, Disk::ReserveUsed);
        assert_eq!(ids(voters(&decided, &observed, MachineId(1))), [1, 2, 3]);
    }

    #[test]
    fn the_leader_stays_when_the_fleet_shrinks() {
        let (decided, observed) = fleet(2, &[1, 2, 3]);
        assert_eq!(ids(voters(&decided, &observed, MachineId(2))), [2]);
        let (decided, observed) = fleet(3, &[2]);
        assert_eq!(ids(voters(&decided, &observed, MachineId(2))), [1, 2, 3]);
    }

    #[test]
    fn one_of_three_that_lives_does_not_decide_alone() {
        let (decided, mut observed) = fleet(3, &[1, 2, 3]);
        for id in [2, 3] {
            observed.machines.insert(MachineId(id), seen(false, true));
        }
        assert_eq!(ids(voters(&decided, &observed, MachineId(1))), [1, 2, 3]);
    }

    #[test]
    fn a_living_voter_is_needed_while_another_is_dead() {
        let (decided, mut observed) = fleet(4, &[1, 2, 3]);
        let may_go = |observed: &Observed, id| keeps_majority(&decided, observed, MachineId(id));
        assert!(may_go(&observed, 2) && may_go(&observed, 4));
        observed.machines.insert(MachineId(3), seen(false, true));
        assert!(may_go(&observed, 3) && may_go(&observed, 4));
        assert!(!may_go(&observed, 2));
    }
}
