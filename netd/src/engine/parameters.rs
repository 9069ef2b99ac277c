//! The kernel's parameters that forwarding needs.

use super::Engine;
use crate::netlink::Refused;
use crate::sysctl;
use std::io;

const IPV4: &str = "ipv4/ip_forward";
const IPV6: &str = "ipv6/conf/all/forwarding";
const INTERFACES: &str = "/proc/sys/net/ipv6/conf";

impl Engine {
    /// Lets the host forward what its networks need. What the parameters were is in the journal
    /// before they change, for `netd down`.
    pub(super) fn turn_on_forwarding(&mut self) -> Result<(), Refused> {
        let mut wanted = vec![(IPV4.to_owned(), "1")];
        if self.desired.has_ipv6() {
            // A host that forwards no longer listens to router advertisements, from which it may
            // have its own default route, unless it is told to go on (accept_ra of 2).
            let listening =
                listening_to_routers().map_err(|e| Refused::new("read accept_ra", e))?;
            wanted.extend(listening.into_iter().map(|name| (name, "2")));
            wanted.push((IPV6.to_owned(), "1"));
        }
        let mut new = Vec::new();
        for (name, value) in wanted {
            let old = sysctl::read(&name).map_err(|e| Refused::new(format!("read {name}"), e))?;
            if old != value {
                new.push((name, value, old));
            }
        }
        let before = self.header.parameters.len();
        for (name, _, old) in &new {
            self.header.parameters.entry(name.clone()).or_insert_with(|| old.clone());
        }
        if self.header.parameters.len() > before {
            let failed = |e| Refused::new("write the journal", io::Error::other(e));
            self.rewrite_journal().map_err(failed)?;
        }
        for (name, value, _) in new {
            let failed = |e| Refused::new(format!("set {name} to {value}"), e);
            sysctl::write(&name, value).map_err(failed)?;
        }
        Ok(())
    }
}

/// The parameters of the interfaces that listen to router advertisements as long as the host does
/// not forward.
fn listening_to_routers() -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(INTERFACES)? {
        let interface = entry?.file_name().to_string_lossy().into_owned();
        let name = format!("ipv6/conf/{interface}/accept_ra");
        // One that has just gone away is none.
        if !["all", "default", "lo"].contains(&interface.as_str())
            && !interface.starts_with("fl")
            && sysctl::read(&name).is_ok_and(|value| value == "1")
        {
            names.push(name);
        }
    }
    Ok(names)
}
