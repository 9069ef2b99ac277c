//! `recover`: a fleet that has lost most of its voters goes on with this host.

use super::{Context, confirm, fleet, print, print_json};
use crate::cli::Recover as Flags;
use crate::client::json;
use crate::failure::Failure;
use crate::text;
use fleetd_api::{Recover, Recovery, Refused, Status, Voter};
use std::fmt::Write;

/// Units that are named.
const NAMED: usize = 10;

pub(super) async fn run(context: &Context, flags: &Flags) -> Result<u8, Failure> {
    let found: Recovery = context.client.get("/v1/fleet/recovery").await?;
    if context.json && !flags.yes {
        print_json(&found)?;
        return Ok(0);
    }
    if let Some(Refused { message, hint }) = found.refused.clone() {
        let failure = Failure::new(message);
        return Err(match hint {
            Some(hint) => failure.hint(hint),
            None => failure,
        });
    }
    if !context.json {
        print(&page(&found))?;
    }
    if !flags.yes {
        confirm("Go on with this host alone", "fleetctl recover --yes goes on")?;
    }
    let body = Recover { generation: found.generation, index: found.index };
    let asked = context.client.slow::<Recovery>("/v1/fleet/recovery", json(&body)?);
    let fleet = fleet::starts_again(context, "recover", "with this host alone", asked).await?;
    if context.json {
        print_json(&fleet)?;
        return Ok(0);
    }
    let line = format!(
        "the fleet goes on in generation {}; hosts that live follow, and some become voters",
        fleet.generation
    );
    print(&format!("{line}\n"))?;
    eprintln!("fleetctl list-machines shows them; remove-machine those that are lost for good");
    Ok(0)
}

fn page(found: &Recovery) -> String {
    let mut out = String::new();
    let own = text::short(&found.machine);
    let _ = writeln!(
        out,
        "host {own} has what was decided up to {} of generation {}",
        found.index, found.generation
    );
    let silent = found.voters.iter().filter(|voter| voter.index.is_none()).count();
    let _ = writeln!(out, "voters, of whom {silent} of {} do not answer:", found.voters.len());
    for voter in &found.voters {
        let _ = writeln!(out, "  {}", text::plain(&line(voter, &found.machine)));
    }
    let _ = writeln!(out, "lost if this host goes on alone:");
    let _ = writeln!(
        out,
        "  what the silent ones have decided and this host has not heard of; if one of them lives \
         on elsewhere it gives that up when it meets this fleet again"
    );
    for ahead in &found.ahead {
        let _ = writeln!(
            out,
            "  host {} obeys {} of generation {}, which this host does not know",
            text::plain(text::short(&ahead.machine)),
            ahead.index,
            ahead.generation
        );
    }
    for stray in found.unknown.iter().take(NAMED) {
        let _ = writeln!(
            out,
            "  {} runs on host {} and is not known here: it will be stopped",
            text::plain(&stray.unit),
            text::plain(text::short(&stray.machine))
        );
    }
    if found.unknown.len() > NAMED {
        let _ = writeln!(out, "  and {} more such units", found.unknown.len() - NAMED);
    }
    out
}

fn line(voter: &Voter, own: &str) -> String {
    let id = text::short(&voter.machine);
    let how = match (voter.machine == own, voter.status, voter.index) {
        (true, _, _) => "this host".to_owned(),
        (_, _, Some(index)) => format!("answers, is at {index}"),
        (_, Status::Dead, None) => "dead".to_owned(),
        (_, Status::Unheard, None) => "not heard of since fleetd was started here".to_owned(),
        (_, Status::Alive | Status::Suspected, None) => "does not answer".to_owned(),
    };
    format!("{id}  {}  {how}", voter.address)
}
