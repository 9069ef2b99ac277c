//! Documents that the fleet signs, so that whoever passes them on need not be trusted: Ed25519
//! (RFC 8032), by a key that only the voters have.

use super::error::Error;
use super::key::random;
use data_encoding::HEXLOWER;
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use serde::{Deserialize, Serialize};

/// What a document is: one kind is never taken for another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    AssignmentSet,
    /// Which set of a host is the newest.
    SetDigest,
}

impl Purpose {
    fn prefix(self) -> &'static str {
        match self {
            Self::AssignmentSet => "flotilla assignment set 1\n",
            Self::SetDigest => "flotilla set digest 1\n",
        }
    }

    fn bytes(self, payload: &str) -> Vec<u8> {
        [self.prefix(), payload].concat().into_bytes()
    }
}

/// A document as it travels.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signed {
    /// JSON, as it was signed.
    pub payload: String,
    /// 128 hex digits.
    pub signature: String,
}

impl Signed {
    /// The payload, if the key has signed it for this purpose. `public`: 64 hex digits.
    pub fn verify(&self, purpose: Purpose, public: &str) -> Result<&str, Error> {
        let fail = |cause: &str| Error::read("a signed document")(cause.to_owned());
        let key = HEXLOWER.decode(public.as_bytes());
        let key = key.map_err(|_| fail("the fleet's key is no key"))?;
        let signature = HEXLOWER.decode(self.signature.as_bytes());
        let signature = signature.map_err(|_| fail("its signature is none"))?;
        UnparsedPublicKey::new(&ED25519, key)
            .verify(&purpose.bytes(&self.payload), &signature)
            .map_err(|_| fail("its signature is not of the fleet's key"))?;
        Ok(&self.payload)
    }
}

pub struct Signer(Ed25519KeyPair);

impl Signer {
    /// A new key, as text: the secret half (a seed) and the public one, 64 hex digits each.
    pub fn generate() -> Result<(String, String), Error> {
        let seed = HEXLOWER.encode(&random::<32>()?);
        let public = HEXLOWER.encode(Self::read(&seed)?.0.public_key().as_ref());
        Ok((seed, public))
    }

    pub fn read(seed: &str) -> Result<Self, Error> {
        let fail = |cause: &str| Error::read("the fleet's signing key")(cause.to_owned());
        let seed = HEXLOWER.decode(seed.as_bytes()).map_err(|_| fail("it is not hex"))?;
        let pair = Ed25519KeyPair::from_seed_unchecked(&seed);
        pair.map(Self).map_err(|_| fail("it is not of 32 bytes"))
    }

    /// The same document gives the same signature on every voter.
    pub fn sign(&self, purpose: Purpose, payload: String) -> Signed {
        let signature = self.0.sign(&purpose.bytes(&payload));
        Signed { payload, signature: HEXLOWER.encode(signature.as_ref()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_signed_is_verified_and_nothing_else_is() {
        let (seed, public) = Signer::generate().unwrap();
        let signer = Signer::read(&seed).unwrap();
        let signed = signer.sign(Purpose::AssignmentSet, "{}".to_owned());
        assert_eq!(signed.verify(Purpose::AssignmentSet, &public).unwrap(), "{}");
        assert_eq!(signed, signer.sign(Purpose::AssignmentSet, "{}".to_owned()));
        let (_, other) = Signer::generate().unwrap();
        assert!(signed.verify(Purpose::AssignmentSet, &other).is_err());
        let changed = Signed { payload: "{} ".to_owned(), ..signed.clone() };
        assert!(changed.verify(Purpose::AssignmentSet, &public).is_err());
        for signature in ["", "zz", "00"] {
            let broken = Signed { signature: signature.to_owned(), ..signed.clone() };
            assert!(broken.verify(Purpose::AssignmentSet, &public).is_err());
        }
    }
}
