//! The leader lets hosts in, and gives those that are in their next certificates.

use crate::consensus::{self, Consensus};
use crate::core::decided::fleet::{self, Fleet};
use crate::core::decided::{Command, View, machine};
use crate::core::machine_id::MachineId;
use crate::pki::authority::{HOST_VALID, Issued};
use crate::pki::join::{Answer, JoinRequest, Known, NotAdmitted, RenewRequest, admit};
use crate::pki::{self, Authority, Fingerprint, Identity, Request, Trust};
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;

/// To a host that has joined.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Admitted {
    pub answer: Answer,
    pub view: View,
}

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    NotAdmitted(#[from] NotAdmitted),
    #[error(transparent)]
    Pki(#[from] pki::Error),
    #[error(transparent)]
    Consensus(#[from] consensus::Error),
    #[error("join the fleet: {0}")]
    Invalid(String),
    #[error("add user {0}: {1}")]
    User(crate::pki::UserName, String),
}

/// `now`: seconds since the epoch. Answered when it is decided.
pub async fn join(
    consensus: &Consensus,
    request: &JoinRequest,
    now: u64,
) -> Result<Admitted, Error> {
    let csr = Request::read(&request.csr)?;
    let decided = consensus.decided();
    let fleet = decided.fleet.as_ref().ok_or(NO_FLEET)?;
    let machine = request.machine;
    let known = Known {
        record: fleet.tokens.get(&request.token.id()),
        host: decided.machines.get(&machine).and_then(|machine| machine.key.as_ref()),
        revoked: &fleet.revoked,
    };
    admit(request, &csr, known, now)?;
    let address: SocketAddr = request.facts.address.parse().map_err(|_| {
        Error::Invalid(format!("its address {:?} is no ADDRESS:PORT", request.facts.address))
    })?;
    let at = address.to_string();
    let taken = decided.machines.iter().find(|(id, other)| **id != machine && other.address == at);
    if let Some((other, _)) = taken {
        let cause = format!("host {other} is reached at {at}; is that one to be removed first?");
        return Err(Error::Invalid(cause));
    }
    let key = csr.fingerprint();
    let issued = issue(fleet, &csr, machine, now)?;
    let spend = fleet::Command::Spend { token: request.token.id(), machine, key };
    let mut commands = vec![spend.into(), joins(machine, at, key)];
    if request.facts.witness {
        commands.push(machine::Command::Cordon { machine, cordoned: true }.into());
    }
    consensus.propose(Command::All(commands)).await?;
    answer(consensus, &issued)
}

/// For a host that is in the fleet.
pub async fn renew(
    consensus: &Consensus,
    machine: MachineId,
    request: &RenewRequest,
    now: u64,
) -> Result<Admitted, Error> {
    let csr = Request::read(&request.csr)?;
    let decided = consensus.decided();
    let fleet = decided.fleet.as_ref().ok_or(NO_FLEET)?;
    let unknown =
        consensus::Error::Refused(crate::core::decided::Refusal::UnknownMachine { machine });
    let address = decided.machines.get(&machine).ok_or(unknown)?.address.clone();
    let issued = issue(fleet, &csr, machine, now)?;
    consensus.propose(joins(machine, address, csr.fingerprint())).await?;
    answer(consensus, &issued)
}

const NO_FLEET: Error =
    Error::Consensus(consensus::Error::Refused(crate::core::decided::Refusal::NoFleet));

fn issue(fleet: &Fleet, csr: &Request, machine: MachineId, now: u64) -> Result<Issued, pki::Error> {
    let authority = Authority::read(&fleet.authority, &fleet.authority_key.0)?;
    authority.issue(csr, &Identity::Host(machine), HOST_VALID, now)
}

fn joins(machine: MachineId, address: String, key: Fingerprint) -> Command {
    machine::Command::Join { machine, address, key: Some(key) }.into()
}

fn answer(consensus: &Consensus, issued: &Issued) -> Result<Admitted, Error> {
    let view = consensus.decided().view().ok_or(NO_FLEET)?;
    let trust = Trust { bundle: view.bundle.clone(), revoked: view.revoked.clone() };
    Ok(Admitted { answer: Answer::new(issued, &trust), view })
}
