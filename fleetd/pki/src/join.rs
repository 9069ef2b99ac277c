//! How a host gets its first certificate, and every later one: what is sent, and who is let in.
//!
//! 1. The host makes a key and a [`Request`], and connects with [`super::joining::client`], which
//!    goes on only if the other side shows the certificate authority that the token names.
//! 2. It sends a [`JoinRequest`]. [`admit`] says whether it may join; the answer is decided by the
//!    fleet together with the use of the token.
//! 3. It checks the [`Answer`] with [`Answer::accept`] and keeps it.
//!
//! A renewal is a [`RenewRequest`] over a connection on which the host has shown the certificate that
//! it has; the answer is the same.

use super::authority::Issued;
use super::bundle::Bundle;
use super::certificate::{from_pem, key_of};
use super::credentials::Own;
use super::error::Error;
use super::key::{Fingerprint, Key};
use super::name::{Identity, MachineId};
use super::record::{Accepted, Record, Rejected, check};
use super::refusal::Side;
use super::request::Request;
use super::revoked::Revoked;
use super::token::Token;
use super::trust::Trust;
use rustls::pki_types::UnixTime;
use serde::{Deserialize, Serialize};

/// Each text of the facts, in bytes.
const LONGEST: usize = 256;

/// Sent by a host that has no certificate.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct JoinRequest {
    pub token: Token,
    pub machine: MachineId,
    /// PEM: [`Request::make`].
    pub csr: String,
    pub facts: MachineFacts,
}

/// What a host says about itself. Believed as far as the host is: shown, never run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct MachineFacts {
    pub hostname: String,
    /// Where the fleet reaches it: `ADDRESS:PORT`.
    pub address: String,
    pub kernel_release: String,
    /// systemd's name, such as `x86-64`.
    pub architecture: String,
    pub cpus: u32,
    /// Bytes.
    pub memory: u64,
    /// It comes to decide with the others and to run nothing.
    pub witness: bool,
}

impl MachineFacts {
    /// That every text is short and printable.
    pub fn check(&self) -> Result<(), String> {
        let texts = [
            ("hostname", &self.hostname),
            ("address", &self.address),
            ("kernel release", &self.kernel_release),
            ("architecture", &self.architecture),
        ];
        for (what, text) in texts {
            if text.len() > LONGEST || !text.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
                return Err(format!("its {what} is too long or not printable"));
            }
        }
        Ok(())
    }
}

/// Sent by a host over a connection with its certificate, which says whose the next one is.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RenewRequest {
    pub csr: String,
}

/// To both.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Answer {
    /// PEM.
    pub certificate: String,
    pub bundle: Bundle,
    pub revoked: Revoked,
}

/// What the fleet knows that matters for a join.
#[derive(Debug, Clone, Copy)]
pub struct Known<'a> {
    /// The record with the token's id.
    pub record: Option<&'a Record>,
    /// The key in the latest certificate of the host with this machine id, if there is one.
    pub host: Option<&'a Fingerprint>,
    pub revoked: &'a Revoked,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotAdmitted {
    #[error(transparent)]
    Token(#[from] Rejected),
    /// A token is no right to become another host.
    #[error(
        "join as host {0}: a host of that id is in the fleet with another key; if this one takes its \
         place, remove that one and give this one a new state directory"
    )]
    Taken(MachineId),
    #[error(
        "join as host {0}: that host has left the fleet; give this one a new state directory, and \
         with it a new machine id"
    )]
    Left(MachineId),
    #[error("join as host {0}: {1}")]
    Facts(MachineId, String),
}

/// Whether a host may join. `csr`: the request's, read. The token is looked at first: who has none
/// learns nothing about the fleet's hosts.
pub fn admit(
    request: &JoinRequest,
    csr: &Request,
    known: Known<'_>,
    now: u64,
) -> Result<Accepted, NotAdmitted> {
    let machine = &request.machine;
    let key = csr.fingerprint();
    let accepted = check(&request.token, known.record, machine, &key, now)?;
    if known.revoked.has_host(machine) {
        return Err(NotAdmitted::Left(*machine));
    }
    if known.host.is_some_and(|host| *host != key) {
        return Err(NotAdmitted::Taken(*machine));
    }
    request.facts.check().map_err(|cause| NotAdmitted::Facts(*machine, cause))?;
    Ok(accepted)
}

impl Answer {
    pub fn new(issued: &Issued, trust: &Trust) -> Self {
        let (bundle, revoked) = (trust.bundle.clone(), trust.revoked.clone());
        Self { certificate: issued.pem(), bundle, revoked }
    }

    /// For the host that asked: that the answer is about it and its key, and of the fleet it knows.
    /// `pinned`: [`Token::authority`], or of a host in the fleet the authority of its certificate.
    pub fn accept(
        &self,
        machine: &MachineId,
        key: &Key,
        pinned: &Fingerprint,
        now: UnixTime,
    ) -> Result<Own, Error> {
        let fail = |cause: String| Error::Read { what: "the fleet's answer", cause };
        if !self.bundle.has(pinned) {
            return Err(fail("the authority we know is not among those of the answer".to_owned()));
        }
        let certificate = from_pem(&self.certificate)?;
        if key_of(&certificate)? != key.fingerprint() {
            return Err(fail("the certificate is for another key".to_owned()));
        }
        let trust = Trust { bundle: self.bundle.clone(), revoked: self.revoked.clone() };
        let peer = trust
            .verify(&certificate, Side::Server, now)
            .map_err(|refusal| fail(refusal.to_string()))?;
        if peer.identity != Identity::Host(*machine) {
            return Err(fail(format!("the certificate is of {}", peer.identity)));
        }
        Own::new(certificate, key)
    }
}
