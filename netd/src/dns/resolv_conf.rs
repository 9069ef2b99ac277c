//! The host's name servers (resolv.conf(5)).

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::SystemTime;

const PORT: u16 = 53;

/// The file, read again when it has changed.
pub(super) struct ResolvConf {
    path: PathBuf,
    read: Option<SystemTime>,
    servers: Vec<SocketAddr>,
}

impl ResolvConf {
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path, read: None, servers: Vec::new() }
    }

    /// The servers now. A file that cannot be read leaves those of the last time.
    pub(super) fn servers(&mut self) -> &[SocketAddr] {
        let changed = std::fs::metadata(&self.path).and_then(|m| m.modified()).ok();
        if (changed.is_none() || changed != self.read)
            && let Ok(text) = std::fs::read_to_string(&self.path)
        {
            self.servers = parse(&text);
            self.read = changed;
        }
        &self.servers
    }
}

fn parse(text: &str) -> Vec<SocketAddr> {
    text.lines()
        .filter_map(|line| {
            let mut words = line.split_whitespace();
            (words.next()? == "nameserver").then_some(())?;
            let address: IpAddr = words.next()?.parse().ok()?;
            Some(SocketAddr::new(address, PORT))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn name_servers_are_read_and_the_rest_is_not() {
        let text = "# x\nsearch a b\nnameserver 192.0.2.1\n nameserver ::1 # c\nnameserver x\n;nameserver 1.1.1.1\n";
        let servers = parse(text);
        assert_eq!(servers, ["192.0.2.1:53".parse().unwrap(), "[::1]:53".parse().unwrap()]);
    }
}
