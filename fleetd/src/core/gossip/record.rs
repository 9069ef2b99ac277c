//! What a host says about itself: one small fact with a version.
//!
//! On the wire, numbers big-endian: format (1), kind (1), host (16), life (8), counter (8), deleted
//! (1: 0 or 1), length of the name (1), name, value.

use super::reason::Reason;
use crate::core::machine_id::MachineId;
use std::sync::Arc;

const FORMAT: u8 = 1;
const FIXED: usize = 36;
/// Of a name, in bytes.
pub const MAX_NAME: usize = 255;
/// Of a value, in bytes. Values that make a record of more than [`MAX_BROADCAST`] travel by
/// push-pull only.
pub const MAX_VALUE: usize = 64 * 1024;
/// Of a record that goes along with packets.
pub const MAX_BROADCAST: usize = 1_000;
/// Of either number of a version.
const MAX_NUMBER: u64 = 1 << 62;
/// Behind it the next life begins.
pub(super) const LAST_COUNTER: u64 = MAX_NUMBER - 1_000_000;
/// A host's life is believed by hearsay up to so far above the last one that is known: more than a
/// hundred years of a start a second. A host that has to outdo a wrong one always can.
pub(super) const LEAP: u64 = 1 << 32;

/// What a record tells. Kinds of later versions are kept and passed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Processors, memory, metadata.
    Capacity,
    /// The state of a unit.
    Unit,
    Endpoint,
    /// An image that it holds.
    Image,
    /// The digest of a host's assignment set: by the voters, about any host. Its version is
    /// (generation, index), and the newer one wins, whoever brings it.
    Set,
    /// The host leaves on purpose, in the life that the value names.
    Leave,
    /// Which assignment set it has taken over.
    Obeys,
    /// Its part in the Raft group.
    Raft,
    /// The newest step of a unit's start.
    Step,
    /// Whose certificate it shows.
    Certificate,
    Other(u8),
}

impl Kind {
    pub fn number(self) -> u8 {
        match self {
            Self::Capacity => 1,
            Self::Unit => 2,
            Self::Endpoint => 3,
            Self::Image => 4,
            Self::Set => 5,
            Self::Leave => 6,
            Self::Obeys => 7,
            Self::Raft => 8,
            Self::Step => 9,
            Self::Certificate => 10,
            Self::Other(number) => number,
        }
    }

    pub fn from_number(number: u8) -> Self {
        match number {
            1 => Self::Capacity,
            2 => Self::Unit,
            3 => Self::Endpoint,
            4 => Self::Image,
            5 => Self::Set,
            6 => Self::Leave,
            7 => Self::Obeys,
            8 => Self::Raft,
            9 => Self::Step,
            10 => Self::Certificate,
            other => Self::Other(other),
        }
    }
}

/// Which fact.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    /// Whom it is about, and who wrote it (but for [`Kind::Set`]).
    pub host: MachineId,
    pub kind: Kind,
    /// Of a unit, an endpoint, an image; empty where a host has one fact of the kind.
    pub name: String,
}

/// The later one wins. For [`Kind::Set`]: generation and index.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version {
    pub life: u64,
    pub counter: u64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    pub key: Key,
    pub version: Version,
    /// None: it is deleted.
    pub value: Option<Arc<[u8]>>,
}

impl Record {
    /// Whether every part is within its limit.
    pub(super) fn check(&self) -> Result<(), Reason> {
        let numbers = self.version.life < MAX_NUMBER && self.version.counter < MAX_NUMBER;
        let value = self.value.as_ref().is_none_or(|value| value.len() <= MAX_VALUE);
        // The head of a push-pull holds names in JSON, where a control character takes six bytes.
        let name = self.key.name.len() <= MAX_NAME && !self.key.name.contains(char::is_control);
        if numbers && value && name { Ok(()) } else { Err(Reason::BadRecord) }
    }

    /// In bytes, as it is broadcast.
    pub(super) fn size(&self) -> usize {
        FIXED + self.weight()
    }

    /// What it takes of its host's bytes.
    pub(super) fn weight(&self) -> usize {
        self.key.name.len() + self.value.as_ref().map_or(0, |value| value.len())
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let value = self.value.as_deref().unwrap_or_default();
        let mut bytes = Vec::with_capacity(FIXED + self.key.name.len() + value.len());
        bytes.extend_from_slice(&[FORMAT, self.key.kind.number()]);
        bytes.extend_from_slice(&self.key.host.0.to_be_bytes());
        bytes.extend_from_slice(&self.version.life.to_be_bytes());
        bytes.extend_from_slice(&self.version.counter.to_be_bytes());
        // `check` has seen to it that the length fits.
        let name = u8::try_from(self.key.name.len()).unwrap_or(u8::MAX);
        bytes.extend_from_slice(&[u8::from(self.value.is_none()), name]);
        bytes.extend_from_slice(self.key.name.as_bytes());
        bytes.extend_from_slice(value);
        bytes
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, Reason> {
        Self::read(bytes)
            .ok_or(Reason::BadRecord)
            .and_then(|record| record.check().map(|()| record))
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        let ([format, kind], rest) = bytes.split_first_chunk()?;
        let (host, rest) = rest.split_first_chunk()?;
        let (life, rest) = rest.split_first_chunk()?;
        let (counter, rest) = rest.split_first_chunk()?;
        let ([deleted, length], rest) = rest.split_first_chunk()?;
        let (name, value) = rest.split_at_checked((*length).into())?;
        let value = match deleted {
            0 => Some(Arc::from(value)),
            1 if value.is_empty() => None,
            _ => return None,
        };
        if *format != FORMAT {
            return None;
        }
        let key = Key {
            host: MachineId(u128::from_be_bytes(*host)),
            kind: Kind::from_number(*kind),
            name: str::from_utf8(name).ok()?.to_owned(),
        };
        let version =
            Version { life: u64::from_be_bytes(*life), counter: u64::from_be_bytes(*counter) };
        Some(Self { key, version, value })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn record(kind: u8, name: &str, value: Option<&[u8]>) -> Record {
        Record {
            key: Key { host: MachineId(5), kind: Kind::from_number(kind), name: name.to_owned() },
            version: Version { life: 3, counter: 4 },
            value: value.map(Arc::from),
        }
    }

    #[test]
    fn a_record_is_read_as_it_was_written_also_of_a_kind_that_is_not_known() {
        for kind in 0..=255 {
            for value in [None, Some(b"".as_slice()), Some(b"value")] {
                let record = record(kind, "web@1.container", value);
                assert_eq!(Record::decode(&record.encode()), Ok(record));
            }
        }
    }

    #[test]
    fn what_is_above_a_limit_is_refused() {
        let mut of_the_end_of_time = record(1, "", None);
        of_the_end_of_time.version.life = u64::MAX;
        let large = record(1, "", Some(&vec![0; MAX_VALUE + 1]));
        for record in [of_the_end_of_time, large] {
            assert_eq!(Record::decode(&record.encode()), Err(Reason::BadRecord));
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            if let Ok(record) = Record::decode(&bytes) {
                prop_assert_eq!(record.encode(), bytes);
            }
        }
    }
}
