//! Who asks: from the connection, and from what a host says about whom it asks for.

use crate::pki::{Identity, MachineId, Peer, Role, UserName};
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use std::fmt;

/// `ROLE/NAME`: the user for whom a host asks. Only hosts may send it.
pub const ON_BEHALF_OF: HeaderName = HeaderName::from_static("flotilla-on-behalf-of");
/// How many hosts have handed the request on. Only hosts may send it.
pub const HOPS: HeaderName = HeaderName::from_static("flotilla-hops");

/// More hosts than this do not hand one request on.
pub const MOST_HOPS: u8 = 3;

/// How a request came in: an extension of each, set by the listener.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Via {
    /// Over TLS, by somebody who has shown nothing.
    Join,
    /// Over TLS, with a certificate.
    Peer(Peer),
    /// Over the unix socket, by somebody whom [`super::local`] lets in.
    Local { uid: u32 },
}

/// On whose account a request is: an extension of each that was let through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    pub who: Who,
    /// How many hosts have handed it on.
    pub hops: u8,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Who {
    Anonymous,
    /// Itself, for its part in the fleet.
    Host(MachineId),
    User {
        role: Role,
        name: UserName,
        /// The host that has let the user in.
        by: Option<MachineId>,
    },
}

/// Headers that do not fit who sends them.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum BadHeader {
    #[error("read header {0}: only a host may send it")]
    NotAHost(HeaderName),
    #[error("read header {0}: {1}")]
    Malformed(HeaderName, String),
}

impl Caller {
    pub(super) fn read(via: &Via, headers: &HeaderMap) -> Result<Self, BadHeader> {
        let Via::Peer(Peer { identity: Identity::Host(machine), .. }) = via else {
            for name in [ON_BEHALF_OF, HOPS] {
                if headers.contains_key(&name) {
                    return Err(BadHeader::NotAHost(name));
                }
            }
            return Ok(Self { who: direct(via)?, hops: 0 });
        };
        let hops = only(headers, HOPS)?.map_or(Ok(0), |text| {
            text.parse().map_err(|_| BadHeader::Malformed(HOPS, "it is not a number".to_owned()))
        })?;
        let Some(user) = only(headers, ON_BEHALF_OF)? else {
            return Ok(Self { who: Who::Host(*machine), hops });
        };
        let malformed = |cause| BadHeader::Malformed(ON_BEHALF_OF, cause);
        let (role, name) =
            user.split_once('/').ok_or_else(|| malformed("it is not ROLE/NAME".to_owned()))?;
        let role = role.parse().map_err(malformed)?;
        let name = name.parse().map_err(malformed)?;
        Ok(Self { who: Who::User { role, name, by: Some(*machine) }, hops })
    }

    /// The value of [`ON_BEHALF_OF`]; none: there is no user.
    pub(super) fn on_behalf_of(&self) -> Option<HeaderValue> {
        match &self.who {
            Who::User { role, name, .. } => HeaderValue::try_from(format!("{role}/{name}")).ok(),
            Who::Anonymous | Who::Host(_) => None,
        }
    }
}

fn direct(via: &Via) -> Result<Who, BadHeader> {
    Ok(match via {
        Via::Join => Who::Anonymous,
        Via::Peer(Peer { identity: Identity::Host(machine), .. }) => Who::Host(*machine),
        Via::Peer(Peer { identity: Identity::User { role, name }, .. }) => {
            Who::User { role: *role, name: name.clone(), by: None }
        }
        Via::Local { uid } => {
            let name = format!("uid-{uid}");
            let name = name.parse().map_err(|cause| BadHeader::Malformed(ON_BEHALF_OF, cause))?;
            Who::User { role: Role::Admin, name, by: None }
        }
    })
}

/// The one value of a header.
fn only(headers: &HeaderMap, name: HeaderName) -> Result<Option<&str>, BadHeader> {
    let mut values = headers.get_all(&name).iter();
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => match value.to_str() {
            Ok(text) => Ok(Some(text)),
            Err(_) => Err(BadHeader::Malformed(name, "it is not printable".to_owned())),
        },
        (Some(_), Some(_)) => Err(BadHeader::Malformed(name, "it is there twice".to_owned())),
    }
}

impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Anonymous => f.write_str("somebody without a certificate"),
            Self::Host(machine) => write!(f, "host {machine}"),
            Self::User { role, name, by: None } => write!(f, "user {name} ({role})"),
            Self::User { role, name, by: Some(machine) } => {
                write!(f, "user {name} ({role}) by host {machine}")
            }
        }
    }
}
