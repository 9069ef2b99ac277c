//! `ocirun list`: all containers below `--root`.

use std::ffi::OsString;

use super::{Global, state};
use crate::cli::{self, Flag, Kind, Order};
use crate::error::{Error, Result};
use crate::store::Entry;

pub(super) const FLAGS: &[Flag] = &[("format", "f", Kind::Value), ("quiet", "q", Kind::Switch)];

pub(super) fn run(global: &Global, words: &[OsString]) -> Result<i32> {
    let arguments = cli::parse(words, FLAGS, Order::Anywhere)?;
    let mut documents = Vec::new();
    for (_, entry) in Entry::all(&global.root)? {
        // One that is being made or removed just now is not a container.
        let Some(record) = entry.load()? else { continue };
        let (status, _) = entry.status(&record)?;
        documents.push(state::document(&record, status));
    }
    let text = |document: &serde_json::Value, field: &str| match &document[field] {
        serde_json::Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    match arguments.value("format") {
        _ if arguments.on("quiet") => {
            for document in &documents {
                println!("{}", text(document, "id"));
            }
        }
        Some("json") => println!("{}", serde_json::Value::Array(documents)),
        None | Some("table") => {
            println!("{:<24} {:<8} {:<8} {:<30} BUNDLE", "ID", "PID", "STATUS", "CREATED");
            for document in &documents {
                println!(
                    "{:<24} {:<8} {:<8} {:<30} {}",
                    text(document, "id"),
                    text(document, "pid"),
                    text(document, "status"),
                    text(document, "created"),
                    text(document, "bundle"),
                );
            }
        }
        Some(other) => {
            return Err(Error::new(format_args!("--format {other}: must be table or json")));
        }
    }
    Ok(0)
}
