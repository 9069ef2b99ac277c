//! A container unit, read and checked: what the agent acts on. No strings are left to interpret.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

/// The content of a `.container` unit with its drop-ins, specifiers resolved.
#[derive(Debug, Clone, PartialEq)]
pub struct ContainerUnit {
    /// Full name with its suffix: `web@1.container`.
    pub name: String,
    pub description: String,
    pub image: String,
    /// Replaces the image's entry point when given.
    pub entrypoint: Option<Vec<String>>,
    /// Replaces the image's command when not empty.
    pub exec: Vec<String>,
    /// `Environment=`, in order; a later one wins.
    pub environment: Vec<(String, String)>,
    pub environment_files: Vec<EnvironmentFile>,
    pub ports: Vec<Port>,
    pub volumes: Vec<Volume>,
    /// `LoadCredential=`, `SetCredential=`: by id; of one that is loaded and set the first is loaded.
    pub credentials: Vec<Credential>,
    pub secrets: Vec<SecretFile>,
    /// As written: `user[:group]`, names or numbers, looked up in the image.
    pub user: Option<String>,
    pub working_dir: Option<PathBuf>,
    pub read_only: bool,
    pub network: Network,
    pub resolver: Resolver,
    /// `AddHost=`, in order.
    pub hosts: Vec<HostEntry>,
    /// None: what follows from the unit's name.
    pub hostname: Option<String>,
    /// `[X-Fleet] Label=`
    pub labels: BTreeMap<String, String>,
    pub health: Option<HealthCheck>,
    pub service: Service,
    pub limits: Limits,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnvironmentFile {
    pub path: PathBuf,
    /// Written with `-` in front: may be missing.
    pub optional: bool,
}

/// `PublishPort=`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Port {
    pub host_ip: Option<IpAddr>,
    pub host: u16,
    pub container: u16,
    pub udp: bool,
}

/// `Volume=` of a host directory or file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Volume {
    pub source: PathBuf,
    pub target: PathBuf,
    pub read_only: bool,
}

/// A file below [`credentials_directory`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credential {
    /// Its name there.
    pub id: String,
    pub source: Source,
}

/// Where a credential comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A secret of the fleet.
    Secret(String),
    /// A file of the host.
    File(PathBuf),
    /// The unit file itself, for where nothing is loaded.
    Text(String),
}

/// `Secret=`: a secret of the fleet as a file below [`super::credential::SECRETS`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretFile {
    pub secret: String,
    /// Its name there.
    pub target: String,
    pub uid: u32,
    pub gid: u32,
    pub mode: u32,
}

/// `$CREDENTIALS_DIRECTORY` of a unit, inside (systemd.exec(5)).
pub fn credentials_directory(unit: &str) -> String {
    format!("/run/credentials/{unit}")
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Network {
    /// A namespace from netd, on each of these networks: one at least, in the file's order.
    Bridge(Vec<Attachment>),
    /// The host's own.
    Host,
    /// Loopback only.
    None,
}

/// A place on one network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attachment {
    pub network: NetworkRef,
    /// Fixed ones: of each family one at most.
    pub addresses: Vec<IpAddr>,
    /// Of its interface. None: netd's.
    pub mac: Option<[u8; 6]>,
    /// DNS names beside the unit's own, in lower case.
    pub aliases: Vec<String>,
    /// What the interface is called inside. None: the first is `eth0`, and so on.
    pub interface: Option<String>,
}

impl Attachment {
    /// With nothing of its own.
    pub fn new(network: NetworkRef) -> Self {
        let (addresses, aliases) = (Vec::new(), Vec::new());
        Self { network, addresses, mac: None, aliases, interface: None }
    }
}

/// Which network is meant.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum NetworkRef {
    /// By its own name: `bridge`, or what a `.network` says in `NetworkName=`.
    Name(String),
    /// By its unit: `front.network`.
    Unit(String),
}

impl fmt::Display for NetworkRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) | Self::Unit(name) => f.write_str(name),
        }
    }
}

/// `/etc/resolv.conf` inside.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Resolver {
    pub servers: Servers,
    /// None: the fleet's domain; empty: none is searched.
    pub search: Option<Vec<String>>,
    /// Words of resolv.conf(5).
    pub options: Vec<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Servers {
    /// netd's, which knows the fleet's names.
    #[default]
    Fleet,
    /// One to three.
    These(Vec<IpAddr>),
    /// The image's file stays as it is.
    Untouched,
}

/// A line of `/etc/hosts`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostEntry {
    pub name: String,
    pub address: HostAddress,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HostAddress {
    Ip(IpAddr),
    /// Where the container reaches its host.
    Gateway,
}

/// `Health*=`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HealthCheck {
    pub command: Vec<String>,
    pub interval: Duration,
    pub timeout: Duration,
    pub retries: u32,
    pub start_period: Duration,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ServiceType {
    /// Active when the program runs.
    Simple,
    Exec,
    /// Active when the program says so through NOTIFY_SOCKET.
    Notify,
    /// Active when the program has ended well.
    Oneshot,
}

/// systemd's seven.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Restart {
    No,
    OnSuccess,
    OnFailure,
    OnAbnormal,
    OnWatchdog,
    OnAbort,
    Always,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Service {
    pub kind: ServiceType,
    pub restart: Restart,
    pub restart_sec: Duration,
    pub restart_steps: u32,
    pub restart_max_delay: Option<Duration>,
    /// None: wait for ever.
    pub timeout_start: Option<Duration>,
    pub timeout_stop: Option<Duration>,
    pub start_limit_interval: Duration,
    pub start_limit_burst: u32,
    pub remain_after_exit: bool,
    /// Signal number that asks the program to end.
    pub stop_signal: Option<i32>,
}

#[derive(Debug, Clone, Default, PartialEq)]
pub struct Limits {
    /// Bytes.
    pub memory_max: Option<u64>,
    /// CPU time per wall time: `CPUQuota=150%` is 1.5.
    pub cpu_quota: Option<f64>,
    pub tasks_max: Option<u64>,
}
