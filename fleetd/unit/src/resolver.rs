//! What a container finds in `/etc/resolv.conf` and `/etc/hosts`, and what it is called.

use super::assign::{Taken, Value, wrong};
use super::container::{HostAddress, HostEntry, Resolver, Servers};
use super::draft::Draft;
use super::names;
use super::read::Checks;
use super::specifier::Unexpanded;
use super::syntax::head;
use fleetd_api::UnitName;
use std::net::IpAddr;

/// The C library asks no more (resolv.conf(5)).
const MAX_SERVERS: usize = 3;

/// More are none that somebody wrote; every look-up may go through all of them.
const MAX_WORDS: usize = 32;

/// Lines of `/etc/hosts`.
const MAX_HOSTS: usize = 1024;

/// One word of `DNS=`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Server {
    /// The image's file stays.
    Untouched,
    At(IpAddr),
}

impl Value<'_> {
    pub fn name_servers(&self) -> Taken<Vec<Server>> {
        let server = |word: String| match word.as_str() {
            "none" => Ok(Server::Untouched),
            word => name_server(word).map(Server::At),
        };
        let servers = self.words()?.into_iter().map(server);
        servers.collect::<Result<_, _>>().map_err(Unexpanded::Wrong)
    }

    /// Of a network, which has no file of its own.
    pub fn upstream_servers(&self) -> Taken<Vec<IpAddr>> {
        let servers = self.words()?.into_iter().map(|word| name_server(&word));
        servers.collect::<Result<_, _>>().map_err(Unexpanded::Wrong)
    }

    /// Domains, or `.` for none.
    pub fn search_domains(&self) -> Taken<Vec<String>> {
        let domain = |word: String| match word.as_str() {
            "." => Ok(word),
            name => names::dns_name(name.strip_suffix('.').unwrap_or(name)),
        };
        let domains = self.words()?.into_iter().map(domain);
        domains.collect::<Result<_, _>>().map_err(Unexpanded::Wrong)
    }

    /// Words as resolv.conf(5) has them. Which of them the image's C library knows is its own matter.
    pub fn resolver_options(&self) -> Taken<Vec<String>> {
        let is_word = |text: &str| {
            let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
            (1..=32).contains(&text.len()) && text.bytes().all(allowed)
        };
        let option = |word: String| {
            let (name, number) = word.split_once(':').unwrap_or((&word, "0"));
            let digits =
                (1..=5).contains(&number.len()) && number.bytes().all(|b| b.is_ascii_digit());
            match is_word(name) && digits {
                true => Ok(word),
                false => wrong(format!(
                    "{:?} is no option of resolv.conf(5), such as rotate or ndots:2",
                    head(&word)
                )),
            }
        };
        self.words()?.into_iter().map(option).collect()
    }

    /// `NAME:ADDRESS`
    pub fn host_entry(&self) -> Taken<Vec<HostEntry>> {
        let text = self.name()?;
        let Some((name, address)) = text.split_once(':') else {
            return wrong("it takes NAME:ADDRESS, or NAME:host-gateway");
        };
        let name = names::dns_name(name).map_err(Unexpanded::Wrong)?;
        let bare = address.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
        let address = match address {
            "host-gateway" => HostAddress::Gateway,
            _ => match bare.unwrap_or(address).parse() {
                Ok(address) => HostAddress::Ip(address),
                Err(_) => {
                    let shown = head(address);
                    return wrong(format!("{shown:?} is neither an address nor host-gateway"));
                }
            },
        };
        Ok(vec![HostEntry { name, address }])
    }

    pub fn hostname(&self) -> Taken<String> {
        names::hostname(&self.text()?).map_err(Unexpanded::Wrong)
    }
}

fn name_server(text: &str) -> Result<IpAddr, String> {
    let no_server = |address: &IpAddr| address.is_unspecified() || address.is_multicast();
    let address = text.parse().ok().filter(|address| !no_server(address));
    address.ok_or_else(|| format!("{:?} is no address of a name server", head(text)))
}

impl Draft {
    pub(super) fn resolver(&self) -> Resolver {
        let at = |server: &Server| match server {
            Server::At(address) => Some(*address),
            Server::Untouched => None,
        };
        let servers: Vec<IpAddr> = self.dns.iter().filter_map(at).collect();
        let servers = match (self.dns.contains(&Server::Untouched), servers.is_empty()) {
            (true, _) => Servers::Untouched,
            (false, true) => Servers::Fleet,
            (false, false) => Servers::These(servers),
        };
        let domain = |word: &&String| word.as_str() != ".";
        let search = self.dns_search.iter().filter(domain).cloned().collect();
        let search = (!self.dns_search.is_empty()).then_some(search);
        Resolver { servers, search, options: self.dns_options.clone() }
    }

    /// What no key on names can tell alone.
    pub(super) fn check_resolver(&self, name: &UnitName, checks: &mut Checks) {
        let mut fault = |key: &str, message: String| {
            checks.faults.push(self.place(name, key).fault(message));
        };
        let untouched = self.dns.contains(&Server::Untouched);
        if untouched && self.dns.len() > 1 {
            fault("DNS", "DNS=none goes with no name server".to_owned());
        } else if self.dns.len() > MAX_SERVERS {
            fault("DNS", format!("{} name servers: {MAX_SERVERS} are asked", self.dns.len()));
        }
        if self.dns_search.len() > 1 && self.dns_search.iter().any(|domain| domain == ".") {
            fault("DNSSearch", "DNSSearch=. goes with no domain".to_owned());
        }
        let words = [("DNSSearch", &self.dns_search), ("DNSOption", &self.dns_options)];
        for (key, words) in words {
            if words.len() > MAX_WORDS {
                fault(key, format!("{} of them: {MAX_WORDS} are the most", words.len()));
            } else if untouched && !words.is_empty() {
                let message = format!("{key}= has no effect with DNS=none");
                checks.warnings.push(self.place(name, key).warning(message));
            }
        }
        if self.hosts.len() > MAX_HOSTS {
            let message = format!("{} of them: {MAX_HOSTS} are the most", self.hosts.len());
            checks.faults.push(self.place(name, "AddHost").fault(message));
        }
    }
}
