//! `fleet rotate-keys`: begins, and waits until no earlier key is taken any more.

use super::follow::{ATTEMPT, RETRY};
use super::poll::{End, Poll, Waits};
use super::{Context, confirm, print, print_json};
use crate::cli::RotateKeys as Flags;
use crate::client::json;
use crate::failure::{Failure, exit};
use crate::text;
use fleetd_api::{FleetKey, KeyRotation, RotateKeys, RotationStep, User};
use std::ops::ControlFlow;

/// Hosts that are named of those that are waited for.
const NAMED: usize = 3;

pub(super) async fn run(context: &Context, flags: &Flags) -> Result<u8, Failure> {
    if !flags.yes {
        ask(context, flags).await?;
    }
    let body = RotateKeys { keys: flags.keys.clone() };
    let begun: KeyRotation = context.client.post("/v1/fleet/rotation", json(&body)?).await?;
    if flags.blocking.no_block {
        if context.json {
            print_json(&begun)?;
        }
        return Ok(0);
    }
    let limit = match flags.blocking.block_attempts {
        0 => None,
        attempts => Some(ATTEMPT * attempts),
    };
    let mut poll = Poll::new(context)?;
    let end = poll.until(RETRY, limit, async || {
        // Who leads may change meanwhile, and who answers may renew its certificate.
        let rotation = match context.client.get::<KeyRotation>("/v1/fleet/rotation").await {
            Ok(rotation) => rotation,
            Err(failure) => return Ok(ControlFlow::Continue(vec![waits(failure.message)])),
        };
        Ok(match line(&rotation) {
            None => ControlFlow::Break(()),
            Some(line) => ControlFlow::Continue(vec![waits(line)]),
        })
    });
    let (why, code) = match end.await? {
        End::Reached(()) => return told(context, &begun),
        End::Interrupted => ("left alone", exit::INTERRUPTED),
        End::GaveUp => ("not done in time", exit::FAILED),
    };
    let message = poll.waits().first().map_or("nothing is known", |waits| &waits.message);
    let line = format!("fleetctl: the rotation is {why}: it goes on ({message})");
    eprintln!("{}; fleetctl fleet shows how far it is", text::plain(&line));
    Err(Failure::told(code))
}

/// Users have to be given new certificates.
async fn ask(context: &Context, flags: &Flags) -> Result<(), Failure> {
    let changes_authority = flags.keys.is_empty() || flags.keys.contains(&FleetKey::Authority);
    if !changes_authority {
        return Ok(());
    }
    let users: Vec<User> = context.client.get("/v1/users").await?;
    let names: Vec<String> =
        users.into_iter().filter(|user| !user.revoked).map(|user| user.name).collect();
    if names.is_empty() {
        return Ok(());
    }
    eprintln!("certificates of users end: {}", text::plain(&names.join(", ")));
    eprintln!("fleetctl user revoke and user add give them others afterwards");
    confirm::confirm("Go on to another authority", "--yes goes on")
}

fn waits(message: String) -> Waits {
    Waits { subject: "keys".to_owned(), step: "rotate", message }
}

fn told(context: &Context, begun: &KeyRotation) -> Result<u8, Failure> {
    if context.json {
        print_json(&KeyRotation { keys: begun.keys.clone(), ..KeyRotation::default() })?;
        return Ok(0);
    }
    let words: Vec<&str> = begun.keys.iter().map(|key| word(*key)).collect();
    print(&format!("the fleet has other keys: {}\n", words.join(", ")))?;
    Ok(0)
}

fn word(key: FleetKey) -> &'static str {
    match key {
        FleetKey::Authority => "authority",
        FleetKey::Gossip => "gossip",
        FleetKey::Signing => "signing",
    }
}

/// How far it is; none: it is over.
pub(super) fn line(rotation: &KeyRotation) -> Option<String> {
    let step = match rotation.step? {
        RotationStep::Tell => "hosts are told of the next keys",
        RotationStep::Use => "hosts go over to them",
    };
    let mut names: Vec<&str> =
        rotation.waits_for.iter().take(NAMED).map(|id| text::short(id)).collect();
    let more = rotation.waits_for.len().saturating_sub(NAMED);
    let more = format!("{more} more");
    if rotation.waits_for.len() > NAMED {
        names.push(&more);
    }
    Some(match names.is_empty() {
        true => step.to_owned(),
        false => format!("{step}; it waits for {}", names.join(", ")),
    })
}
