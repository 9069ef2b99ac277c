//! `ocirun state`: the state of one container (runtime.md, "State").

use std::ffi::OsString;

use serde_json::{Value, json};

use super::Global;
use crate::cli::{self, Flag, Order};
use crate::error::{Error, Result};
use crate::spec::VERSION;
use crate::store::{Entry, Record, Status};

pub(super) const FLAGS: &[Flag] = &[];

pub(super) fn run(global: &Global, words: &[OsString]) -> Result<i32> {
    let arguments = cli::parse(words, FLAGS, Order::Anywhere)?;
    let id = arguments.id()?;
    let entry = Entry::open(&global.root, id)?;
    let record = entry
        .load()?
        .ok_or_else(|| Error::new(format_args!("state of {id}: its creation is not done")))?;
    let (status, _) = entry.status(&record)?;
    println!("{:#}", document(&record, status));
    Ok(0)
}

pub(super) fn document(record: &Record, status: Status) -> Value {
    json!({
        "ociVersion": VERSION,
        "id": record.id,
        "pid": if status == Status::Stopped { 0 } else { record.pid },
        "status": status.name(),
        "bundle": record.bundle,
        "rootfs": record.rootfs,
        "created": record.created,
        "annotations": record.annotations,
    })
}
