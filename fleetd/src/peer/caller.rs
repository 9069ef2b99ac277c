//! Who asks: from the connection, and from what a host says about which of its own users it asks for.
//!
//! A host speaks for those who are on it, as `uid-N`, and in no greater role than the fleet gives
//! its hosts. For a user with a certificate nobody speaks but the certificate.

use super::access::HostsMay;
use crate::pki::{Identity, MachineId, Peer, Role, UserName};
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use std::fmt;

/// `ROLE/uid-N`: the user of that host, or of one that has handed the request on, for whom a host
/// asks. Only hosts may send it.
pub const ON_BEHALF_OF: HeaderName = HeaderName::from_static("flotilla-on-behalf-of");
/// How many hosts have handed the request on. Only hosts may send it.
pub const HOPS: HeaderName = HeaderName::from_static("flotilla-hops");

/// What the users of a host itself are called, with their number.
const UID: &str = "uid-";

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
        by: By,
    },
}

/// By what a user is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    Certificate,
    /// The unix socket of this host.
    Socket,
    /// That host, on whose socket the user has asked.
    Host(MachineId),
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
    pub(super) fn read(
        via: &Via,
        headers: &HeaderMap,
        hosts_may: &HostsMay,
    ) -> Result<Self, BadHeader> {
        let Via::Peer(Peer { identity: Identity::Host(machine), .. }) = via else {
            for name in [ON_BEHALF_OF, HOPS] {
                if headers.contains_key(&name) {
                    return Err(BadHeader::NotAHost(name));
                }
            }
            return Ok(Self { who: direct(via, hosts_may)?, hops: 0 });
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
        let role: Role = role.parse().map_err(malformed)?;
        if name.strip_prefix(UID).is_none_or(|uid| uid.parse::<u32>().is_err()) {
            return Err(malformed("a host may ask for its own users, uid-N".to_owned()));
        }
        let name = name.parse().map_err(malformed)?;
        let role = role.min(hosts_may(Some(*machine)));
        Ok(Self { who: Who::User { role, name, by: By::Host(*machine) }, hops })
    }

    /// The value of [`ON_BEHALF_OF`]; none: there is no user, or one that shows its own certificate.
    pub(super) fn on_behalf_of(&self) -> Option<HeaderValue> {
        match &self.who {
            Who::User { by: By::Certificate, .. } | Who::Anonymous | Who::Host(_) => None,
            Who::User { role, name, .. } => HeaderValue::try_from(format!("{role}/{name}")).ok(),
        }
    }
}

fn direct(via: &Via, hosts_may: &HostsMay) -> Result<Who, BadHeader> {
    Ok(match via {
        Via::Join => Who::Anonymous,
        Via::Peer(Peer { identity: Identity::Host(machine), .. }) => Who::Host(*machine),
        Via::Peer(Peer { identity: Identity::User { role, name }, .. }) => {
            Who::User { role: *role, name: name.clone(), by: By::Certificate }
        }
        Via::Local { uid } => {
            let name = format!("{UID}{uid}");
            let name = name.parse().map_err(|cause| BadHeader::Malformed(ON_BEHALF_OF, cause))?;
            Who::User { role: hosts_may(None), name, by: By::Socket }
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
            Self::User { role, name, by: By::Certificate } => write!(f, "user {name} ({role})"),
            Self::User { role, name, by: By::Socket } => {
                write!(f, "user {name} ({role}) of this host")
            }
            Self::User { role, name, by: By::Host(machine) } => {
                write!(f, "user {name} ({role}) by host {machine}")
            }
        }
    }
}
