//! `drain`: says that a host's units are to go, and waits until they have gone.

use super::follow::{ATTEMPT, AWAY};
use super::poll::{End, Poll, Waits};
use super::{Context, machine, print_json};
use crate::cli::Drain;
use crate::failure::{Failure, exit};
use crate::text;
use fleetd_api::{ChangeMachine, Machine, Unit, UnitState};
use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::time::Duration;
use tokio::time::Instant;

/// Between two looks.
const PAUSE: Duration = Duration::from_secs(1);
/// Units that are named of those that are left.
const NAMED: usize = 3;

pub(super) async fn run(context: &Context, flags: &Drain) -> Result<u8, Failure> {
    let change = ChangeMachine { draining: Some(true), ..ChangeMachine::default() };
    let changed = machine::change_all(context, &flags.machines, &change).await?;
    if flags.blocking.no_block {
        return machine::tell(context, &changed, |host| format!("{} drain triggered\n", host.id));
    }
    let mut poll = Poll::new(context)?;
    let mut hosts: Vec<Host> = changed.iter().map(Host::new).collect();
    let mut away = None;
    let limit = match flags.blocking.block_attempts {
        0 => None,
        attempts => Some(ATTEMPT * attempts),
    };
    let end = poll.until(PAUSE, limit, async || {
        match look(context).await {
            Ok((machines, units)) => {
                away = None;
                judge(&mut hosts, &machines, &units)?;
            }
            // Units do not mind that fleetd is away, and neither do we for a while.
            Err(failure) => {
                let since = *away.get_or_insert_with(Instant::now);
                if since.elapsed() > AWAY {
                    return Err(failure);
                }
            }
        }
        let waits = waits(&hosts, away.is_some());
        Ok(if waits.is_empty() { ControlFlow::Break(()) } else { ControlFlow::Continue(waits) })
    });
    let end = end.await?;
    told(context, &changed, end, &waits(&hosts, away.is_some()))
}

async fn look(context: &Context) -> Result<(Vec<Machine>, Vec<Unit>), Failure> {
    Ok((context.machines().await?, context.units().await?))
}

/// A host that drains.
struct Host {
    id: String,
    /// It was seen to drain: when it does not any more, somebody took it back. Before that the host
    /// that answers may not have heard of it.
    seen: bool,
    /// The units that are left, in words; empty: none is.
    left: String,
}

impl Host {
    fn new(machine: &Machine) -> Self {
        Self { id: machine.id.clone(), seen: false, left: "its units".to_owned() }
    }

    fn drained(&self) -> bool {
        self.left.is_empty()
    }
}

/// Of the hosts that have units left.
fn waits(hosts: &[Host], away: bool) -> Vec<Waits> {
    let away = if away { "; fleetd is away" } else { "" };
    let waits = |host: &Host| Waits {
        subject: text::short(&host.id).to_owned(),
        step: "drain",
        message: format!("{}{away}", host.left),
    };
    hosts.iter().filter(|host| !host.drained()).map(waits).collect()
}

fn judge(hosts: &mut [Host], machines: &[Machine], units: &[Unit]) -> Result<(), Failure> {
    for host in hosts.iter_mut().filter(|host| !host.drained()) {
        let machine = machines.iter().find(|machine| machine.id == host.id);
        let drains = machine.is_some_and(|machine| machine.draining);
        // One that was removed meanwhile is drained too.
        if machine.is_some() && !drains && host.seen {
            let id = text::short(&host.id);
            return Err(Failure::new(format!("drain {id}: somebody else took the drain back")));
        }
        host.seen |= drains;
        host.left = left(&held(&host.id, machine, units));
    }
    Ok(())
}

/// The units that are on a host, each with its state where that is known: a unit's state is that of
/// its newest place, and of one that moves, or is on several hosts, something may be here as well.
pub(super) fn held<'u>(
    id: &str,
    machine: Option<&'u Machine>,
    units: &'u [Unit],
) -> BTreeMap<&'u str, Option<&'u Unit>> {
    let here = |unit: &&Unit| unit.state.machine.as_deref() == Some(id);
    let places = machine.into_iter().flat_map(|machine| &machine.units);
    let mut held: BTreeMap<&str, Option<&Unit>> =
        places.map(|unit| (unit.as_str(), None)).collect();
    held.extend(units.iter().filter(here).map(|unit| (unit.name.as_str(), Some(unit))));
    held
}

/// `2 units are left: db.container (stop-sigterm), web.container (something of it is there)`
fn left(units: &BTreeMap<&str, Option<&Unit>>) -> String {
    let phrase = |(name, unit): (&&str, &Option<&Unit>)| match unit.map(|unit| &unit.state) {
        Some(UnitState { sub, message: Some(message), .. }) => format!("{name} ({sub}: {message})"),
        Some(UnitState { sub, .. }) => format!("{name} ({sub})"),
        None => format!("{name} (something of it is there)"),
    };
    let mut phrases: Vec<String> = units.iter().take(NAMED).map(phrase).collect();
    if units.len() > NAMED {
        phrases.push(format!("{} more", units.len() - NAMED));
    }
    match units.len() {
        0 => String::new(),
        1 => format!("1 unit is left: {}", phrases.join(", ")),
        count => format!("{count} units are left: {}", phrases.join(", ")),
    }
}

fn told(
    context: &Context,
    changed: &[Machine],
    end: End<()>,
    waits: &[Waits],
) -> Result<u8, Failure> {
    let (why, code) = match end {
        End::Reached(()) => {
            return machine::tell(context, changed, |host| {
                format!("{} is drained: it has no units\n", host.id)
            });
        }
        End::Interrupted => ("left alone", exit::INTERRUPTED),
        End::GaveUp => ("not done in time", exit::FAILED),
    };
    if context.json {
        print_json(&changed)?;
    }
    for Waits { subject, message, .. } in waits {
        let line = format!("fleetctl: {subject} is {why}: its drain goes on ({message})");
        eprintln!("{}; fleetctl undrain {subject} takes it back", text::plain(&line));
    }
    Err(Failure::told(code))
}
