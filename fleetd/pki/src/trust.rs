//! Whether a peer is who it says: the one place where a foreign certificate is read.
//!
//! webpki checks the chain, the times and the purpose; the name is read by webpki too, so that the
//! same parser has read what was signed and what it says.

use super::bundle::Bundle;
use super::certificate::Serial;
use super::key::Fingerprint;
use super::name::{FleetId, Identity, MachineId};
use super::refusal::{Refusal, Side};
use super::revoked::Revoked;
use rustls::pki_types::{CertificateDer, SignatureVerificationAlgorithm, TrustAnchor, UnixTime};
use webpki::{EndEntityCert, KeyUsage};

/// The only algorithm of a fleet: of its authorities and of its hosts.
pub(super) static ALGORITHMS: &[&dyn SignatureVerificationAlgorithm] =
    &[webpki::ring::ECDSA_P256_SHA256];

/// id-kp-serverAuth and id-kp-clientAuth (RFC 5280, 4.2.1.12).
const SERVER_AUTH: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 3, 1];
const CLIENT_AUTH: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 3, 2];

/// What a host believes at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trust {
    pub bundle: Bundle,
    pub revoked: Revoked,
}

/// Who is at the other end, by a certificate that was checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peer {
    pub identity: Identity,
    pub serial: Serial,
    /// Which of the fleet's authorities has signed.
    pub authority: Fingerprint,
}

/// Whom a connection may be with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expected {
    Host(MachineId),
    AnyHost,
    /// A host or a user: what a user may do is for the API to decide, by role.
    Anyone,
}

impl Expected {
    pub(super) fn check(&self, peer: &Peer) -> Result<(), Refusal> {
        match (self, &peer.identity) {
            (Self::Anyone, _) | (Self::AnyHost, Identity::Host(_)) => Ok(()),
            (Self::Host(expected), Identity::Host(found)) if expected == found => Ok(()),
            (Self::Host(expected), found) => {
                Err(Refusal::OtherHost { expected: *expected, found: found.clone() })
            }
            (Self::AnyHost, user) => Err(Refusal::NotAHost(user.clone())),
        }
    }
}

impl Trust {
    /// Checks the certificate of a peer at `side` of a connection and says whose it is. A fleet has
    /// no intermediate authorities: what else the peer sends is not looked at.
    pub fn verify(
        &self,
        certificate: &CertificateDer<'_>,
        side: Side,
        now: UnixTime,
    ) -> Result<Peer, Refusal> {
        let parsed = EndEntityCert::try_from(certificate)
            .map_err(|error| Refusal::of_chain(&error, side))?;
        let usage = KeyUsage::required(match side {
            Side::Client => CLIENT_AUTH,
            Side::Server => SERVER_AUTH,
        });
        let anchors = self.anchors(now);
        let path = parsed
            .verify_for_usage(ALGORITHMS, &anchors, &[], now, usage, None, None)
            .map_err(|error| Refusal::of_chain(&error, side))?;
        let authority = self.authority(path.anchor()).ok_or(Refusal::OtherAuthority)?;
        let identity = identity(&parsed, self.bundle.fleet())?;
        let serial = Serial::of(parsed.serial());
        if self.revoked.has(&identity, &serial) {
            return Err(Refusal::Revoked(identity));
        }
        Ok(Peer { identity, serial, authority })
    }

    /// webpki does not look at an anchor's own times.
    fn anchors(&self, now: UnixTime) -> Vec<TrustAnchor<'_>> {
        let authorities = self.bundle.authorities().iter();
        let valid = authorities.filter(|authority| authority.validity.not_after >= now.as_secs());
        valid.map(|authority| authority.anchor.clone()).collect()
    }

    fn authority(&self, anchor: &TrustAnchor<'_>) -> Option<Fingerprint> {
        let mut authorities = self.bundle.authorities().iter();
        authorities.find(|known| known.anchor == *anchor).map(|known| known.fingerprint)
    }
}

/// From the only name in a certificate.
fn identity(certificate: &EndEntityCert<'_>, fleet: &FleetId) -> Result<Identity, Refusal> {
    if certificate.valid_dns_names().next().is_some() {
        return Err(Refusal::NoIdentity("it has names of the DNS".to_owned()));
    }
    let mut uris = certificate.valid_uri_names();
    let uri = match (uris.next(), uris.next()) {
        (Some(uri), None) => uri,
        (None, _) => return Err(Refusal::NoIdentity("it has no URI".to_owned())),
        (Some(_), Some(_)) => {
            return Err(Refusal::NoIdentity("it has more than one URI".to_owned()));
        }
    };
    let (named, identity) = Identity::read(uri).map_err(Refusal::NoIdentity)?;
    if named != *fleet {
        return Err(Refusal::OtherFleet(named.into()));
    }
    Ok(identity)
}
