//! Which address an endpoint gets.

use super::desired::failure;
use ipnet::Ipv4Net;
use netd_api::{DnsName, ErrorKind, Failure};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::{IpAddr, Ipv4Addr};

/// How many names' last addresses are remembered.
const REMEMBERED: usize = 4096;

/// The addresses of one subnet: those in use, and who had one before.
#[derive(Debug, Clone)]
pub struct Ipam {
    subnet: Ipv4Net,
    used: BTreeSet<Ipv4Addr>,
    /// The last address of a first name, oldest name first in `order`.
    remembered: BTreeMap<DnsName, Ipv4Addr>,
    order: VecDeque<DnsName>,
    /// Reverse of `remembered`.
    kept_for: BTreeMap<Ipv4Addr, DnsName>,
    /// The address given last. The next search starts after it, so that a freed address rests.
    last: Ipv4Addr,
}

impl Ipam {
    pub fn new(subnet: Ipv4Net) -> Self {
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
    pub fn pick(&self, fixed: Option<IpAddr>, name: Option<&DnsName>) -> Result<Ipv4Addr, Failure> {
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

    pub fn take(&mut self, address: Ipv4Addr) {
        self.used.insert(address);
        self.last = address;
    }

    pub fn free(&mut self, address: Ipv4Addr) {
        self.used.remove(&address);
    }

    pub fn remember(&mut self, name: &DnsName, address: Ipv4Addr) {
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
    pub fn remembered(&self) -> impl Iterator<Item = (&DnsName, Ipv4Addr)> {
        self.order.iter().filter_map(|n| Some((n, *self.remembered.get(n)?)))
    }

    pub fn free_count(&self) -> u64 {
        let all =
            u64::from(last(self.subnet).to_bits()) - u64::from(first(self.subnet).to_bits()) + 1;
        all - self.used.len() as u64
    }

    fn check(&self, fixed: IpAddr) -> Result<Ipv4Addr, Failure> {
        let subnet = self.subnet;
        match fixed {
            IpAddr::V4(a) if (first(subnet)..=last(subnet)).contains(&a) => {
                if self.used.contains(&a) {
                    Err(failure(ErrorKind::InUse, format!("give address {a}: it is in use")))
                } else {
                    Ok(a)
                }
            }
            _ => {
                let (from, to) = (first(subnet), last(subnet));
                let message = format!("give address {fixed}: it is not in {from} to {to}");
                Err(failure(ErrorKind::Invalid, message))
            }
        }
    }

    fn is_free(&self, address: Ipv4Addr) -> bool {
        (first(self.subnet)..=last(self.subnet)).contains(&address) && !self.used.contains(&address)
    }

    /// Every address once, starting after the one given last.
    fn after_last(&self) -> impl Iterator<Item = Ipv4Addr> {
        let (low, high) = (first(self.subnet).to_bits(), last(self.subnet).to_bits());
        let start = self.last.to_bits().clamp(low, high);
        (start + 1..=high).chain(low..=start).map(Ipv4Addr::from_bits)
    }
}

/// The first address for a container: after the network's own and the gateway's.
fn first(subnet: Ipv4Net) -> Ipv4Addr {
    Ipv4Addr::from_bits(subnet.network().to_bits() + 2)
}

/// The last one before the broadcast address.
fn last(subnet: Ipv4Net) -> Ipv4Addr {
    Ipv4Addr::from_bits(subnet.broadcast().to_bits() - 1)
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

    fn give(ipam: &mut Ipam, who: &str) -> Ipv4Addr {
        let name = name(who);
        let address = ipam.pick(None, Some(&name)).unwrap();
        ipam.take(address);
        ipam.remember(&name, address);
        address
    }

    #[test]
    fn a_unit_gets_its_earlier_address_again() {
        let mut ipam = ipam("10.0.0.0/24");
        let first = give(&mut ipam, "web");
        ipam.free(first);
        give(&mut ipam, "db");
        assert_eq!(give(&mut ipam, "web"), first);
    }

    #[test]
    fn a_small_subnet_is_used_to_its_last_address_and_no_further() {
        let mut ipam = ipam("10.0.0.0/29");
        let mut given: Vec<_> = (0..5).map(|i| give(&mut ipam, &format!("u{i}"))).collect();
        given.sort();
        let expected: Vec<Ipv4Addr> = (2..=6).map(|d| [10, 0, 0, d].into()).collect();
        assert_eq!(given, expected);
        assert_eq!(ipam.free_count(), 0);
        let error = ipam.pick(None, Some(&name("more"))).unwrap_err();
        assert_eq!(error.kind, ErrorKind::Exhausted);
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
