//! The three files of a container that say where it is: hostname, hosts, resolv.conf.

use std::fmt::Write as _;
use std::net::IpAddr;

/// `hostname(7)`: at most 63 of `[a-z0-9-]`, made from the unit's name.
pub fn hostname(unit: &str) -> String {
    let stem = unit.strip_suffix(".container").unwrap_or(unit);
    let name: String = stem
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' })
        .take(63)
        .collect();
    let name = name.trim_matches('-');
    if name.is_empty() { "container".to_owned() } else { name.to_owned() }
}

/// hosts(5)
pub fn hosts(hostname: &str, addresses: &[IpAddr]) -> String {
    let mut text = "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n".to_owned();
    let none = [IpAddr::from([127, 0, 1, 1])];
    for own in if addresses.is_empty() { &none } else { addresses } {
        let _ = writeln!(text, "{own}\t{hostname}");
    }
    text
}

/// resolv.conf(5)
pub fn resolv_conf(servers: &[IpAddr], search: &str) -> String {
    let servers: String = servers.iter().map(|server| format!("nameserver {server}\n")).collect();
    // Short names are the fleet's own; more dots go out as they are.
    format!("{servers}search {search}\noptions ndots:1\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_name_is_made_of_any_unit_name() {
        assert_eq!(hostname("hello.container"), "hello");
        assert_eq!(hostname("Web_1@2.container"), "web-1-2");
        assert_eq!(hostname("@.container"), "container");
        assert_eq!(hostname(&format!("{}.container", "a".repeat(100))).len(), 63);
    }

    #[test]
    fn the_own_name_leads_to_the_own_address() {
        let text = hosts("web", &[IpAddr::from([10, 98, 0, 5])]);
        assert!(text.contains("10.98.0.5\tweb\n"));
        assert!(hosts("web", &[]).contains("127.0.1.1\tweb\n"));
    }
}
