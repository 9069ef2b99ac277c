//! `secret set|list|remove`: what programs get to read.

use super::{Context, print, print_json};
use crate::cli::{Secret as Command, TableFlags};
use crate::client;
use crate::failure::Failure;
use crate::table::{self, Column, View};
use crate::terminal;
use crate::text;
use data_encoding::BASE64;
use fleetd_api::secret::check_name;
use fleetd_api::{MAX_SECRET, Secret, SetSecret};
use serde_json::Value;
use std::fs::File;
use std::io::{self, IsTerminal, Read};
use std::path::Path;

pub(super) async fn run(context: &Context, command: &Command) -> Result<u8, Failure> {
    match command {
        Command::Set { name, file } => {
            let file = file.as_deref().filter(|file| file.as_os_str() != "-");
            let set = set(context, name, file);
            match file.is_none() && io::stdin().is_terminal() {
                true => terminal::unless_interrupted(set).await?,
                false => set.await?,
            }
        }
        Command::List(flags) => list(context, flags).await?,
        Command::Remove { names, force } => remove(context, names, *force).await?,
    }
    Ok(0)
}

async fn set(context: &Context, name: &str, file: Option<&Path>) -> Result<(), Failure> {
    check_name(name).map_err(|rule| Failure::new(format!("set secret {name:?}: {rule}")))?;
    let value = match file {
        Some(path) => {
            let fail = |error: &io::Error| Failure::io(format!("read {}", path.display()), error);
            bounded(File::open(path).map_err(|e| fail(&e))?).map_err(|e| fail(&e))?
        }
        None => standard_input(name).await?,
    };
    if value.is_empty() {
        return Err(Failure::new(format!("set secret {name}: its value is empty")));
    }
    if value.len() > MAX_SECRET {
        let most = MAX_SECRET >> 10;
        return Err(Failure::new(format!("set secret {name}: {most} KiB are the most")));
    }
    let body = SetSecret { value: BASE64.encode(&value) };
    let secret: Secret = context.client.put(&path(name), &body).await?;
    if context.json {
        return print_json(&secret);
    }
    print(&format!("{}\n", text::plain(&format!("secret {name} is set"))))?;
    if !secret.units.is_empty() {
        let units = secret.units.join(" ");
        eprintln!("{}", text::plain(&format!("what runs has it after: fleetctl restart {units}")));
    }
    Ok(())
}

/// Typed by somebody: one line. Else all of it, byte by byte.
async fn standard_input(name: &str) -> Result<Vec<u8>, Failure> {
    if io::stdin().is_terminal() {
        return terminal::hidden(&format!("value of {name}")).await.map(String::into_bytes);
    }
    bounded(io::stdin().lock()).map_err(|e| Failure::io("read standard input", &e))
}

/// No more than shows that it is too much.
fn bounded(from: impl Read) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    from.take(MAX_SECRET as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn path(name: &str) -> String {
    format!("/v1/secrets/{}", client::encode(name))
}

const COLUMNS: &[Column<Secret>] = &[
    Column { name: "name", cell: |secret, _| secret.name.clone() },
    Column { name: "created", cell: |secret, _| text::seconds(secret.created) },
    Column { name: "changed", cell: |secret, _| text::seconds(secret.changed) },
    Column { name: "units", cell: |secret, view| units(secret, view.full) },
];

const DEFAULT: &[&str] = &["name", "changed", "units"];

/// As many names as are worth a line.
const SHOWN: usize = 3;

fn units(secret: &Secret, full: bool) -> String {
    let names = &secret.units;
    match names.len() {
        0 => "-".to_owned(),
        count if full || count <= SHOWN => names.join(","),
        count => format!("{},+{}", names.get(..SHOWN).unwrap_or(names).join(","), count - SHOWN),
    }
}

async fn list(context: &Context, flags: &TableFlags) -> Result<(), Failure> {
    let secrets: Vec<Secret> = context.client.get("/v1/secrets").await?;
    if context.json {
        return print_json(&secrets);
    }
    let view = View { full: flags.full, machines: &[] };
    print(&table::render(COLUMNS, DEFAULT, &secrets, flags, &view)?)
}

async fn remove(context: &Context, names: &[String], force: bool) -> Result<(), Failure> {
    for name in names {
        let path = format!("{}?force={force}", path(name));
        let _: Value = context.client.delete(&path).await?;
        if !context.json {
            print(&format!("{}\n", text::plain(&format!("secret {name} is removed"))))?;
        }
    }
    if context.json { print_json(&names) } else { Ok(()) }
}
