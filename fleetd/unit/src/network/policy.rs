//! Which connections a network's containers may have: `DefaultDeny=` and `Allow=`.
//!
//! ```text
//! Allow = [from PEER] [to PEER] [port TRAFFIC[,TRAFFIC...]]
//! PEER  = any | ADDRESS[/PREFIX] | LABEL=VALUE [LABEL=VALUE ...]
//! TRAFFIC = tcp | udp | icmp | tcp/PORT[-PORT] | udp/PORT[-PORT]
//! ```
//!
//! An end that is not named is every container of the network. One end at least is some of them: what others
//! do among each other is not this network's.

use crate::asks::Protocol;
use crate::assign::{Taken, Value};
use crate::cidr;
use crate::names;
use crate::specifier::Unexpanded;
use crate::syntax::head;
use ipnet::IpNet;
use std::collections::BTreeMap;

/// What is denied unless it is allowed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Deny {
    pub ingress: bool,
    pub egress: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    Ingress,
    Egress,
}

/// Connections that are not denied, in whichever direction that would be: who opens them, to whom, and of
/// what kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Allow {
    pub from: Peer,
    pub to: Peer,
    /// Empty: whatever it is.
    pub traffic: Vec<Traffic>,
}

/// One end of a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Peer {
    /// Containers of the network that have all of these labels; without any, every one.
    Labels(BTreeMap<String, String>),
    /// Whoever has these addresses.
    Range(IpNet),
    Any,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Traffic {
    /// Ports of the end that is connected to, both in it.
    Ports {
        protocol: Protocol,
        first: u16,
        last: u16,
    },
    Icmp,
}

/// More labels of one peer are none that somebody wrote.
const MAX_LABELS: usize = 16;

/// Each is an element of a set in every host's kernel.
const MAX_TRAFFIC: usize = 64;

const KEYWORDS: [&str; 3] = ["from", "to", "port"];

impl Value<'_> {
    /// `ingress` and `egress`, in words.
    pub fn directions(&self) -> Taken<Vec<Direction>> {
        let direction = |word: String| match word.as_str() {
            "ingress" => Ok(Direction::Ingress),
            "egress" => Ok(Direction::Egress),
            _ => Err(format!("{:?} is neither ingress nor egress", head(&word))),
        };
        let directions = self.words()?.into_iter().map(direction);
        directions.collect::<Result<_, _>>().map_err(Unexpanded::Wrong)
    }

    /// One line of a policy.
    pub fn allow(&self) -> Taken<Vec<Allow>> {
        parse(&self.words()?).map(|allow| vec![allow]).map_err(Unexpanded::Wrong)
    }
}

impl Deny {
    pub fn of(directions: &[Direction]) -> Self {
        Self {
            ingress: directions.contains(&Direction::Ingress),
            egress: directions.contains(&Direction::Egress),
        }
    }

    pub fn denies(self) -> bool {
        self.ingress || self.egress
    }
}

/// A word and its number on the line, the first is 1.
type Word<'a> = (usize, &'a str);

fn parse(words: &[String]) -> Result<Allow, String> {
    let words: Vec<Word> = (1..).zip(words.iter().map(String::as_str)).collect();
    if words.is_empty() {
        return Err("it takes [from PEER] [to PEER] [port TRAFFIC]".to_owned());
    }
    let (mut from, mut to, mut traffic) = (None, None, None);
    let mut rest = words.as_slice();
    while let [(at, keyword), behind @ ..] = rest {
        let is_keyword = |(_, word): &Word| KEYWORDS.contains(word);
        if !is_keyword(&(*at, keyword)) {
            return Err(format!("word {at}, {:?}: from, to or port begins here", head(keyword)));
        }
        let end = behind.iter().position(is_keyword).unwrap_or(behind.len());
        let (clause, after) = behind.split_at(end);
        if clause.is_empty() {
            return Err(format!("word {at}: nothing stands behind {keyword}"));
        }
        let again = match *keyword {
            "from" => from.replace(peer(clause)?).is_some(),
            "to" => to.replace(peer(clause)?).is_some(),
            _ => traffic.replace(self::traffic(clause)?).is_some(),
        };
        if again {
            return Err(format!("word {at}: {keyword} stands there twice"));
        }
        rest = after;
    }
    let every = || Peer::Labels(BTreeMap::new());
    let (from, to) = (from.unwrap_or_else(every), to.unwrap_or_else(every));
    if !matches!(from, Peer::Labels(_)) && !matches!(to, Peer::Labels(_)) {
        return Err(
            "neither end is of the network's containers: name labels, or leave from or to out"
                .to_owned(),
        );
    }
    Ok(Allow { from, to, traffic: traffic.unwrap_or_default() })
}

fn peer(words: &[Word]) -> Result<Peer, String> {
    let alone = |peer| match words {
        [_, (at, more), ..] => {
            Err(format!("word {at}, {:?}: from, to or port begins here", head(more)))
        }
        _ => Ok(peer),
    };
    match words {
        [(_, "any"), ..] => alone(Peer::Any),
        [(at, range), ..] if !range.contains('=') => {
            let range = cidr::parse(range).map_err(|_| {
                let shown = head(range);
                format!("word {at}, {shown:?}: it is neither any, a range, nor LABEL=VALUE")
            })?;
            alone(Peer::Range(range))
        }
        words => labels(words).map(Peer::Labels),
    }
}

fn labels(words: &[Word]) -> Result<BTreeMap<String, String>, String> {
    let mut labels = BTreeMap::new();
    for (at, word) in words {
        let told = |message: String| format!("word {at}: {message}");
        let (key, value) = names::label(word).map_err(told)?;
        if let Some(other) = labels.insert(key.clone(), value) {
            return Err(told(format!("{key} is {other} already, and one has to have all of them")));
        }
    }
    match labels.len() {
        ..=MAX_LABELS => Ok(labels),
        count => Err(format!("{count} labels of one peer: {MAX_LABELS} are the most")),
    }
}

fn traffic(words: &[Word]) -> Result<Vec<Traffic>, String> {
    let mut all = Vec::new();
    for (at, word) in words {
        for item in word.split(',') {
            all.push(kind(item).map_err(|message| format!("word {at}: {message}"))?);
        }
    }
    match all.len() {
        ..=MAX_TRAFFIC => Ok(all),
        count => Err(format!("{count} ports: {MAX_TRAFFIC} are the most; a range is one")),
    }
}

fn kind(item: &str) -> Result<Traffic, String> {
    let (name, ports) = match item.split_once('/') {
        Some((name, ports)) => (name, Some(ports)),
        None => (item, None),
    };
    let protocol = match (name, ports) {
        ("tcp", _) => Protocol::Tcp,
        ("udp", _) => Protocol::Udp,
        ("icmp", None) => return Ok(Traffic::Icmp),
        ("icmp", Some(_)) => return Err("icmp has no ports".to_owned()),
        _ => {
            let shown = head(item);
            return Err(format!(
                "{shown:?} is none of tcp/80, udp/53, tcp/8000-8010, tcp, udp, icmp"
            ));
        }
    };
    let (first, last) = ports.map_or(Ok((1, u16::MAX)), crate::mapping::range)?;
    Ok(Traffic::Ports { protocol, first, last })
}
