//! A virtual service while its keys are read, and the checks that need all of them.

use super::listen::{Listen, Target};
use super::{Activation, Backends, Balance, ServicePort, SocketUnit, TriggerLimit, keys};
use crate::assign::{Taken, Value, wrong};
use crate::attachment::DEFAULT_NETWORK;
use crate::container::NetworkRef;
use crate::names;
use crate::read::{Checks, Drafted, Seen};
use crate::specifier::Unexpanded;
use crate::table::Table;
use fleetd_api::{UnitKind, UnitName};
use std::net::IpAddr;
use std::time::Duration;

/// Long enough that every host has heard, and most requests are answered.
const DRAIN: Duration = Duration::from_secs(5);

/// systemd's own of a socket with `Accept=no`.
const TRIGGER_LIMIT: TriggerLimit = TriggerLimit { interval: Duration::from_secs(2), burst: 20 };

/// None and an empty list: not said.
#[derive(Debug, Default)]
pub struct SocketDraft {
    pub description: Option<String>,
    pub listen: Vec<Listen>,
    pub datagrams: Vec<Listen>,
    pub service: Option<UnitName>,
    pub port_name: Option<String>,
    pub trigger_interval: Option<Duration>,
    pub trigger_burst: Option<u32>,
    pub selector: Vec<(String, String)>,
    pub targets: Vec<Target>,
    pub network: Option<NetworkRef>,
    pub balance: Option<Balance>,
    pub affinity: Option<Duration>,
    pub activate: Option<bool>,
    /// `Some(None)`: said to be `infinity`.
    pub idle: Option<Option<Duration>>,
    pub drain: Option<Duration>,
    pub aliases: Vec<String>,
    pub seen: Seen,
}

impl Value<'_> {
    /// A template, an instance or a unit without either, of containers.
    pub fn service(&self) -> Taken<UnitName> {
        let name = UnitName::new(self.name()?).map_err(|e| Unexpanded::Wrong(e.to_string()))?;
        match name.kind() {
            Some(UnitKind::Container) => Ok(name),
            _ => wrong(format!("a .{} does not answer: name a .container", name.suffix())),
        }
    }

    pub fn accept(&self) -> Taken<()> {
        match self.raw.is_empty() || !self.boolean()? {
            true => Ok(()),
            false => wrong("it takes no: a program for every connection is not there yet"),
        }
    }

    /// `infinity`, or a time over 0.
    pub fn idle(&self) -> Taken<Option<Duration>> {
        match crate::value::time_span(self.raw).map_err(Unexpanded::Wrong)? {
            Some(Duration::ZERO) => wrong("it takes a time over 0, or infinity"),
            span => Ok(span),
        }
    }

    pub fn port_name(&self) -> Taken<String> {
        names::service_name(&self.name()?).map_err(Unexpanded::Wrong)
    }

    pub fn balance(&self) -> Taken<Balance> {
        match self.raw {
            "random" => Ok(Balance::Random),
            "source" => Ok(Balance::Source),
            "stable" => Ok(Balance::Stable),
            _ => wrong("it takes random, source or stable"),
        }
    }
}

impl Drafted for SocketDraft {
    const TABLE: &'static Table<Self> = &keys::TABLE;

    /// A service is the same on every host.
    fn is_of_the_fleet(_: &str, _: &str) -> bool {
        true
    }

    fn seen(&mut self) -> &mut Seen {
        &mut self.seen
    }

    fn check(&self, name: &UnitName) -> Checks {
        self.together(name)
    }
}

impl SocketDraft {
    /// The addresses that are named, each once.
    pub(super) fn addresses(&self) -> Vec<IpAddr> {
        let mut addresses = Vec::new();
        for address in self.lines().filter_map(|listen| listen.address) {
            if !addresses.contains(&address) {
                addresses.push(address);
            }
        }
        addresses
    }

    pub(super) fn lines(&self) -> impl Iterator<Item = &Listen> {
        self.listen.iter().chain(&self.datagrams)
    }

    /// The units that it names, by key.
    pub(crate) fn units(&self) -> Vec<(&'static str, String)> {
        let service = self.service.iter().map(|name| ("Service", name.to_string()));
        let network = self.network.iter().filter_map(|network| match network {
            NetworkRef::Unit(unit) => Some(("Network", unit.clone())),
            NetworkRef::Name(_) => None,
        });
        service.chain(network).collect()
    }

    fn ports(&self) -> Vec<ServicePort> {
        let mut ports: Vec<ServicePort> = Vec::new();
        for Listen { protocol, port, .. } in self.lines().copied() {
            // A port on an address of each family is one port.
            if ports.iter().all(|other| (other.protocol, other.port) != (protocol, port)) {
                let name = self.port_name.clone();
                ports.push(ServicePort { protocol, port, target: self.target(port), name });
            }
        }
        ports
    }

    fn target(&self, port: u16) -> u16 {
        let named = self.targets.iter().find(|target| target.of.is_none_or(|of| of == port));
        named.map_or(port, |target| target.port)
    }

    fn activation(&self) -> Option<Activation> {
        let interval = self.trigger_interval.unwrap_or(TRIGGER_LIMIT.interval);
        let burst = self.trigger_burst.unwrap_or(TRIGGER_LIMIT.burst);
        let is_limit = !interval.is_zero() && burst > 0;
        let limit = is_limit.then_some(TriggerLimit { interval, burst });
        (self.activate == Some(true)).then(|| Activation { idle: self.idle.flatten(), limit })
    }

    /// The unit with every default filled in. [`Drafted::check`] has found no fault.
    pub fn finish(self, name: &UnitName) -> SocketUnit {
        let (ports, addresses, activation) = (self.ports(), self.addresses(), self.activation());
        let backends = match &self.service {
            Some(service) if service.is_template() => Backends::Template(service.to_string()),
            Some(service) => Backends::Unit(service.to_string()),
            None => Backends::Labels(self.selector.into_iter().collect()),
        };
        let mut dns_names = vec![name.stem().to_owned()];
        for alias in self.aliases {
            if !dns_names.contains(&alias) {
                dns_names.push(alias);
            }
        }
        let default = || NetworkRef::Name(DEFAULT_NETWORK.to_owned());
        SocketUnit {
            name: name.to_string(),
            description: self.description.unwrap_or_else(|| name.to_string()),
            dns_names,
            addresses,
            ports,
            backends,
            network: self.network.unwrap_or_else(default),
            balance: self.balance.unwrap_or(Balance::Random),
            affinity: self.affinity,
            activation,
            drain: self.drain.unwrap_or(DRAIN),
        }
    }
}
