//! What leads from the host into a container: `PublishPort=` and `Volume=`.
//!
//! Every error is the sentence on what is allowed, to stand after `KEY=VALUE: `.

use super::container::{Port, Volume};
use std::net::IpAddr;
use std::path::PathBuf;

/// `[IP:]HOST:CONTAINER[/PROTOCOL]`, with ranges of the same length on both sides. An IPv6 address
/// stands in brackets.
pub fn ports(text: &str) -> Result<Vec<Port>, String> {
    let (text, protocol) = text.split_once('/').unwrap_or((text, "tcp"));
    let udp = match protocol {
        "tcp" => false,
        "udp" => true,
        other => return Err(format!("{other:?} is no protocol: tcp or udp")),
    };
    let (rest, container) = text.rsplit_once(':').ok_or(NEEDS_HOST_PORT)?;
    let (ip, host) = match rest.rsplit_once(':') {
        // Inside brackets a colon separates nothing.
        Some((ip, host)) if !host.ends_with(']') => (Some(ip), host),
        _ => (None, rest),
    };
    if host.is_empty() || host.ends_with(']') || host.parse::<std::net::Ipv4Addr>().is_ok() {
        return Err(NEEDS_HOST_PORT.to_owned());
    }
    let host_ip = ip.filter(|ip| !ip.is_empty()).map(address).transpose()?;
    let (host, container) = (range(host)?, range(container)?);
    if host.1 - host.0 != container.1 - container.0 {
        return Err("its two ranges are not of the same length".to_owned());
    }
    let pairs = (host.0..=host.1).zip(container.0..=container.1);
    Ok(pairs.map(|(host, container)| Port { host_ip, host, container, udp }).collect())
}

const NEEDS_HOST_PORT: &str =
    "it takes [IP:]HOST:CONTAINER[/udp]; a port that the host chooses is not there yet";

pub fn address(text: &str) -> Result<IpAddr, String> {
    let bare = match text.strip_prefix('[') {
        Some(rest) => rest.strip_suffix(']').filter(|ip| ip.contains(':')),
        None => Some(text).filter(|ip| !ip.contains(':')),
    };
    bare.and_then(|ip| ip.parse().ok())
        .ok_or_else(|| format!("{text:?} is no address: 192.0.2.1 or [2001:db8::1]"))
}

/// `80` or `8000-8010`, both ends in it.
pub fn range(text: &str) -> Result<(u16, u16), String> {
    let port = |t: &str| {
        let digits = t.bytes().all(|b| b.is_ascii_digit());
        let number = t.parse::<u16>().ok().filter(|n| digits && *n != 0);
        number.ok_or_else(|| format!("{t:?} is no port: 1 to 65535"))
    };
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let (first, last) = (port(first)?, port(last)?);
    if last < first { Err("its range ends before it begins".to_owned()) } else { Ok((first, last)) }
}

/// A port as it is written.
pub fn port_text(port: &Port) -> String {
    let ip = match port.host_ip {
        None => String::new(),
        Some(IpAddr::V4(ip)) => format!("{ip}:"),
        Some(IpAddr::V6(ip)) => format!("[{ip}]:"),
    };
    let protocol = if port.udp { "udp" } else { "tcp" };
    format!("{ip}{}:{}/{protocol}", port.host, port.container)
}

/// `SOURCE:TARGET[:OPTIONS]`, and what of the options has no effect here.
pub fn volume(text: &str) -> Result<(Volume, Vec<String>), String> {
    let mut parts = text.splitn(3, ':');
    let (source, target) = match (parts.next(), parts.next()) {
        (Some(source), Some(target)) => (source, target),
        _ => return Err("a volume without a source is not there yet: SOURCE:TARGET".to_owned()),
    };
    if !source.starts_with('/') {
        return Err(match source {
            "" => "it takes SOURCE:TARGET[:ro]".to_owned(),
            s if s.starts_with('.') => "its source is relative: write the whole path".to_owned(),
            _ => "named volumes are not there yet: name a directory of the host".to_owned(),
        });
    }
    let mut volume = Volume { source: source.into(), target: absolute(target)?, read_only: false };
    if target.trim_end_matches('/').is_empty() {
        return Err("its target is the root: write Image=".to_owned());
    }
    let mut unused = Vec::new();
    for option in parts.next().into_iter().flat_map(|options| options.split(',')) {
        match option {
            "ro" => volume.read_only = true,
            "rw" => volume.read_only = false,
            // What it is in any case: with what is mounted below it, and nothing flows back.
            "" | "rbind" | "rprivate" | "private" => {}
            "z" | "Z" => unused.push(format!("{option}: no SELinux label is set")),
            other => return Err(format!("its option {other:?} is not there yet: ro, rw")),
        }
    }
    Ok((volume, unused))
}

/// A path from the root without `..`.
pub fn absolute(text: &str) -> Result<PathBuf, String> {
    let path = PathBuf::from(text);
    if !path.is_absolute() {
        return Err(format!("{text:?} does not begin with /"));
    }
    if path.components().any(|part| part == std::path::Component::ParentDir) {
        return Err(format!("{text:?} has a .. in it"));
    }
    Ok(path)
}

#[cfg(test)]
#[path = "mapping_tests.rs"]
mod tests;
