//! The certificate authority of a fleet: made once at `fleetctl init`, and anew for a rotation.

use super::bundle::Trusted;
use super::certificate::{CLOCK_SKEW, Serial, Validity, to_pem};
use super::error::Error;
use super::key::{Fingerprint, Key, random};
use super::name::{FleetId, Identity};
use super::request::Request;
use rcgen::string::Ia5String;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose, SanType, SerialNumber,
};
use rustls::pki_types::CertificateDer;
use time::OffsetDateTime;

const DAY: u64 = 24 * 3600;

/// How long an authority lasts. Rotate before; no certificate of it outlives it.
pub const AUTHORITY_VALID: u64 = 3650 * DAY;
/// A host's certificate. A fleet that has lost its voters has this long, less what had passed, to be
/// recovered before its hosts can no longer speak to each other.
pub const HOST_VALID: u64 = 30 * DAY;
/// A person's, unless told otherwise; and the most that can be told.
pub const USER_VALID: u64 = 30 * DAY;
pub const USER_VALID_MOST: u64 = 365 * DAY;

pub struct Authority {
    trusted: Trusted,
    issuer: Issuer<'static, KeyPair>,
    key: String,
}

/// A certificate that was just made.
#[derive(Debug, Clone)]
pub struct Issued {
    pub certificate: CertificateDer<'static>,
    pub serial: Serial,
    pub validity: Validity,
}

impl Issued {
    pub fn pem(&self) -> String {
        to_pem(&self.certificate)
    }
}

/// 32 hex digits, by chance.
pub fn new_fleet_id() -> Result<FleetId, Error> {
    let id = data_encoding::HEXLOWER.encode(&random::<16>()?);
    id.parse().map_err(|cause| Error::Make { what: "a fleet's id", cause })
}

impl Authority {
    /// `now`: seconds since the epoch, here and below.
    pub fn create(fleet: &FleetId, now: u64) -> Result<Self, Error> {
        const WHAT: &str = "a certificate authority";
        let key = Key::generate()?;
        let (mut params, _) = params(now, now.saturating_add(AUTHORITY_VALID))?;
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        // Two authorities of one fleet differ in name: a rotation is easy to follow.
        let fingerprint = key.fingerprint().to_string();
        let short = fingerprint.get(..8).unwrap_or_default();
        params.distinguished_name.push(DnType::OrganizationName, fleet.as_str());
        params.distinguished_name.push(DnType::CommonName, format!("Flotilla authority {short}"));
        let certificate = params.self_signed(&key.0).map_err(Error::make(WHAT))?;
        Self::new(certificate.der().clone(), key)
    }

    /// From the texts that [`Authority::certificate_pem`] and [`Authority::key_pem`] gave.
    pub fn read(certificate: &str, key: &str) -> Result<Self, Error> {
        Self::new(super::certificate::from_pem(certificate)?, Key::read(key)?)
    }

    fn new(certificate: CertificateDer<'static>, key: Key) -> Result<Self, Error> {
        let fail = Error::read("a certificate authority");
        let trusted = Trusted::read(certificate)?;
        if key.fingerprint() != trusted.fingerprint {
            return Err(fail("its key is of another certificate".to_owned()));
        }
        let pem = key.pem();
        let issuer = Issuer::from_ca_cert_der(&trusted.certificate, key.0)
            .map_err(|error| fail(crate::sentence::cause(error)))?;
        Ok(Self { trusted, issuer, key: pem })
    }

    pub fn fleet(&self) -> &FleetId {
        &self.trusted.fleet
    }

    pub fn fingerprint(&self) -> Fingerprint {
        self.trusted.fingerprint
    }

    pub fn certificate(&self) -> &CertificateDer<'static> {
        &self.trusted.certificate
    }

    pub fn certificate_pem(&self) -> String {
        to_pem(&self.trusted.certificate)
    }

    /// The secret that the whole fleet rests on. [`super::files::write_private`], or sealed.
    pub fn key_pem(&self) -> &str {
        &self.key
    }

    /// A certificate for the key of a request. The caller has made sure that who asks is who the
    /// certificate will say. `valid_for`: seconds.
    pub fn issue(
        &self,
        request: &Request,
        identity: &Identity,
        valid_for: u64,
        now: u64,
    ) -> Result<Issued, Error> {
        let fail = |cause: String| Error::Issue { whom: identity.to_string(), cause };
        let uri = identity.uri(self.fleet());
        request.is_for(identity, &uri).map_err(fail)?;
        if request.fingerprint() == self.fingerprint() {
            return Err(fail("the request has the authority's own key".to_owned()));
        }
        let Validity { not_before, not_after } = self.trusted.validity;
        if now < not_before || now >= not_after {
            return Err(fail("the authority is not valid now; rotate it".to_owned()));
        }
        let end = now.saturating_add(valid_for.min(longest(identity))).min(not_after);
        let (params, serial) = leaf(identity, &uri, now, end)?;
        let certificate = params
            .signed_by(&request.key, &self.issuer)
            .map_err(|error| fail(crate::sentence::cause(error)))?;
        let validity = Validity { not_before: now.saturating_sub(CLOCK_SKEW), not_after: end };
        Ok(Issued { certificate: certificate.der().clone(), serial, validity })
    }
}

impl std::fmt::Debug for Authority {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Authority({})", self.fingerprint())
    }
}

fn longest(identity: &Identity) -> u64 {
    match identity {
        Identity::Host(_) => HOST_VALID,
        Identity::User { .. } => USER_VALID_MOST,
    }
}

fn leaf(
    identity: &Identity,
    uri: &str,
    now: u64,
    end: u64,
) -> Result<(CertificateParams, Serial), Error> {
    let (mut params, serial) = params(now, end)?;
    let uri = Ia5String::try_from(uri).map_err(Error::make("a certificate"))?;
    params.subject_alt_names.push(SanType::URI(uri));
    params.distinguished_name.push(DnType::CommonName, identity.to_string());
    params.is_ca = IsCa::ExplicitNoCa;
    params.use_authority_key_identifier_extension = true;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    // A person's certificate cannot stand in for a host's: nobody may be reached at it.
    if matches!(identity, Identity::Host(_)) {
        params.extended_key_usages.push(ExtendedKeyUsagePurpose::ServerAuth);
    }
    Ok((params, serial))
}

/// Times and a serial number: 126 random bits, so that no two authorities of a fleet meet.
fn params(now: u64, end: u64) -> Result<(CertificateParams, Serial), Error> {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.not_before = date(now.saturating_sub(CLOCK_SKEW))?;
    params.not_after = date(end)?;
    let mut serial = random::<16>()?;
    // A positive number of always the same length (RFC 5280, 4.1.2.2).
    serial[0] = (serial[0] & 0x7f) | 0x40;
    params.serial_number = Some(SerialNumber::from_slice(&serial));
    Ok((params, Serial::of(&serial)))
}

fn date(seconds: u64) -> Result<OffsetDateTime, Error> {
    let seconds = i64::try_from(seconds).unwrap_or(i64::MAX);
    OffsetDateTime::from_unix_timestamp(seconds).map_err(|error| Error::Make {
        what: "a certificate",
        cause: crate::sentence::cause(error),
    })
}
