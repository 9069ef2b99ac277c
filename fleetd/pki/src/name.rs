//! Who somebody is in a fleet, and how a certificate spells it.
//!
//! The spelling is a URI: `flotilla://FLEET/host/MACHINE` or `flotilla://FLEET/user/ROLE/NAME`. Role
//! and name are steps of the path and not a query (`?role=`): a path of plain letters has one
//! spelling, while a query can repeat a key, change the order and escape letters, and each of these
//! is a way for two readers of one certificate to see two people in it.

pub use crate::machine_id::MachineId;

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

const SCHEME: &str = "flotilla://";

/// A text that was checked once, when it came from outside.
macro_rules! checked_text {
    ($(#[$documentation:meta])* $name:ident, $what:literal, $rule:literal, $valid:path) => {
        $(#[$documentation])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = String;

            fn from_str(text: &str) -> Result<Self, String> {
                if $valid(text) {
                    return Ok(Self(text.to_owned()));
                }
                Err(format!("`{}` is not {} ({})", shown(text), $what, $rule))
            }
        }

        impl TryFrom<String> for $name {
            type Error = String;

            fn try_from(text: String) -> Result<Self, String> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(text: $name) -> Self {
                text.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

checked_text!(
    /// Of the whole fleet, made with its first certificate authority and kept for good.
    FleetId,
    "a fleet's id",
    "32 lower-case hex digits",
    is_id
);
checked_text!(
    /// Of a person, or of a program that acts for people.
    UserName,
    "a user's name",
    "1 to 64 of a-z, 0-9, `.`, `_`, `-`, `@`, the first a letter or digit",
    is_user
);

fn is_id(text: &str) -> bool {
    text.len() == 32 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

fn is_user(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    (1..=64).contains(&text.len())
        && text.bytes().next().is_some_and(plain)
        && text.bytes().all(|byte| plain(byte) || matches!(byte, b'.' | b'_' | b'-' | b'@'))
}

/// What of a foreign text is fit to be in a message: the longest name of ours fits.
pub(super) fn shown(text: &str) -> String {
    text.chars().take(128).flat_map(char::escape_default).collect()
}

/// What a person may do. Each includes those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    View,
    Operate,
    Admin,
}

impl Role {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::View => "view",
            Self::Operate => "operate",
            Self::Admin => "admin",
        }
    }
}

impl FromStr for Role {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        [Self::View, Self::Operate, Self::Admin]
            .into_iter()
            .find(|role| role.as_str() == text)
            .ok_or_else(|| format!("`{}` is not a role (view, operate, admin)", shown(text)))
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Whom a certificate of the fleet is about.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Identity {
    Host(MachineId),
    User { role: Role, name: UserName },
}

impl Identity {
    pub fn user(name: UserName, role: Role) -> Self {
        Self::User { role, name }
    }

    pub fn uri(&self, fleet: &FleetId) -> String {
        match self {
            Self::Host(machine) => format!("{SCHEME}{fleet}/host/{machine}"),
            Self::User { role, name } => format!("{SCHEME}{fleet}/user/{role}/{name}"),
        }
    }

    /// The opposite of [`Identity::uri`]: takes exactly what that writes.
    pub fn read(uri: &str) -> Result<(FleetId, Self), String> {
        let malformed = || format!("`{}` names no host and no user of a fleet", shown(uri));
        let mut steps = uri.strip_prefix(SCHEME).ok_or_else(malformed)?.split('/');
        let mut step = || steps.next().ok_or_else(malformed);
        let fleet = step()?.parse()?;
        let identity = match step()? {
            "host" => Self::Host(step()?.parse()?),
            "user" => Self::User { role: step()?.parse()?, name: step()?.parse()? },
            _ => return Err(malformed()),
        };
        if steps.next().is_some() {
            return Err(malformed());
        }
        Ok((fleet, identity))
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Host(machine) => write!(f, "host {machine}"),
            Self::User { role, name } => write!(f, "user {name} ({role})"),
        }
    }
}
