//! When the fleet goes on to its next keys: every host is waited for. One that is away would
//! understand nobody when it is back; one that does not come back is to be removed.

use super::Observed;
use crate::core::decided::rotation::{Rotation, Step};
use crate::core::decided::{Decided, Fleet, fleet};
use crate::core::machine_id::MachineId;
use crate::pki::Fingerprint;

/// The next step, if nobody has to be waited for any more.
pub(super) fn advance(decided: &Decided, observed: &Observed) -> Option<fleet::Command> {
    let rotation = decided.fleet.as_ref()?.rotation.as_ref()?;
    waits_for(decided, observed)
        .is_empty()
        .then_some(fleet::Command::Advance { from: rotation.step })
}

/// The hosts that hold up the step under way; none where there is none.
pub fn waits_for(decided: &Decided, observed: &Observed) -> Vec<MachineId> {
    let Some(fleet) = &decided.fleet else { return Vec::new() };
    let Some(rotation) = &fleet.rotation else { return Vec::new() };
    let authority = renewed(fleet, rotation);
    let is_there = |id: &MachineId| {
        let Some(seen) = observed.machines.get(id) else { return false };
        seen.is_told(decided, *id) && (authority.is_none() || seen.authority == authority)
    };
    decided.machines.keys().filter(|id| !is_there(id)).copied().collect()
}

/// The authority that every certificate is to be of now.
fn renewed(fleet: &Fleet, rotation: &Rotation) -> Option<Fingerprint> {
    let renews = rotation.step == Step::Use && rotation.others.authority.is_some();
    renews.then(|| fleet.bundle.authorities().first().map(|issuer| issuer.fingerprint)).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::cluster::Seen;
    use crate::core::decided::fleet::Secret;
    use crate::core::decided::rotation::Keys;
    use crate::core::decided::{Command, GENERATION, machine};
    use crate::pki::fixture;

    const ONE: MachineId = MachineId(1);
    const TWO: MachineId = MachineId(2);

    fn join(machine: MachineId) -> Command {
        machine::Command::Join { machine, address: String::new(), key: None }.into()
    }

    /// A fleet of two, and its next keys.
    fn rotating() -> (Decided, Fingerprint) {
        let present = fixture::fleet();
        let next = crate::pki::Authority::create(present.fleet(), fixture::now()).unwrap();
        let key = Some(Secret(next.key_pem().to_owned()));
        let keys = Keys {
            authority: Some((next.certificate_pem(), key)),
            gossip: Some(Secret("next".to_owned())),
            signer: Some((Some(Secret("secret".to_owned())), "public".to_owned())),
        };
        let fleet = Fleet {
            gossip_keys: vec![Secret("first".to_owned())],
            ..crate::core::decided::fleet::fixture(&present)
        };
        let mut decided = Decided::default();
        for command in [
            fleet::Command::Found(Box::new(fleet)).into(),
            join(ONE),
            join(TWO),
            fleet::Command::Rotate(Box::new(keys)).into(),
        ] {
            decided.apply(&command).unwrap();
        }
        (decided, next.fingerprint())
    }

    fn take(decided: &mut Decided, observed: &Observed) {
        let command = advance(decided, observed).unwrap();
        decided.apply(&command.into()).unwrap();
    }

    #[test]
    fn each_step_waits_until_every_host_has_the_one_before_on_its_disk() {
        let (mut decided, next) = rotating();
        let first = decided.fleet.as_ref().unwrap().bundle.authorities()[0].fingerprint;
        let view = decided.view().unwrap();
        assert_eq!(
            view.gossip_keys.iter().map(|key| &*key.0).collect::<Vec<_>>(),
            ["first", "next"]
        );
        assert_eq!(view.signers().last(), Some("public"));
        assert!(view.bundle.has(&next) && view.bundle.authorities()[0].fingerprint == first);
        let has = |index, authority| Seen {
            obeys: index,
            kept: index,
            authority: Some(authority),
            ..Seen::default()
        };
        let newest = |decided: &Decided| decided.index;
        let at = newest(&decided);
        let mut observed = Observed { machines: [(ONE, has(at, first))].into() };
        assert_eq!(waits_for(&decided, &observed), [TWO], "nobody has heard of it");
        observed.machines.insert(TWO, Seen { kept: at - 1, ..has(at, first) });
        assert_eq!(waits_for(&decided, &observed), [TWO], "its disk has an older set");
        assert_eq!(advance(&decided, &observed), None);
        observed.machines.insert(TWO, has(GENERATION + 1, first));
        assert_eq!(waits_for(&decided, &observed), [TWO], "it goes by a set of a later generation");
        observed.machines.insert(TWO, has(at, first));
        take(&mut decided, &observed);

        let view = decided.view().unwrap();
        assert_eq!(
            view.gossip_keys.iter().map(|key| &*key.0).collect::<Vec<_>>(),
            ["next", "first"]
        );
        assert_eq!(view.signer, "public");
        assert_eq!(view.bundle.authorities()[0].fingerprint, next);
        assert!(view.bundle.has(&first));
        let at = newest(&decided);
        observed.machines = [(ONE, has(at, next)), (TWO, has(at, first))].into();
        assert_eq!(waits_for(&decided, &observed), [TWO], "it shows an earlier certificate");
        observed.machines.insert(TWO, has(at, next));
        take(&mut decided, &observed);

        let view = decided.view().unwrap();
        assert_eq!(view.gossip_keys.len(), 1);
        assert_eq!(view.signers().collect::<Vec<_>>(), ["public"]);
        assert!(!view.bundle.has(&first));
        assert_eq!(advance(&decided, &observed), None);
        assert_eq!(decided.fleet.as_ref().unwrap().rotation, None);
    }

    #[test]
    fn one_rotation_at_a_time_and_each_step_once() {
        let (mut decided, _) = rotating();
        let again = fleet::Command::Rotate(Box::new(Keys {
            gossip: Some(Secret("other".to_owned())),
            ..Keys::default()
        }));
        let refusal = decided.apply(&again.into()).unwrap_err().to_string();
        assert_eq!(refusal, "rotate the fleet's keys: a rotation is under way");
        let early = fleet::Command::Advance { from: Step::Use };
        decided.apply(&early.into()).unwrap();
        let rotation = decided.fleet.as_ref().unwrap().rotation.clone().unwrap();
        assert_eq!(rotation.step, Step::Tell);
    }
}
