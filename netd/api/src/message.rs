//! Requests and replies.

use crate::endpoint::{Endpoint, EndpointSpec};
use crate::name::{EndpointId, NetworkName, OwnerName};
use crate::network::NetworkSpec;
use crate::service::ServiceSpec;
use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::net::IpAddr;

/// Version of this protocol. A daemon refuses a request of a version it does not know.
pub const VERSION: u32 = 2;

/// One line to netd.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    pub version: u32,
    /// Who asks; none: [`crate::DEFAULT_OWNER`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<OwnerName>,
    #[serde(flatten)]
    pub call: Call,
}

impl From<Call> for Request {
    fn from(call: Call) -> Self {
        Self { version: VERSION, owner: None, call }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "call", rename_all = "snake_case")]
pub enum Call {
    /// Makes the endpoint desired and hands over its namespace. Asked again with the same spec
    /// while this netd still holds the namespace, it gives the same one.
    Attach {
        endpoint: EndpointSpec,
    },
    /// The endpoint is not wanted any more. An unknown id is no error: the level is reached.
    Detach {
        id: EndpointId,
    },
    /// All that the owner wants: endpoints and networks that are not in it go, changed ports and
    /// names take effect in place, ids that were never attached are reported as missing. What other
    /// owners want is not touched.
    Apply {
        document: Document,
    },
    /// One service alone, new or changed, between two documents.
    PutService {
        service: ServiceSpec,
    },
    /// Every endpoint as it is now, of all owners.
    List,
    Status,
    /// What the kernel lacks of what is wanted, and what it has beside it.
    Diff,
}

/// Everything that one owner wants of the host's network.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Document {
    /// Beside the host's own one, [`crate::DEFAULT_NETWORK`].
    #[serde(default)]
    pub networks: Vec<NetworkSpec>,
    pub endpoints: Vec<EndpointSpec>,
    #[serde(default)]
    pub services: Vec<ServiceSpec>,
}

/// One line from netd.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "reply", rename_all = "snake_case")]
pub enum Reply {
    Attached(Attached),
    Detached,
    Applied { missing: Vec<EndpointId> },
    ServicePut,
    Endpoints { endpoints: Vec<Endpoint> },
    Status(Status),
    Difference { differences: Vec<Difference> },
    Failed(Failure),
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attached {
    pub endpoint: Endpoint,
    /// What the container's resolv.conf names as its servers: the host's addresses on its first
    /// network.
    pub dns: Vec<IpAddr>,
    /// The domain that a short name is looked up in.
    pub search: String,
    /// Whether the namespace came ready out of the pool.
    pub pooled: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    pub version: String,
    pub counts: Counts,
    pub networks: Vec<NetworkStatus>,
    /// What stands in the way and is not netd's to change, such as another program's firewall.
    pub findings: Vec<Finding>,
}

/// A network as it is now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NetworkStatus {
    pub name: NetworkName,
    /// Whose document it is from; none: the host's own.
    pub owner: Option<OwnerName>,
    pub subnets: Vec<IpNet>,
    pub internal: bool,
    /// How many endpoints are on it.
    pub endpoints: usize,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    pub endpoints: usize,
    /// Namespaces that wait in the pool.
    pub ready: usize,
    pub published: usize,
    pub services: usize,
    pub free_addresses: u64,
}

/// One thing that the kernel lacks or has too much.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Difference {
    Missing { what: String },
    Strange { what: String },
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing { what } => write!(f, "missing: {what}"),
            Self::Strange { what } => write!(f, "strange: {what}"),
        }
    }
}

/// One thing an operator should know, with the remedy where we know it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    pub message: String,
    pub hint: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    pub kind: ErrorKind,
    /// Verb, object, cause.
    pub message: String,
    pub hint: Option<String>,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        match &self.hint {
            Some(hint) => write!(f, " ({hint})"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Failure {}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorKind {
    /// The request itself is wrong: asking again does not help.
    Invalid,
    /// A port or an address that somebody else holds.
    InUse,
    /// No free address is left.
    Exhausted,
    /// The kernel or the disk refused.
    System,
    /// The peer's credentials do not allow the call.
    Denied,
}
