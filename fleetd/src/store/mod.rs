//! The database: decided facts on disk, one change, one index.
//!
//! `fleetd.redb` holds the unit files with what is wanted of them, the index of the latest change,
//! the machine's id, the number of this fleetd's start, and the log of [`crate::consensus`]. It is
//! written by one thread ([`writer`]): commits block. For when its disk is full there is a [`reserve`].
//! Since there are keys and secrets in it, it is encrypted on its disk ([`sealed`]).

mod backend;
mod error;
pub mod facts;
mod file;
mod key;
pub mod log;
pub mod reserve;
mod sealed;
#[cfg(test)]
pub(crate) mod simulated;
pub mod space;
pub mod writer;

pub use error::Error;
use error::is_no_space;

use crate::core::decided::Decided;
use redb::{Database, ReadableTable, TableDefinition};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;

/// By name: [`crate::core::decided::Entry`], and so on.
const UNITS: TableDefinition<&str, &[u8]> = TableDefinition::new("units");
const MACHINES: TableDefinition<&str, &[u8]> = TableDefinition::new("machines");
const PLACES: TableDefinition<&str, &[u8]> = TableDefinition::new("places");
const SECRETS: TableDefinition<&str, &[u8]> = TableDefinition::new("secrets");
const SETS: TableDefinition<&str, &[u8]> = TableDefinition::new("sets");
const FLEET: TableDefinition<&str, &[u8]> = TableDefinition::new("fleet");
const NUMBERS: TableDefinition<&str, u64> = TableDefinition::new("numbers");
const TEXTS: TableDefinition<&str, &str> = TableDefinition::new("texts");

const FORMAT: u64 = 1;
/// An open database.
pub struct Store {
    pub database: Database,
    pub decided: Decided,
}

/// What a fleetd finds out about itself when it opens the database at its start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opened {
    /// 32 hex digits.
    pub machine_id: String,
    /// Grows with every start: no two fleetds of a host have the same.
    pub incarnation: u64,
}

impl Store {
    /// Opens the database, or makes it with `new_machine_id`. A file that cannot be read is left as
    /// it is.
    pub fn open(path: &Path, new_machine_id: &str) -> Result<(Self, Opened), Error> {
        let fail = |cause: String| Error::Open { path: path.to_owned(), cause };
        match std::fs::metadata(path) {
            Ok(data) if data.len() == 0 => return Err(fail("the file is empty".to_owned())),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => file::create(path)?,
            Err(e) => return Err(fail(e.to_string())),
            Ok(_) => {}
        }
        // It is nobody else's, also where it is read with its key.
        let private = std::fs::Permissions::from_mode(0o600);
        std::fs::set_permissions(path, private).map_err(|e| fail(e.to_string()))?;
        let key = file::key(path)?;
        unharmed(path, || {
            let database = file::open(path, key)?;
            let opened = begin(&database, new_machine_id)?;
            let decided = facts::read(&database)?;
            Ok((Self { database, decided }, opened))
        })
    }

    /// The same for a fleetd that has had it open, and no longer has.
    pub fn reopen(path: &Path) -> Result<Self, Error> {
        let key = file::key(path)?;
        unharmed(path, || {
            let database = file::open(path, key)?;
            let decided = facts::read(&database)?;
            Ok(Self { database, decided })
        })
    }
}

/// Forgets what was decided, for a host that goes over to another fleet. Who it is and how often it was
/// started stays. Nothing happens where there is no database yet.
pub fn forget(path: &Path) -> Result<(), Error> {
    if !path.exists() {
        return Ok(());
    }
    offline(path, |database| {
        let transaction = database.begin_write()?;
        for table in [UNITS, MACHINES, PLACES, SECRETS, SETS, FLEET] {
            transaction.delete_table(table)?;
        }
        log::forget(&transaction)?;
        let mut numbers = transaction.open_table(NUMBERS)?;
        numbers.remove("index")?;
        numbers.remove("layout")?;
        drop(numbers);
        Ok(transaction.commit()?)
    })
}

/// Works on a database that no fleetd has open.
pub fn offline<T>(
    path: &Path,
    work: impl FnOnce(&Database) -> Result<T, redb::Error>,
) -> Result<T, Error> {
    let key = file::key(path)?;
    unharmed(path, || work(&file::open(path, key)?))
}

/// A damaged file can make redb panic as well as fail.
fn unharmed<T>(path: &Path, open: impl FnOnce() -> Result<T, redb::Error>) -> Result<T, Error> {
    let fail = |cause: String| Error::Open { path: path.to_owned(), cause };
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(open))
        .map_err(|_| fail("the file is damaged".to_owned()))?
        .map_err(|e| match is_no_space(&e) {
            true => Error::Write { path: path.to_owned(), cause: Arc::new(e) },
            false => fail(e.to_string()),
        })
}

fn begin(database: &Database, new_machine_id: &str) -> Result<Opened, redb::Error> {
    let transaction = database.begin_write()?;
    let opened = {
        let mut numbers = transaction.open_table(NUMBERS)?;
        let mut texts = transaction.open_table(TEXTS)?;
        let number = |key| -> Result<Option<u64>, redb::Error> {
            Ok(numbers.get(key)?.map(|value| value.value()))
        };
        if number("format")?.is_some_and(|format| format > FORMAT) {
            return Err(redb::Error::Corrupted("it is of a newer fleetd".to_owned()));
        }
        let incarnation = number("incarnation")?.unwrap_or(0) + 1;
        numbers.insert("incarnation", incarnation)?;
        let machine_id = texts.get("machine id")?.map(|value| value.value().to_owned());
        if machine_id.is_none() {
            texts.insert("machine id", new_machine_id)?;
            numbers.insert("format", FORMAT)?;
        }
        let machine_id = machine_id.unwrap_or_else(|| new_machine_id.to_owned());
        Opened { machine_id, incarnation }
    };
    transaction.commit()?;
    Ok(opened)
}

#[cfg(test)]
pub(crate) mod tests;
