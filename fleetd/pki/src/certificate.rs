//! What is written in a certificate of our own, and when it is to be renewed.
//!
//! Only certificates that we hold or were given by somebody we trust are read here. What a peer
//! shows is read by [`super::Trust`] alone.

use super::error::Error;
use super::key::Fingerprint;
use super::name::MachineId;
use super::pem;
use rustls::pki_types::CertificateDer;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fmt;
use std::str::FromStr;
use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer;

pub(super) const LABEL: &str = "CERTIFICATE";

/// How far the clocks of two hosts may be apart: a certificate is valid from so long before it was
/// issued. Seconds.
pub const CLOCK_SKEW: u64 = 3600;

/// A serial number, as 1 to 20 bytes in hex: `0a5f...`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Serial(String);

impl Serial {
    pub(super) fn of(bytes: &[u8]) -> Self {
        Self(data_encoding::HEXLOWER.encode(bytes))
    }
}

impl FromStr for Serial {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match data_encoding::HEXLOWER_PERMISSIVE.decode(text.as_bytes()) {
            Ok(bytes) if (1..=20).contains(&bytes.len()) => Ok(Self::of(&bytes)),
            _ => Err("it is not a serial number (2 to 40 hex digits)".to_owned()),
        }
    }
}

impl TryFrom<String> for Serial {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Serial> for String {
    fn from(serial: Serial) -> Self {
        serial.0
    }
}

impl fmt::Display for Serial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// From when to when a certificate is valid: seconds since the epoch, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Validity {
    pub not_before: u64,
    pub not_after: u64,
}

impl Validity {
    pub fn of(certificate: &CertificateDer<'_>) -> Result<Self, Error> {
        parse(certificate).map(|parsed| Self::read(&parsed))
    }

    pub(super) fn read(parsed: &X509Certificate<'_>) -> Self {
        let seconds = |time: i64| u64::try_from(time).unwrap_or(0);
        Self {
            not_before: seconds(parsed.validity().not_before.timestamp()),
            not_after: seconds(parsed.validity().not_after.timestamp()),
        }
    }

    /// When this host asks for its next certificate: between half and two thirds of the time, and
    /// at another moment for each host, so that a fleet made in one hour does not ask in one hour.
    pub fn renewal(&self, machine: &MachineId) -> u64 {
        let issued = self.not_before.saturating_add(CLOCK_SKEW).min(self.not_after);
        let lifetime = self.not_after - issued;
        let hash: [u8; 4] = super::key::first_bytes(&Sha256::digest(machine.0.to_be_bytes()));
        let spread = (u128::from(u32::from_be_bytes(hash)) * u128::from(lifetime / 6)) >> 32;
        issued + lifetime / 2 + u64::try_from(spread).unwrap_or(0)
    }
}

pub(super) fn parse<'a>(certificate: &'a CertificateDer<'_>) -> Result<X509Certificate<'a>, Error> {
    match X509Certificate::from_der(certificate) {
        Ok(([], parsed)) => Ok(parsed),
        _ => Err(Error::read("a certificate")("it is damaged".to_owned())),
    }
}

/// Of the public key in a certificate.
pub fn key_of(certificate: &CertificateDer<'_>) -> Result<Fingerprint, Error> {
    parse(certificate).map(|parsed| Fingerprint::of(parsed.public_key().raw))
}

pub fn to_pem(certificate: &CertificateDer<'_>) -> String {
    pem::encode(LABEL, certificate)
}

pub fn from_pem(text: &str) -> Result<CertificateDer<'static>, Error> {
    pem::decode_one(text).map_err(Error::read("a certificate"))
}
