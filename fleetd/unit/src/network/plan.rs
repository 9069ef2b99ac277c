//! The ranges of addresses of a network: which go together, and what room they have for hosts.

use super::draft::NetworkDraft;
use super::{HOST_PREFIX_IPV4, HOST_PREFIX_IPV6, Plan};
use crate::assign::{Taken, Value, wrong};
use crate::cidr;
use crate::specifier::Unexpanded;
use crate::syntax::head;
use ipnet::IpNet;

/// A key and what is wrong with it.
type Told = (&'static str, String);

/// The prefix length of a host's part. Its size says the family: no part of IPv6 is shorter than 64.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HostPrefix {
    Ipv4(u8),
    Ipv6(u8),
}

impl Value<'_> {
    /// A range that containers or virtual services have their addresses of.
    pub fn subnet(&self) -> Taken<Vec<IpNet>> {
        let text = self.name()?;
        if text.contains('-') {
            return wrong("it takes ADDRESS/PREFIX: parts for hosts are cut from such a range");
        }
        let range = cidr::parse(&text).map_err(Unexpanded::Wrong)?;
        match cidr::is_of_hosts(&range) {
            true => Ok(vec![range]),
            false => wrong(format!("{range} is no range that hosts can have")),
        }
    }

    /// Prefix lengths in words, with a `/` in front or without.
    pub fn host_prefixes(&self) -> Taken<Vec<HostPrefix>> {
        let prefix = |word: String| {
            let digits = word.strip_prefix('/').unwrap_or(&word);
            let number = digits.parse::<u8>().ok().filter(|_| !digits.starts_with('+'));
            match number {
                Some(number @ 16..=30) => Ok(HostPrefix::Ipv4(number)),
                Some(number @ 64..=120) => Ok(HostPrefix::Ipv6(number)),
                _ => wrong(format!(
                    "{:?} is no length of a part: 16 to 30 of IPv4, 64 to 120 of IPv6",
                    head(&word)
                )),
            }
        };
        self.words()?.into_iter().map(prefix).collect()
    }
}

impl NetworkDraft {
    /// The lengths of a host's part, of IPv4 and of IPv6.
    pub(super) fn host_prefix(&self) -> (u8, u8) {
        let (mut ipv4, mut ipv6) = (HOST_PREFIX_IPV4, HOST_PREFIX_IPV6);
        for prefix in &self.host_prefixes {
            match prefix {
                HostPrefix::Ipv4(length) => ipv4 = *length,
                HostPrefix::Ipv6(length) => ipv6 = *length,
            }
        }
        (ipv4, ipv6)
    }

    /// The addresses of one family. None: the fleet chooses them, or there are none.
    pub(super) fn plan(&self, is_ipv4: bool) -> Option<Plan> {
        let subnet = of_family(&self.subnets, is_ipv4).next()?;
        let range = of_family(&self.ranges, is_ipv4).next().unwrap_or(subnet);
        Some(Plan { subnet, range })
    }

    pub(super) fn wrong_ranges(&self) -> Vec<Told> {
        let lists = [
            ("Subnet", &self.subnets),
            ("IPRange", &self.ranges),
            ("ServiceSubnet", &self.service_subnets),
        ];
        let mut told = Vec::new();
        for (key, ranges) in lists {
            if let Some(other) = [true, false].iter().find_map(|v4| of_family(ranges, *v4).nth(1)) {
                told.push((key, format!("{key}={other} is the second one of its family")));
            }
        }
        let is_ipv4 = |prefix: &&HostPrefix| matches!(prefix, HostPrefix::Ipv4(_));
        let ipv4 = self.host_prefixes.iter().filter(is_ipv4).count();
        if ipv4 > 1 || self.host_prefixes.len() - ipv4 > 1 {
            told.push(("HostPrefix", "HostPrefix= takes one length of a family".to_owned()));
        }
        if told.is_empty() {
            told.extend([true, false].iter().flat_map(|is_ipv4| self.at_odds(*is_ipv4)));
        }
        told
    }

    /// Ranges of one family that cannot be together.
    fn at_odds(&self, is_ipv4: bool) -> Vec<Told> {
        let mut told = Vec::new();
        let one = |ranges: &[IpNet]| of_family(ranges, is_ipv4).next();
        let (subnet, range) = (one(&self.subnets), one(&self.ranges));
        match (subnet, range) {
            (None, Some(range)) => {
                told.push(("IPRange", format!("IPRange={range} needs a Subnet= of its family")));
            }
            (Some(subnet), Some(range)) if !subnet.contains(&range) => {
                told.push(("IPRange", format!("IPRange={range} is not inside of Subnet={subnet}")));
            }
            (Some(subnet), range) => {
                let key = if range.is_some() { "IPRange" } else { "Subnet" };
                told.extend(self.no_part(range.unwrap_or(subnet)).map(|message| (key, message)));
            }
            (None, None) => {}
        }
        if let (Some(subnet), Some(services)) = (subnet, one(&self.service_subnets))
            && cidr::overlap(&subnet, &services)
        {
            let message = format!("ServiceSubnet={services} and Subnet={subnet} overlap");
            told.push(("ServiceSubnet", message));
        }
        told
    }

    /// Why a range has no room for one host.
    fn no_part(&self, range: IpNet) -> Option<String> {
        let part = self.part_of(range);
        (range.prefix_len() > part).then(|| {
            format!(
                "{range} is smaller than one host's part, /{part}: HostPrefix= makes it smaller"
            )
        })
    }

    /// A range that is the part of one host, by its key.
    pub(super) fn ranges_of_one_host(&self) -> Vec<Told> {
        let plans = [self.plan(true), self.plan(false)].into_iter().flatten();
        let one = plans.filter(|plan| plan.range.prefix_len() == self.part_of(plan.range));
        let told = |plan: Plan| {
            let (range, part) = (plan.range, self.part_of(plan.range));
            let key = if plan.range == plan.subnet { "Subnet" } else { "IPRange" };
            (key, format!("{range} has one part of /{part}: containers of one host fit in"))
        };
        one.map(told).collect()
    }

    fn part_of(&self, range: IpNet) -> u8 {
        let (ipv4, ipv6) = self.host_prefix();
        if range.addr().is_ipv4() { ipv4 } else { ipv6 }
    }
}

fn of_family(ranges: &[IpNet], is_ipv4: bool) -> impl Iterator<Item = IpNet> {
    ranges.iter().copied().filter(move |range| range.addr().is_ipv4() == is_ipv4)
}
