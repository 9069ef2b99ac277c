//! Ranges of addresses: `10.1.0.0/16`.

use super::names;
use super::syntax::head;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Every address that has the first bits of this one. The others of it are 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cidr {
    address: IpAddr,
    prefix: u8,
}

impl Cidr {
    /// `ADDRESS/PREFIX`; an address alone is a range of one. An error is a sentence on what is wrong.
    pub fn parse(text: &str) -> Result<Self, String> {
        let wrong = || {
            let shown = head(text);
            format!("{shown:?} is no range of addresses: 10.1.0.0/16 or fd00:1::/48")
        };
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| wrong())?;
        let prefix = match prefix {
            None => width(address),
            Some(text) => {
                let digits =
                    (1..=3).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
                let prefix = text.parse().ok().filter(|_| digits);
                prefix.filter(|prefix| *prefix <= width(address)).ok_or_else(wrong)?
            }
        };
        let range = Self { address: masked(address, prefix), prefix };
        match range.address == address {
            true => Ok(range),
            false => Err(format!("{} has bits behind its prefix: {range}", head(text))),
        }
    }

    pub fn address(&self) -> IpAddr {
        self.address
    }

    /// How many bits its addresses share.
    pub fn prefix(&self) -> u8 {
        self.prefix
    }

    pub fn is_ipv4(&self) -> bool {
        self.address.is_ipv4()
    }

    pub fn contains(&self, address: IpAddr) -> bool {
        address.is_ipv4() == self.is_ipv4() && masked(address, self.prefix) == self.address
    }

    /// Whether all of the other is in it.
    pub fn holds(&self, other: &Self) -> bool {
        self.prefix <= other.prefix && self.contains(other.address)
    }

    pub fn overlaps(&self, other: &Self) -> bool {
        self.holds(other) || other.holds(self)
    }

    /// Whether containers or virtual services can have its addresses.
    pub fn is_of_hosts(&self) -> bool {
        let special: &[&str] = match self.is_ipv4() {
            true => &["0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/3"],
            false => &["::/8", "fe80::/10", "ff00::/8"],
        };
        let special = special.iter().filter_map(|text| Self::parse(text).ok());
        names::is_of_one_host(self.address) && !special.into_iter().any(|s| s.overlaps(self))
    }
}

fn width(address: IpAddr) -> u8 {
    if address.is_ipv4() { 32 } else { 128 }
}

fn masked(address: IpAddr, prefix: u8) -> IpAddr {
    match address {
        IpAddr::V4(v4) => {
            let mask = u32::MAX.checked_shl(32 - u32::from(prefix)).unwrap_or(0);
            Ipv4Addr::from_bits(v4.to_bits() & mask).into()
        }
        IpAddr::V6(v6) => {
            let mask = u128::MAX.checked_shl(128 - u32::from(prefix)).unwrap_or(0);
            Ipv6Addr::from_bits(v6.to_bits() & mask).into()
        }
    }
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn cidr(text: &str) -> Cidr {
        Cidr::parse(text).unwrap()
    }

    #[test]
    fn a_range_is_an_address_and_a_prefix() {
        for (text, shown) in [
            ("10.1.0.0/16", "10.1.0.0/16"),
            ("10.1.2.3", "10.1.2.3/32"),
            ("0.0.0.0/0", "0.0.0.0/0"),
            ("fd00:1::/48", "fd00:1::/48"),
            ("::/0", "::/0"),
        ] {
            assert_eq!(cidr(text).to_string(), shown);
        }
        for bad in ["", "10.1.0.0/33", "10.1/16", "10.1.0.0/", "10.1.0.0/+8", "fd00::/129", "a/8"] {
            let told = Cidr::parse(bad).unwrap_err();
            assert!(told.contains("is no range of addresses"), "{bad}: {told}");
        }
        let told = Cidr::parse("10.1.2.3/16").unwrap_err();
        assert_eq!(told, "10.1.2.3/16 has bits behind its prefix: 10.1.0.0/16");
    }

    #[test]
    fn ranges_hold_and_meet_others() {
        let (wide, narrow) = (cidr("10.0.0.0/8"), cidr("10.1.0.0/16"));
        assert!(wide.holds(&narrow) && !narrow.holds(&wide) && narrow.overlaps(&wide));
        assert!(!narrow.overlaps(&cidr("10.2.0.0/16")));
        assert!(!cidr("::/0").contains("10.0.0.1".parse().unwrap()));
        assert!(cidr("0.0.0.0/0").contains("10.0.0.1".parse().unwrap()));
    }

    #[test]
    fn some_ranges_are_of_no_host() {
        for good in ["10.0.0.0/8", "100.64.0.0/10", "192.0.2.0/24", "fd00::/8", "2001:db8::/32"] {
            assert!(cidr(good).is_of_hosts(), "{good}");
        }
        for bad in
            ["0.0.0.0/0", "127.0.0.0/16", "128.0.0.0/1", "::/0", "fe80::/64", "::ffff:0:0/96"]
        {
            assert!(!cidr(bad).is_of_hosts(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "[0-9a-f.:/]{0,24}|.{0,12}") {
            let _ = Cidr::parse(&text);
        }

        #[test]
        fn what_is_shown_reads_back(bits: u32, prefix in 0u8..=32) {
            let range = Cidr { address: masked(Ipv4Addr::from_bits(bits).into(), prefix), prefix };
            prop_assert_eq!(Cidr::parse(&range.to_string()), Ok(range));
            prop_assert!(range.contains(Ipv4Addr::from_bits(bits).into()));
        }
    }
}
