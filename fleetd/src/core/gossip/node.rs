//! Who takes part: a host in one of its lives.

use crate::core::machine_id::MachineId;
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;

/// foca's identity. Of two with the same host the one that wins is the newer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Node {
    #[serde(with = "host")]
    pub host: MachineId,
    /// Which start of the host's fleetd: grows with each, kept by its store.
    pub life: u64,
    /// How often it came back in this life after it was taken for down: SWIM has no way back from
    /// down with the same identity.
    pub renewal: u32,
    /// Where its datagrams go to.
    pub address: SocketAddr,
}

impl Node {
    pub fn new(host: MachineId, life: u64, address: SocketAddr) -> Self {
        Self { host, life, renewal: 0, address }
    }

    /// What two nodes of one host are compared by. The address decides only between two machines
    /// that use one id and have started equally often: everybody has to prefer the same one.
    fn rank(&self) -> (u64, u32, SocketAddr) {
        (self.life, self.renewal, self.address)
    }

    /// Whether it came to be later than another of the same host, or is a second machine with its id.
    pub fn outranks(&self, other: &Self) -> bool {
        self.rank() > other.rank()
    }
}

impl foca::Identity for Node {
    type Addr = MachineId;

    fn renew(&self) -> Option<Self> {
        Some(Self { renewal: self.renewal.checked_add(1)?, ..self.clone() })
    }

    fn addr(&self) -> MachineId {
        self.host
    }

    fn win_addr_conflict(&self, adversary: &Self) -> bool {
        self.outranks(adversary)
    }
}

/// 16 bytes in a packet, 32 digits in text.
mod host {
    use crate::core::machine_id::MachineId;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(super) fn serialize<S: Serializer>(
        host: &MachineId,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            return host.serialize(serializer);
        }
        host.0.to_be_bytes().serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<MachineId, D::Error> {
        if from.is_human_readable() {
            return MachineId::deserialize(from);
        }
        <[u8; 16]>::deserialize(from).map(|bytes| MachineId(u128::from_be_bytes(bytes)))
    }
}
