//! The leader gives users their certificates. Their keys it never sees.

use super::admit::Error;
use crate::consensus::{self, Consensus};
use crate::core::decided::user::{Certificate, Command, User};
use crate::core::decided::{Command as Any, Fleet, Refusal, fleet};
use crate::pki::authority::Issued;
use crate::pki::{Authority, Identity, Request, Role, UserName};

/// Names that stand for users of a host itself.
const OF_HOSTS: &str = "uid-";

/// Somebody who is to be a user. `valid_for`: seconds.
pub struct New<'a> {
    pub name: UserName,
    pub role: Role,
    pub valid_for: u64,
    /// PEM.
    pub csr: &'a str,
}

/// Answered when it is decided. `now`: seconds since the epoch.
pub async fn add(consensus: &Consensus, new: New<'_>, now: u64) -> Result<Issued, Error> {
    let New { name, role, valid_for, csr } = new;
    if name.as_str().starts_with(OF_HOSTS) {
        let cause = format!("names with `{OF_HOSTS}` are those of users of a host itself");
        return Err(Error::User(name, cause));
    }
    let identity = Identity::user(name.clone(), role);
    let issued = issue(fleet_of(consensus)?.as_ref(), csr, &identity, valid_for, now)?;
    let certificate = certificate(&issued);
    decide(consensus, Command::Add { name, role, valid_for, certificate, now }).await?;
    Ok(issued)
}

/// The next certificate of a user, in the same role and for as long as the first one.
pub async fn renew(
    consensus: &Consensus,
    name: UserName,
    csr: &str,
    now: u64,
) -> Result<Issued, Error> {
    let fleet = fleet_of(consensus)?;
    let User { role, valid_for, .. } = *known(&fleet, &name)?;
    let identity = Identity::user(name.clone(), role);
    let issued = issue(fleet.as_ref(), csr, &identity, valid_for, now)?;
    let certificate = certificate(&issued);
    decide(consensus, Command::Renew { name, certificate, now }).await?;
    Ok(issued)
}

/// Nobody lets it in any more, whatever it shows.
pub async fn revoke(consensus: &Consensus, name: UserName, now: u64) -> Result<(), Error> {
    Ok(decide(consensus, Command::Revoke { name, now }).await?)
}

fn known<'a>(fleet: &'a Fleet, name: &UserName) -> Result<&'a User, consensus::Error> {
    let unknown = Refusal::UnknownUser { name: name.clone() };
    fleet.users.get(name).ok_or(consensus::Error::Refused(unknown))
}

fn fleet_of(consensus: &Consensus) -> Result<std::sync::Arc<Fleet>, consensus::Error> {
    consensus.decided().fleet.clone().ok_or(consensus::Error::Refused(Refusal::NoFleet))
}

fn issue(
    fleet: &Fleet,
    csr: &str,
    identity: &Identity,
    valid_for: u64,
    now: u64,
) -> Result<Issued, Error> {
    let request = Request::read(csr)?;
    let authority = Authority::read(&fleet.authority, &fleet.authority_key.0)?;
    Ok(authority.issue(&request, identity, valid_for, now)?)
}

fn certificate(issued: &Issued) -> Certificate {
    Certificate { serial: issued.serial.clone(), not_after: issued.validity.not_after }
}

async fn decide(consensus: &Consensus, command: Command) -> Result<(), consensus::Error> {
    let command: Any = fleet::Command::from(command).into();
    consensus.propose(command).await.map(|_| ())
}
