//! The messages of a push-pull: a head in JSON, which later versions may add to, and a body with the
//! values of the records that the head names, one after the other.

use super::node::Node;
use super::record::{Key, Kind, Record, Version};
use crate::core::machine_id::MachineId;
use serde::{Deserialize, Serialize};

const VERSION: u32 = 1;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Message {
    /// Of the sender. A later one may have fields and kinds that this one does not know.
    version: u32,
    #[serde(flatten)]
    pub(super) what: What,
    #[serde(skip)]
    pub(super) body: Vec<u8>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "kebab-case")]
pub(super) enum What {
    /// Who are you?
    Who,
    IAm {
        node: Node,
    },
    /// Sums that are equal where everything is.
    Hello {
        members: u64,
        records: u64,
    },
    /// Who is there; answered with the same.
    Members {
        members: Vec<(Node, u16)>,
    },
    /// The sums of all hosts from the first to before the last that the sender has records of.
    Compare {
        from: MachineId,
        until: Option<MachineId>,
        sums: Vec<(MachineId, u64)>,
    },
    /// The versions of hosts with other sums. With `next`, only hosts before that one were looked at.
    Differ {
        hosts: Vec<Versions>,
        next: Option<MachineId>,
    },
    /// Records for the other side, and which ones are wanted from it.
    Give {
        records: Vec<Row>,
        wants: Vec<Row>,
    },
    /// Answers `Give`, with some at least of what was wanted.
    Records {
        records: Vec<Row>,
    },
    /// Of a later version; answered with the same.
    #[serde(other)]
    Unknown,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Versions {
    pub(super) host: MachineId,
    /// Kind, name, and both numbers of the version.
    pub(super) rows: Vec<(u8, String, u64, u64)>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Row {
    pub(super) host: MachineId,
    pub(super) kind: u8,
    pub(super) name: String,
    #[serde(default)]
    pub(super) life: u64,
    #[serde(default)]
    pub(super) counter: u64,
    /// How many bytes of the body are its value; none: it is deleted, or only asked for.
    #[serde(default)]
    pub(super) bytes: Option<usize>,
}

impl Row {
    pub(super) fn of(record: &Record) -> Self {
        let Version { life, counter } = record.version;
        let bytes = record.value.as_ref().map(|value| value.len());
        Self { life, counter, bytes, ..Self::asking(&record.key) }
    }

    pub(super) fn asking(key: &Key) -> Self {
        let (kind, name) = (key.kind.number(), key.name.clone());
        Self { host: key.host, kind, name, life: 0, counter: 0, bytes: None }
    }

    pub(super) fn key(&self) -> Key {
        Key { host: self.host, kind: Kind::from_number(self.kind), name: self.name.clone() }
    }
}

impl Message {
    pub(super) fn new(what: What) -> Self {
        Self::with_body(what, Vec::new())
    }

    pub(super) fn with_body(what: What, body: Vec<u8>) -> Self {
        Self { version: VERSION, what, body }
    }

    /// The question of a check.
    pub fn who() -> Self {
        Self::new(What::Who)
    }

    pub fn asks_who(&self) -> bool {
        self.what == What::Who
    }

    /// As whom the other side answers the question of a check.
    pub fn is_from(self) -> Option<Node> {
        if let What::IAm { node } = self.what { Some(node) } else { None }
    }

    /// Head and body.
    pub fn encode(&self) -> Result<(Vec<u8>, &[u8]), serde_json::Error> {
        Ok((serde_json::to_vec(self)?, &self.body))
    }

    pub fn decode(head: &[u8], body: Vec<u8>) -> Result<Self, serde_json::Error> {
        Ok(Self { body, ..serde_json::from_slice(head)? })
    }
}
