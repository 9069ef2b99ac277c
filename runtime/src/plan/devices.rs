//! The device nodes of a container (config-linux.md, "Default Devices").

use std::path::PathBuf;

use crate::error::{Error, Result};
use crate::spec::linux::Device;
use crate::spec::{DeviceRule, Linux};

/// A node to make.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    pub path: PathBuf,
    /// `S_IFCHR`, `S_IFBLK` or `S_IFIFO`, with the permission bits.
    pub mode: u32,
    /// As makedev(3).
    pub device: u64,
    pub uid: u32,
    pub gid: u32,
}

/// Name below /dev, major, minor.
pub const DEFAULT: [(&str, u32, u32); 6] = [
    ("null", 1, 3),
    ("zero", 1, 5),
    ("full", 1, 7),
    ("random", 1, 8),
    ("urandom", 1, 9),
    ("tty", 5, 0),
];

/// Name below /dev and what it points to.
pub const LINKS: [(&str, &str); 5] = [
    ("fd", "/proc/self/fd"),
    ("stdin", "/proc/self/fd/0"),
    ("stdout", "/proc/self/fd/1"),
    ("stderr", "/proc/self/fd/2"),
    ("ptmx", "pts/ptmx"),
];

/// The default nodes, and those of `linux.devices`, which may say a default one again.
pub fn nodes(linux: &Linux) -> Result<Vec<Node>> {
    let configured: Vec<Node> =
        linux.devices.iter().enumerate().map(|(i, d)| node(i, d)).collect::<Result<_>>()?;
    let default = DEFAULT.iter().map(|(name, major, minor)| Node {
        path: PathBuf::from("/dev").join(name),
        mode: libc::S_IFCHR | 0o666,
        device: libc::makedev(*major, *minor),
        uid: 0,
        gid: 0,
    });
    let mut nodes: Vec<Node> =
        default.filter(|node| configured.iter().all(|own| own.path != node.path)).collect();
    nodes.extend(configured);
    Ok(nodes)
}

fn node(index: usize, device: &Device) -> Result<Node> {
    let refuse = |field: &str, why: &str| {
        Err(Error::new(format_args!("linux.devices[{index}].{field}: {why}")))
    };
    let kind = match device.kind.as_str() {
        "c" | "u" => libc::S_IFCHR,
        "b" => libc::S_IFBLK,
        "p" => libc::S_IFIFO,
        _ => return refuse("type", "must be c, u, b or p"),
    };
    if !device.path.is_absolute() {
        return refuse("path", "must be absolute");
    }
    let number = |number: i64| u32::try_from(number).ok();
    let (major, minor) = match (number(device.major), number(device.minor)) {
        (Some(major), Some(minor)) => (major, minor),
        _ if kind == libc::S_IFIFO => (0, 0),
        _ => return refuse("major", "major and minor must be 0 to 4294967295"),
    };
    Ok(Node {
        path: device.path.clone(),
        mode: kind | device.file_mode.unwrap_or(0o666) & 0o7777,
        device: if kind == libc::S_IFIFO { 0 } else { libc::makedev(major, minor) },
        uid: device.uid.unwrap_or(0),
        gid: device.gid.unwrap_or(0),
    })
}

/// What every container may use, whatever its own rules say: the default nodes, its terminals, and
/// making nodes (which is not opening them).
pub fn default_rules() -> Vec<DeviceRule> {
    let rule = |major: Option<i64>, minor: Option<i64>, kind: &str, access: &str| DeviceRule {
        allow: true,
        kind: Some(kind.to_owned()),
        major,
        minor,
        access: Some(access.to_owned()),
    };
    let mut rules = vec![rule(None, None, "c", "m"), rule(None, None, "b", "m")];
    for (_, major, minor) in DEFAULT {
        rules.push(rule(Some(major.into()), Some(minor.into()), "c", "rwm"));
    }
    // console, ptmx, and /dev/pts/*
    rules.push(rule(Some(5), Some(1), "c", "rwm"));
    rules.push(rule(Some(5), Some(2), "c", "rwm"));
    rules.push(rule(Some(136), None, "c", "rwm"));
    rules
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_configured_device_takes_the_place_of_a_default_one() {
        let null = Device {
            kind: "c".into(),
            path: "/dev/null".into(),
            major: 1,
            minor: 3,
            file_mode: Some(0o600),
            ..Default::default()
        };
        let nodes = nodes(&Linux { devices: vec![null], ..Default::default() }).unwrap();
        assert_eq!(nodes.len(), 6);
        assert_eq!(nodes[5].mode, libc::S_IFCHR | 0o600);
    }

    #[test]
    fn a_wrong_device_is_an_error_with_its_place() {
        let fault = |device: Device| {
            nodes(&Linux { devices: vec![device], ..Default::default() }).unwrap_err().to_string()
        };
        let device = |kind: &str, path: &str, major: i64| Device {
            kind: kind.into(),
            path: path.into(),
            major,
            ..Default::default()
        };
        assert!(fault(device("x", "/dev/x", 1)).starts_with("linux.devices[0].type"));
        assert!(fault(device("c", "dev/x", 1)).starts_with("linux.devices[0].path"));
        assert!(fault(device("c", "/dev/x", -1)).starts_with("linux.devices[0].major"));
    }
}
