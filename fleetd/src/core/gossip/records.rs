//! All records that this host knows: its own, and what others said of themselves.
//!
//! The rules: a host's records are written by that host alone, with a version that grows; the
//! higher one wins wherever two meet. What a host hears about itself and did not write (of an
//! earlier life, or made up) it answers with a higher version of what is true. A deletion is a
//! record, too, and is forgotten after a time.

use super::limits::Limits;
use super::reason::{Dropped, Reason};
use super::record::{Key, Kind, LAST_COUNTER, LEAP, MAX_BROADCAST, Record, Version};
use super::set_digest;
use crate::core::machine_id::MachineId;
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

#[derive(Debug, Clone)]
pub(super) struct Held {
    pub(super) version: Version,
    pub(super) value: Option<Arc<[u8]>>,
    since: Duration,
}

#[derive(Debug, Default)]
pub(super) struct OfHost {
    pub(super) records: BTreeMap<(Kind, String), Held>,
    pub(super) bytes: usize,
    /// The sum of the digests of all its records and versions.
    sum: u64,
    /// The latest life that it has written in, as far as is known.
    life: u64,
}

#[derive(Debug)]
pub struct Records {
    pub(super) own: MachineId,
    life: u64,
    counter: u64,
    /// The public halves of the keys that digests of sets may be signed with; none: nobody has said it yet.
    pub(super) signers: Vec<String>,
    pub(super) limits: Limits,
    pub(super) hosts: BTreeMap<MachineId, OfHost>,
    /// How many records of all hosts there are, and their bytes.
    pub(super) total: (usize, usize),
    /// Changed since the last [`Records::take_changed`].
    changed: BTreeSet<Key>,
    /// To be broadcast, since the last [`Records::take_unsent`].
    unsent: BTreeSet<Key>,
    /// Written here, since the last [`Records::take_written`].
    written: BTreeSet<Key>,
    pub(super) dropped: Dropped,
    /// Whether a record came that is too large to be passed on by broadcast.
    large: bool,
    /// Whether heard records are passed on: not while too many wait.
    pub(super) relays: bool,
    pub(super) now: Duration,
}

/// What became of a record that was heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Heard {
    New,
    /// It was known, or is older than what is known.
    Known,
    Refused,
}

impl Records {
    pub(super) fn new(own: MachineId, life: u64, limits: Limits) -> Self {
        Self {
            own,
            life,
            counter: 0,
            signers: Vec::new(),
            limits,
            hosts: BTreeMap::new(),
            total: (0, 0),
            changed: BTreeSet::new(),
            unsent: BTreeSet::new(),
            written: BTreeSet::new(),
            dropped: Dropped::default(),
            large: false,
            relays: true,
            now: Duration::ZERO,
        }
    }

    /// Writes a record of this host; none: deletes it. Refused above a limit.
    pub(super) fn write(
        &mut self,
        kind: Kind,
        name: &str,
        value: Option<&[u8]>,
    ) -> Result<(), Reason> {
        let key = Key { host: self.own, kind, name: name.to_owned() };
        let same = |held: &Held| held.value.as_deref() == value;
        if self.held(&key).map_or(value.is_none(), same) {
            return Ok(());
        }
        self.counter += 1;
        let version = Version { life: self.life, counter: self.counter };
        self.store_written(Record { key, version, value: value.map(Arc::from) })
    }

    /// Writes the digest of a host's assignment set. An older one than is known changes nothing.
    pub(super) fn write_set(
        &mut self,
        host: MachineId,
        version: Version,
        value: &[u8],
    ) -> Result<(), Reason> {
        let key = Key { host, kind: Kind::Set, name: String::new() };
        let record = Record { key, version, value: Some(Arc::from(value)) };
        if self.version(&record.key).is_some_and(|known| known >= version) {
            return Ok(());
        }
        self.store_written(record)
    }

    fn store_written(&mut self, record: Record) -> Result<(), Reason> {
        self.store(&record)?;
        self.unsent.insert(record.key.clone());
        self.written.insert(record.key);
        Ok(())
    }

    /// Takes what another host passed on. `from`: who it surely comes from.
    pub(super) fn hear(&mut self, record: &Record, from: Option<MachineId>) -> Heard {
        let refuse = |this: &mut Self, reason| {
            this.dropped.count(reason);
            Heard::Refused
        };
        if let Err(reason) = record.check() {
            return refuse(self, reason);
        }
        if let Err(reason) = self.believe(record, from) {
            return refuse(self, reason);
        }
        if record.key.host == self.own && record.key.kind != Kind::Set {
            self.hear_own(record);
            return Heard::Known;
        }
        if self.version(&record.key).is_some_and(|known| known >= record.version) {
            return Heard::Known;
        }
        match self.store(record) {
            Ok(()) => {
                self.large |= record.size() > MAX_BROADCAST;
                Heard::New
            }
            Err(reason) => refuse(self, reason),
        }
    }

    /// Digests of sets are the voters', whoever brings them. Of a host itself each says what it likes, and
    /// others no more than it can outdo.
    fn believe(&self, record: &Record, from: Option<MachineId>) -> Result<(), Reason> {
        let Key { host, kind, .. } = record.key;
        if kind == Kind::Set {
            let is_known = self.version(&record.key).is_some_and(|known| known >= record.version);
            let is_signed = || self.signers.iter().any(|key| set_digest::is_signed(record, key));
            return match is_known || self.signers.is_empty() || is_signed() {
                true => Ok(()),
                false => Err(Reason::Unsigned),
            };
        }
        let known = match host == self.own {
            true => self.life,
            false => self.hosts.get(&host).map_or(0, |of_host| of_host.life),
        };
        match from == Some(host) || record.version.life <= known.saturating_add(LEAP) {
            true => Ok(()),
            false => Err(Reason::Unbelievable),
        }
    }

    /// Somebody has a record of this host: unless it is the current one, the current one is sent
    /// again, above the version that was heard.
    fn hear_own(&mut self, heard: &Record) {
        let held = self.held(&heard.key);
        if held.is_some_and(|held| held.version == heard.version && held.value == heard.value) {
            return;
        }
        let value = held.and_then(|held| held.value.clone());
        if held.is_none_or(|held| held.version <= heard.version) {
            if heard.version.life > self.life {
                self.life = heard.version.life + 1;
            } else if heard.version.life == self.life {
                self.counter = self.counter.max(heard.version.counter);
            }
            if self.counter > LAST_COUNTER {
                (self.life, self.counter) = (self.life + 1, 0);
            }
            self.counter += 1;
            let version = Version { life: self.life, counter: self.counter };
            let key = heard.key.clone();
            if let Err(reason) = self.store(&Record { key, version, value }) {
                self.dropped.count(reason);
            }
        }
        self.unsent.insert(heard.key.clone());
    }

    fn store(&mut self, record: &Record) -> Result<(), Reason> {
        record.check()?;
        self.make_room(record)?;
        self.take_out(&record.key);
        let Key { host, kind, name } = &record.key;
        let of_host = self.hosts.entry(*host).or_default();
        of_host.bytes += record.weight();
        if *kind != Kind::Set {
            of_host.life = of_host.life.max(record.version.life);
        }
        of_host.sum = of_host.sum.wrapping_add(digest(&record.key, record.version));
        let held = Held { version: record.version, value: record.value.clone(), since: self.now };
        of_host.records.insert((*kind, name.clone()), held);
        self.total = (self.total.0 + 1, self.total.1 + record.weight());
        self.changed.insert(record.key.clone());
        Ok(())
    }

    pub(super) fn take_out(&mut self, key: &Key) {
        let Some(record) = self.record(key) else { return };
        let Some(of_host) = self.hosts.get_mut(&key.host) else { return };
        of_host.records.remove(&(key.kind, key.name.clone()));
        of_host.bytes -= record.weight();
        of_host.sum = of_host.sum.wrapping_sub(digest(key, record.version));
        self.total = (self.total.0 - 1, self.total.1 - record.weight());
    }

    fn held(&self, key: &Key) -> Option<&Held> {
        self.hosts.get(&key.host)?.records.get(&(key.kind, key.name.clone()))
    }

    pub(super) fn version(&self, key: &Key) -> Option<Version> {
        self.held(key).map(|held| held.version)
    }

    /// A record, also of a deletion.
    pub(super) fn record(&self, key: &Key) -> Option<Record> {
        let held = self.held(key)?;
        Some(Record { key: key.clone(), version: held.version, value: held.value.clone() })
    }

    /// What is known under a key; none: nothing, or it is deleted.
    pub fn value(&self, key: &Key) -> Option<(Version, Arc<[u8]>)> {
        let held = self.held(key)?;
        Some((held.version, Arc::clone(held.value.as_ref()?)))
    }

    /// All records of a kind, by host and name.
    pub fn of_kind(&self, kind: Kind) -> impl Iterator<Item = Record> {
        self.hosts.iter().flat_map(move |(host, of_host)| of_kind(*host, of_host, kind))
    }

    /// The records of a kind of one host, by name.
    pub fn of_host(&self, host: MachineId, kind: Kind) -> impl Iterator<Item = Record> {
        self.hosts.get(&host).into_iter().flat_map(move |of_host| of_kind(host, of_host, kind))
    }

    /// Every host that has records, with the sum that is equal where its records are.
    pub(super) fn sums(&self) -> impl Iterator<Item = (MachineId, u64)> {
        self.hosts.iter().map(|(host, of_host)| (*host, of_host.sum))
    }

    /// Equal where all records are.
    pub fn sum(&self) -> u64 {
        self.sums().fold(0, |sum, (_, of_host)| sum.wrapping_add(of_host))
    }

    /// All keys of a host with their versions.
    pub(super) fn versions(&self, host: MachineId) -> impl Iterator<Item = (Kind, &str, Version)> {
        let records = self.hosts.get(&host).into_iter().flat_map(|of_host| &of_host.records);
        records.map(|((kind, name), held)| (*kind, name.as_str(), held.version))
    }

    /// Whether the host said that it leaves, in this life.
    pub(super) fn left_in(&self, host: MachineId, life: u64) -> bool {
        let key = Key { host, kind: Kind::Leave, name: String::new() };
        // Not the version's: it may have had to outdo another one.
        self.value(&key).is_some_and(|(_, said)| *said == *life.to_string().as_bytes())
    }

    pub(super) fn take_changed(&mut self) -> BTreeSet<Key> {
        std::mem::take(&mut self.changed)
    }

    pub(super) fn has_written(&self) -> bool {
        !self.written.is_empty()
    }

    /// What was written on this host, to be told at once.
    pub(super) fn take_written(&mut self) -> Vec<Record> {
        let keys = std::mem::take(&mut self.written);
        keys.iter().filter_map(|key| self.record(key)).collect()
    }

    /// What this host has to broadcast, as it goes out; and whether there is something, of this host
    /// or of another, that is too large for it and needs push-pulls.
    pub(super) fn take_unsent(&mut self) -> (Vec<Vec<u8>>, bool) {
        let keys = std::mem::take(&mut self.unsent);
        let all = keys.iter().filter_map(|key| self.record(key));
        let (small, large): (Vec<_>, Vec<_>) =
            all.partition(|record| record.size() <= MAX_BROADCAST);
        let news = std::mem::take(&mut self.large) || !large.is_empty();
        (small.iter().map(Record::encode).collect(), news)
    }

    /// Forgets old deletions, and hosts that `is_known` does not want.
    pub(super) fn purge(&mut self, is_known: impl Fn(MachineId) -> bool) {
        let (own, limit, now) = (self.own, self.limits.deletions, self.now);
        self.hosts.retain(|host, _| *host == own || is_known(*host));
        for (host, of_host) in &mut self.hosts {
            let OfHost { records, bytes, sum, .. } = of_host;
            records.retain(|(kind, name), held| {
                let stays = held.value.is_some() || now.saturating_sub(held.since) < limit;
                if !stays {
                    let key = Key { host: *host, kind: *kind, name: name.clone() };
                    *sum = sum.wrapping_sub(digest(&key, held.version));
                    *bytes -= name.len();
                }
                stays
            });
        }
        self.hosts.retain(|_, of_host| !of_host.records.is_empty());
        self.total = self.size();
    }

    /// How many records and bytes are held.
    pub fn size(&self) -> (usize, usize) {
        self.hosts.values().fold((0, 0), |(count, bytes), of_host| {
            (count + of_host.records.len(), bytes + of_host.bytes)
        })
    }
}

fn of_kind(host: MachineId, of_host: &OfHost, kind: Kind) -> impl Iterator<Item = Record> {
    let from = of_host.records.range((kind, String::new())..);
    from.take_while(move |((of, _), _)| *of == kind).filter_map(move |((_, name), held)| {
        let key = Key { host, kind, name: name.clone() };
        Some(Record { key, version: held.version, value: Some(held.value.clone()?) })
    })
}

/// Of a key and a version: what is equal has the same value under it, since one host wrote both.
fn digest(key: &Key, version: Version) -> u64 {
    let digest = Sha256::new()
        .chain_update(key.host.0.to_be_bytes())
        .chain_update([key.kind.number()])
        .chain_update(version.life.to_be_bytes())
        .chain_update(version.counter.to_be_bytes())
        .chain_update(key.name.as_bytes())
        .finalize();
    digest.first_chunk().copied().map_or(0, u64::from_be_bytes)
}

#[cfg(test)]
#[path = "records_tests.rs"]
mod tests;
