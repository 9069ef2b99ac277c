//! The fleet itself: whom it trusts, with what it speaks and signs, who decides, who may join.
//!
//! None in a fleet of one. What every host needs of it is the [`View`], which comes with its set.

use super::rotation::{self, Rotation};
use super::user::{self, User};
use super::{Decided, Outcome, Refusal};
use crate::core::machine_id::MachineId;
use crate::pki::record::Record;
use crate::pki::token::TokenId;
use crate::pki::{Bundle, Fingerprint, FleetId, Revoked, Role, UserName};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

/// Text that is printed nowhere.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Secret(pub String);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fleet {
    pub id: FleetId,
    /// The authority that signs certificates, and its key: PEM.
    pub authority: String,
    pub authority_key: Secret,
    pub bundle: Bundle,
    #[serde(default)]
    pub revoked: Revoked,
    /// 64 hex digits each. The first one seals gossip, all open it.
    pub gossip_keys: Vec<Secret>,
    /// Of the key that signs assignment sets ([`crate::pki::signed`]).
    pub signer: Secret,
    pub signer_public: String,
    /// Who is to decide; how far the group is there is its own business.
    pub voters: BTreeSet<MachineId>,
    #[serde(default)]
    pub tokens: BTreeMap<TokenId, Record>,
    #[serde(default)]
    pub users: BTreeMap<UserName, User>,
    #[serde(default = "unless_told_otherwise")]
    pub hosts_may: Role,
    /// The next keys, or the earlier ones, while the fleet goes from the ones to the others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rotation: Option<Rotation>,
}

/// What root of any host may: the admin's own shell is on one.
fn unless_told_otherwise() -> Role {
    Role::Admin
}

/// What each host of a fleet has to know of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct View {
    pub fleet: FleetId,
    /// The authority that signs certificates is the first.
    pub bundle: Bundle,
    #[serde(default)]
    pub revoked: Revoked,
    pub gossip_keys: Vec<Secret>,
    /// The public half of [`Fleet::signer`].
    pub signer: String,
    /// Sets that this one has signed are taken, too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub other_signer: Option<String>,
    /// With their addresses.
    pub voters: BTreeMap<MachineId, String>,
    /// What root of a host that is no voter may, and so whoever has such a host's key.
    #[serde(default = "unless_told_otherwise")]
    pub hosts_may: Role,
}

impl View {
    /// By whom a set of the fleet may be signed.
    pub fn signers(&self) -> impl Iterator<Item = &str> {
        [&self.signer].into_iter().chain(&self.other_signer).map(String::as_str)
    }

    /// What may be asked on the account of a host's own root. Voters are not held back: they have
    /// the key of the authority, which makes admins.
    pub fn may(&self, machine: MachineId) -> Role {
        match self.voters.contains_key(&machine) {
            true => Role::Admin,
            false => self.hosts_may,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Command {
    /// A fleet of one becomes a fleet that others can join.
    Found(Box<Fleet>),
    Token(Box<Record>),
    RevokeToken {
        id: TokenId,
    },
    /// A host joins with the token. In one decision with its [`super::machine::Command::Join`].
    Spend {
        token: TokenId,
        machine: MachineId,
        key: Fingerprint,
    },
    Voters {
        voters: BTreeSet<MachineId>,
    },
    User(user::Command),
    /// What root of a host that is no voter may from now on.
    HostsMay {
        role: Role,
    },
    /// The first step from the present keys to these.
    Rotate(Box<rotation::Keys>),
    /// The rotation takes the step after this one.
    Advance {
        from: rotation::Step,
    },
}

impl Command {
    /// Of hosts and users that are there already each certificate takes the place of an older one.
    pub(super) fn grows(&self) -> bool {
        match self {
            Self::Found(_) | Self::Token(_) | Self::Spend { .. } | Self::Rotate(_) => true,
            Self::User(command) => matches!(command, user::Command::Add { .. }),
            Self::RevokeToken { .. }
            | Self::Voters { .. }
            | Self::HostsMay { .. }
            | Self::Advance { .. } => false,
        }
    }
}

impl From<user::Command> for Command {
    fn from(command: user::Command) -> Self {
        Self::User(command)
    }
}

pub(super) fn apply(decided: &mut Decided, command: &Command) -> Result<Outcome, Refusal> {
    if let Command::Found(fleet) = command {
        if let Some(known) = &decided.fleet {
            return Err(Refusal::InFleet { fleet: known.id.clone() });
        }
        decided.fleet = Some(Arc::new(fleet.as_ref().clone()));
        return Ok(Outcome::Created);
    }
    let known = decided.fleet.clone().ok_or(Refusal::NoFleet)?;
    let mut fleet = known.as_ref().clone();
    let mut outcome = Outcome::Changed;
    match command {
        Command::Found(_) => {}
        Command::Token(record) => {
            fleet.tokens.insert(record.id, record.as_ref().clone());
        }
        Command::RevokeToken { id } => {
            let record = fleet.tokens.get_mut(id).ok_or(Refusal::UnknownToken { token: *id })?;
            record.revoked = true;
        }
        Command::Spend { token, machine, key } => {
            let unknown = Refusal::UnknownToken { token: *token };
            let record = fleet.tokens.get_mut(token).ok_or(unknown)?;
            if record.revoked || !record.spend_once(*machine, *key) {
                return Err(Refusal::SpentToken { token: *token });
            }
        }
        Command::Voters { voters } => fleet.voters.clone_from(voters),
        Command::User(command) => outcome = user::apply(&mut fleet, command)?,
        Command::HostsMay { role } => fleet.hosts_may = *role,
        Command::Rotate(next) => outcome = fleet.rotate(next)?,
        Command::Advance { from } => outcome = fleet.advance(*from)?,
    }
    if fleet == *known {
        return Ok(Outcome::Same);
    }
    decided.fleet = Some(Arc::new(fleet));
    Ok(outcome)
}

/// The host is none of the fleet any more: nobody lets it in.
pub(super) fn leave(decided: &mut Decided, machine: MachineId) {
    if let Some(known) = &decided.fleet {
        let mut fleet = known.as_ref().clone();
        fleet.revoked.revoke_host(machine);
        fleet.voters.remove(&machine);
        decided.fleet = Some(Arc::new(fleet));
    }
}

/// A fleet of nobody, for tests.
#[cfg(test)]
pub fn fixture(authority: &crate::pki::Authority) -> Fleet {
    Fleet {
        id: authority.fleet().clone(),
        authority: authority.certificate_pem(),
        authority_key: Secret(authority.key_pem().to_owned()),
        bundle: crate::pki::fixture::bundle(&[authority]),
        revoked: Revoked::default(),
        gossip_keys: Vec::new(),
        signer: Secret(String::new()),
        signer_public: String::new(),
        voters: BTreeSet::new(),
        tokens: BTreeMap::new(),
        users: BTreeMap::new(),
        hosts_may: Role::Admin,
        rotation: None,
    }
}

impl Decided {
    /// What each host is told of the fleet; none in a fleet of one.
    pub fn view(&self) -> Option<View> {
        let fleet = self.fleet.as_ref()?;
        let address = |id: &MachineId| Some((*id, self.machines.get(id)?.address.clone()));
        Some(View {
            fleet: fleet.id.clone(),
            bundle: fleet.bundle.clone(),
            revoked: fleet.revoked.clone(),
            gossip_keys: fleet.gossip_keys.clone(),
            signer: fleet.signer_public.clone(),
            other_signer: fleet.other_signer(),
            voters: fleet.voters.iter().filter_map(address).collect(),
            hosts_may: fleet.hosts_may,
        })
    }
}
