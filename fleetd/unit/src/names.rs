//! Names that networks, name servers and policies know: what is one, and what is none.
//!
//! Every error is the sentence on what is allowed, to stand after `KEY=VALUE: `.

use super::syntax::head;
use std::net::IpAddr;

/// A name that DNS answers. In lower case: DNS does not tell the cases apart, its readers do.
pub fn dns_name(text: &str) -> Result<String, String> {
    let name = text.to_ascii_lowercase();
    let labels = name.split('.').all(|label| is_label(label, |b| b == b'-' || b == b'_'));
    match labels && name.len() <= 253 {
        true => Ok(name),
        false => Err(format!(
            "{:?} is no DNS name: labels of 1 to 63 of a-z 0-9 _ -, joined by dots, 253 in all",
            head(text)
        )),
    }
}

fn is_label(label: &str, also: fn(u8) -> bool) -> bool {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || also(b);
    (1..=63).contains(&label.len()) && label.bytes().all(allowed)
}

/// As the kernel (64 bytes) and hostname(7) have it.
pub fn hostname(text: &str) -> Result<String, String> {
    let label = |label: &str| {
        is_label(label, |b| b == b'-') && !label.starts_with('-') && !label.ends_with('-')
    };
    match text.len() <= 64 && text.split('.').all(label) {
        true => Ok(text.to_owned()),
        false => Err(format!(
            "{:?} is no hostname: labels of a-z A-Z 0-9 and - inside, joined by dots, 64 bytes in \
             all",
            head(text)
        )),
    }
}

/// The name of a network, as netd knows it.
pub fn network_name(text: &str) -> Result<String, String> {
    let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    let reserved = ["host", "none"].contains(&text);
    match (1..=63).contains(&text.len()) && text.bytes().all(allowed) && !reserved {
        true => Ok(text.to_owned()),
        false => Err(format!(
            "{:?} is no name of a network: 1 to 63 of a-z 0-9 -, neither host nor none",
            head(text)
        )),
    }
}

/// A service as SRV records name it (RFC 6335).
pub fn service_name(text: &str) -> Result<String, String> {
    let name = text.to_ascii_lowercase();
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b == b'-';
    let dashes = name.starts_with('-') || name.ends_with('-') || name.contains("--");
    let letter = name.bytes().any(|b| b.is_ascii_lowercase());
    match (1..=15).contains(&name.len()) && name.bytes().all(allowed) && letter && !dashes {
        true => Ok(name),
        false => Err(format!(
            "{:?} is no name of a port: 1 to 15 of a-z 0-9 and single - inside, with a letter",
            head(text)
        )),
    }
}

/// A network interface. What the kernel's own folders in `/proc/sys/net` are called is none.
pub fn interface_name(text: &str) -> Result<String, String> {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"._-".contains(&b);
    let reserved = [".", "..", "lo", "all", "default"].contains(&text);
    match (1..=15).contains(&text.len()) && text.bytes().all(allowed) && !reserved {
        true => Ok(text.to_owned()),
        false => Err(format!(
            "{:?} is no name of an interface: 1 to 15 of a-z A-Z 0-9 . _ -, not lo, all, default",
            head(text)
        )),
    }
}

/// `KEY=VALUE` of a label: of letters that need no quotes in a policy, and short, since every host hears of
/// them.
pub fn label(text: &str) -> Result<(String, String), String> {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"._-/".contains(&b);
    let part = |text: &str| (1..=63).contains(&text.len()) && text.bytes().all(allowed);
    match text.split_once('=') {
        Some((key, value)) if part(key) && part(value) => Ok((key.to_owned(), value.to_owned())),
        _ => Err(format!(
            "{:?} is no label: KEY=VALUE, each of 1 to 63 of a-z A-Z 0-9 . _ - /",
            head(text)
        )),
    }
}

/// An address that one container or one virtual service can have for itself.
pub fn own_address(text: &str) -> Result<IpAddr, String> {
    let address: IpAddr = text.parse().map_err(|_| format!("{:?} is no address", head(text)))?;
    match is_of_one_host(address) {
        true => Ok(address),
        false => Err(format!("{address} is no address that one can have for itself")),
    }
}

/// Whether packets with this destination go to one place, from wherever they come.
pub fn is_of_one_host(address: IpAddr) -> bool {
    let elsewhere = address.is_unspecified() || address.is_loopback() || address.is_multicast();
    let linked = match address {
        IpAddr::V4(v4) => v4.is_link_local() || v4.octets()[0] == 0 || v4.octets()[0] >= 240,
        IpAddr::V6(v6) => v6.is_unicast_link_local() || v6.to_ipv4_mapped().is_some(),
    };
    !elsewhere && !linked
}
