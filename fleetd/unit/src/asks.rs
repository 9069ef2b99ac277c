//! What a unit asks of its host, in the scheduler's words.

use serde::{Deserialize, Serialize};
use std::net::IpAddr;

/// What one unit asks of its host.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Unit {
    pub machine_id: Option<String>,
    /// Units whose host it shares.
    pub machine_of: Vec<String>,
    /// Key and value: values of one key are alternatives, keys add up.
    pub machine_metadata: Vec<(String, String)>,
    /// Globs of unit names that are not beside it.
    pub conflicts: Vec<String>,
    /// One on every host that fits.
    pub global: bool,
    /// Globs of unit names whose place it takes.
    pub replaces: Vec<String>,
    pub requests: Resources,
    pub ports: Vec<HostPort>,
    pub volumes: Vec<String>,
    pub devices: Vec<String>,
    pub spread: Vec<Spread>,
    pub prefer: Vec<Preference>,
    pub priority: i32,
    /// The image that it runs, in Docker's short form, where it is had from nowhere: a host that does not
    /// hold it cannot run the unit.
    #[serde(default)]
    pub image: Option<String>,
    /// It is not moved to be better off: what it has done so far would be for nothing.
    #[serde(default)]
    pub stays: bool,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Resources {
    /// Thousandths of a CPU.
    pub cpu: u64,
    /// Bytes.
    pub memory: u64,
    /// Processes and threads.
    pub tasks: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    Tcp,
    Udp,
}

/// A port of the host that a unit takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostPort {
    pub protocol: Protocol,
    /// None: on every address, as the unspecified address.
    pub address: Option<IpAddr>,
    pub port: u16,
}

/// What the instances of a template are spread over.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Spread {
    Host,
    /// Hosts with the same value of this key are one place; those without it too.
    Metadata(String),
}

/// Metadata that makes a host better, or worse with a negative weight.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Preference {
    pub key: String,
    pub value: String,
    pub weight: i32,
}
