//! How much is kept of what hosts say.

use super::reason::Reason;
use super::record::{Key, Record};
use super::records::Records;
use std::time::Duration;

/// Above it records are refused and counted.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    pub hosts: usize,
    pub records_per_host: usize,
    /// Names and values.
    pub bytes_per_host: usize,
    /// Of all other hosts together.
    pub records: usize,
    pub bytes: usize,
    /// How long a deletion is remembered: longer than any host is expected to be cut off.
    pub deletions: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            hosts: 5_000,
            records_per_host: 2_048,
            bytes_per_host: 1 << 20,
            records: 500_000,
            bytes: 256 << 20,
            deletions: Duration::from_secs(24 * 3_600),
        }
    }
}

impl Records {
    /// Makes room for a record. Deletions give way, the oldest first: else who tells lies about a host
    /// that it has to delete could keep it from saying anything.
    pub(super) fn make_room(&mut self, record: &Record) -> Result<(), Reason> {
        while !self.has_room(record) {
            let oldest = self.oldest_deletion(&record.key).ok_or(Reason::Limit)?;
            self.take_out(&oldest);
        }
        Ok(())
    }

    fn has_room(&self, record: &Record) -> bool {
        let (host, limits) = (record.key.host, &self.limits);
        let old = self.record(&record.key);
        let more = usize::from(old.is_none());
        let after = |bytes: usize| bytes + record.weight() - old.as_ref().map_or(0, Record::weight);
        let of_host = self.hosts.get(&host);
        let (count, bytes) = of_host.map_or((0, 0), |of| (of.records.len(), of.bytes));
        if count + more > limits.records_per_host || after(bytes) > limits.bytes_per_host {
            return false;
        }
        // Whatever others have filled it with, this host can speak.
        host == self.own
            || (of_host.is_some() || self.hosts.len() < limits.hosts)
                && self.total.0 + more <= limits.records
                && after(self.total.1) <= limits.bytes
    }

    /// Of the host of this key, and not under it.
    fn oldest_deletion(&self, key: &Key) -> Option<Key> {
        let records = self.hosts.get(&key.host)?.records.iter();
        let deletions = records.filter(|((kind, name), held)| {
            held.value.is_none() && (*kind, name) != (key.kind, &key.name)
        });
        let ((kind, name), _) = deletions.min_by_key(|(_, held)| held.version)?;
        Some(Key { host: key.host, kind: *kind, name: name.clone() })
    }
}
