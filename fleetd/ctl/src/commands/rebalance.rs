//! `rebalance`: moves units to where they are better off, one by one. The next one goes when the one
//! before it runs; one that fails is the last.

use super::follow::{ATTEMPT, AWAY, PLACING};
use super::poll::{End, Poll, Waits};
use super::{Context, confirm, print, print_json};
use crate::cli::{Rebalance as Flags, TableFlags};
use crate::client;
use crate::failure::{Failure, exit};
use crate::table::{self, Column, View};
use crate::text;
use fleetd_api::{Accepted, Active, Gain, MachineLoad, MachineUse, MoveUnit, Rebalance, Unit};
use serde::Serialize;
use std::fmt::Write;
use std::ops::ControlFlow;
use std::time::Duration;
use tokio::time::Instant;

/// Between two looks at a unit that moves.
const PAUSE: Duration = Duration::from_millis(250);

pub(super) async fn run(context: &Context, flags: &Flags) -> Result<u8, Failure> {
    let path = format!("/v1/rebalance?moves={}", flags.max_moves);
    let found: Rebalance = context.client.get(&path).await?;
    if flags.plan && context.json {
        return print_json(&found).map(|()| 0);
    }
    if !context.json {
        print(&page(&found)?)?;
    }
    if flags.plan {
        return Ok(0);
    }
    if found.moves.is_empty() {
        return if context.json { print_json(&found.moves).map(|()| 0) } else { Ok(0) };
    }
    if !flags.yes {
        confirm("Move them, one by one", "fleetctl rebalance --yes moves them")?;
    }
    let mut moved = Vec::new();
    let ended = move_all(context, flags, &found.moves, &mut moved).await;
    if context.json {
        print_json(&moved)?;
    }
    ended
}

/// What became of one move.
#[derive(Serialize)]
struct Moved<'a> {
    unit: &'a str,
    from: &'a str,
    /// Where it is; none: nowhere yet.
    to: Option<String>,
    /// `done`, `failed` or `waiting`.
    result: &'static str,
    reason: Option<String>,
    micros: u64,
}

async fn move_all<'a>(
    context: &Context,
    flags: &Flags,
    gains: &'a [Gain],
    moved: &mut Vec<Moved<'a>>,
) -> Result<u8, Failure> {
    let mut poll = Poll::new(context)?;
    let limit = match flags.block_attempts {
        0 => None,
        attempts => Some(ATTEMPT * attempts),
    };
    for gain in gains {
        let begun = Instant::now();
        let end = move_one(context, &mut poll, gain, limit).await?;
        let took = begun.elapsed();
        let (to, result, reason, failure) = match end {
            End::Reached(Ok(to)) => (Some(to), "done", None, None),
            End::Reached(Err(reason)) => {
                let failure = failed(gain, &reason);
                (None, "failed", Some(reason), Some(failure))
            }
            End::Interrupted => (None, "waiting", None, Some(left(gain, exit::INTERRUPTED))),
            End::GaveUp => (None, "waiting", None, Some(left(gain, exit::FAILED))),
        };
        if let (Some(to), false) = (&to, context.json) {
            let (to, took) = (text::short(to), text::elapsed(took));
            print(&(text::plain(&format!("{} runs on {to} after {took}", gain.unit)) + "\n"))?;
        }
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        moved.push(Moved { unit: &gain.unit, from: &gain.from, to, result, reason, micros });
        if let Some(failure) = failure {
            return Err(failure);
        }
    }
    Ok(0)
}

/// Asks for the move and waits until the unit runs elsewhere, or why it does not.
async fn move_one(
    context: &Context,
    poll: &mut Poll,
    gain: &Gain,
    limit: Option<Duration>,
) -> Result<End<Result<String, String>>, Failure> {
    let (unit, from, to) = (gain.unit.clone(), gain.from.clone(), gain.to.clone());
    let body = client::json(&MoveUnit { unit, from, to })?;
    let _: Accepted = context.client.post("/v1/rebalance", body).await?;
    let (mut homeless, mut away) = (None, None);
    let look = async || match context.unit(&gain.unit).await {
        Ok(unit) => {
            away = None;
            Ok(judge(gain, unit.as_ref(), &mut homeless))
        }
        // The unit does not mind that fleetd is away, and neither do we for a while.
        Err(failure) => match away.get_or_insert_with(Instant::now).elapsed() > AWAY {
            true => Err(failure),
            false => Ok(waits(gain, "fleetd is away".to_owned())),
        },
    };
    poll.until(PAUSE, limit, look).await
}

fn failed(gain: &Gain, reason: &str) -> Failure {
    Failure::new(format!("move {}: {reason}", gain.unit))
        .hint(format!("nothing else is moved; fleetctl status {}", gain.unit))
}

fn left(gain: &Gain, code: u8) -> Failure {
    let why = if code == exit::INTERRUPTED { "left alone" } else { "not done in time" };
    Failure::new(format!("{} is {why}: its move goes on, and nothing else is moved", gain.unit))
        .code(code)
}

/// Where the unit runs, or why it does not; else what it waits for.
type Look = ControlFlow<Result<String, String>, Vec<Waits>>;

fn waits(gain: &Gain, message: String) -> Look {
    ControlFlow::Continue(vec![Waits { subject: gain.unit.clone(), step: "move", message }])
}

fn judge(gain: &Gain, unit: Option<&Unit>, homeless: &mut Option<Instant>) -> Look {
    let Some(unit) = unit else {
        return ControlFlow::Break(Err("it was destroyed".to_owned()));
    };
    let state = &unit.state;
    let said = state.message.clone().unwrap_or_else(|| state.sub.clone());
    match &state.machine {
        None => {
            let since = homeless.get_or_insert_with(Instant::now);
            match since.elapsed() > PLACING {
                true => ControlFlow::Break(Err(said)),
                false => waits(gain, "it waits for a host".to_owned()),
            }
        }
        Some(machine) if *machine == gain.from => {
            *homeless = None;
            waits(gain, format!("it ends on {} ({said})", text::short(machine)))
        }
        Some(machine) => {
            *homeless = None;
            match state.active {
                Active::Active => ControlFlow::Break(Ok(machine.clone())),
                Active::Failed => ControlFlow::Break(Err(said)),
                Active::Inactive if state.last_exit.is_some() => {
                    ControlFlow::Break(Ok(machine.clone()))
                }
                _ => waits(gain, format!("it begins on {} ({said})", text::short(machine))),
            }
        }
    }
}

fn page(found: &Rebalance) -> Result<String, Failure> {
    if found.moves.is_empty() {
        return Ok("no move makes the fleet better\n".to_owned());
    }
    let mut out = String::new();
    for Gain { unit, from, to, points } in &found.moves {
        let (unit, from, to) = (text::plain(unit), text::short(from), text::short(to));
        let _ = writeln!(out, "move {unit} from {from} to {to}: better by {points} points");
    }
    let flags = TableFlags::default();
    let view = View { full: false, machines: &[] };
    out += &table::render(
        COLUMNS,
        &["machine", "units", "cpu", "memory"],
        &found.machines,
        &flags,
        &view,
    )?;
    Ok(out)
}

/// Before and after.
const COLUMNS: &[Column<MachineLoad>] = &[
    Column { name: "machine", cell: |row, view| view.short(&row.machine, 8, "...") },
    Column { name: "units", cell: |row, _| format!("{} -> {}", row.before.units, row.after.units) },
    Column { name: "cpu", cell: |row, _| shares(row, |load| load.cpu) },
    Column { name: "memory", cell: |row, _| shares(row, |load| load.memory) },
];

fn shares(row: &MachineLoad, of: fn(&MachineUse) -> u64) -> String {
    let room = of(&row.room);
    let share = |load: &MachineUse| match room {
        0 => "-".to_owned(),
        room => format!("{}%", u128::from(of(load)) * 100 / u128::from(room)),
    };
    format!("{} -> {}", share(&row.before), share(&row.after))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(units: usize, cpu: u64, memory: u64) -> MachineUse {
        MachineUse { units, cpu, memory }
    }

    #[test]
    fn a_page_has_the_moves_and_hosts_before_and_after() {
        let machine = |id: &str, before, after| MachineLoad {
            machine: id.repeat(16),
            room: load(0, 4000, 0),
            before,
            after,
        };
        let found = Rebalance {
            moves: vec![Gain {
                unit: "a.container".to_owned(),
                from: "00".repeat(16),
                to: "bb".repeat(16),
                points: 480,
            }],
            machines: vec![
                machine("00", load(7, 3000, 0), load(6, 2000, 0)),
                machine("bb", load(0, 0, 0), load(1, 1000, 0)),
            ],
        };
        let expected = "\
move a.container from 00000000 to bbbbbbbb: better by 480 points
MACHINE      UNITS   CPU         MEMORY
00000000...  7 -> 6  75% -> 50%  - -> -
bbbbbbbb...  0 -> 1  0% -> 25%   - -> -
";
        assert_eq!(page(&found).unwrap(), expected);
        let none = Rebalance { moves: Vec::new(), ..found };
        assert_eq!(page(&none).unwrap(), "no move makes the fleet better\n");
    }
}
