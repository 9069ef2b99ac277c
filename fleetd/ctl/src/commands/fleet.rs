//! `init`, `join` and `fleet`: this host as one of a fleet.

use super::follow::RETRY;
use super::poll::{End, Poll, Waits};
use super::{Context, print, print_json, rotate_keys};
use crate::cli::{Fleet as Show, FleetCommand, Init as InitFlags, Join as JoinFlags, Setting};
use crate::client::json;
use crate::failure::{Failure, exit};
use crate::table::View;
use crate::user_file::word;
use crate::{join_token, text};
use fleetd_api::{ChangeFleet, Fleet, GENERATION, Init, Join, KeyRotation};
use std::fmt::Write;
use std::ops::ControlFlow;
use std::time::Duration;

/// fleetd starts again with its fleet, and somebody comes to lead it: both take a second.
const SETTLING: Duration = Duration::from_secs(30);

pub(super) async fn init(context: &Context, flags: &InitFlags) -> Result<u8, Failure> {
    let body = Init { advertise: flags.advertise.clone() };
    let asked = context.client.slow::<Fleet>("/v1/fleet/init", json(&body)?);
    let waits = waits("found", format!("a fleet at {}", flags.advertise));
    let fleet = enter(context, waits, asked).await?;
    if context.json {
        print_json(&fleet)?;
        return Ok(0);
    }
    let id = fleet.id.as_deref().map_or("-", text::short);
    let host = text::short(&fleet.machine);
    let at = fleet.address.map(|address| format!(" at {address}")).unwrap_or_default();
    let line = format!("fleet {id} is founded; this host is {host}{at}");
    print(&format!("{}\n", text::plain(&line)))?;
    eprintln!("fleetctl token create makes a token, with which other hosts join");
    Ok(0)
}

pub(super) async fn join(context: &Context, flags: &JoinFlags) -> Result<u8, Failure> {
    if join_token::looks_like_token(&flags.at) {
        return Err(Failure::new("join a fleet: the address is a token")
            .hint("fleetctl join ADDRESS --token -, and the token on standard input"));
    }
    let token = flags.token.read()?;
    let body = Join {
        at: flags.at.clone(),
        token: token.clone(),
        advertise: flags.advertise.clone(),
        witness: flags.witness,
    };
    let asked = context.client.slow::<Fleet>("/v1/fleet/join", json(&body)?);
    let waits = waits("join", format!("the fleet of {}", flags.at));
    let fleet = enter(context, waits, asked).await.map_err(|f| join_token::hide(f, &token))?;
    if context.json {
        print_json(&fleet)?;
        return Ok(0);
    }
    let id = fleet.id.as_deref().map_or("-", text::short);
    let line = format!("host {} has joined fleet {id}", text::short(&fleet.machine));
    print(&format!("{}\n", text::plain(&line)))?;
    Ok(0)
}

fn waits(step: &'static str, message: impl Into<String>) -> Waits {
    Waits { subject: "fleet".to_owned(), step, message: message.into() }
}

/// For what makes fleetd start again in its fleet.
pub(super) async fn starts_again<T>(
    context: &Context,
    step: &'static str,
    message: &str,
    asked: impl Future<Output = Result<T, Failure>>,
) -> Result<Fleet, Failure> {
    enter(context, waits(step, message), asked).await
}

/// Waits for the answer, and then until this host is in a fleet that has a leader: fleetd starts
/// again in between.
async fn enter<T>(
    context: &Context,
    asks: Waits,
    asked: impl Future<Output = Result<T, Failure>>,
) -> Result<Fleet, Failure> {
    let mut poll = Poll::new(context)?;
    let lost = match poll.during(asks, asked).await {
        Ok(End::Interrupted) => return Err(left_alone()),
        Ok(_) => None,
        // It may have started again before the answer was out: what it says then decides.
        Err(failure) if failure.unsure => Some(failure),
        Err(failure) => return Err(failure),
    };
    let mut away = None;
    let end = poll.until(RETRY, Some(SETTLING), async || {
        let answer = context.fleet().await;
        let missing = match &answer {
            Err(_) => waits("start", "fleetd is not back"),
            Ok(fleet) if fleet.id.is_none() => waits("start", "fleetd has not taken it up"),
            Ok(fleet) if fleet.leader.is_none() => waits("leader", "nobody leads it yet"),
            Ok(fleet) => return Ok(ControlFlow::Break(fleet.clone())),
        };
        away = answer.err();
        Ok(ControlFlow::Continue(vec![missing]))
    });
    match end.await? {
        End::Reached(fleet) => Ok(fleet),
        End::Interrupted => Err(left_alone()),
        End::GaveUp => Err(lost.unwrap_or_else(|| gave_up(poll.waits(), away))),
    }
}

fn left_alone() -> Failure {
    eprintln!(
        "fleetctl: the host is left alone: what was asked may go on; fleetctl fleet shows it"
    );
    Failure::told(exit::INTERRUPTED)
}

fn gave_up(waits: &[Waits], away: Option<Failure>) -> Failure {
    let missing = waits.first().map_or("nothing is known", |waits| waits.message.as_str());
    let cause = away.map(|failure| format!(": {}", failure.message)).unwrap_or_default();
    let seconds = SETTLING.as_secs();
    Failure::new(format!("wait for the fleet: {missing} after {seconds} s{cause}"))
        .hint("see fleetd's log; fleetctl fleet shows how far it is")
}

pub(super) async fn show(context: &Context, flags: &Show) -> Result<u8, Failure> {
    match &flags.command {
        Some(FleetCommand::Set { settings }) => return set(context, settings).await,
        Some(FleetCommand::RotateKeys(flags)) => return rotate_keys::run(context, flags).await,
        None => {}
    }
    let fleet = context.fleet().await?;
    if context.json {
        print_json(&fleet)?;
        return Ok(0);
    }
    let view = View { full: flags.full, machines: &[] };
    print(&page(&fleet, &view))?;
    if fleet.id.is_some() {
        let rotation = context.client.get::<KeyRotation>("/v1/fleet/rotation").await;
        if let Some(line) = rotation.ok().as_ref().and_then(rotate_keys::line) {
            print(&format!("{:>10}: {}\n", "Rotation", text::plain(&line)))?;
        }
    }
    match &fleet.id {
        None => {
            eprintln!("fleetctl init --advertise ADDRESS lets other hosts join this one;");
            eprintln!("fleetctl join ADDRESS --token - makes it one of another fleet");
        }
        // One voter may be one of many hosts.
        Some(_) if fleet.voters.len() < 2 && context.machines().await?.len() < 2 => {
            eprintln!("it is a fleet of one: fleetctl token create lets other hosts join");
        }
        Some(_) => {}
    }
    Ok(0)
}

async fn set(context: &Context, settings: &[Setting]) -> Result<u8, Failure> {
    let mut change = ChangeFleet::default();
    for setting in settings {
        match setting {
            Setting::HostsMay(role) => change.hosts_may = Some(*role),
        }
    }
    let _: serde_json::Value = context.client.patch("/v1/fleet", &change).await?;
    if context.json {
        print_json(&change)?;
    }
    Ok(0)
}

fn page(fleet: &Fleet, view: &View) -> String {
    let short = |id: &String| view.short(id, 8, "");
    let mut out = String::new();
    let mut line = |name: &str, value: Option<String>| {
        let value = value.filter(|value| !value.is_empty()).unwrap_or_else(|| "-".to_owned());
        let _ = writeln!(out, "{name:>10}: {}", text::plain(&value));
    };
    let none = || "none; this host is a fleet of one".to_owned();
    line("Fleet", Some(fleet.id.as_ref().map_or_else(none, short)));
    line("This host", Some(short(&fleet.machine)));
    line("Address", fleet.address.clone());
    line("Leader", fleet.leader.as_ref().map(short));
    line("Voters", Some(fleet.voters.iter().map(short).collect::<Vec<_>>().join(", ")));
    line("Hosts may", fleet.hosts_may.map(|role| word(role).to_owned()));
    line("Generation", Some(fleet.generation.to_string()));
    line("Index", Some((fleet.index % GENERATION).to_string()));
    if !fleet.dropped.is_empty() {
        let dropped = fleet.dropped.iter().map(|(reason, count)| format!("{count} {reason}"));
        line("Dropped", Some(dropped.collect::<Vec<_>>().join("; ")));
    }
    out
}
