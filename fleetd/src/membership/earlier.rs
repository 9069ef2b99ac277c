//! Voters of an earlier version: a voter cannot go on behind a decision that it cannot read, and a fleet
//! not behind one that most of its voters cannot read. So it is not made before all of them can.

use super::Links;
use super::said::Capacity;
use crate::core::decided::{Command, Decided};
use crate::core::gossip::Kind;
use crate::core::machine_id::MachineId;

/// A voter that is known to be of an earlier version than the decision; one that has not said anything yet
/// is none.
pub fn voter(links: &Links, decided: &Decided, command: &Command) -> Option<MachineId> {
    let said = |id| links.said::<Capacity>(id, Kind::Capacity, "");
    let others = decided.fleet.iter().flat_map(|fleet| &fleet.voters).copied();
    first(others.filter(|id| *id != links.machine), command.form(), said)
}

fn first(
    voters: impl IntoIterator<Item = MachineId>,
    form: u32,
    said: impl Fn(MachineId) -> Option<Capacity>,
) -> Option<MachineId> {
    voters.into_iter().find(|id| said(*id).is_some_and(|capacity| capacity.decides < form))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_voter_could_not_read_waits_until_it_says_that_it_can() {
        let voters = [1, 2, 3].map(MachineId);
        let of = |two: u32| {
            move |id: MachineId| match id.0 {
                1 => Some(Capacity { decides: 2, ..Capacity::default() }),
                2 => Some(Capacity { decides: two, ..Capacity::default() }),
                _ => None,
            }
        };
        assert_eq!(first(voters, 2, of(0)), Some(MachineId(2)));
        assert_eq!(first(voters, 2, of(2)), None);
        assert_eq!(first(voters, 2, of(3)), None);
        assert_eq!(first(voters, 0, of(0)), None, "what there always was all can read");
        // An earlier fleetd does not say it at all.
        let earlier: Capacity = serde_json::from_str("{\"version\":\"0.1.0\"}").unwrap();
        assert_eq!(earlier.decides, 0);
    }
}
