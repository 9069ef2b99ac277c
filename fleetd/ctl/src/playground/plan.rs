//! Names, addresses, directories and cgroups of a playground. Pure: a name says where everything of
//! it is, so `down` needs no memory of what was made.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::str::FromStr;

pub(crate) const MOST_HOSTS: u8 = 20;
/// A host's fleetd has sockets below its run directory, and a socket's path has 108 bytes (unix(7)).
const LONGEST_NAME: usize = 20;
const RUN: &str = "/run/flotilla-playground";
const STATE: &str = "/var/lib/flotilla-playground";
/// The cgroup and the name of what connects the hosts.
pub(super) const SWITCH: &str = "switch";

/// Name of a playground: small letters, digits and dashes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Name(String);

impl FromStr for Name {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let good = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        if text.is_empty() || text.len() > LONGEST_NAME || !text.bytes().all(good) {
            let rule = "small letters, digits and dashes";
            return Err(format!("a playground's name has 1 to {LONGEST_NAME} {rule}"));
        }
        if text.starts_with('-') {
            return Err("a playground's name begins with a letter or a digit".to_owned());
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Name {
    pub(super) fn is_default(&self) -> bool {
        self.0 == "default"
    }

    /// Of all playgrounds: goes with the last one.
    pub(super) fn all_runs() -> &'static Path {
        Path::new(RUN)
    }

    /// Of all playgrounds: goes with the last one.
    pub(super) fn all_states() -> &'static Path {
        Path::new(STATE)
    }

    pub(super) fn run(&self) -> PathBuf {
        Path::new(RUN).join(&self.0)
    }

    pub(super) fn state(&self) -> PathBuf {
        Path::new(STATE).join(&self.0)
    }

    /// From the cgroup2 mount. Every process of the host is below it.
    pub(super) fn cgroup(&self, member: impl fmt::Display) -> String {
        format!("flotilla-playground-{}-{member}", self.0)
    }

    pub(super) fn place(&self, host: Host) -> Place {
        let name = host.to_string();
        Place {
            host,
            run: self.run().join(&name),
            state: self.state().join(&name),
            cgroup: self.cgroup(host),
        }
    }
}

/// The host number N, called `hN`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct Host(u8);

impl Host {
    pub(super) const FIRST: Self = Self(1);

    /// The hosts of a playground of that many.
    pub(super) fn first(count: u8) -> impl Iterator<Item = Self> {
        (1..=count.min(MOST_HOSTS)).map(Self)
    }

    /// On `eth0`, in the network that connects the hosts.
    pub(super) fn address(self) -> Ipv4Addr {
        Ipv4Addr::new(10, 90, 0, self.0)
    }

    /// Of `eth0`: the same after a reboot, as the others remember it. Locally administered (the 2).
    pub(super) fn hardware_address(self) -> [u8; 6] {
        let [a, b, c, d] = self.address().octets();
        [2, 0, a, b, c, d]
    }

    /// Of the host's containers.
    pub(super) fn subnet(self) -> String {
        format!("10.91.{}.0/24", self.0)
    }
}

/// Length of the prefix of [`Host::address`].
pub(super) const PREFIX: u8 = 24;

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "h{}", self.0)
    }
}

impl FromStr for Host {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::first(MOST_HOSTS).find(|host| host.to_string() == text);
        found.ok_or_else(|| format!("hosts are called h1 to h{MOST_HOSTS}"))
    }
}

impl TryFrom<String> for Host {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Host> for String {
    fn from(host: Host) -> Self {
        host.to_string()
    }
}

/// Where a host's things are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) host: Host,
    /// Emptied by each boot.
    pub(super) run: PathBuf,
    /// Its disk.
    pub(super) state: PathBuf,
    /// From the cgroup2 mount.
    pub(super) cgroup: String,
}

impl Place {
    /// Of its fleetd.
    pub(super) fn socket(&self) -> PathBuf {
        self.run.join("fleetd.sock")
    }

    pub(super) fn netd_socket(&self) -> PathBuf {
        self.run.join("netd.sock")
    }

    /// The file with the boot id, until it is bound to where the kernel has its own.
    pub(super) fn boot_id(&self) -> PathBuf {
        self.run.with_extension("boot-id")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_a_part_of_a_path_and_of_a_cgroup() {
        for good in ["default", "a", "0-x", "abcdefghij0123456789"] {
            assert_eq!(good.parse::<Name>().unwrap().to_string(), good);
        }
        for bad in ["", "A", "a/b", "..", "-a", "a b", "a.b", "abcdefghij01234567890"] {
            assert!(bad.parse::<Name>().is_err(), "{bad}");
        }
    }

    #[test]
    fn hosts_are_h1_to_h20() {
        assert_eq!("h1".parse::<Host>().unwrap().address(), Ipv4Addr::new(10, 90, 0, 1));
        assert_eq!("h20".parse::<Host>().unwrap().subnet(), "10.91.20.0/24");
        for bad in ["h0", "h21", "h01", "1", "h", "H1", "h-1", "h256"] {
            assert!(bad.parse::<Host>().is_err(), "{bad}");
        }
    }

    #[test]
    fn everything_of_a_host_has_its_place() {
        let name: Name = "x".parse().unwrap();
        let place = name.place("h2".parse().unwrap());
        assert_eq!(place.socket(), Path::new("/run/flotilla-playground/x/h2/fleetd.sock"));
        assert_eq!(place.state, Path::new("/var/lib/flotilla-playground/x/h2"));
        assert_eq!(place.cgroup, "flotilla-playground-x-h2");
        assert_eq!(place.boot_id(), Path::new("/run/flotilla-playground/x/h2.boot-id"));
    }

    #[test]
    fn two_playgrounds_never_share_a_cgroup() {
        let (a, b): (Name, Name) = ("a".parse().unwrap(), "a-h1".parse().unwrap());
        let of = |name: &Name| {
            let hosts = Host::first(MOST_HOSTS).map(|host| name.cgroup(host));
            hosts.chain([name.cgroup(SWITCH)]).collect::<Vec<_>>()
        };
        assert!(of(&a).iter().all(|cgroup| !of(&b).contains(cgroup)));
    }
}
