//! Users with certificates of their own: who uses the fleet from elsewhere than its hosts.

use serde::{Deserialize, Serialize};

/// What a user may do; each includes those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum UserRole {
    View,
    Operate,
    Admin,
}

/// Makes a user: `POST /v1/users`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct CreateUser {
    /// 1 to 64 of a-z, 0-9, `.`, `_`, `-`, `@`, the first a letter or digit.
    pub name: String,
    pub role: UserRole,
    /// Of each certificate, in seconds; none: 30 days. A year is the most.
    #[serde(default)]
    pub valid_for: Option<u64>,
    /// PEM of a certificate request (PKCS #10) for an ECDSA key of the curve P-256. The key stays
    /// where it was made.
    pub csr: String,
}

/// The next certificate of who asks: `POST /v1/users/NAME/renew`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct RenewUser {
    pub csr: String,
}

/// To both: with the user's key it is all that a user needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct NewCertificate {
    pub user: User,
    /// 32 hex digits.
    pub fleet: String,
    /// PEM.
    pub certificate: String,
    /// PEM: of one of these is whoever answers as a host of the fleet.
    pub authorities: String,
    /// Some of the hosts, to begin with.
    pub hosts: Vec<Reachable>,
}

/// A host and where it is reached.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Reachable {
    /// 32 hex digits.
    pub machine: String,
    /// `ADDRESS:PORT`.
    pub address: String,
}

/// One user: `GET /v1/users`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct User {
    pub name: String,
    pub role: UserRole,
    /// Seconds since the Unix epoch.
    pub created: u64,
    /// The last second in which one of its certificates is valid.
    pub expires: u64,
    /// How many of its certificates have not expired.
    pub certificates: u32,
    pub revoked: bool,
}
