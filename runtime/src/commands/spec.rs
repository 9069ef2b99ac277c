//! `ocirun spec`: writes a `config.json` to begin with.

use std::ffi::OsString;
use std::fs::OpenOptions;
use std::io::Write;

use super::Global;
use crate::cli::{self, Flag, Kind, Order};
use crate::error::{Doing, Error, Result};
use crate::spec::template;

pub(super) const FLAGS: &[Flag] =
    &[("bundle", "b", Kind::Value), ("rootless", "", Kind::RefusedSwitch("not there yet"))];

pub(super) fn run(_: &Global, words: &[OsString]) -> Result<i32> {
    let arguments = cli::parse(words, FLAGS, Order::Anywhere)?;
    if let Some(word) = arguments.rest.first() {
        return Err(Error::new(format_args!("{word:?}: one argument too many")));
    }
    let path = arguments.path("bundle").unwrap_or_else(|| ".".into()).join("config.json");
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(&path)
        .and_then(|mut file| file.write_all(template::TEXT.as_bytes()))
        .doing(format_args!("write {}", path.display()))?;
    Ok(0)
}
