//! A container unit while its keys are read, and the checks that need all of them.

use super::attachment::Choice;
use super::container::{
    ContainerUnit, Credential, EnvironmentFile, HealthCheck, HostEntry, Limits, Port, Restart,
    SecretFile, Service, ServiceType, Source, Volume,
};
use super::fault::Place;
use super::keys;
use super::read::{Checks, Drafted, Seen};
use super::resolver::Server;
use super::rules::Rules;
use super::table::Table;
use fleetd_api::UnitName;
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::PathBuf;
use std::time::Duration;

/// More files of one kind are none that somebody wrote.
const MAX_SECRETS: usize = 256;

/// None and an empty list: not said. A time of `Some(None)` is `infinity`.
#[derive(Debug, Default)]
pub struct Draft {
    pub description: Option<String>,
    pub image: Option<String>,
    pub entrypoint: Option<Vec<String>>,
    pub exec: Option<Vec<String>>,
    pub environment: Vec<(String, String)>,
    pub environment_files: Vec<EnvironmentFile>,
    pub ports: Vec<Port>,
    pub volumes: Vec<Volume>,
    pub loaded: Vec<Credential>,
    pub set: Vec<Credential>,
    pub secrets: Vec<SecretFile>,
    pub user: Option<String>,
    pub group: Option<String>,
    pub working_dir: Option<PathBuf>,
    pub read_only: Option<bool>,
    pub networks: Vec<Choice>,
    pub network_aliases: Vec<String>,
    pub ip: Option<Ipv4Addr>,
    pub ip6: Option<Ipv6Addr>,
    pub dns: Vec<Server>,
    pub dns_search: Vec<String>,
    pub dns_options: Vec<String>,
    pub hosts: Vec<HostEntry>,
    pub hostname: Option<String>,
    pub labels: Vec<(String, String)>,
    pub health_cmd: Option<Vec<String>>,
    pub health_interval: Option<Duration>,
    pub health_timeout: Option<Duration>,
    pub health_retries: Option<u32>,
    pub health_start_period: Option<Duration>,
    pub kind: Option<ServiceType>,
    pub restart: Option<Restart>,
    pub restart_sec: Option<Duration>,
    pub restart_steps: Option<u32>,
    pub restart_max_delay: Option<Option<Duration>>,
    pub timeout_start: Option<Option<Duration>>,
    pub timeout_stop: Option<Option<Duration>>,
    pub start_limit_interval: Option<Duration>,
    pub start_limit_burst: Option<u32>,
    pub remain_after_exit: Option<bool>,
    pub stop_signal: Option<i32>,
    /// `Some(None)`: said to be without a limit.
    pub memory_max: Option<Option<u64>>,
    pub cpu_quota: Option<f64>,
    pub tasks_max: Option<Option<u64>>,
    /// What `[X-Fleet]` says.
    pub rules: Rules,
    pub seen: Seen,
}

impl Drafted for Draft {
    const TABLE: &'static Table<Self> = &keys::TABLE;

    fn is_of_the_fleet(section: &str, key: &str) -> bool {
        keys::is_of_the_fleet(section, key)
    }

    fn seen(&mut self) -> &mut Seen {
        &mut self.seen
    }

    /// What no single key can tell.
    fn check(&self, name: &UnitName) -> Checks {
        let mut checks = Checks::default();
        let mut fault = |key: &str, message: String| {
            checks.faults.push(self.place(name, key).fault(message));
        };
        if self.image.is_none() && !self.seen.is_waiting("Image") {
            fault("Image", "[Container] needs Image=".to_owned());
        }
        if self.group.is_some() && self.user.is_none() && !self.seen.is_waiting("User") {
            fault("Group", "Group= needs User=".to_owned());
        }
        if self.group.is_some() && self.user.as_ref().is_some_and(|user| user.contains(':')) {
            fault("Group", "Group= and a group in User=: write one of them".to_owned());
        }
        let oneshot = self.kind == Some(ServiceType::Oneshot);
        if oneshot && matches!(self.restart, Some(Restart::Always | Restart::OnSuccess)) {
            fault(
                "Restart",
                "a Type=oneshot that ends well is done: Restart=on-failure".to_owned(),
            );
        }
        if let Some(port) = published_twice(&self.ports) {
            let text = super::mapping::port_text(port);
            fault("PublishPort", format!("the host's port of {text} is published twice"));
        }
        for (position, volume) in self.volumes.iter().enumerate() {
            if self.volumes[..position].iter().any(|v| v.target == volume.target) {
                let target = volume.target.display();
                fault("Volume", format!("two volumes have the target {target}"));
            }
        }
        for (key, names) in self.names_of_secrets() {
            if names.len() > MAX_SECRETS {
                fault(key, format!("{} of them: {MAX_SECRETS} are the most", names.len()));
            }
            let again = |(at, name): &(usize, &&str)| names.iter().take(*at).any(|n| n == *name);
            if let Some((_, name)) = names.iter().enumerate().find(again) {
                fault(key, format!("two of them are called {name}"));
            }
        }
        self.warn(name, &mut checks);
        self.check_networks(name, &mut checks);
        self.check_resolver(name, &mut checks);
        self.check_rules(name, &mut checks);
        checks
    }
}

impl Draft {
    /// Where a key stands; the file as a whole if it is not there.
    pub(super) fn place(&self, name: &UnitName, key: &str) -> Place {
        self.seen.place(name, key)
    }

    /// By key what is to be a file inside.
    fn names_of_secrets(&self) -> [(&'static str, Vec<&str>); 3] {
        [
            ("LoadCredential", self.loaded.iter().map(|loaded| loaded.id.as_str()).collect()),
            ("SetCredential", self.set.iter().map(|set| set.id.as_str()).collect()),
            ("Secret", self.secrets.iter().map(|file| file.target.as_str()).collect()),
        ]
    }

    fn warn(&self, name: &UnitName, checks: &mut Checks) {
        let mut warn = |key: &str, message: &str| {
            checks.warnings.push(self.place(name, key).warning(message));
        };
        if !self.ports.is_empty() && !self.is_on_a_network() {
            warn("PublishPort", "PublishPort= has no effect without a network of its own");
        }
        let times = ["HealthInterval", "HealthTimeout", "HealthRetries", "HealthStartPeriod"];
        let timed = times.iter().find(|key| self.seen.places.contains_key(*key));
        if let (None, Some(key)) = (&self.health_cmd, timed)
            && !self.seen.is_waiting("HealthCmd")
        {
            warn(key, &format!("{key}= has no effect without HealthCmd="));
        }
    }

    /// The secrets of the fleet that it names.
    pub fn secrets(&self) -> BTreeSet<String> {
        let of_fleet = |credential: &Credential| match &credential.source {
            Source::Secret(secret) => Some(secret.clone()),
            Source::File(_) | Source::Text(_) => None,
        };
        let loaded = self.loaded.iter().filter_map(of_fleet);
        loaded.chain(self.secrets.iter().map(|file| file.secret.clone())).collect()
    }

    /// The unit with every default filled in. [`Self::check`] has found no fault.
    pub fn finish(self, name: &UnitName) -> ContainerUnit {
        let (network, resolver) = (self.network(), self.resolver());
        let health = self.health_cmd.filter(|command| !command.is_empty());
        let kind = self.kind.unwrap_or(ServiceType::Simple);
        let user = match (self.user, self.group) {
            (Some(user), Some(group)) => Some(format!("{user}:{group}")),
            (user, _) => user,
        };
        // A program that runs to its end has no time to be ready in (systemd.service(5)).
        let timeout_start = if kind == ServiceType::Oneshot { None } else { Some(TIMEOUT_START) };
        ContainerUnit {
            name: name.to_string(),
            description: self.description.unwrap_or_else(|| name.to_string()),
            image: self.image.unwrap_or_default(),
            entrypoint: self.entrypoint,
            exec: self.exec.unwrap_or_default(),
            environment: self.environment,
            environment_files: self.environment_files,
            ports: self.ports,
            volumes: self.volumes,
            credentials: self.loaded.into_iter().chain(self.set).collect(),
            secrets: self.secrets,
            user,
            working_dir: self.working_dir,
            read_only: self.read_only.unwrap_or(false),
            network,
            resolver,
            hosts: self.hosts,
            hostname: self.hostname,
            labels: self.labels.into_iter().collect(),
            health: health.map(|command| HealthCheck {
                command,
                interval: self.health_interval.unwrap_or(Duration::from_secs(30)),
                timeout: self.health_timeout.unwrap_or(Duration::from_secs(30)),
                retries: self.health_retries.unwrap_or(3),
                start_period: self.health_start_period.unwrap_or(Duration::ZERO),
            }),
            service: Service {
                kind,
                restart: self.restart.unwrap_or(Restart::No),
                restart_sec: self.restart_sec.unwrap_or(Duration::from_millis(100)),
                restart_steps: self.restart_steps.unwrap_or(0),
                restart_max_delay: self.restart_max_delay.flatten(),
                timeout_start: self.timeout_start.unwrap_or(timeout_start),
                timeout_stop: self.timeout_stop.unwrap_or(Some(TIMEOUT_STOP)),
                start_limit_interval: self.start_limit_interval.unwrap_or(Duration::from_secs(10)),
                start_limit_burst: self.start_limit_burst.unwrap_or(5),
                remain_after_exit: self.remain_after_exit.unwrap_or(false),
                stop_signal: self.stop_signal,
            },
            limits: Limits {
                memory_max: self.memory_max.flatten(),
                cpu_quota: self.cpu_quota,
                tasks_max: self.tasks_max.flatten(),
            },
        }
    }
}

/// The first port of the host that another one before it has. No address, `0.0.0.0` and `::` are
/// every address.
fn published_twice(ports: &[Port]) -> Option<&Port> {
    let mut taken: BTreeMap<(bool, u16), BTreeSet<Option<IpAddr>>> = BTreeMap::new();
    ports.iter().find(|port| {
        let address = port.host_ip.filter(|address| !address.is_unspecified());
        let addresses = taken.entry((port.udp, port.host)).or_default();
        let everywhere = address.is_none() && !addresses.is_empty();
        everywhere || addresses.contains(&None) || !addresses.insert(address)
    })
}

/// systemd's default.
const TIMEOUT_START: Duration = Duration::from_secs(90);
/// podman's: the first process of a pid namespace ignores a signal that it does not handle, so
/// that systemd's 90 s would be the usual time of a stop.
const TIMEOUT_STOP: Duration = Duration::from_secs(10);
