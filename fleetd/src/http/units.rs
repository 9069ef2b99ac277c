//! Units: submit, look, want, restart, destroy.

use super::problem::{Answer, Result, internal};
use super::{Api, Shared};
use crate::consensus::{self, Decision};
use crate::core::decided::unit::Command;
use crate::core::decided::{self, Entry, Outcome, Refusal};
use crate::core::unit::{self, placement};
use crate::peer::{Caller, Who};
use crate::pki::Role;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::{Extension, Json};
use fleetd_api::{
    Accepted, Active, Desire, DesiredState, EventKind, MAX_UNIT_FILE, Problem, ProblemKind, Scale,
    Submit, Unit, UnitKind, UnitName, UnitState, Warning,
};
use std::collections::BTreeMap;
use std::time::Duration;

/// The agent sees a change at once; it is not waited for longer than this.
const APPLIED: Duration = Duration::from_secs(5);

pub(super) async fn list(State(api): Shared) -> Json<Vec<Unit>> {
    let decided = api.consensus.decided();
    // One that is being destroyed is shown until it has gone.
    Json(decided.units.iter().map(|(name, entry)| unit(&api, name, entry, false)).collect())
}

/// Without its text for who may only look: `Environment=` and command lines hold secrets often enough.
pub(super) async fn show(
    State(api): Shared,
    Path(name): Path<String>,
    Extension(caller): Extension<Caller>,
) -> Result<Json<Unit>> {
    let name = checked(&name)?;
    let reads = matches!(caller.who, Who::User { role, .. } if role >= Role::Operate);
    let decided = api.consensus.decided();
    match decided.units.get(name.as_str()) {
        Some(entry) => Ok(Json(unit(&api, name.as_str(), entry, reads))),
        None => Err(unknown(&name)),
    }
}

pub(super) async fn submit(
    State(api): Shared,
    Path(name): Path<String>,
    body: std::result::Result<Json<Submit>, JsonRejection>,
) -> Result<(StatusCode, Json<Accepted>)> {
    let name = checked(&name)?;
    let Json(submit) = body?;
    let (command, warnings) = submission(&api, &name, submit)?;
    let (decision, mut accepted) = decide(&api, vec![command], None).await?;
    accepted.warnings = warnings;
    let created = decision.outcome == Outcome::Created;
    let status = if created { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, Json(accepted)))
}

/// The decision to take a file, and what of it has no effect.
pub(super) fn submission(
    api: &Api,
    name: &UnitName,
    submit: Submit,
) -> Result<(Command, Vec<Warning>)> {
    is_acted_on(name)?;
    let Submit { text, drop_ins, replace, desired } = submit;
    let length = text.len() + drop_ins.values().map(String::len).sum::<usize>();
    if length > MAX_UNIT_FILE {
        let text = format!("read {name}: {length} bytes are over the limit of {MAX_UNIT_FILE}");
        return Err(Problem::new(ProblemKind::Invalid, text).into());
    }
    if name.is_template() {
        let started = desired.is_some_and(|desired| desired != DesiredState::Inactive);
        let says = placement::replicas(name, &text, &drop_ins).ok().flatten();
        if started && says.is_none() && scaled(api, name).is_none() {
            return Err(template(name));
        }
    }
    let read = verify(api, name, &text, &drop_ins);
    let warnings = read.map_err(|faults| Answer(unit::problem(name, &faults)))?;
    let (unit, hash) = (name.to_string(), unit::hash(&text, &drop_ins));
    let (made_from, secrets) = (None, unit::secrets(name, &text, &drop_ins));
    let command =
        Command::Submit { unit, text, drop_ins, hash, replace, desired, made_from, secrets };
    Ok((command, warnings))
}

/// What is kept is also to have an effect.
fn is_acted_on(name: &UnitName) -> Result<()> {
    match name.kind() {
        Some(UnitKind::Network | UnitKind::Socket) => {
            let text = format!("submit {name}: a .{} has no effect yet", name.suffix());
            let problem = Problem::new(ProblemKind::Invalid, text);
            Err(problem.hint("fleetctl verify says what is wrong with it").into())
        }
        Some(UnitKind::Container) | None => Ok(()),
    }
}

/// With what this host is only where the unit can have no other one.
fn verify(
    api: &Api,
    name: &UnitName,
    text: &str,
    drop_ins: &BTreeMap<String, String>,
) -> std::result::Result<Vec<Warning>, Vec<unit::Fault>> {
    let host = &api.context.host;
    match api.links {
        Some(_) => unit::verify(name, text, drop_ins),
        None if name.is_template() => unit::check_template(name, text, drop_ins, host),
        None => unit::load(name, text, drop_ins, host).map(|loaded| loaded.warnings),
    }
}

pub(super) async fn desire(
    State(api): Shared,
    Path(name): Path<String>,
    body: std::result::Result<Json<Desire>, JsonRejection>,
) -> Result<Json<Accepted>> {
    let name = checked(&name)?;
    let Json(Desire { desired }) = body?;
    let command = wish(&api, &name, desired)?;
    Ok(Json(decide(&api, vec![command], None).await?.1))
}

/// The decision that something else is wanted of a unit.
pub(super) fn wish(api: &Api, name: &UnitName, desired: DesiredState) -> Result<Command> {
    if name.is_template() && desired != DesiredState::Inactive && replicas(api, name).is_none() {
        return Err(template(name));
    }
    not_made(api, name)?;
    Ok(Command::Desire { unit: name.to_string(), desired })
}

pub(super) async fn restart(
    State(api): Shared,
    Path(name): Path<String>,
) -> Result<Json<Accepted>> {
    let name = checked(&name)?;
    if name.is_template() && replicas(&api, &name).is_none() {
        return Err(template(&name));
    }
    Ok(Json(decide(&api, vec![Command::Restart { unit: name.to_string() }], None).await?.1))
}

pub(super) async fn destroy(
    State(api): Shared,
    Path(name): Path<String>,
) -> Result<Json<Accepted>> {
    let name = checked(&name)?;
    not_made(&api, &name)?;
    Ok(Json(decide(&api, vec![Command::Destroy { unit: name.to_string() }], None).await?.1))
}

/// The most instances of a template.
const MOST_REPLICAS: u32 = 10_000;

pub(super) async fn scale(
    State(api): Shared,
    Path(name): Path<String>,
    body: std::result::Result<Json<Scale>, JsonRejection>,
) -> Result<Json<Accepted>> {
    let name = checked(&name)?;
    let Json(Scale { replicas }) = body?;
    let invalid = |text: String| Err(Problem::new(ProblemKind::Invalid, text).into());
    if !name.is_template() {
        return invalid(format!("scale {name}: it is no template"));
    }
    if replicas > MOST_REPLICAS {
        return invalid(format!("scale {name}: {replicas} are more than {MOST_REPLICAS}"));
    }
    let command = Command::Scale { unit: name.to_string(), replicas };
    Ok(Json(decide(&api, vec![command], None).await?.1))
}

/// How many instances a template that is known is to have.
fn replicas(api: &Api, name: &UnitName) -> Option<u32> {
    let decided = api.consensus.decided();
    replicas_of(name, decided.units.get(name.as_str())?)
}

fn replicas_of(name: &UnitName, entry: &Entry) -> Option<u32> {
    let says = || placement::replicas(name, &entry.text, &entry.drop_ins).ok().flatten();
    entry.replicas.or_else(says)
}

/// What was said beside the file.
fn scaled(api: &Api, name: &UnitName) -> Option<u32> {
    api.consensus.decided().units.get(name.as_str())?.replicas
}

/// What the fleet has made goes with its template: alone it would come back.
fn not_made(api: &Api, name: &UnitName) -> Result<()> {
    let decided = api.consensus.decided();
    let from = decided.units.get(name.as_str()).and_then(|entry| entry.made_from.clone());
    let Some(from) = from else { return Ok(()) };
    let text = format!("change {name}: it is one of the Replicas= of {from}");
    Err(Problem::new(ProblemKind::Conflict, text).hint(format!("fleetctl scale {from} N")).into())
}

/// Decides all of it or nothing, tells of it, and waits until the agent has seen it, so that whoever
/// looks next does not see the state of before. `since`: refused if the layout is newer.
pub(super) async fn decide(
    api: &Api,
    commands: Vec<Command>,
    since: Option<u64>,
) -> Result<(Decision, Accepted)> {
    let index = api.context.events.latest();
    let names: Vec<(String, bool)> = commands
        .iter()
        .map(|command| (command.unit().to_owned(), matches!(command, Command::Submit { .. })))
        .collect();
    let decision = match since {
        Some(since) => propose_since(api, commands, since).await?,
        None => api.propose(together(commands, None)).await?,
    };
    for (name, submitted) in names.iter().filter(|_| decision.outcome != Outcome::Same) {
        if *submitted {
            api.context.event(name, EventKind::Submitted);
        }
        if let Some(entry) = api.consensus.decided().units.get(name) {
            api.context.event(name, EventKind::Desired { desired: entry.desired });
        }
    }
    let all_seen = async {
        for (name, _) in &names {
            if !seen(api, name, decision.index).await {
                return false;
            }
        }
        true
    };
    match tokio::time::timeout(APPLIED, all_seen).await {
        Ok(true) => {}
        Ok(false) => return Err(internal("decide: fleetd is ending")),
        Err(_) => {
            tracing::warn!("no host has seen change {} after {APPLIED:?}", decision.index)
        }
    }
    Ok((decision, Accepted { index, warnings: Vec::new() }))
}

fn together(commands: Vec<Command>, expect: Option<u64>) -> decided::Command {
    let expect = expect.map(|index| decided::Command::Expect { index });
    let mut all: Vec<decided::Command> =
        expect.into_iter().chain(commands.into_iter().map(decided::Command::from)).collect();
    if all.len() == 1 { all.remove(0) } else { decided::Command::All(all) }
}

/// So often a decision that moves no unit may come between.
const ATTEMPTS: usize = 16;

/// Decides if no unit, place or host is newer than `since`. Only who leads knows that, so what goes
/// into the log is the exact state that it was looked up in.
async fn propose_since(api: &Api, commands: Vec<Command>, since: u64) -> Result<Decision> {
    let mut attempt = 0;
    loop {
        let decided = api.consensus.decided();
        if since > decided.index {
            let text = format!("change units: index {since} is to come: it is {}", decided.index);
            return Err(Problem::new(ProblemKind::Conflict, text).hint("fleetctl plan").into());
        }
        if since < decided.layout {
            return Err(newer(since, decided.layout));
        }
        attempt += 1;
        let command = together(commands.clone(), Some(decided.index));
        api.can_be_read(&command)?;
        match api.consensus.propose(command).await {
            Err(consensus::Error::Refused(Refusal::Newer { .. })) if attempt < ATTEMPTS => {}
            other => return Ok(other?),
        }
    }
}

fn newer(since: u64, layout: u64) -> Answer {
    let text =
        format!("change units: the fleet has changed since index {since}, at index {layout}");
    Problem::new(ProblemKind::Conflict, text).hint("fleetctl plan again").into()
}

/// Until units have their places and the hosts that have this one have seen it. False: fleetd is ending.
async fn seen(api: &Api, unit: &str, index: u64) -> bool {
    let mut settled = api.settled.clone();
    if settled.wait_for(|settled| settled.index >= index).await.is_err() {
        return false;
    }
    let decided = api.consensus.decided();
    let set = decided.sets.get(&api.id).copied().unwrap_or(0);
    let mut progress = api.agent.progress.clone();
    if progress.wait_for(|progress| progress.index >= set).await.is_err() {
        return false;
    }
    let Some(links) = &api.links else { return true };
    // The others that live and have it, or had.
    let places = decided.places.get(unit).map(|places| places.as_slice()).unwrap_or_default();
    let others = places.iter().map(|place| place.machine).filter(|machine| *machine != api.id);
    let mut observed = api.observed.clone();
    for machine in others {
        let set = decided.sets.get(&machine).copied().unwrap_or(0);
        let obeys = observed.wait_for(|observed| {
            let seen = observed.machines.get(&machine);
            !links.may_live(machine) || seen.is_none_or(|seen| !seen.alive || seen.obeys >= set)
        });
        if obeys.await.is_err() {
            return false;
        }
    }
    true
}

/// A name, checked: it becomes part of paths.
pub(super) fn checked(name: &str) -> Result<UnitName> {
    UnitName::new(name).map_err(|e| Problem::new(ProblemKind::Invalid, e.to_string()).into())
}

/// Whether the fleet knows it, or this host has it: one that does not decide may not know.
pub(super) fn known(api: &Api, name: &UnitName) -> bool {
    api.consensus.decided().units.contains_key(name.as_str())
        || api.agent.board.get(name.as_str()).is_some()
}

pub(super) fn unknown(name: &UnitName) -> Answer {
    let text = format!("find unit {name}: there is none of that name");
    Problem::new(ProblemKind::NotFound, text).hint("fleetctl list-unit-files").into()
}

fn template(name: &UnitName) -> Answer {
    let text = format!("start {name}: a template has no instance");
    let hint = format!("start {}@1.{}, or give it Replicas=", name.prefix(), name.suffix());
    Problem::new(ProblemKind::Invalid, text).hint(hint).into()
}

fn unit(api: &Api, name: &str, entry: &Entry, whole: bool) -> Unit {
    let (description, warnings) = described(api, name, entry);
    Unit {
        name: name.to_owned(),
        description,
        hash: entry.hash.clone(),
        text: whole.then(|| entry.text.clone()),
        drop_ins: if whole { entry.drop_ins.clone() } else { Default::default() },
        desired: entry.desired,
        replicas: UnitName::new(name)
            .ok()
            .filter(UnitName::is_template)
            .and_then(|name| replicas_of(&name, entry)),
        made_from: entry.made_from.clone(),
        state: state(api, name).unwrap_or_else(|| unseen(api, name, entry)),
        warnings,
    }
}

fn described(api: &Api, name: &str, entry: &Entry) -> (String, Vec<Warning>) {
    let Ok(name) = UnitName::new(name) else { return Default::default() };
    match unit::load(&name, &entry.text, &entry.drop_ins, &api.context.host) {
        Ok(loaded) => (loaded.unit.description, loaded.warnings),
        Err(_) => Default::default(),
    }
}

/// On this host, or as its host says.
fn state(api: &Api, name: &str) -> Option<UnitState> {
    let Some(links) = &api.links else { return api.agent.board.get(name) };
    let decided = api.consensus.decided();
    let places = decided.places.get(name).map(|places| places.as_slice()).unwrap_or_default();
    let on = |machine| match machine == api.id {
        true => api.agent.board.get(name),
        false => links.state(machine, name),
    };
    // Of several the newest place that says something, of a host that lives.
    let mut hosts: Vec<_> = places.iter().rev().map(|place| place.machine).collect();
    hosts.sort_by_key(|host| *host != api.id && !links.may_live(*host));
    let placed = hosts.into_iter().find_map(on);
    // Where it had its place it may not have ended yet.
    let leaving =
        || api.agent.board.get(name).or_else(|| links.holders(name).into_iter().find_map(on));
    placed.or_else(|| if places.is_empty() { leaving() } else { None })
}

/// No host has it.
fn unseen(api: &Api, name: &str, entry: &Entry) -> UnitState {
    let settled = api.settled.borrow();
    let unplaced = settled.unplaced.iter().find(|unplaced| unplaced.unit == name);
    UnitState {
        current: DesiredState::Inactive,
        load: crate::core::status::load(entry.desired, true),
        active: Active::Inactive,
        sub: "dead".to_owned(),
        machine: None,
        pid: None,
        address: None,
        ports: Vec::new(),
        since: None,
        health: None,
        restarts: 0,
        last_exit: None,
        message: unplaced.map(|why| format!("no host takes it: {why}")),
        unenforced: Vec::new(),
        steps: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_unit_that_would_have_no_effect_is_not_kept() {
        for (unit, kind) in [("front.network", "network"), ("web.socket", "socket")] {
            let Err(Answer(problem)) = is_acted_on(&UnitName::new(unit).unwrap()) else {
                panic!("{unit} was taken");
            };
            assert_eq!(problem.message, format!("submit {unit}: a .{kind} has no effect yet"));
        }
        // What is no unit at all yet is the reader's to refuse.
        for unit in ["web@1.container", "web@.container", "data.volume"] {
            assert!(is_acted_on(&UnitName::new(unit).unwrap()).is_ok(), "{unit}");
        }
    }
}
