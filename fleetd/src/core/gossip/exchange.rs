//! Push-pull: two hosts compare what they know and exchange what differs.
//!
//! One asks, the other answers, and remembers nothing between two questions.

pub use super::message::Message;
use super::message::{Row, Versions, What};
use super::node::Node;
use super::record::{Key, Kind, Record, Version};
use super::records::{Heard, Records};
use super::relay::{Shared, lock};
use crate::core::machine_id::MachineId;
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

/// Of a head and of a body, in bytes: a page and the longest names of one more host fit.
pub const MAX_PART: usize = 2 << 20;
/// Hosts in one comparison.
const HOSTS: usize = 512;
/// Bytes of names and numbers in one answer, about, not counting the last host's.
const ROWS: usize = 128 * 1024;
/// Of a row besides its name.
const ROW: usize = 64;
/// Records asked for at once.
const WANTS: usize = 512;
/// Bytes of values in one message, not counting the last one.
const BYTES: usize = 128 * 1024;
/// Questions in one push-pull: no peer keeps a host busy for ever.
const QUESTIONS: u32 = 4_096;

/// What a host knows, as far as a push-pull is concerned.
pub struct Knowledge {
    pub own: Node,
    /// Who is there, itself among them.
    pub members: Vec<(Node, u16)>,
    pub records: Shared,
    /// Who is on the other side, where this one has opened the stream.
    pub peer: Option<MachineId>,
}

impl Knowledge {
    fn hello(&self) -> What {
        let sum = |sum: u64, (node, _): &(Node, u16)| sum.wrapping_add(digest(node));
        let members = self.members.iter().fold(0, sum);
        What::Hello { members, records: lock(&self.records).sum() }
    }

    /// Takes the records of a message.
    fn take(&self, rows: &[Row], mut body: &[u8]) -> BTreeSet<Key> {
        let mut records = lock(&self.records);
        let mut taken = BTreeSet::new();
        for row in rows {
            let value = match row.bytes {
                Some(bytes) => match body.split_at_checked(bytes) {
                    Some((value, rest)) => {
                        body = rest;
                        Some(Arc::from(value))
                    }
                    None => break,
                },
                None => None,
            };
            let version = Version { life: row.life, counter: row.counter };
            let record = Record { key: row.key(), version, value };
            if records.hear(&record, self.peer) != Heard::Refused {
                taken.insert(record.key);
            }
        }
        taken
    }

    /// The answer to a question, and who the asking host says is there.
    pub fn answer(&self, question: &Message) -> (Message, Vec<(Node, u16)>) {
        let mut heard = Vec::new();
        let answer = match &question.what {
            What::Who => Message::new(What::IAm { node: self.own.clone() }),
            What::Hello { .. } => Message::new(self.hello()),
            What::Members { members } => {
                heard.clone_from(members);
                Message::new(What::Members { members: self.members.clone() })
            }
            What::Compare { from, until, sums } => {
                Message::new(differ(&lock(&self.records), *from, *until, sums))
            }
            What::Give { records, wants } => {
                self.take(records, &question.body);
                self.collect(wants.iter().map(Row::key)).0
            }
            What::IAm { .. } | What::Differ { .. } | What::Records { .. } | What::Unknown => {
                Message::new(What::Unknown)
            }
        };
        (answer, heard)
    }

    /// A message with as many of these records as fit, and how many keys were looked at.
    fn collect(&self, keys: impl Iterator<Item = Key>) -> (Message, usize) {
        let records = lock(&self.records);
        let (mut rows, mut body, mut looked) = (Vec::new(), Vec::new(), 0);
        for key in keys.take(WANTS) {
            looked += 1;
            let Some(record) = records.record(&key) else { continue };
            rows.push(Row::of(&record));
            body.extend_from_slice(record.value.as_deref().unwrap_or_default());
            if body.len() >= BYTES {
                break;
            }
        }
        (Message::with_body(What::Records { records: rows }, body), looked)
    }
}

fn differ(
    records: &Records,
    from: MachineId,
    until: Option<MachineId>,
    sums: &[(MachineId, u64)],
) -> What {
    let theirs: BTreeMap<_, _> = sums.iter().copied().collect();
    let ours: BTreeMap<_, _> = records.sums().collect();
    let both: BTreeSet<_> = theirs.keys().chain(ours.keys()).copied().collect();
    let mut hosts = Vec::new();
    let mut bytes = 0;
    for host in both.range(from..).filter(|host| until.is_none_or(|until| **host < until)) {
        if theirs.get(host) == ours.get(host) {
            continue;
        }
        if bytes >= ROWS || hosts.len() >= HOSTS {
            return What::Differ { hosts, next: Some(*host) };
        }
        let versions = records.versions(*host);
        let row = |(kind, name, version): (Kind, &str, Version)| {
            (kind.number(), name.to_owned(), version.life, version.counter)
        };
        let rows: Vec<_> = versions.map(row).collect();
        bytes += rows.iter().map(|(_, name, ..)| ROW + name.len()).sum::<usize>();
        hosts.push(Versions { host: *host, rows });
    }
    What::Differ { hosts, next: None }
}

/// The side that asks.
#[derive(Default)]
pub struct Asking {
    asked: u32,
    /// Whether the members and the records are the same as the other side's.
    same: (bool, bool),
    gives: VecDeque<Key>,
    wants: BTreeSet<Key>,
    /// From which host on the records are still to be compared.
    rest: Option<MachineId>,
    /// The end of the range that was asked about.
    until: Option<MachineId>,
}

impl Asking {
    pub fn first(&mut self, knowledge: &Knowledge) -> Message {
        Message::new(knowledge.hello())
    }

    /// The next question after an answer; none: it is done. Also who the other side says is there.
    pub fn next(
        &mut self,
        knowledge: &Knowledge,
        answer: &Message,
    ) -> (Option<Message>, Vec<(Node, u16)>) {
        self.asked += 1;
        let mut heard = Vec::new();
        match &answer.what {
            What::Hello { members, records } => {
                let What::Hello { members: ours, records: own } = knowledge.hello() else {
                    return (None, heard);
                };
                self.same = (*members == ours, *records == own);
                self.rest = (*records != own).then_some(MachineId(0));
                if *members != ours {
                    let members = knowledge.members.clone();
                    return (Some(Message::new(What::Members { members })), heard);
                }
            }
            What::Members { members } => heard.clone_from(members),
            // The answer to another question, and memory that would grow with each.
            What::Differ { .. } if !self.gives.is_empty() || !self.wants.is_empty() => {
                return (None, heard);
            }
            What::Differ { hosts, next } => {
                self.rest = next.or(self.until);
                for versions in hosts {
                    self.compare(&lock(&knowledge.records), versions);
                }
            }
            What::Records { records } => self.got(knowledge, records, &answer.body),
            What::Who
            | What::IAm { .. }
            | What::Compare { .. }
            | What::Give { .. }
            | What::Unknown => return (None, heard),
        }
        let more = (self.asked < QUESTIONS).then(|| self.question(knowledge)).flatten();
        (more, heard)
    }

    /// What is newer here is given, what is newer there is wanted.
    fn compare(&mut self, records: &Records, theirs: &Versions) {
        let mut only_here: BTreeMap<(Kind, &str), Version> =
            records.versions(theirs.host).map(|(kind, name, at)| ((kind, name), at)).collect();
        let key = |kind, name: &str| Key { host: theirs.host, kind, name: name.to_owned() };
        for (kind, name, life, counter) in &theirs.rows {
            let kind = Kind::from_number(*kind);
            let there = Version { life: *life, counter: *counter };
            let here = only_here.remove(&(kind, name));
            if here.is_none_or(|here| here < there) {
                self.wants.insert(key(kind, name));
            } else if here != Some(there) {
                self.gives.push_back(key(kind, name));
            }
        }
        self.gives.extend(only_here.keys().map(|(kind, name)| key(*kind, name)));
    }

    fn got(&mut self, knowledge: &Knowledge, rows: &[Row], body: &[u8]) {
        knowledge.take(rows, body);
        // What was sent is not asked for again, also if it was refused here. An answer without
        // anything is the end of it.
        for row in rows {
            self.wants.remove(&row.key());
        }
        if rows.is_empty() {
            self.wants.clear();
        }
    }

    fn question(&mut self, knowledge: &Knowledge) -> Option<Message> {
        if !self.gives.is_empty() || !self.wants.is_empty() {
            let (message, looked) = knowledge.collect(self.gives.iter().cloned());
            self.gives.drain(..looked);
            let wants = self.wants.iter().take(WANTS).map(Row::asking).collect();
            let What::Records { records } = message.what else { return None };
            let what = What::Give { records, wants };
            return Some(Message::with_body(what, message.body));
        }
        let from = self.rest.take()?;
        let records = lock(&knowledge.records);
        let mut sums: Vec<_> = records.sums().filter(|(host, _)| *host >= from).collect();
        self.until = sums.get(HOSTS).map(|(host, _)| *host);
        sums.truncate(HOSTS);
        Some(Message::new(What::Compare { from, until: self.until, sums }))
    }
}

/// Of who it is, in which life; not of what may differ from one moment to the next.
fn digest(node: &Node) -> u64 {
    let digest = Sha256::new()
        .chain_update(node.host.0.to_be_bytes())
        .chain_update(node.life.to_be_bytes())
        .chain_update(node.renewal.to_be_bytes())
        .finalize();
    digest.first_chunk().copied().map_or(0, u64::from_be_bytes)
}

#[cfg(test)]
#[path = "exchange_tests.rs"]
mod tests;
