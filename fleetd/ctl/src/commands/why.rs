//! `why`: why a unit is on its host, or on none.

use super::{Context, print, print_json, unit_path};
use crate::cli::Units;
use crate::failure::Failure;
use crate::names;
use fleetd_api::{Verdict, Why, WhyMachine};
use std::collections::BTreeMap;
use std::fmt::Write;

/// Ids of machines that a line names; the others are counted.
const NAMED: usize = 3;

pub(super) async fn run(context: &Context, flags: &Units) -> Result<u8, Failure> {
    let listed = context.units().await?;
    let mut all = Vec::new();
    for unit in names::select(&flags.units, &listed)? {
        let path = format!("{}/why", unit_path(&unit.name));
        all.push(context.client.get::<Why>(&path).await?);
    }
    if context.json {
        print_json(&all)?;
    } else {
        let texts: Vec<String> = all.iter().map(text).collect();
        print(&texts.join("\n"))?;
    }
    Ok(0)
}

fn text(why: &Why) -> String {
    let mut out = String::new();
    match why.places.as_slice() {
        [] => _ = writeln!(out, "{} has no place", why.unit),
        places => {
            let ids: Vec<&str> = places.iter().map(|place| short(&place.machine)).collect();
            let _ = writeln!(out, "{} has its place on {}", why.unit, ids.join(", "));
        }
    }
    for reason in why.places.iter().flat_map(|place| &place.reasons) {
        let _ = writeln!(out, "  when it was placed: {reason}");
    }
    for (verdict, word) in [
        (Verdict::Placed, "it is there"),
        (Verdict::Best, "it would go there"),
        (Verdict::Fits, "it would fit there"),
    ] {
        let with: Vec<&WhyMachine> = why.machines.iter().filter(|m| m.verdict == verdict).collect();
        line(&mut out, &with, word);
    }
    let mut refused: BTreeMap<String, Vec<&WhyMachine>> = BTreeMap::new();
    for machine in why.machines.iter().filter(|m| m.verdict == Verdict::Refused) {
        refused.entry(machine.reasons.join("; ")).or_default().push(machine);
    }
    let mut refused: Vec<_> = refused.into_iter().collect();
    refused.sort_by_key(|(_, machines)| std::cmp::Reverse(machines.len()));
    for (reason, machines) in &refused {
        line(&mut out, machines, reason);
    }
    if let Some(remedy) = &why.remedy {
        let _ = writeln!(out, "nearest remedy: {remedy}");
    }
    out
}

/// `  2 machines (3f2a00c1, 77aa12d0): it would fit there`
fn line(out: &mut String, machines: &[&WhyMachine], what: &str) {
    if machines.is_empty() {
        return;
    }
    let named: Vec<&str> = machines.iter().take(NAMED).map(|m| short(&m.machine)).collect();
    let more = if machines.len() > NAMED { ", ..." } else { "" };
    let s = if machines.len() == 1 { "" } else { "s" };
    let (count, named) = (machines.len(), named.join(", "));
    let _ = writeln!(out, "  {count} machine{s} ({named}{more}): {what}");
}

fn short(id: &str) -> &str {
    id.get(..8).unwrap_or(id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use fleetd_api::WhyPlace;

    fn machine(id: &str, verdict: Verdict, reasons: &[&str]) -> WhyMachine {
        let reasons = reasons.iter().map(ToString::to_string).collect();
        WhyMachine { machine: id.repeat(8), verdict, reasons, points: 5 }
    }

    #[test]
    fn machines_are_grouped_by_what_they_are_for_the_unit() {
        let full = ["memory: needs 2 GiB, 1 GiB free, 1 GiB short"];
        let why = Why {
            unit: "a.container".to_owned(),
            places: vec![WhyPlace {
                machine: "0123456789".to_owned(),
                reasons: vec!["it was the best".to_owned()],
            }],
            machines: vec![
                machine("a", Verdict::Refused, &["the host is dead"]),
                machine("b", Verdict::Refused, &full),
                machine("c", Verdict::Refused, &full),
                machine("d", Verdict::Placed, &[]),
                machine("e", Verdict::Fits, &[]),
                machine("f", Verdict::Fits, &[]),
                machine("g", Verdict::Fits, &[]),
                machine("h", Verdict::Fits, &[]),
            ],
            remedy: None,
        };
        let expected = "\
a.container has its place on 01234567
  when it was placed: it was the best
  1 machine (dddddddd): it is there
  4 machines (eeeeeeee, ffffffff, gggggggg, ...): it would fit there
  2 machines (bbbbbbbb, cccccccc): memory: needs 2 GiB, 1 GiB free, 1 GiB short
  1 machine (aaaaaaaa): the host is dead
";
        assert_eq!(text(&why), expected);
        let nowhere = Why {
            places: vec![],
            machines: vec![machine("b", Verdict::Refused, &full)],
            remedy: Some("ask for less".to_owned()),
            ..why
        };
        let expected = "\
a.container has no place
  1 machine (bbbbbbbb): memory: needs 2 GiB, 1 GiB free, 1 GiB short
nearest remedy: ask for less
";
        assert_eq!(text(&nowhere), expected);
    }
}
