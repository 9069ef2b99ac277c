//! The tables of the consensus: its log, and the few values beside it.
//!
//! Values are JSON, so that a later version reads them by name.

use redb::{
    Database, ReadableDatabase, ReadableTable, TableDefinition, TableError, WriteTransaction,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::ops::RangeBounds;

/// By index.
const LOG: TableDefinition<u64, &[u8]> = TableDefinition::new("log");
/// By name: vote, committed, purged, applied.
const VALUES: TableDefinition<&str, &[u8]> = TableDefinition::new("consensus");

pub fn json<T: Serialize>(value: &T) -> Result<Vec<u8>, redb::Error> {
    serde_json::to_vec(value).map_err(|e| redb::Error::Io(e.into()))
}

fn parse<T: DeserializeOwned>(what: &str, bytes: &[u8]) -> Result<T, redb::Error> {
    serde_json::from_slice(bytes)
        .map_err(|e| redb::Error::Corrupted(format!("{what} cannot be read: {e}")))
}

/// All of it, and what is kept beside it.
pub(super) fn forget(transaction: &WriteTransaction) -> Result<(), redb::Error> {
    transaction.delete_table(LOG)?;
    transaction.delete_table(VALUES)?;
    Ok(())
}

pub fn append(
    transaction: &WriteTransaction,
    entries: &[(u64, Vec<u8>)],
) -> Result<(), redb::Error> {
    let mut log = transaction.open_table(LOG)?;
    for (index, bytes) in entries {
        log.insert(index, bytes.as_slice())?;
    }
    Ok(())
}

pub fn remove(
    transaction: &WriteTransaction,
    range: impl RangeBounds<u64>,
) -> Result<(), redb::Error> {
    let mut log = transaction.open_table(LOG)?;
    let range = (range.start_bound().cloned(), range.end_bound().cloned());
    log.retain_in(range, |_, _| false)?;
    Ok(())
}

pub fn put(transaction: &WriteTransaction, name: &str, bytes: &[u8]) -> Result<(), redb::Error> {
    transaction.open_table(VALUES)?.insert(name, bytes)?;
    Ok(())
}

pub fn get<T: DeserializeOwned>(database: &Database, name: &str) -> Result<Option<T>, redb::Error> {
    let table = match database.begin_read()?.open_table(VALUES) {
        Err(TableError::TableDoesNotExist(_)) => return Ok(None),
        other => other?,
    };
    table.get(name)?.map(|value| parse(name, value.value())).transpose()
}

/// The entries of a range, with their indexes.
pub fn read<T: DeserializeOwned>(
    database: &Database,
    range: impl RangeBounds<u64>,
) -> Result<Vec<(u64, T)>, redb::Error> {
    let table = match database.begin_read()?.open_table(LOG) {
        Err(TableError::TableDoesNotExist(_)) => return Ok(Vec::new()),
        other => other?,
    };
    let range = (range.start_bound().cloned(), range.end_bound().cloned());
    let rows = table.range(range)?.map(|row| {
        let (index, bytes) = row?;
        let index = index.value();
        Ok((index, parse(&format!("log entry {index}"), bytes.value())?))
    });
    rows.collect()
}

/// The newest entry.
pub fn last<T: DeserializeOwned>(database: &Database) -> Result<Option<T>, redb::Error> {
    let table = match database.begin_read()?.open_table(LOG) {
        Err(TableError::TableDoesNotExist(_)) => return Ok(None),
        other => other?,
    };
    table.last()?.map(|(_, bytes)| parse("the last log entry", bytes.value())).transpose()
}
