//! A fleet of several hosts: how it is founded, joined, and who is in it.

use crate::UserRole;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Where hosts reach each other, TCP and UDP, unless told otherwise.
pub const FLEET_PORT: u16 = 7400;

/// An index is its generation times this, plus a number: what is decided after a recovery is newer than
/// everything that was decided before.
pub const GENERATION: u64 = 1 << 40;

/// How this host is in a fleet: `GET /v1/fleet`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Fleet {
    /// 32 hex digits; none: this host is a fleet of its own.
    pub id: Option<String>,
    /// Of the host that answers.
    pub machine: String,
    /// Where the others reach it: `ADDRESS:PORT`.
    pub address: Option<String>,
    /// Who decides now, as far as is known.
    pub leader: Option<String>,
    pub voters: Vec<String>,
    /// Grows with each recovery.
    pub generation: u64,
    /// Of the newest decision that this host knows of.
    pub index: u64,
    /// What root of a host that is no voter may; none: this host is a fleet of its own.
    #[serde(default)]
    pub hosts_may: Option<UserRole>,
    /// What this host has refused of gossip since its fleetd began, by the reason in words.
    #[serde(default)]
    pub dropped: BTreeMap<String, u64>,
}

/// What is to change about the fleet: `PATCH /v1/fleet`. What is missing stays.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct ChangeFleet {
    pub hosts_may: Option<UserRole>,
}

/// Keys of a fleet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum FleetKey {
    /// Signs the certificates of hosts and users.
    Authority,
    /// Seals gossip.
    Gossip,
    /// Signs what hosts are to run.
    Signing,
}

/// The fleet is to have other keys: `POST /v1/fleet/rotation`. Answered when every host is about to be
/// told.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct RotateKeys {
    /// Empty: all of them.
    pub keys: Vec<FleetKey>,
}

/// How far the fleet is on its way to other keys: `GET /v1/fleet/rotation`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct KeyRotation {
    /// None: no rotation is under way.
    pub step: Option<RotationStep>,
    /// Those that change.
    pub keys: Vec<FleetKey>,
    /// Ids of the hosts that hold the step up.
    pub waits_for: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum RotationStep {
    /// Every host is told of the next keys.
    Tell,
    /// The next keys are used; the earlier ones are still taken.
    Use,
}

/// Makes a fleet of this host, which others can join: `POST /v1/fleet/init`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Init {
    /// `ADDRESS` or `ADDRESS:PORT` where the others will reach this host.
    pub advertise: String,
}

/// Makes this host one of a fleet: `POST /v1/fleet/join`. Answered when it is one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Join {
    /// `ADDRESS` or `ADDRESS:PORT` of any host of the fleet.
    pub at: String,
    pub token: String,
    /// Where the others will reach this host; none: the address by which it reaches them.
    #[serde(default)]
    pub advertise: Option<String>,
    /// It decides with the others and runs nothing, until it is uncordoned.
    #[serde(default)]
    pub witness: bool,
}

/// Makes a token: `POST /v1/tokens`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct CreateToken {
    /// Seconds; none: an hour.
    pub valid_for: Option<u64>,
    /// How many hosts may join with it; none: any number.
    pub uses: Option<u32>,
}

/// The only time that the secret is shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct NewToken {
    pub token: String,
    pub record: Token,
}

/// What is kept of a token: `GET /v1/tokens`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Token {
    pub id: String,
    /// Seconds since the Unix epoch.
    pub created: u64,
    pub expires: u64,
    pub uses: Option<u32>,
    /// How many hosts have joined with it.
    pub used: u32,
    pub revoked: bool,
}
