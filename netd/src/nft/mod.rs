//! Our nftables table, by netlink.
//!
//! Every change is one transaction, which takes effect as a whole or not at all. The table is owned
//! by this socket and persistent where the kernel can do that (`NFT_TABLE_F_OWNER|PERSIST`, Linux
//! 6.9): a foreign `flush ruleset` passes it by, and it outlives us.

mod batch;
mod dump;
mod element;
mod expression;
mod uapi;
mod watch;

pub use dump::{ForeignChain, dropping_forward_chains};
pub use watch::watch;

use crate::core::plan::Change;
use crate::core::ruleset::{Element, Table};
use crate::netlink::{Connection, Family, Refused};
use batch::Batch;
use std::collections::BTreeMap;
use std::io;

pub struct Nftables {
    connection: Connection,
    table: String,
    flags: u32,
}

impl Nftables {
    /// Opens the socket in the calling thread's namespace. Changes nothing yet.
    pub fn open(table: &str) -> io::Result<Self> {
        Ok(Self {
            connection: Connection::open(Family::Netfilter)?,
            table: table.to_owned(),
            flags: uapi::NFT_TABLE_F_OWNER | uapi::NFT_TABLE_F_PERSIST,
        })
    }

    /// What notifications of our own changes carry as their cause.
    pub fn port(&self) -> u32 {
        self.connection.port()
    }

    /// Makes our table exactly this, whatever was there. Packets meet the old or the new rules,
    /// never none, and established connections go on.
    pub fn replace<'a>(
        &mut self,
        table: &Table,
        elements: impl IntoIterator<Item = &'a Element>,
    ) -> Result<(), Refused> {
        self.learn_flags()?;
        match self.try_replace(table, elements) {
            Err(e) if e.is(libc::EPERM) => Err(Refused::new(
                format!(
                    "{} (another process owns it: is a second netd running? --table names another)",
                    e.what
                ),
                e.source,
            )),
            other => other,
        }
    }

    /// A kernel before 6.9 does not know the flags. It is asked with a table that goes in the same
    /// transaction: it would refuse every message of a large one, which is more than a socket holds.
    fn learn_flags(&mut self) -> Result<(), Refused> {
        if self.flags == 0 {
            return Ok(());
        }
        let name = format!("{}_probe", self.table);
        let mut batch = Batch::new(&name);
        batch.add_empty_table(self.flags);
        batch.delete_table(batch::INET);
        match self.connection.transaction(batch.finish()) {
            Err(e) if e.is(libc::EOPNOTSUPP) || e.is(libc::EINVAL) => {
                self.flags = 0;
                Ok(())
            }
            other => other,
        }
    }

    fn try_replace<'a>(
        &mut self,
        table: &Table,
        elements: impl IntoIterator<Item = &'a Element>,
    ) -> Result<(), Refused> {
        let there = dump::tables(&mut self.connection, &self.table)?;
        let mut batch = Batch::new(&self.table);
        for family in there {
            batch.delete_table(family);
        }
        batch.add_table(table, self.flags);
        batch.add_elements(elements);
        self.connection.transaction(batch.finish())
    }

    /// Changes elements of the sets.
    pub fn change(&mut self, change: &Change) -> Result<(), Refused> {
        if change.is_empty() {
            return Ok(());
        }
        let mut batch = Batch::new(&self.table);
        batch.delete_elements(&change.remove);
        batch.add_elements(&change.add);
        self.connection.transaction(batch.finish())
    }

    /// What is in our sets now.
    pub fn elements(&mut self) -> Result<Vec<Element>, Refused> {
        dump::elements(&mut self.connection, &self.table)
    }

    /// How many rules each chain of our table has; none: there is no table.
    pub fn rules(&mut self) -> Result<Option<BTreeMap<String, usize>>, Refused> {
        dump::rules(&mut self.connection, &self.table)
    }

    /// Removes our table.
    pub fn remove(&mut self) -> Result<(), Refused> {
        let there = dump::tables(&mut self.connection, &self.table)?;
        let mut batch = Batch::new(&self.table);
        for family in there {
            batch.delete_table(family);
        }
        self.connection.transaction(batch.finish())
    }
}

#[cfg(test)]
#[path = "measure_tests.rs"]
mod measure_tests;
