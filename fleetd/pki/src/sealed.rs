//! What is for one host only: sealed to a key whose secret half only that host has, so that whoever passes
//! it on, or finds it on a disk, cannot read it.
//!
//! HPKE (RFC 9180) in its base mode: DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, ChaCha20-Poly1305. Who has
//! sealed it is not said by it: the document that it comes in is signed ([`super::signed`]).

use super::error::Error;
use data_encoding::{BASE64, HEXLOWER};
use hpke::aead::ChaCha20Poly1305;
use hpke::kdf::HkdfSha256;
use hpke::kem::X25519HkdfSha256;
use hpke::{Deserializable, Kem, OpModeR, OpModeS, Serializable};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

type Secret = <X25519HkdfSha256 as Kem>::PrivateKey;
type Public = <X25519HkdfSha256 as Kem>::PublicKey;
type Encapsulated = <X25519HkdfSha256 as Kem>::EncappedKey;

/// What the bytes are: one kind is never taken for another.
const INFO: &[u8] = b"flotilla sealed secret 1";
/// Of the encapsulated key, which comes first.
const KEY: usize = 32;

/// A host's own.
pub struct SealingKey(Secret);

/// What others seal to it with. As text: 64 hex digits.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SealingPublic(Public);

/// Bytes that only the owner of a key can read: the encapsulated key and the ciphertext, as base64.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Sealed(String);

impl SealingKey {
    pub fn generate() -> Self {
        Self(X25519HkdfSha256::gen_keypair().0)
    }

    /// 64 hex digits.
    pub fn read(text: &str) -> Result<Self, Error> {
        let fail = || Error::read("a sealing key")("it is not 64 hex digits".to_owned());
        let bytes = HEXLOWER.decode(text.trim().as_bytes()).map_err(|_| fail())?;
        Secret::from_bytes(&bytes).map(Self).map_err(|_| fail())
    }

    /// To be kept where nobody else reads it: see [`super::files`].
    pub fn text(&self) -> String {
        HEXLOWER.encode(&self.0.to_bytes())
    }

    pub fn public(&self) -> SealingPublic {
        SealingPublic(X25519HkdfSha256::sk_to_pk(&self.0))
    }

    /// `about`: what it was sealed as.
    pub fn open(&self, about: &str, sealed: &Sealed) -> Result<Vec<u8>, Error> {
        let fail = |cause: &str| Error::read("what was sealed to this host")(cause.to_owned());
        let bytes = BASE64.decode(sealed.0.as_bytes()).map_err(|_| fail("it is not base64"))?;
        let (key, text) = bytes.split_at_checked(KEY).ok_or_else(|| fail("it is cut off"))?;
        let key = Encapsulated::from_bytes(key).map_err(|_| fail("it has no key"))?;
        hpke::single_shot_open::<ChaCha20Poly1305, HkdfSha256, X25519HkdfSha256>(
            &OpModeR::Base,
            &self.0,
            &key,
            INFO,
            text,
            about.as_bytes(),
        )
        .map_err(|_| fail("it is to another key, about something else, or damaged"))
    }
}

impl fmt::Debug for SealingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SealingKey({})", self.public())
    }
}

impl SealingPublic {
    /// `about`: what it is, and for whom; the same has to be said to open it.
    pub fn seal(&self, about: &str, secret: &[u8]) -> Result<Sealed, Error> {
        let (key, text) = hpke::single_shot_seal::<ChaCha20Poly1305, HkdfSha256, X25519HkdfSha256>(
            &OpModeS::Base,
            &self.0,
            INFO,
            secret,
            about.as_bytes(),
        )
        .map_err(|e| Error::Make { what: "a sealed secret", cause: e.to_string() })?;
        Ok(Sealed(BASE64.encode(&[key.to_bytes().as_slice(), &text].concat())))
    }
}

impl FromStr for SealingPublic {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let fail = || "a sealing key is 64 hex digits".to_owned();
        let bytes = HEXLOWER.decode(text.as_bytes()).map_err(|_| fail())?;
        Public::from_bytes(&bytes).map(Self).map_err(|_| fail())
    }
}

impl TryFrom<String> for SealingPublic {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<SealingPublic> for String {
    fn from(key: SealingPublic) -> Self {
        key.to_string()
    }
}

impl fmt::Display for SealingPublic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&HEXLOWER.encode(&self.0.to_bytes()))
    }
}

impl fmt::Debug for SealingPublic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SealingPublic({self})")
    }
}

impl fmt::Debug for Sealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sealed")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_owner_of_the_key_opens_it_and_only_as_what_it_was_sealed() {
        let key = SealingKey::read(&SealingKey::generate().text()).unwrap();
        let public: SealingPublic = key.public().to_string().parse().unwrap();
        let sealed = public.seal("db of host 1", b"hunter2").unwrap();
        assert_eq!(key.open("db of host 1", &sealed).unwrap(), b"hunter2");
        assert!(key.open("db of host 2", &sealed).is_err());
        assert!(SealingKey::generate().open("db of host 1", &sealed).is_err());
        assert_ne!(public.seal("db of host 1", b"hunter2").unwrap(), sealed);
        let text = serde_json::to_string(&sealed).unwrap();
        assert!(!text.contains("hunter2") && !text.contains(&BASE64.encode(b"hunter2")));
    }

    #[test]
    fn what_is_cut_off_changed_or_nothing_is_refused() {
        let key = SealingKey::generate();
        let sealed = key.public().seal("it", b"hunter2").unwrap();
        let whole = BASE64.decode(sealed.0.as_bytes()).unwrap();
        for length in 0..whole.len() {
            let cut = Sealed(BASE64.encode(whole.get(..length).unwrap()));
            assert!(key.open("it", &cut).is_err(), "{length}");
        }
        for place in 0..whole.len() {
            let mut changed = whole.clone();
            *changed.get_mut(place).unwrap() ^= 1;
            assert!(key.open("it", &Sealed(BASE64.encode(&changed))).is_err(), "{place}");
        }
        assert!(key.open("it", &Sealed("not base64!".to_owned())).is_err());
        assert!("00".parse::<SealingPublic>().is_err());
        assert!(SealingKey::read("zz").is_err());
    }
}
