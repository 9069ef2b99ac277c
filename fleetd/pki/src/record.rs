//! What the fleet keeps of a join token, and whether a token may be used. Pure: the time is given.

use super::key::Fingerprint;
use super::name::MachineId;
use super::refusal::at;
use super::token::{SecretHash, Token, TokenId};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use subtle::ConstantTimeEq;

/// One token, without its secret. Part of what the fleet has decided.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    pub id: TokenId,
    hash: SecretHash,
    /// Of whom a joining host expects the certificate. A token does not outlive its authority.
    pub authority: Fingerprint,
    /// Seconds since the epoch, as all times here.
    pub created: u64,
    /// The first second in which it is of no use.
    pub expires: u64,
    /// How many hosts may join with it. None: any number.
    pub uses: Option<u32>,
    pub revoked: bool,
    /// Who has joined with it, and with which key: one of them that asks again, since the answer
    /// was lost, uses nothing up.
    #[serde(default)]
    pub joined: BTreeMap<MachineId, Fingerprint>,
}

/// That a token may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Accepted {
    /// To be counted with [`Record::spend`], in the same decision as the join.
    New,
    /// The same host with the same key: counted already.
    Again,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Rejected {
    /// No such id, or a wrong secret: which of the two is told to nobody.
    #[error("use join token: the fleet knows no such token")]
    Unknown,
    #[error("use join token {0}: it was revoked")]
    Revoked(TokenId),
    #[error("use join token {0}: it expired at {time}; make a new one (fleetctl token create)", time = at(*.1))]
    Expired(TokenId, u64),
    #[error(
        "use join token {0}: it was for {1} hosts and they have joined; make a new one (fleetctl token create)"
    )]
    UsedUp(TokenId, u32),
}

impl Record {
    /// `valid_for`: seconds.
    pub fn new(token: &Token, valid_for: u64, uses: Option<u32>, now: u64) -> Self {
        Self {
            id: token.id(),
            hash: token.hash(),
            authority: token.authority(),
            created: now,
            expires: now.saturating_add(valid_for),
            uses,
            revoked: false,
            joined: BTreeMap::new(),
        }
    }

    /// One host has joined.
    pub fn spend(&mut self, machine: MachineId, key: Fingerprint) {
        self.joined.insert(machine, key);
    }

    /// The same where it may be; false: so many hosts have joined already.
    pub fn spend_once(&mut self, machine: MachineId, key: Fingerprint) -> bool {
        let again = self.joined.get(&machine) == Some(&key);
        if !again && self.is_used_up().is_some() {
            return false;
        }
        self.spend(machine, key);
        true
    }

    /// Nobody can use it any more: it may be forgotten.
    pub fn is_over(&self, now: u64) -> bool {
        self.revoked || now >= self.expires
    }

    fn is_used_up(&self) -> Option<u32> {
        let uses = self.uses?;
        (self.joined.len() >= usize::try_from(uses).unwrap_or(usize::MAX)).then_some(uses)
    }
}

/// Whether a token is good for a host with this id and key. `record`: the one with the token's id.
///
/// What is wrong with a token is told only to who has its secret.
pub fn check(
    token: &Token,
    record: Option<&Record>,
    machine: &MachineId,
    key: &Fingerprint,
    now: u64,
) -> Result<Accepted, Rejected> {
    let record = record.filter(|record| record.id == token.id()).ok_or(Rejected::Unknown)?;
    if !bool::from(record.hash.0.ct_eq(&token.hash().0)) {
        return Err(Rejected::Unknown);
    }
    if record.revoked {
        return Err(Rejected::Revoked(record.id));
    }
    if now >= record.expires {
        return Err(Rejected::Expired(record.id, record.expires));
    }
    if record.joined.get(machine) == Some(key) {
        return Ok(Accepted::Again);
    }
    match record.is_used_up() {
        Some(uses) => Err(Rejected::UsedUp(record.id, uses)),
        None => Ok(Accepted::New),
    }
}
