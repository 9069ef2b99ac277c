//! A fleet of one becomes one that others can join.

use super::identity::Identity;
use crate::agent::place::Place;
use crate::consensus::Consensus;
use crate::core::decided::fleet::{self, Fleet, Secret};
use crate::core::decided::{Command, Decided, machine};
use crate::core::machine_id::MachineId;
use crate::pki::authority::{HOST_VALID, new_fleet_id};
use crate::pki::signed::Signer;
use crate::pki::{self, Authority, Bundle, Key, Request, key};
use std::net::SocketAddr;

/// Decides the fleet, and keeps what makes this host its first. After a crash in between it may be
/// done again.
pub async fn found(
    consensus: &Consensus,
    place: &Place,
    machine: MachineId,
    address: SocketAddr,
    now: u64,
) -> Result<Identity, String> {
    let known = consensus.decided().fleet.clone();
    let mut commands: Vec<Command> = Vec::new();
    let fleet = match known {
        Some(fleet) => fleet.as_ref().clone(),
        None => {
            let fleet = new(machine, now).map_err(|e| e.to_string())?;
            commands.push(fleet::Command::Found(Box::new(fleet.clone())).into());
            fleet
        }
    };
    let key = Key::generate().map_err(|e| e.to_string())?;
    let certificate = certify(&fleet, machine, &key, now).map_err(|e| e.to_string())?;
    let (at, key_print) = (address.to_string(), Some(key.fingerprint()));
    commands.push(machine::Command::Join { machine, address: at, key: key_print }.into());
    consensus.propose(Command::All(commands)).await.map_err(|e| e.to_string())?;
    let view = consensus.decided().view().ok_or("found a fleet: it was not decided")?;
    let key = Secret(key.pem());
    let identity = Identity { machine, certificate, key, address, view, fresh: false };
    identity.write(place)?;
    Ok(identity)
}

/// This host is to be the first one of a fleet that is lost but for a backup.
pub fn again(
    backup: &Decided,
    machine: MachineId,
    address: SocketAddr,
    now: u64,
) -> Result<Identity, String> {
    let fleet = backup.fleet.as_deref().ok_or("the backup is of no fleet")?;
    let view = backup.view().ok_or("the backup is of no fleet")?;
    let key = Key::generate().map_err(|e| e.to_string())?;
    let certificate = certify(fleet, machine, &key, now).map_err(|e| e.to_string())?;
    Ok(Identity { machine, certificate, key: Secret(key.pem()), address, view, fresh: false })
}

fn new(machine: MachineId, now: u64) -> Result<Fleet, pki::Error> {
    let id = new_fleet_id()?;
    let authority = Authority::create(&id, now)?;
    let (signer, signer_public) = Signer::generate()?;
    Ok(Fleet {
        id,
        authority: authority.certificate_pem(),
        authority_key: Secret(authority.key_pem().to_owned()),
        bundle: Bundle::new(vec![authority.certificate().clone()])?,
        revoked: Default::default(),
        gossip_keys: vec![Secret(key::random_hex()?)],
        signer: Secret(signer),
        signer_public,
        voters: [machine].into(),
        tokens: Default::default(),
        users: Default::default(),
        hosts_may: crate::pki::Role::Admin,
        rotation: None,
    })
}

fn certify(fleet: &Fleet, machine: MachineId, key: &Key, now: u64) -> Result<String, pki::Error> {
    let authority = Authority::read(&fleet.authority, &fleet.authority_key.0)?;
    let identity = pki::Identity::Host(machine);
    let request = Request::read(&Request::make(key, None)?)?;
    authority.issue(&request, &identity, HOST_VALID, now).map(|issued| issued.pem())
}
