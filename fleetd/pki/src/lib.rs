//! The fleet's certificates and tokens: who is a host of it, who may use it, who may join it.
//!
//! | File | Owns |
//! |---|---|
//! | [`name`] | ids, roles, and how a certificate spells them |
//! | [`authority`] | makes certificates |
//! | [`request`] | what is asked of it |
//! | [`bundle`], [`revoked`] | whom the fleet trusts, and no longer |
//! | [`trust`] | the one check of a foreign certificate; [`refusal`]: its sentences |
//! | [`credentials`], [`tls`] | what a host shows and believes, and rustls told so |
//! | [`token`], [`record`] | join tokens: the text, and what is kept of it |
//! | [`join`], [`joining`] | how a host gets its certificate: types and decision; TLS |
//! | [`signed`] | documents that the fleet signs |
//! | [`sealed`] | what only one host can read |
//! | [`key`], [`certificate`], [`files`] | keys, their fingerprints, times, and the disk |
//! | [`machine_id`], [`sentence`] | the name of a host; errors as the end of a sentence |
//!
//! It opens no socket, and the time is an argument where it is not in the
//! middle of a handshake. `docs/pki.md` has what is trusted and why.

pub mod authority;
pub mod bundle;
pub mod certificate;
pub mod credentials;
mod error;
pub mod files;
pub mod join;
pub mod joining;
pub mod key;
pub mod machine_id;
pub mod name;
mod pem;
pub mod record;
pub mod refusal;
pub mod request;
pub mod revoked;
pub mod sealed;
pub mod sentence;
pub mod signed;
pub mod tls;
pub mod token;
pub mod trust;

pub use authority::Authority;
pub use bundle::Bundle;
pub use credentials::{Credentials, Own};
pub use error::Error;
pub use key::{Fingerprint, Key};
pub use name::{FleetId, Identity, MachineId, Role, UserName};
pub use refusal::Refusal;
pub use request::Request;
pub use revoked::Revoked;
pub use token::Token;
pub use trust::{Expected, Peer, Trust};

#[cfg(any(test, feature = "fixture"))]
pub mod fixture;
#[cfg(test)]
mod tests;
