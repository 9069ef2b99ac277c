//! The database: decided facts on disk, one change, one index.
//!
//! `fleetd.redb` holds the unit files with what is wanted of them, the index of the latest change,
//! the machine's id and the number of this fleetd's start. It is written by one thread, which
//! [`crate::consensus`] owns: commits block.

mod error;
pub mod log;
pub mod writer;

pub use error::Error;

use crate::core::decided::{Decided, Entry};
use redb::{Database, ReadableDatabase, ReadableTable, TableDefinition, WriteTransaction};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// By name: an [`Entry`] as JSON.
const UNITS: TableDefinition<&str, &[u8]> = TableDefinition::new("units");
const NUMBERS: TableDefinition<&str, u64> = TableDefinition::new("numbers");
const TEXTS: TableDefinition<&str, &str> = TableDefinition::new("texts");

const FORMAT: u64 = 1;
/// redb's default is 1 GiB.
const CACHE: usize = 8 << 20;

pub struct Store {
    path: PathBuf,
    database: Database,
}

/// What is there when the store is opened.
#[derive(Debug)]
pub struct Opened {
    pub decided: Decided,
    /// 32 hex digits.
    pub machine_id: String,
    /// Grows with every opening: no two fleetds of a host have the same.
    pub incarnation: u64,
}

impl Store {
    /// Opens the database, or makes it with `new_machine_id`. A file that cannot be read is left as
    /// it is.
    pub fn open(path: &Path, new_machine_id: &str) -> Result<(Self, Opened), Error> {
        let fail = |cause: String| Error::Open { path: path.to_owned(), cause };
        match std::fs::metadata(path) {
            Ok(data) if data.len() == 0 => return Err(fail("the file is empty".to_owned())),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => create(path)?,
            Err(e) => return Err(fail(e.to_string())),
            Ok(_) => {}
        }
        // A damaged file can make redb panic as well as fail.
        let database = std::panic::catch_unwind(|| builder().open(path))
            .map_err(|_| fail("the file is damaged".to_owned()))?
            .map_err(|e| fail(e.to_string()))?;
        let store = Self { path: path.to_owned(), database };
        let opened =
            std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| store.begin(new_machine_id)))
                .map_err(|_| fail("the file is damaged".to_owned()))??;
        Ok((store, opened))
    }

    fn begin(&self, new_machine_id: &str) -> Result<Opened, Error> {
        let fail = |cause: String| Error::Open { path: self.path.clone(), cause };
        let opened: Result<Opened, redb::Error> = (|| {
            let transaction = self.database.begin_write()?;
            let opened = {
                let mut numbers = transaction.open_table(NUMBERS)?;
                let mut texts = transaction.open_table(TEXTS)?;
                let number = |key| -> Result<Option<u64>, redb::Error> {
                    Ok(numbers.get(key)?.map(|value| value.value()))
                };
                let (format, index) = (number("format")?, number("index")?.unwrap_or(0));
                let incarnation = number("incarnation")?.unwrap_or(0) + 1;
                numbers.insert("incarnation", incarnation)?;
                let machine_id = texts.get("machine id")?.map(|value| value.value().to_owned());
                if machine_id.is_none() {
                    texts.insert("machine id", new_machine_id)?;
                    numbers.insert("format", FORMAT)?;
                }
                let machine_id = machine_id.unwrap_or_else(|| new_machine_id.to_owned());
                let decided = Decided { index, ..Decided::default() };
                if format.is_some_and(|format| format > FORMAT) {
                    return Err(redb::Error::Corrupted("it is of a newer fleetd".to_owned()));
                }
                Opened { decided, machine_id, incarnation }
            };
            // Made here, so that a read finds it.
            transaction.open_table(UNITS)?;
            transaction.commit()?;
            Ok(opened)
        })();
        let mut opened = opened.map_err(|e| fail(e.to_string()))?;
        opened.decided.units = self.units()?;
        Ok(opened)
    }

    fn units(&self) -> Result<std::collections::BTreeMap<String, Arc<Entry>>, Error> {
        let fail = |cause: String| Error::Open { path: self.path.clone(), cause };
        let rows: Result<Vec<(String, Vec<u8>)>, redb::Error> = (|| {
            let table = self.database.begin_read()?.open_table(UNITS)?;
            let rows = table.iter()?.map(|row| {
                let (name, entry) = row?;
                Ok((name.value().to_owned(), entry.value().to_vec()))
            });
            rows.collect()
        })();
        rows.map_err(|e| fail(e.to_string()))?
            .into_iter()
            .map(|(name, bytes)| match serde_json::from_slice(&bytes) {
                Ok(entry) => Ok((name, Arc::new(entry))),
                Err(e) => Err(fail(format!("read unit {name}: {e}"))),
            })
            .collect()
    }

    /// The database itself, for what is written beside the units.
    pub fn database(self) -> Database {
        self.database
    }

    /// Writes the units that changed and the index they changed with: all or
    /// nothing, on disk when it returns.
    pub fn write(&self, index: u64, changed: &[Changed]) -> Result<(), Error> {
        let written: Result<(), redb::Error> = (|| {
            let transaction = self.database.begin_write()?;
            put(&transaction, index, changed)?;
            transaction.commit()?;
            Ok(())
        })();
        written.map_err(|e| Error::Write { path: self.path.clone(), cause: e })
    }
}

/// A unit that changed; none: it is gone.
pub type Changed = (String, Option<Arc<Entry>>);

/// Puts the units that changed, and the index they changed with, into a transaction.
pub fn put(
    transaction: &WriteTransaction,
    index: u64,
    changed: &[Changed],
) -> Result<(), redb::Error> {
    let mut units = transaction.open_table(UNITS)?;
    for (name, entry) in changed {
        match entry {
            Some(entry) => {
                let bytes = log::json(entry.as_ref())?;
                units.insert(name.as_str(), bytes.as_slice())?;
            }
            None => {
                units.remove(name.as_str())?;
            }
        }
    }
    transaction.open_table(NUMBERS)?.insert("index", index)?;
    Ok(())
}

fn builder() -> redb::Builder {
    let mut builder = redb::Builder::new();
    builder.set_cache_size(CACHE);
    builder
}

/// A database that appears whole or not at all: what an interrupted first start leaves is never
/// taken for one.
fn create(path: &Path) -> Result<(), Error> {
    let fail = |cause: String| Error::Create { path: path.to_owned(), cause };
    let new = path.with_extension("redb.new");
    match std::fs::remove_file(&new) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(fail(e.to_string())),
        _ => {}
    }
    drop(builder().create(&new).map_err(|e| fail(e.to_string()))?);
    std::fs::rename(&new, path).map_err(|e| fail(e.to_string()))
}

#[cfg(test)]
mod tests;
