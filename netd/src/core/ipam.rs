//! Which address an endpoint gets.

use super::desired::failure;
use super::{Network, Record};
use ipnet::IpNet;
use netd_api::{Attachment, DnsName, ErrorKind, Failure, NetworkName};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// How many names' last addresses are remembered.
const REMEMBERED: usize = 4096;

/// The addresses of all networks.
#[derive(Debug, Clone, Default)]
pub struct Ipams(BTreeMap<NetworkName, Vec<Ipam>>);

impl Ipams {
    pub fn add(&mut self, network: &Network) {
        let ipams = network.subnets.iter().map(|subnet| Ipam::new(*subnet)).collect();
        self.0.insert(network.name.clone(), ipams);
    }

    pub fn remove(&mut self, network: &NetworkName) {
        self.0.remove(network);
    }

    /// Finds an address of each family of the network: the fixed one, else one that fits the name.
    /// Takes nothing yet.
    pub fn pick(
        &self,
        attachment: &Attachment,
        name: Option<&DnsName>,
    ) -> Result<Vec<IpAddr>, Failure> {
        let pick = |ipam: &Ipam| {
            let of_family = |a: &&IpAddr| a.is_ipv4() == ipam.subnet.addr().is_ipv4();
            ipam.pick(attachment.addresses.iter().find(of_family).copied(), name)
        };
        self.0.get(&attachment.network).into_iter().flatten().map(pick).collect()
    }

    /// Takes an endpoint's addresses, and remembers them for its first name.
    pub fn take(&mut self, record: &Record) {
        for place in &record.places {
            for address in &place.addresses {
                if let Some(ipam) = self.of(&place.network, *address) {
                    ipam.take(*address);
                    if let Some(name) = record.spec.names.first() {
                        ipam.remember(name, *address);
                    }
                }
            }
        }
    }

    pub fn free(&mut self, record: &Record) {
        for place in &record.places {
            for address in &place.addresses {
                if let Some(ipam) = self.of(&place.network, *address) {
                    ipam.free(*address);
                }
            }
        }
    }

    pub fn remember(&mut self, network: &NetworkName, name: &DnsName, address: IpAddr) {
        if let Some(ipam) = self.of(network, address) {
            ipam.remember(name, address);
        }
    }

    /// Names and their last addresses, of each network the oldest first.
    pub fn remembered(&self) -> impl Iterator<Item = (&NetworkName, &DnsName, IpAddr)> {
        let all = self.0.iter().flat_map(|(network, all)| all.iter().map(move |i| (network, i)));
        all.flat_map(|(network, ipam)| {
            ipam.remembered().map(move |(name, address)| (network, name, address))
        })
    }

    /// Free addresses of IPv4, or of IPv6 where a network has no other.
    pub fn free_count(&self) -> u64 {
        let first = self.0.values().filter_map(|ipams| ipams.first());
        first.map(Ipam::free_count).fold(0, u64::saturating_add)
    }

    fn of(&mut self, network: &NetworkName, address: IpAddr) -> Option<&mut Ipam> {
        self.0.get_mut(network)?.iter_mut().find(|ipam| ipam.subnet.contains(&address))
    }
}

/// The addresses of one subnet: those in use, and who had one before.
#[derive(Debug, Clone)]
pub struct Ipam {
    subnet: IpNet,
    used: BTreeSet<IpAddr>,
    /// The last address of a first name, oldest name first in `order`.
    remembered: BTreeMap<DnsName, IpAddr>,
    order: VecDeque<DnsName>,
    /// Reverse of `remembered`.
    kept_for: BTreeMap<IpAddr, DnsName>,
    /// The address given last. The next search starts after it, so that a freed address rests.
    last: IpAddr,
}

impl Ipam {
    pub fn new(subnet: IpNet) -> Self {
        Self {
            subnet,
            used: BTreeSet::new(),
            remembered: BTreeMap::new(),
            order: VecDeque::new(),
            kept_for: BTreeMap::new(),
            last: last(subnet),
        }
    }

    /// Finds an address: the fixed one, else the one that `name` had before, else the next one that
    /// is free and not remembered for somebody else, else any free one. Takes nothing yet.
    pub fn pick(&self, fixed: Option<IpAddr>, name: Option<&DnsName>) -> Result<IpAddr, Failure> {
        if let Some(fixed) = fixed {
            return self.check(fixed);
        }
        if let Some(address) = name.and_then(|n| self.remembered.get(n))
            && self.is_free(*address)
        {
            return Ok(*address);
        }
        let free = || self.after_last().filter(|a| !self.used.contains(a));
        free().find(|a| !self.kept_for.contains_key(a)).or_else(|| free().next()).ok_or_else(|| {
            failure(
                ErrorKind::Exhausted,
                format!("give an address of {}: all are in use", self.subnet),
            )
        })
    }

    pub fn take(&mut self, address: IpAddr) {
        self.used.insert(address);
        self.last = address;
    }

    pub fn free(&mut self, address: IpAddr) {
        self.used.remove(&address);
    }

    pub fn remember(&mut self, name: &DnsName, address: IpAddr) {
        if let Some(old) = self.remembered.insert(name.clone(), address) {
            self.kept_for.remove(&old);
            self.order.retain(|n| n != name);
        }
        if let Some(other) = self.kept_for.insert(address, name.clone()) {
            self.remembered.remove(&other);
            self.order.retain(|n| *n != other);
        }
        self.order.push_back(name.clone());
        if self.order.len() > REMEMBERED
            && let Some(oldest) = self.order.pop_front()
            && let Some(address) = self.remembered.remove(&oldest)
        {
            self.kept_for.remove(&address);
        }
    }

    /// Names and their last addresses, oldest first.
    pub fn remembered(&self) -> impl Iterator<Item = (&DnsName, IpAddr)> {
        self.order.iter().filter_map(|n| Some((n, *self.remembered.get(n)?)))
    }

    pub fn free_count(&self) -> u64 {
        let all = bits(last(self.subnet)) - bits(first(self.subnet)) + 1;
        u64::try_from(all).unwrap_or(u64::MAX).saturating_sub(self.used.len() as u64)
    }

    fn check(&self, fixed: IpAddr) -> Result<IpAddr, Failure> {
        let (first, last) = (first(self.subnet), last(self.subnet));
        if !(first..=last).contains(&fixed) {
            let message = format!("give address {fixed}: it is not in {first} to {last}");
            return Err(failure(ErrorKind::Invalid, message));
        }
        if self.used.contains(&fixed) {
            return Err(failure(ErrorKind::InUse, format!("give address {fixed}: it is in use")));
        }
        Ok(fixed)
    }

    fn is_free(&self, address: IpAddr) -> bool {
        (first(self.subnet)..=last(self.subnet)).contains(&address) && !self.used.contains(&address)
    }

    /// Every address once, starting after the one given last.
    fn after_last(&self) -> impl Iterator<Item = IpAddr> {
        let (low, high) = (bits(first(self.subnet)), bits(last(self.subnet)));
        let start = bits(self.last).clamp(low, high);
        let ipv4 = self.subnet.addr().is_ipv4();
        (start + 1..=high).chain(low..=start).map(move |bits| address(ipv4, bits))
    }
}

/// The first address for a container: after the network's own and the gateway's.
fn first(subnet: IpNet) -> IpAddr {
    address(subnet.addr().is_ipv4(), bits(subnet.network()) + 2)
}

/// The last one; in IPv4 before the broadcast address.
fn last(subnet: IpNet) -> IpAddr {
    match subnet {
        IpNet::V4(net) => Ipv4Addr::from_bits(net.broadcast().to_bits() - 1).into(),
        IpNet::V6(net) => net.broadcast().into(),
    }
}

fn bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => address.to_bits().into(),
        IpAddr::V6(address) => address.to_bits(),
    }
}

fn address(ipv4: bool, bits: u128) -> IpAddr {
    match u32::try_from(bits) {
        Ok(bits) if ipv4 => Ipv4Addr::from_bits(bits).into(),
        _ => Ipv6Addr::from_bits(bits).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ipam(net: &str) -> Ipam {
        Ipam::new(net.parse().unwrap())
    }

    fn name(text: &str) -> DnsName {
        DnsName::new(text).unwrap()
    }

    fn give(ipam: &mut Ipam, who: &str) -> IpAddr {
        let name = name(who);
        let address = ipam.pick(None, Some(&name)).unwrap();
        ipam.take(address);
        ipam.remember(&name, address);
        address
    }

    #[test]
    fn a_unit_gets_its_earlier_address_again() {
        for net in ["10.0.0.0/24", "fd00::/64"] {
            let mut ipam = ipam(net);
            let first = give(&mut ipam, "web");
            ipam.free(first);
            give(&mut ipam, "db");
            assert_eq!(give(&mut ipam, "web"), first);
        }
    }

    #[test]
    fn a_small_subnet_is_used_to_its_last_address_and_no_further() {
        for (net, expected) in [
            (
                "10.0.0.0/29",
                ["10.0.0.2", "10.0.0.3", "10.0.0.4", "10.0.0.5", "10.0.0.6"].as_slice(),
            ),
            ("fd00::/126", &["fd00::2", "fd00::3"]),
        ] {
            let mut ipam = ipam(net);
            let mut given: Vec<_> =
                (0..expected.len()).map(|i| give(&mut ipam, &format!("u{i}"))).collect();
            given.sort();
            let given: Vec<String> = given.iter().map(ToString::to_string).collect();
            assert_eq!(given, expected);
            assert_eq!(ipam.free_count(), 0);
            let error = ipam.pick(None, Some(&name("more"))).unwrap_err();
            assert_eq!(error.kind, ErrorKind::Exhausted);
        }
    }

    #[test]
    fn a_remembered_address_is_given_to_others_only_when_no_other_is_free() {
        let mut ipam = ipam("10.0.0.0/29");
        let web = give(&mut ipam, "web");
        ipam.free(web);
        for i in 0..4 {
            assert_ne!(give(&mut ipam, &format!("u{i}")), web);
        }
        assert_eq!(give(&mut ipam, "last"), web);
    }

    #[test]
    fn a_fixed_address_is_checked() {
        let mut ipam = ipam("10.0.0.0/24");
        for bad in ["10.0.0.0", "10.0.0.1", "10.0.0.255", "10.0.1.4", "::1"] {
            let error = ipam.pick(Some(bad.parse().unwrap()), None).unwrap_err();
            assert_eq!(error.kind, ErrorKind::Invalid, "{bad}");
        }
        let fixed = "10.0.0.7".parse().unwrap();
        ipam.take(ipam.pick(Some(fixed), None).unwrap());
        assert_eq!(ipam.pick(Some(fixed), None).unwrap_err().kind, ErrorKind::InUse);
    }
}
