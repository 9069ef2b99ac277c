//! A network while its keys are read, and the checks that need all of them.

use super::plan::HostPrefix;
use super::policy::{Allow, Deny, Direction};
use super::{Driver, NetworkUnit, keys};
use crate::assign::{Taken, Value, wrong};
use crate::names;
use crate::read::{Checks, Drafted, Seen};
use crate::specifier::Unexpanded;
use crate::syntax::head;
use crate::table::Table;
use fleetd_api::UnitName;
use ipnet::IpNet;
use std::net::IpAddr;

/// netd asks one after the other.
const MAX_SERVERS: usize = 8;

/// Every host has all of them in its kernel.
const MAX_ALLOW: usize = 256;

/// More words of one key are none that somebody wrote.
const MAX_LABELS: usize = 256;

/// What every host has to pass on (RFC 8200).
const IPV6_MTU: u16 = 1280;

/// None and an empty list: not said.
#[derive(Debug, Default)]
pub struct NetworkDraft {
    pub description: Option<String>,
    pub network: Option<String>,
    pub driver: Option<Driver>,
    pub subnets: Vec<IpNet>,
    pub ranges: Vec<IpNet>,
    pub ipv6: Option<bool>,
    pub internal: Option<bool>,
    pub disable_dns: Option<bool>,
    pub dns_servers: Vec<IpAddr>,
    pub options: Vec<NetworkOption>,
    pub labels: Vec<(String, String)>,
    pub host_prefixes: Vec<HostPrefix>,
    pub service_subnets: Vec<IpNet>,
    pub encrypted: Option<bool>,
    pub deny: Vec<Direction>,
    pub allow: Vec<Allow>,
    pub seen: Seen,
}

/// One word of `Options=`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NetworkOption {
    Mtu(u16),
    Isolate(bool),
}

impl Value<'_> {
    pub fn network_name(&self) -> Taken<String> {
        names::network_name(&self.name()?).map_err(Unexpanded::Wrong)
    }

    pub fn driver(&self) -> Taken<Driver> {
        match self.raw {
            "bridge" => Ok(Driver::Bridge),
            "vxlan" => Ok(Driver::Vxlan),
            "wireguard" => Ok(Driver::Wireguard),
            "routes" => Ok(Driver::Routes),
            "macvlan" | "ipvlan" => {
                wrong("a container on the hosts' own network is not there yet: bridge")
            }
            _ => wrong("it takes bridge, vxlan, wireguard or routes"),
        }
    }

    /// `KEY=VALUE` in words. podman's drivers know more of them, for what is set otherwise here.
    pub fn network_options(&self) -> Taken<Vec<NetworkOption>> {
        let mut options = Vec::new();
        for word in self.words()? {
            match word.split_once('=') {
                Some(("mtu" | "com.docker.network.driver.mtu", bytes)) => {
                    options.push(NetworkOption::Mtu(mtu(bytes)?));
                }
                // podman's stricter word is what it does in any case.
                Some(("isolate", "strict")) => options.push(NetworkOption::Isolate(true)),
                Some(("isolate", text)) => match crate::value::boolean(text) {
                    Ok(isolate) => options.push(NetworkOption::Isolate(isolate)),
                    Err(_) => return wrong("isolate= takes true or false"),
                },
                Some(_) => {
                    let shown = head(&word);
                    self.warn(format!("the option {shown} is not known and is passed over"));
                }
                None => return wrong(format!("{:?} is not KEY=VALUE", head(&word))),
            }
        }
        Ok(options)
    }
}

fn mtu(text: &str) -> Taken<u16> {
    let number = crate::value::number(text).ok().and_then(|number| u16::try_from(number).ok());
    match number.filter(|number| *number >= 576) {
        Some(number) => Ok(number),
        None => wrong("mtu= takes 576 to 65535 bytes"),
    }
}

impl Drafted for NetworkDraft {
    const TABLE: &'static Table<Self> = &keys::TABLE;

    /// A network is the same for every host.
    fn is_of_the_fleet(_: &str, _: &str) -> bool {
        true
    }

    fn seen(&mut self) -> &mut Seen {
        &mut self.seen
    }

    fn check(&self, name: &UnitName) -> Checks {
        let mut checks = Checks::default();
        let faults = self.wrong_name(name).into_iter().chain(self.wrong_together());
        let faults = faults.chain(self.wrong_ranges()).chain(self.too_many());
        for (key, message) in faults {
            checks.faults.push(self.seen.place(name, key).fault(message));
        }
        for (key, message) in self.without_effect().into_iter().chain(self.ranges_of_one_host()) {
            checks.warnings.push(self.seen.place(name, key).warning(message));
        }
        checks
    }
}

impl NetworkDraft {
    fn wrong_name(&self, name: &UnitName) -> Option<(&'static str, String)> {
        let stem = name.stem();
        let wrong = self.network.is_none() && names::network_name(stem).is_err();
        wrong.then(|| {
            let message = format!("{stem:?} is no name of a network: [Network] needs NetworkName=");
            ("NetworkName", message)
        })
    }

    fn wrong_together(&self) -> Vec<(&'static str, String)> {
        let mut told = Vec::new();
        match (self.encrypted, self.driver) {
            (Some(true), Some(Driver::Vxlan | Driver::Routes)) => {
                let message = "Encrypted=yes is Driver=wireguard, and another is named";
                told.push(("Encrypted", message.to_owned()));
            }
            (Some(false), Some(Driver::Wireguard)) => {
                let message = "Encrypted=no does not go with Driver=wireguard";
                told.push(("Encrypted", message.to_owned()));
            }
            _ => {}
        }
        let subnet = self.subnets.iter().find(|subnet| subnet.addr().is_ipv6());
        if let (Some(false), Some(subnet)) = (self.ipv6, subnet) {
            told.push(("IPv6", format!("IPv6=no does not go with Subnet={subnet}")));
        }
        if let Some(mtu) = self.mtu().filter(|mtu| self.has_ipv6() && *mtu < IPV6_MTU) {
            told.push(("Options", format!("mtu={mtu}: IPv6 needs {IPV6_MTU} bytes")));
        }
        told
    }

    fn too_many(&self) -> Vec<(&'static str, String)> {
        let counts = [
            ("DNS", self.dns_servers.len(), MAX_SERVERS),
            ("Label", self.labels.len(), MAX_LABELS),
            ("Allow", self.allow.len(), MAX_ALLOW),
        ];
        let over = counts.into_iter().filter(|(_, count, most)| count > most);
        let told = |(key, count, most)| (key, format!("{count} of them: {most} are the most"));
        over.map(told).collect()
    }

    fn without_effect(&self) -> Vec<(&'static str, String)> {
        let mut told = Vec::new();
        if self.disable_dns == Some(true) && !self.dns_servers.is_empty() {
            told.push(("DNS", "DNS= has no effect with DisableDNS=yes".to_owned()));
        }
        if !self.allow.is_empty() && !Deny::of(&self.deny).denies() && !self.isolate() {
            let message = "Allow= has no effect: nothing is denied without DefaultDeny= or \
                           Options=isolate=true";
            told.push(("Allow", message.to_owned()));
        }
        told
    }

    fn has_ipv6(&self) -> bool {
        self.ipv6.unwrap_or_else(|| self.subnets.iter().any(|subnet| subnet.addr().is_ipv6()))
    }

    fn mtu(&self) -> Option<u16> {
        let mtu = |option: &NetworkOption| match option {
            NetworkOption::Mtu(mtu) => Some(*mtu),
            NetworkOption::Isolate(_) => None,
        };
        self.options.iter().rev().find_map(mtu)
    }

    fn isolate(&self) -> bool {
        let isolate = |option: &NetworkOption| match option {
            NetworkOption::Isolate(isolate) => Some(*isolate),
            NetworkOption::Mtu(_) => None,
        };
        self.options.iter().rev().find_map(isolate).unwrap_or(false)
    }

    /// The unit with every default filled in. [`Drafted::check`] has found no fault.
    pub fn finish(self, name: &UnitName) -> NetworkUnit {
        let (host_prefix_ipv4, host_prefix_ipv6) = self.host_prefix();
        let driver = match self.encrypted {
            Some(true) => Driver::Wireguard,
            Some(false) | None => self.driver.unwrap_or(Driver::Bridge),
        };
        NetworkUnit {
            name: name.to_string(),
            driver,
            ipv4: self.plan(true),
            ipv6: self.plan(false),
            has_ipv6: self.has_ipv6(),
            host_prefix_ipv4,
            host_prefix_ipv6,
            internal: self.internal.unwrap_or(false),
            dns: !self.disable_dns.unwrap_or(false),
            mtu: self.mtu(),
            isolate: self.isolate(),
            default_deny: Deny::of(&self.deny),
            description: self.description.unwrap_or_else(|| name.to_string()),
            network: self.network.unwrap_or_else(|| name.stem().to_owned()),
            service_subnets: self.service_subnets,
            dns_servers: self.dns_servers,
            allow: self.allow,
            labels: self.labels.into_iter().collect(),
        }
    }
}
