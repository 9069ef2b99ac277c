//! Users with certificates: added, renewed by themselves, revoked.

use super::problem::{Answer, Result};
use super::{Api, Shared, applied};
use crate::core::decided::{Decided, Refusal, user};
use crate::membership::{now, users};
use crate::peer::caller::By;
use crate::peer::{Caller, Who};
use crate::pki::authority::{Issued, USER_VALID, USER_VALID_MOST};
use crate::pki::{Role, UserName};
use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, State};
use axum::{Extension, Json};
use fleetd_api::{
    CreateUser, NewCertificate, Problem, ProblemKind, Reachable, RenewUser, User, UserRole,
};

/// A user is told of so many hosts.
const HOSTS: usize = 32;

pub(super) async fn list(State(api): Shared) -> Result<Json<Vec<User>>> {
    let decided = api.consensus.decided();
    let fleet = decided.fleet.as_ref().ok_or(NO_FLEET)?;
    Ok(Json(fleet.users.iter().map(|(name, user)| shown(name, user)).collect()))
}

const NO_FLEET: crate::consensus::Error = crate::consensus::Error::Refused(Refusal::NoFleet);

pub(super) async fn create(
    State(api): Shared,
    body: std::result::Result<Json<CreateUser>, JsonRejection>,
) -> Result<Json<NewCertificate>> {
    let Json(CreateUser { name, role, valid_for, csr }) = body?;
    let valid_for = valid_for.unwrap_or(USER_VALID);
    let name = named(&name)?;
    if !(1..=USER_VALID_MOST).contains(&valid_for) {
        let text = format!("add user {name}: its certificates may be valid for 1 second to a year");
        return Err(Problem::new(ProblemKind::Invalid, text).into());
    }
    let new = users::New { name: name.clone(), role: pki_role(role), valid_for, csr: &csr };
    let issued = users::add(&api.consensus, new, now()).await?;
    tracing::info!("user {name} ({}) is added", pki_role(role));
    given(&api, &name, &issued)
}

pub(super) async fn renew(
    State(api): Shared,
    Path(name): Path<String>,
    Extension(caller): Extension<Caller>,
    body: std::result::Result<Json<RenewUser>, JsonRejection>,
) -> Result<Json<NewCertificate>> {
    let (name, Json(RenewUser { csr })) = (named(&name)?, body?);
    let own =
        matches!(&caller.who, Who::User { name: asks, by: By::Certificate, .. } if *asks == name);
    if !own {
        let text = format!("renew user {name}: only {name} may, with its own certificate");
        return Err(Problem::new(ProblemKind::Denied, text).into());
    }
    let issued = users::renew(&api.consensus, name.clone(), &csr, now()).await?;
    given(&api, &name, &issued)
}

pub(super) async fn revoke(State(api): Shared, Path(name): Path<String>) -> Result<()> {
    let name = named(&name)?;
    users::revoke(&api.consensus, name.clone(), now()).await?;
    tracing::info!("user {name} is revoked");
    // Whoever asks this host next is refused; the others hear of it with their sets.
    applied(&api, |view| view.revoked.has_user(&name)).await;
    Ok(())
}

fn named(name: &str) -> Result<UserName> {
    name.parse().map_err(|cause| {
        let text = format!("read user name: {cause}");
        Answer(Problem::new(ProblemKind::Invalid, text).hint("fleetctl user list"))
    })
}

fn given(api: &Api, name: &UserName, issued: &Issued) -> Result<Json<NewCertificate>> {
    let decided = api.consensus.decided();
    let fleet = decided.fleet.as_ref().ok_or(NO_FLEET)?;
    let unknown = Refusal::UnknownUser { name: name.clone() };
    let user = fleet.users.get(name).ok_or(crate::consensus::Error::Refused(unknown))?;
    Ok(Json(NewCertificate {
        user: shown(name, user),
        fleet: fleet.id.to_string(),
        certificate: issued.pem(),
        authorities: fleet.bundle.pem(),
        hosts: hosts(&decided),
    }))
}

/// Voters first: they stay longest.
fn hosts(decided: &Decided) -> Vec<Reachable> {
    let is_voter = |id| decided.fleet.as_ref().is_some_and(|fleet| fleet.voters.contains(id));
    let mut hosts: Vec<_> = decided.machines.iter().collect();
    hosts.sort_by_key(|(id, _)| !is_voter(id));
    let hosts = hosts.into_iter().filter(|(_, machine)| !machine.address.is_empty());
    let reachable = hosts.map(|(id, machine)| Reachable {
        machine: id.to_string(),
        address: machine.address.clone(),
    });
    reachable.take(HOSTS).collect()
}

fn shown(name: &UserName, user: &user::User) -> User {
    User {
        name: name.to_string(),
        role: api_role(user.role),
        created: user.created,
        expires: user.expires,
        certificates: u32::try_from(user.certificates.len()).unwrap_or(u32::MAX),
        revoked: user.revoked,
    }
}

pub(super) fn pki_role(role: UserRole) -> Role {
    match role {
        UserRole::View => Role::View,
        UserRole::Operate => Role::Operate,
        UserRole::Admin => Role::Admin,
    }
}

pub(super) fn api_role(role: Role) -> UserRole {
    match role {
        Role::View => UserRole::View,
        Role::Operate => UserRole::Operate,
        Role::Admin => UserRole::Admin,
    }
}
