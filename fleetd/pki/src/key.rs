//! Private keys (ECDSA P-256), random numbers, and the fingerprints of public keys.

use super::error::Error;
use super::pem;
use data_encoding::BASE32_NOPAD;
use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256, PublicKeyData};
use rustls::pki_types::PrivatePkcs8KeyDer;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fmt;
use std::str::FromStr;

const LABEL: &str = "PRIVATE KEY";

/// Signs for a host, a person or a certificate authority.
pub struct Key(pub(super) KeyPair);

impl Key {
    pub fn generate() -> Result<Self, Error> {
        KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map(Self).map_err(Error::make("a key"))
    }

    pub fn read(text: &str) -> Result<Self, Error> {
        let fail = Error::read("a private key");
        let der: PrivatePkcs8KeyDer<'_> = match pem::decode_one(text) {
            Ok(der) => der,
            Err(cause) => return Err(fail(cause)),
        };
        KeyPair::from_pkcs8_der_and_sign_algo(&der, &PKCS_ECDSA_P256_SHA256)
            .map(Self)
            .map_err(|_| fail("it is not an ECDSA key of the curve P-256".to_owned()))
    }

    /// To be kept where nobody else reads it: see [`super::files`].
    pub fn pem(&self) -> String {
        pem::encode(LABEL, self.0.serialized_der())
    }

    pub fn fingerprint(&self) -> Fingerprint {
        Fingerprint::of(&self.0.subject_public_key_info())
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({})", self.fingerprint())
    }
}

/// Of a public key: the first 160 bits of the SHA-256 of its SubjectPublicKeyInfo. To make another
/// key with the same takes 2^160 tries.
///
/// As text: 32 letters of RFC 4648's base32, in lower case.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Fingerprint(pub(super) [u8; 20]);

impl Fingerprint {
    /// `key`: the DER of a SubjectPublicKeyInfo (RFC 5280, 4.1).
    pub(super) fn of(key: &[u8]) -> Self {
        Self(first_bytes(&Sha256::digest(key)))
    }
}

impl FromStr for Fingerprint {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        base32_bytes(text).map(Self).ok_or_else(|| "it is not a key's fingerprint".to_owned())
    }
}

impl TryFrom<String> for Fingerprint {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Fingerprint> for String {
    fn from(fingerprint: Fingerprint) -> Self {
        fingerprint.to_string()
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&base32(&self.0))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fingerprint({self})")
    }
}

/// In lower case: easier to read aloud and to compare by eye.
pub(super) fn base32(bytes: &[u8]) -> String {
    BASE32_NOPAD.encode(bytes).to_ascii_lowercase()
}

/// None: another length, or a letter that is none of base32.
pub(super) fn base32_bytes<const N: usize>(text: &str) -> Option<[u8; N]> {
    BASE32_NOPAD.decode(text.to_ascii_uppercase().as_bytes()).ok()?.try_into().ok()
}

/// The hash is longer than what is taken of it.
pub(super) fn first_bytes<const N: usize>(hash: &[u8]) -> [u8; N] {
    let mut first = [0; N];
    for (byte, of_hash) in first.iter_mut().zip(hash) {
        *byte = *of_hash;
    }
    first
}

/// 32 random bytes, as hex digits.
pub fn random_hex() -> Result<String, Error> {
    random::<32>().map(|bytes| data_encoding::HEXLOWER.encode(&bytes))
}

/// From the operating system.
pub(super) fn random<const N: usize>() -> Result<[u8; N], Error> {
    let mut bytes = [0; N];
    let source = rustls::crypto::ring::default_provider().secure_random;
    source.fill(&mut bytes).map_err(|_| Error::Make {
        what: "a random number",
        cause: "the operating system gave none".to_owned(),
    })?;
    Ok(bytes)
}
