//! `cat`: the submitted files of units.

use super::{Context, print, print_json};
use crate::cli::Units;
use crate::failure::Failure;
use crate::names;
use fleetd_api::Unit;
use std::fmt::Write;

pub(super) async fn run(context: &Context, flags: &Units) -> Result<u8, Failure> {
    let listed = context.units().await?;
    let mut units = Vec::new();
    for unit in names::select(&flags.units, &listed)? {
        units.extend(context.unit(&unit.name).await?);
    }
    // Who may only look is given no text.
    if let Some(hidden) = units.iter().find(|unit| unit.text.is_none()) {
        let message = format!("print {}: unit files may hold secrets", hidden.name);
        return Err(Failure::new(message).hint("it takes the role operate"));
    }
    if context.json {
        print_json(&units)?;
        return Ok(0);
    }
    // One file as it was submitted; several, or one with drop-ins, with their names between.
    let plain = units.len() == 1 && units.iter().all(|unit| unit.drop_ins.is_empty());
    let texts: Vec<String> = units.iter().map(|unit| text(unit, plain)).collect();
    print(&texts.join("\n"))?;
    Ok(0)
}

fn text(unit: &Unit, plain: bool) -> String {
    let body = unit.text.as_deref().unwrap_or("");
    if plain {
        return body.to_owned();
    }
    let mut out = String::new();
    let mut part = |name: &str, text: &str| {
        let end = if text.ends_with('\n') || text.is_empty() { "" } else { "\n" };
        let _ = write!(out, "# {name}\n{text}{end}");
    };
    part(&unit.name, body);
    for (name, text) in &unit.drop_ins {
        part(&format!("{}.d/{name}", unit.name), text);
    }
    out
}
