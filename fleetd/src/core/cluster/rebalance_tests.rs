use super::*;
use crate::core::cluster::Seen;
use crate::core::cluster::tests::{A, B, Plain, decided, join, places, seen, settle, want};
use crate::core::decided::machine;

const LAUNCHED: DesiredState = DesiredState::Launched;

/// Six units on one host of two: the other one came later.
fn lopsided() -> (Decided, Observed) {
    let units = ["a", "b", "c", "d", "e", "f"].map(|name| format!("{name}.container"));
    let wanted = units.iter().map(|name| want(name, LAUNCHED));
    let mut decided = decided(std::iter::once(join(A)).chain(wanted));
    let mut observed = Observed { machines: [(A, seen())].into() };
    settle(&mut decided, &observed);
    decided.apply(&join(B)).unwrap();
    observed.machines.get_mut(&A).unwrap().runs.extend(units);
    observed.machines.insert(B, seen());
    obey(&decided, &mut observed);
    (decided, observed)
}

fn obey(decided: &Decided, observed: &mut Observed) {
    for seen in observed.machines.values_mut() {
        (seen.obeys, seen.kept) = (decided.index, decided.index);
    }
}

/// Units that ask for nothing are a point apart for each of them.
const SLIGHT: Limits = Limits { moves: 10, moves_per_template: 10, margin: 2 };

fn balance(of: &(Decided, Observed)) -> Result<Balance, String> {
    rebalance(&of.0, &of.1, Options::default(), &mut Plain, SLIGHT)
}

#[test]
fn what_it_says_is_what_it_does_and_then_it_rests() {
    let (mut decided, mut observed) = lopsided();
    let mut moved = 0;
    loop {
        let found = balance(&(decided.clone(), observed.clone())).unwrap();
        let Some(best) = found.moves.first().cloned() else { break };
        moved += 1;
        decided.apply(&best.command()).unwrap();
        settle(&mut decided, &observed);
        assert_eq!(places(&decided, &best.unit), [A], "it still runs there");
        observed.machines.get_mut(&A).unwrap().runs.remove(&best.unit);
        obey(&decided, &mut observed);
        settle(&mut decided, &observed);
        assert_eq!(places(&decided, &best.unit), [best.to]);
        observed.machines.get_mut(&best.to).unwrap().runs.insert(best.unit);
    }
    let on = |machine| decided.set(machine).units.len();
    assert!((on(A), on(B)) == (4, 2) || (on(A), on(B)) == (3, 3), "{} {}", on(A), on(B));
    assert_eq!(moved, on(B));
}

#[test]
fn it_tells_how_full_hosts_are_before_and_after() {
    let fleet = lopsided();
    let found = balance(&fleet).unwrap();
    let units = |machine| {
        let (_, before, after): &(_, Load, Load) = &found.hosts[&machine];
        (before.units, after.units)
    };
    let moves = found.moves.len();
    assert!(moves > 0);
    assert_eq!((units(A), units(B)), ((6, 6 - moves), (0, moves)));
    assert_eq!(found.hosts[&A].0.cpu, 4000);
}

#[test]
fn nothing_moves_while_something_is_on_its_way() {
    let mut fleet = lopsided();
    let first = balance(&fleet).unwrap().moves.remove(0);
    fleet.0.apply(&first.command()).unwrap();
    assert_eq!(balance(&fleet), Err(first.unit));
    let mut fleet = lopsided();
    fleet.0.apply(&want("new.container", LAUNCHED)).unwrap();
    assert_eq!(balance(&fleet), Err("new.container".to_owned()));
}

#[test]
fn to_a_host_that_takes_nothing_nothing_moves() {
    let mut fleet = lopsided();
    fleet.0.apply(&machine::Command::Cordon { machine: B, cordoned: true }.into()).unwrap();
    assert_eq!(balance(&fleet).unwrap().moves, []);
    let mut fleet = lopsided();
    fleet.1.machines.insert(B, Seen { alive: false, ..seen() });
    assert_eq!(balance(&fleet).unwrap().moves, []);
}

#[test]
fn what_does_not_run_is_not_moved() {
    let mut fleet = lopsided();
    fleet.1.machines.get_mut(&A).unwrap().runs.clear();
    assert_eq!(balance(&fleet).unwrap().moves, []);
}
