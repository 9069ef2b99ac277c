//! Ranges of addresses as a file says them: `10.1.0.0/16`.

use super::names;
use super::syntax::head;
use ipnet::IpNet;
use std::net::IpAddr;

/// `ADDRESS/PREFIX`; an address alone is a range of one. An error is a sentence on what is wrong.
pub fn parse(text: &str) -> Result<IpNet, String> {
    let range: Option<IpNet> = match text.contains('/') {
        true => text.parse().ok(),
        false => text.parse::<IpAddr>().ok().map(IpNet::from),
    };
    let range = range.ok_or_else(|| {
        format!("{:?} is no range of addresses: 10.1.0.0/16 or fd00:1::/48", head(text))
    })?;
    match range.trunc() == range {
        true => Ok(range),
        false => Err(format!("{} has bits behind its prefix: {}", head(text), range.trunc())),
    }
}

pub fn overlap(one: &IpNet, other: &IpNet) -> bool {
    one.contains(other) || other.contains(one)
}

/// Whether containers or virtual services can have its addresses.
pub fn is_of_hosts(range: &IpNet) -> bool {
    let special: &[&str] = match range {
        IpNet::V4(_) => &["0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/3"],
        IpNet::V6(_) => &["::/8", "fe80::/10", "ff00::/8"],
    };
    let special = special.iter().filter_map(|text| parse(text).ok());
    names::is_of_one_host(range.addr()) && !special.into_iter().any(|other| overlap(&other, range))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_range_is_an_address_and_a_prefix() {
        for (text, shown) in [
            ("10.1.0.0/16", "10.1.0.0/16"),
            ("10.1.2.3", "10.1.2.3/32"),
            ("0.0.0.0/0", "0.0.0.0/0"),
            ("fd00:1::/48", "fd00:1::/48"),
            ("::/0", "::/0"),
        ] {
            assert_eq!(parse(text).unwrap().to_string(), shown);
        }
        for bad in ["", "10.1.0.0/33", "10.1/16", "10.1.0.0/", "10.1.0.0/+8", "fd00::/129", "a/8"] {
            let told = parse(bad).unwrap_err();
            assert!(told.contains("is no range of addresses"), "{bad}: {told}");
        }
        let told = parse("10.1.2.3/16").unwrap_err();
        assert_eq!(told, "10.1.2.3/16 has bits behind its prefix: 10.1.0.0/16");
    }

    #[test]
    fn some_ranges_are_of_no_host() {
        let is_of_hosts = |text: &str| is_of_hosts(&parse(text).unwrap());
        for good in ["10.0.0.0/8", "100.64.0.0/10", "192.0.2.0/24", "fd00::/8", "2001:db8::/32"] {
            assert!(is_of_hosts(good), "{good}");
        }
        for bad in
            ["0.0.0.0/0", "127.0.0.0/16", "128.0.0.0/1", "::/0", "fe80::/64", "::ffff:0:0/96"]
        {
            assert!(!is_of_hosts(bad), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "[0-9a-f.:/]{0,24}|.{0,12}") {
            let _ = parse(&text);
        }
    }
}
