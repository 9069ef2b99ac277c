//! Names that come from outside are checked once, here, where they are parsed.

use serde::{Deserialize, Serialize};
use std::fmt;

/// Why a name was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadName {
    what: &'static str,
    name: String,
    rule: &'static str,
}

impl fmt::Display for BadName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { what, name, rule } = self;
        write!(f, "read {what} {name:?}: {rule}")
    }
}

impl std::error::Error for BadName {}

macro_rules! checked_name {
    ($(#[$doc:meta])* $name:ident, $what:literal, $rule:literal, $check:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// Checks the name against the rule that the type documents.
            pub fn new(name: impl Into<String>) -> Result<Self, BadName> {
                let name = name.into();
                let check: fn(&str) -> bool = $check;
                if check(&name) {
                    Ok(Self(name))
                } else {
                    Err(BadName { what: $what, name, rule: $rule })
                }
            }

            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = BadName;
            fn try_from(name: String) -> Result<Self, BadName> {
                Self::new(name)
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> String {
                name.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

checked_name!(
    /// One attachment of one run of a unit: `[a-zA-Z0-9:_.@-]`, 1 to 256 bytes, not `.` or `..`.
    EndpointId,
    "endpoint id",
    "it takes 1 to 256 of a-z A-Z 0-9 : _ . @ -, and is not . or ..",
    |n| (1..=256).contains(&n.len())
        && n != "."
        && n != ".."
        && n.bytes().all(|b| b.is_ascii_alphanumeric() || b":_.@-".contains(&b))
);

checked_name!(
    /// A network: `[a-z0-9-]`, 1 to 63 bytes.
    NetworkName,
    "network name",
    "it takes 1 to 63 of a-z 0-9 -",
    |n| (1..=63).contains(&n.len())
        && n.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
);

checked_name!(
    /// A name that DNS answers: labels of `[a-z0-9_-]`, 63 bytes each and 253 in all.
    DnsName,
    "DNS name",
    "it takes labels of 1 to 63 of a-z 0-9 _ -, joined by dots, 253 in all",
    |n| n.len() <= 253
        && n.split('.').all(|label| (1..=63).contains(&label.len())
            && label.bytes().all(
                |b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_'
            ))
);

checked_name!(
    /// A link of Linux: `[a-zA-Z0-9._-]`, 1 to 15 bytes, not `.` or `..` (dev_valid_name in
    /// net/core/dev.c takes more).
    LinkName,
    "link name",
    "it takes 1 to 15 of a-z A-Z 0-9 - _ ., and is not . or ..",
    |n| (1..=15).contains(&n.len())
        && n != "."
        && n != ".."
        && n.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
);

impl LinkName {
    /// The name of one of netd's own links: `fl` and 44 bits of a number.
    pub fn numbered(number: u64) -> Self {
        Self(format!("fl{:011x}", number & 0xfff_ffff_ffff))
    }

    /// `eth0`, `eth1` and so on.
    pub fn eth(number: usize) -> Self {
        Self(format!("eth{}", number % 1_000_000))
    }
}

checked_name!(
    /// Who wants something: what one wants is left alone by the documents of others.
    OwnerName,
    "owner",
    "it takes 1 to 63 of a-z 0-9 -",
    |n| (1..=63).contains(&n.len())
        && n.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_a_path_in_it_is_refused() {
        for bad in ["", ".", "..", "a/b", "../x", "a b", "a\n", "ä"] {
            assert!(EndpointId::new(bad).is_err(), "{bad:?} was taken");
        }
        assert!(EndpointId::new("web@1.container:3").is_ok());
    }

    #[test]
    fn a_bad_name_says_what_and_why() {
        let text = NetworkName::new("Front").unwrap_err().to_string();
        assert_eq!(text, "read network name \"Front\": it takes 1 to 63 of a-z 0-9 -");
    }

    #[test]
    fn dns_names_have_short_labels() {
        assert!(DnsName::new("web.flotilla").is_ok());
        assert!(DnsName::new("web..x").is_err());
        assert!(DnsName::new("a".repeat(64)).is_err());
    }
}
