//! The text that lets a host join: `flt1-ID-SECRET-AUTHORITY-CHECK`.
//!
//! Every part is base32 in lower case. `ID` (40 bits) finds the record, `SECRET` (160 bits) is the
//! right to join, `AUTHORITY` is the [`Fingerprint`] of the fleet's certificate authority, by which
//! the host knows the fleet before it sends anything, and `CHECK` (30 bits) finds typos: it is no
//! secret and proves nothing.

use super::error::Error;
use super::key::{Fingerprint, base32, base32_bytes, random};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fmt;
use std::str::FromStr;

const PREFIX: &str = "flt1";
/// Letters of the check.
const CHECK: usize = 6;
/// No token is longer, with blanks around it.
const LONGEST: usize = 256;

/// The public part of a token: `abcdefgh`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TokenId([u8; 5]);

impl FromStr for TokenId {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let id = base32_bytes(text).map(Self);
        id.ok_or_else(|| "it is not the id of a token (8 letters)".to_owned())
    }
}

impl TryFrom<String> for TokenId {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<TokenId> for String {
    fn from(id: TokenId) -> Self {
        id.to_string()
    }
}

impl fmt::Display for TokenId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&base32(&self.0))
    }
}

/// A whole token. It has no `Display`: nobody prints it by mistake.
#[derive(Clone, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Token {
    id: TokenId,
    secret: [u8; 20],
    authority: Fingerprint,
}

/// What of a token is kept: a SHA-256. The secret is 160 random bits, so nothing slower is needed.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SecretHash(pub(super) [u8; 32]);

impl Token {
    pub fn new(authority: Fingerprint) -> Result<Self, Error> {
        Ok(Self { id: TokenId(random()?), secret: random()?, authority })
    }

    pub fn id(&self) -> TokenId {
        self.id
    }

    /// The key of the certificate authority that a joining host has to find.
    pub fn authority(&self) -> Fingerprint {
        self.authority
    }

    pub fn hash(&self) -> SecretHash {
        let hash = Sha256::new_with_prefix("flotilla join token 1\n");
        SecretHash(hash.chain_update(self.id.0).chain_update(self.secret).finalize().into())
    }

    /// The text with the secret in it.
    pub fn reveal(&self) -> String {
        let text = format!("{PREFIX}-{}-{}-{}", self.id, base32(&self.secret), self.authority);
        let check = check(&text);
        format!("{text}-{check}")
    }
}

impl FromStr for Token {
    type Err = String;

    /// The error never shows what was given: it may be a token with one letter wrong.
    fn from_str(text: &str) -> Result<Self, String> {
        let fail = |cause: &str| format!("read join token: {cause}");
        if text.len() > LONGEST {
            return Err(fail("it is too long"));
        }
        let text = text.trim().to_ascii_lowercase();
        let parts: Vec<&str> = text.split('-').collect();
        if parts.first() != Some(&PREFIX) {
            return Err(fail("it does not begin with `flt1-`"));
        }
        let [_, id, secret, authority, last] = parts[..] else {
            return Err(fail("it has not five parts (was it copied as a whole?)"));
        };
        let body = text.strip_suffix(last).and_then(|body| body.strip_suffix('-'));
        if body.map(check).as_deref() != Some(last) {
            return Err(fail("a letter of it is wrong or missing"));
        }
        let id = id.parse().map_err(|cause: String| fail(&cause))?;
        let secret = base32_bytes(secret).ok_or_else(|| fail("its secret is malformed"))?;
        let authority = authority.parse().map_err(|cause: String| fail(&cause))?;
        Ok(Self { id, secret, authority })
    }
}

impl TryFrom<String> for Token {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Token> for String {
    fn from(token: Token) -> Self {
        token.reveal()
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Token({})", self.id)
    }
}

impl TryFrom<String> for SecretHash {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let bytes = data_encoding::HEXLOWER.decode(text.as_bytes()).ok();
        let hash = bytes.and_then(|bytes| bytes.try_into().ok()).map(Self);
        hash.ok_or_else(|| "it is not the hash of a token".to_owned())
    }
}

impl From<SecretHash> for String {
    fn from(hash: SecretHash) -> Self {
        data_encoding::HEXLOWER.encode(&hash.0)
    }
}

impl fmt::Debug for SecretHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretHash")
    }
}

fn check(text: &str) -> String {
    let mut check = base32(&Sha256::digest(text));
    check.truncate(CHECK);
    check
}
