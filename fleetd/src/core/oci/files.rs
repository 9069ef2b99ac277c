//! The three files of a container that tell who and where it is.

use std::net::IpAddr;

/// The unit's name without its suffix as a host name: `web@1.container` is `web-1`. Letters,
/// digits and hyphens, 63 at most (RFC 1123).
pub fn hostname(unit: &str) -> String {
    let stem = unit.rsplit_once('.').map_or(unit, |(stem, _)| stem);
    let name: String = stem
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' })
        .take(63)
        .collect();
    match name.trim_matches('-') {
        "" => "container".to_owned(),
        trimmed => trimmed.to_owned(),
    }
}

/// `/etc/hosts`: itself and the loopback names.
pub fn hosts(hostname: &str, address: Option<IpAddr>) -> String {
    let own = address.map_or_else(|| "127.0.1.1".to_owned(), |a| a.to_string());
    format!("127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n{own}\t{hostname}\n")
}

/// `/etc/resolv.conf` of a container that netd answers.
pub fn resolv_conf(server: IpAddr, search: &str) -> String {
    let mut text = format!("nameserver {server}\n");
    if !search.is_empty() {
        text.push_str(&format!("search {search}\n"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_unit_gives_a_valid_host_name() {
        assert_eq!(hostname("web.container"), "web");
        assert_eq!(hostname("Web_x@1.container"), "web-x-1");
        assert_eq!(hostname("@.container"), "container");
        assert_eq!(hostname(&format!("{}.container", "a".repeat(100))).len(), 63);
    }

    #[test]
    fn a_container_finds_itself() {
        let text = hosts("web", Some(IpAddr::from([10, 1, 2, 3])));
        assert!(text.lines().any(|line| line == "10.1.2.3\tweb"), "{text}");
    }
}
