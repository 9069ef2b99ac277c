//! Secrets: what programs get to read, and nobody gets to see.

use serde::{Deserialize, Serialize};
use std::fmt;

/// The longest value, in bytes.
pub const MAX_SECRET: usize = 512 * 1024;

/// The longest name, in bytes.
const LONGEST_NAME: usize = 128;

/// Whether a secret may be called so; else the rule.
pub fn check_name(name: &str) -> Result<(), &'static str> {
    let letter = |byte: u8| byte.is_ascii_alphanumeric() || b"._-@".contains(&byte);
    let fits = (1..=LONGEST_NAME).contains(&name.len()) && name.bytes().all(letter);
    if fits && name.as_bytes().first().is_some_and(u8::is_ascii_alphanumeric) {
        return Ok(());
    }
    Err("a name takes 1 to 128 of a-z A-Z 0-9 . _ - @, the first a letter or digit")
}

/// Gives a secret its value: `PUT /v1/secrets/NAME`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct SetSecret {
    /// Base64 (RFC 4648, with padding) of 1 byte to 512 KiB.
    pub value: String,
}

/// The value is printed nowhere.
impl fmt::Debug for SetSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SetSecret")
    }
}

/// One secret, without its value, which is told to nobody: `GET /v1/secrets`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Secret {
    pub name: String,
    /// Seconds since the Unix epoch.
    pub created: u64,
    /// When it got the value that it has.
    pub changed: u64,
    /// Units whose files name it.
    pub units: Vec<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_no_path_and_nothing_that_a_shell_would_take_apart() {
        for name in ["a", "db-password", "tls.web@1_key", &"x".repeat(128)] {
            assert_eq!(check_name(name), Ok(()), "{name}");
        }
        for name in ["", ".", "..", ".a", "-a", "a/b", "a b", "a:b", "ä", "a,b", &"x".repeat(129)]
        {
            assert!(check_name(name).is_err(), "{name}");
        }
    }
}
