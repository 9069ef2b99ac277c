//! `Network=` and the keys beside it: on which networks a container is, and as what. Which of them go together
//! is told in `attached`.

use super::assign::{Taken, Value, wrong};
use super::container::{Attachment, NetworkRef};
use super::names;
use super::specifier::Unexpanded;
use super::syntax::head;
use fleetd_api::{UnitKind, UnitName};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The network of a unit that names none.
pub const DEFAULT_NETWORK: &str = "bridge";

/// What one `Network=` says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Choice {
    Host,
    None,
    Attach(Attachment),
}

impl Choice {
    pub fn text(&self) -> String {
        match self {
            Self::Host => "host".to_owned(),
            Self::None => "none".to_owned(),
            Self::Attach(attachment) => attachment.network.to_string(),
        }
    }
}

impl Value<'_> {
    pub fn networks(&self) -> Taken<Vec<Choice>> {
        let text = self.name()?;
        choice(&text).map(|choice| vec![choice]).map_err(Unexpanded::Wrong)
    }

    pub fn network_ref(&self) -> Taken<NetworkRef> {
        let text = self.name()?;
        if ["host", "none"].contains(&text.as_str()) {
            return wrong("a virtual address is of a network: bridge, NAME or NAME.network");
        }
        network_ref(&text).map_err(Unexpanded::Wrong)
    }

    /// Names in words.
    pub fn dns_names(&self) -> Taken<Vec<String>> {
        let names = self.words()?.into_iter().map(|word| names::dns_name(&word));
        names.collect::<Result<_, _>>().map_err(Unexpanded::Wrong)
    }

    /// `KEY=VALUE` in words.
    pub fn labels(&self) -> Taken<Vec<(String, String)>> {
        let labels = self.words()?.into_iter().map(|word| names::label(&word));
        labels.collect::<Result<_, _>>().map_err(Unexpanded::Wrong)
    }

    pub fn ipv4(&self) -> Taken<Ipv4Addr> {
        match names::own_address(&self.name()?).map_err(Unexpanded::Wrong)? {
            IpAddr::V4(address) => Ok(address),
            IpAddr::V6(_) => wrong("it takes an IPv4 address: IP6= has the other"),
        }
    }

    pub fn ipv6(&self) -> Taken<Ipv6Addr> {
        match names::own_address(&self.name()?).map_err(Unexpanded::Wrong)? {
            IpAddr::V6(address) => Ok(address),
            IpAddr::V4(_) => wrong("it takes an IPv6 address: IP= has the other"),
        }
    }
}

/// `NAME[:OPTION,...]`, `host` or `none`.
fn choice(text: &str) -> Result<Choice, String> {
    let (network, options) = match text.split_once(':') {
        Some((network, options)) => (network, Some(options)),
        None => (text, None),
    };
    let alone = match network {
        "host" => Choice::Host,
        "none" => Choice::None,
        _ => {
            let mut attachment = Attachment::new(network_ref(network)?);
            for option in options.into_iter().flat_map(|options| options.split(',')) {
                set_option(&mut attachment, option)?;
            }
            return Ok(Choice::Attach(attachment));
        }
    };
    match options {
        None => Ok(alone),
        Some(_) => Err(format!("{network} takes no options")),
    }
}

/// `bridge`, `NAME` or `NAME.network`. The other words are podman's for what it does without root, or with
/// the network of somebody else.
fn network_ref(text: &str) -> Result<NetworkRef, String> {
    match text {
        "private" | "pasta" | "slirp4netns" => {
            return Err(format!("{text} is not there: bridge is a network of its own"));
        }
        "container" | "ns" => {
            return Err("the network of another container is not there yet".to_owned());
        }
        _ => {}
    }
    if text.ends_with(".container") || text.ends_with(".pod") {
        return Err("the network of another container is not there yet".to_owned());
    }
    if !text.ends_with(".network") {
        return names::network_name(text).map(NetworkRef::Name);
    }
    let name = UnitName::new(text).map_err(|error| error.to_string())?;
    match name.instance() {
        None => Ok(NetworkRef::Unit(name.to_string())),
        Some(_) => Err(format!("a .{} has no template yet", UnitKind::Network.suffix())),
    }
}

fn set_option(attachment: &mut Attachment, option: &str) -> Result<(), String> {
    let (key, value) = option.split_once('=').unwrap_or((option, ""));
    match key {
        "ip" => add_address(attachment, names::own_address(value)?),
        "mac" => once("mac", &mut attachment.mac, mac(value)?),
        "alias" => {
            attachment.aliases.push(names::dns_name(value)?);
            Ok(())
        }
        "interface_name" => {
            let name = names::interface_name(value)?;
            once("interface_name", &mut attachment.interface, name)
        }
        _ => Err(format!(
            "{:?} is no option of a network: ip, mac, alias, interface_name",
            head(key)
        )),
    }
}

fn once<T>(key: &str, slot: &mut Option<T>, value: T) -> Result<(), String> {
    match slot.replace(value) {
        None => Ok(()),
        Some(_) => Err(format!("{key}= stands there twice")),
    }
}

fn add_address(attachment: &mut Attachment, address: IpAddr) -> Result<(), String> {
    if attachment.addresses.iter().any(|other| other.is_ipv4() == address.is_ipv4()) {
        return Err("of each family one address: ip= stands there twice".to_owned());
    }
    attachment.addresses.push(address);
    Ok(())
}

fn mac(text: &str) -> Result<[u8; 6], String> {
    let mut mac = [0; 6];
    let mut parts = text.split([':', '-']);
    for byte in &mut mac {
        let digits = parts
            .next()
            .filter(|part| part.len() == 2 && part.bytes().all(|digit| digit.is_ascii_hexdigit()));
        let value = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok());
        *byte = value.ok_or_else(|| no_mac(text))?;
    }
    // The lowest bit of the first byte is a group's.
    match parts.next().is_none() && mac[0] & 1 == 0 && mac != [0; 6] {
        true => Ok(mac),
        false => Err(no_mac(text)),
    }
}

fn no_mac(text: &str) -> String {
    format!("{:?} is no hardware address of one interface: 02:00:00:00:00:01", head(text))
}
