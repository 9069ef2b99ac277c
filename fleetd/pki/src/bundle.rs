//! The certificate authorities that a fleet trusts: one, and two while it changes from one to the
//! next.

use super::certificate::{Validity, parse, to_pem};
use super::error::Error;
use super::key::Fingerprint;
use super::name::FleetId;
use super::pem;
use rustls::pki_types::{CertificateDer, TrustAnchor};
use serde::{Deserialize, Serialize};

/// More are a mistake: every one of them can make a host of the fleet.
const MOST: usize = 4;

/// One certificate authority.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trusted {
    pub(super) certificate: CertificateDer<'static>,
    pub(super) anchor: TrustAnchor<'static>,
    pub fleet: FleetId,
    pub fingerprint: Fingerprint,
    pub validity: Validity,
}

impl Trusted {
    /// Checks that it is an authority of a fleet, as we make them.
    pub(super) fn read(certificate: CertificateDer<'static>) -> Result<Self, Error> {
        let fail = |cause: &str| Error::read("a certificate authority")(cause.to_owned());
        let parsed = parse(&certificate)?;
        if !parsed.is_ca() {
            return Err(fail("it is the certificate of a host or user"));
        }
        parsed.verify_signature(None).map_err(|_| fail("its signature is not of its own key"))?;
        let fleet = parsed.subject().iter_organization().next();
        let fleet = fleet.and_then(|name| name.as_str().ok()?.parse().ok());
        let fleet = fleet.ok_or_else(|| fail("it names no fleet"))?;
        let fingerprint = Fingerprint::of(parsed.public_key().raw);
        let validity = Validity::read(&parsed);
        let anchor = webpki::anchor_from_trusted_cert(&certificate)
            .map_err(|_| fail("it is damaged"))?
            .to_owned();
        Ok(Self { certificate, anchor, fleet, fingerprint, validity })
    }

    pub fn pem(&self) -> String {
        to_pem(&self.certificate)
    }
}

/// Never empty, and all of one fleet. As text and in JSON: PEM.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Bundle {
    fleet: FleetId,
    authorities: Vec<Trusted>,
}

impl Bundle {
    pub fn new(certificates: Vec<CertificateDer<'static>>) -> Result<Self, Error> {
        let mut authorities = Vec::new();
        for certificate in certificates {
            authorities.push(Trusted::read(certificate)?);
        }
        let Some(first) = authorities.first() else {
            return Err(Error::Bundle("no certificate authority would be left".to_owned()));
        };
        let fleet = first.fleet.clone();
        if let Some(other) = authorities.iter().find(|authority| authority.fleet != fleet) {
            let other = &other.fleet;
            return Err(Error::Bundle(format!(
                "the authority is of fleet {other}, this is fleet {fleet}"
            )));
        }
        if authorities.len() > MOST {
            return Err(Error::Bundle(format!(
                "{MOST} authorities at once are the most; remove those that sign nothing any more"
            )));
        }
        Ok(Self { fleet, authorities })
    }

    pub fn read(text: &str) -> Result<Self, Error> {
        let certificates =
            pem::decode_all(text).map_err(Error::read("the fleet's certificate authorities"))?;
        Self::new(certificates)
    }

    pub fn pem(&self) -> String {
        self.authorities.iter().map(Trusted::pem).collect()
    }

    pub fn fleet(&self) -> &FleetId {
        &self.fleet
    }

    pub fn authorities(&self) -> &[Trusted] {
        &self.authorities
    }

    pub fn has(&self, fingerprint: &Fingerprint) -> bool {
        self.authorities.iter().any(|authority| authority.fingerprint == *fingerprint)
    }

    /// The first step of a rotation: the next authority is trusted beside the others.
    pub fn with(&self, certificate: &CertificateDer<'static>) -> Result<Self, Error> {
        let mut certificates = self.certificates();
        if !certificates.contains(certificate) {
            certificates.push(certificate.clone());
        }
        Self::new(certificates)
    }

    /// The last step of a rotation: what that authority has signed is worth nothing from here on.
    pub fn without(&self, fingerprint: &Fingerprint) -> Result<Self, Error> {
        let left = self.authorities.iter().filter(|known| known.fingerprint != *fingerprint);
        Self::new(left.map(|authority| authority.certificate.clone()).collect())
    }

    pub(super) fn certificates(&self) -> Vec<CertificateDer<'static>> {
        self.authorities.iter().map(|authority| authority.certificate.clone()).collect()
    }
}

impl TryFrom<String> for Bundle {
    type Error = Error;

    fn try_from(text: String) -> Result<Self, Error> {
        Self::read(&text)
    }
}

impl From<Bundle> for String {
    fn from(bundle: Bundle) -> Self {
        bundle.pem()
    }
}
