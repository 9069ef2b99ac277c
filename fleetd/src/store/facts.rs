//! The decided facts as tables: each fact a row of JSON, so that a change writes what it changed and
//! a later version reads by name.

use super::{FLEET, MACHINES, NUMBERS, PLACES, SECRETS, SETS, UNITS, log};
use crate::core::decided::{Decided, changed};
use crate::core::machine_id::MachineId;
use imbl::OrdMap;
use redb::{Database, ReadableDatabase, ReadableTable, TableDefinition, TableError};
use redb::{ReadTransaction, WriteTransaction};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fmt::Display;
use std::str::FromStr;

type Table = TableDefinition<'static, &'static str, &'static [u8]>;

/// The one row of its table.
const THE_FLEET: &str = "fleet";

/// Writes what differs. A fleet does not end.
pub fn write(
    transaction: &WriteTransaction,
    before: &Decided,
    after: &Decided,
) -> Result<(), redb::Error> {
    write_map(transaction, UNITS, &before.units, &after.units)?;
    write_map(transaction, MACHINES, &before.machines, &after.machines)?;
    write_map(transaction, PLACES, &before.places, &after.places)?;
    write_map(transaction, SECRETS, &before.secrets, &after.secrets)?;
    write_map(transaction, SETS, &before.sets, &after.sets)?;
    if before.fleet != after.fleet
        && let Some(fleet) = &after.fleet
    {
        transaction.open_table(FLEET)?.insert(THE_FLEET, log::json(fleet)?.as_slice())?;
    }
    let mut numbers = transaction.open_table(NUMBERS)?;
    numbers.insert("index", after.index)?;
    numbers.insert("layout", after.layout)?;
    Ok(())
}

fn write_map<K: Ord + Clone + Display, V: PartialEq + Clone + Serialize>(
    transaction: &WriteTransaction,
    table: Table,
    before: &OrdMap<K, V>,
    after: &OrdMap<K, V>,
) -> Result<(), redb::Error> {
    let keys = changed(before, after);
    if keys.is_empty() {
        return Ok(());
    }
    let mut table = transaction.open_table(table)?;
    for key in keys {
        let name = key.to_string();
        match after.get(&key) {
            Some(value) => table.insert(name.as_str(), log::json(value)?.as_slice())?,
            None => table.remove(name.as_str())?,
        };
    }
    Ok(())
}

/// All of them.
pub fn read(database: &Database) -> Result<Decided, redb::Error> {
    let transaction = database.begin_read()?;
    let numbers = transaction.open_table(NUMBERS)?;
    let index = numbers.get("index")?.map_or(0, |value| value.value());
    // An earlier fleetd did not count it.
    let layout = numbers.get("layout")?.map_or(index, |value| value.value());
    Ok(Decided {
        index,
        units: read_map(&transaction, UNITS)?,
        machines: read_map::<MachineId, _>(&transaction, MACHINES)?,
        places: read_map(&transaction, PLACES)?,
        secrets: read_map(&transaction, SECRETS)?,
        sets: read_map::<MachineId, _>(&transaction, SETS)?,
        layout,
        fleet: read_map::<String, _>(&transaction, FLEET)?.remove(THE_FLEET),
    })
}

fn read_map<K, V>(transaction: &ReadTransaction, table: Table) -> Result<OrdMap<K, V>, redb::Error>
where
    K: Ord + Clone + FromStr,
    K::Err: Display,
    V: Clone + DeserializeOwned,
{
    use redb::TableHandle;
    let name = table.name();
    let table = match transaction.open_table(table) {
        Err(TableError::TableDoesNotExist(_)) => return Ok(OrdMap::new()),
        other => other?,
    };
    let mut map = OrdMap::new();
    for row in table.iter()? {
        let (key, value) = row?;
        let (key, value) = (key.value(), value.value());
        let damaged =
            |cause: &dyn Display| redb::Error::Corrupted(format!("read {name} {key}: {cause}"));
        let parsed = key.parse::<K>().map_err(|e| damaged(&e))?;
        map.insert(parsed, serde_json::from_slice(value).map_err(|e| damaged(&e))?);
    }
    Ok(map)
}
