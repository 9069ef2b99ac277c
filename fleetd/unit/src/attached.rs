//! The networks of a container together: what is said for all of them, or for the only one, and what does not
//! go with what.

use super::attachment::{Choice, DEFAULT_NETWORK};
use super::container::{Attachment, Network, NetworkRef};
use super::draft::Draft;
use super::read::Checks;
use fleetd_api::UnitName;
use std::collections::BTreeSet;
use std::net::IpAddr;

/// A container on more networks is a router.
const MAX_NETWORKS: usize = 8;

/// More names of one container are none that somebody wrote.
const MAX_ALIASES: usize = 64;

impl Draft {
    /// Whether it has a network of its own with others on it.
    pub fn is_on_a_network(&self) -> bool {
        !self.networks.iter().any(|choice| matches!(choice, Choice::Host | Choice::None))
    }

    /// Its networks, with the keys that are for all of them, or for its only one.
    pub(super) fn network(&self) -> Network {
        let mut attachments: Vec<Attachment> = Vec::new();
        for choice in &self.networks {
            match choice {
                Choice::Host => return Network::Host,
                Choice::None => return Network::None,
                Choice::Attach(attachment) => attachments.push(attachment.clone()),
            }
        }
        if attachments.is_empty() {
            let network = NetworkRef::Name(DEFAULT_NETWORK.to_owned());
            attachments.push(Attachment::new(network));
        }
        for attachment in &mut attachments {
            attachment.addresses.extend(self.ip.map(IpAddr::from));
            attachment.addresses.extend(self.ip6.map(IpAddr::from));
            attachment.aliases.extend(self.network_aliases.iter().cloned());
            let mut met = BTreeSet::new();
            attachment.aliases.retain(|alias| met.insert(alias.clone()));
        }
        Network::Bridge(attachments)
    }

    /// The `.network` units that it names.
    pub(super) fn network_units(&self) -> Vec<String> {
        let unit = |attachment: &Attachment| match &attachment.network {
            NetworkRef::Unit(unit) => Some(unit.clone()),
            NetworkRef::Name(_) => None,
        };
        self.attachments().filter_map(unit).collect()
    }

    /// What no key on networks can tell alone.
    pub(super) fn check_networks(&self, name: &UnitName, checks: &mut Checks) {
        let wrong = self.wrong_networks().into_iter().map(|message| ("Network", message));
        for (key, message) in wrong.chain(self.wrong_addresses()) {
            checks.faults.push(self.place(name, key).fault(message));
        }
        let aliases = self.network_aliases.len();
        let own = self.attachments().map(|attachment| attachment.aliases.len());
        let most = aliases + own.max().unwrap_or(0);
        if most > MAX_ALIASES {
            let key = if aliases > 0 { "NetworkAlias" } else { "Network" };
            let message = format!("{most} names on one network: {MAX_ALIASES} are the most");
            checks.faults.push(self.place(name, key).fault(message));
        }
        if aliases > 0 && !self.is_on_a_network() {
            let message = "NetworkAlias= has no effect without a network of its own";
            checks.warnings.push(self.place(name, "NetworkAlias").warning(message));
        }
        for (key, message) in self.shared_addresses(name) {
            checks.warnings.push(self.place(name, key).warning(message));
        }
    }

    /// Addresses of what runs more than once. Those with an instance in them are not known here yet.
    fn shared_addresses(&self, name: &UnitName) -> Vec<(&'static str, String)> {
        let everywhere = self.rules.global == Some(true);
        if !name.is_template() && !everywhere {
            return Vec::new();
        }
        let fixed = |it: &Attachment| !it.addresses.is_empty() || it.mac.is_some();
        let said = [
            ("IP", self.ip.is_some()),
            ("IP6", self.ip6.is_some()),
            ("Network", self.attachments().any(fixed)),
        ];
        let why = if everywhere { "on every host" } else { "for every instance: write %i into it" };
        let said = said.into_iter().filter(|(_, is_said)| *is_said);
        said.map(|(key, _)| (key, format!("{key}= has one address {why}"))).collect()
    }

    fn wrong_networks(&self) -> Option<String> {
        let choices = &self.networks;
        if choices.len() > MAX_NETWORKS {
            return Some(format!("{} networks: {MAX_NETWORKS} are the most", choices.len()));
        }
        let alone = choices.iter().find(|choice| !matches!(choice, Choice::Attach(_)));
        if let (Some(alone), 2..) = (alone, choices.len()) {
            return Some(format!("Network={} goes with no other network", alone.text()));
        }
        let mut networks = BTreeSet::new();
        if let Some(twice) = choices.iter().find(|choice| !networks.insert(choice.text())) {
            return Some(format!("Network={} stands there twice", twice.text()));
        }
        let mut interfaces = BTreeSet::new();
        let mut named = self.attachments().filter_map(|attachment| attachment.interface.as_ref());
        let twice = named.find(|interface| !interfaces.insert(*interface));
        twice.map(|name| format!("two networks have the interface {name}"))
    }

    fn attachments(&self) -> impl Iterator<Item = &Attachment> {
        self.networks.iter().filter_map(|choice| match choice {
            Choice::Attach(attachment) => Some(attachment),
            Choice::Host | Choice::None => None,
        })
    }

    /// `IP=` and `IP6=` do not say of which network they are.
    fn wrong_addresses(&self) -> Vec<(&'static str, String)> {
        let said = [("IP", self.ip.map(IpAddr::from)), ("IP6", self.ip6.map(IpAddr::from))];
        let said = said.into_iter().filter_map(|(key, address)| Some((key, address?)));
        said.filter_map(|(key, address)| Some((key, self.wrong_address(key, address)?))).collect()
    }

    fn wrong_address(&self, key: &str, address: IpAddr) -> Option<String> {
        if !self.is_on_a_network() {
            return Some(format!("{key}= needs a network of its own"));
        }
        let others = self.networks.len();
        if others > 1 {
            return Some(format!(
                "{key}= is for exactly one network, and there are {others}: write :ip={address} \
                 behind one in Network="
            ));
        }
        let mut placed = self.attachments().flat_map(|attachment| &attachment.addresses);
        let twice = placed.any(|other| other.is_ipv4() == address.is_ipv4());
        twice.then(|| format!("{key}= and ip= in Network=: write one of them"))
    }
}
