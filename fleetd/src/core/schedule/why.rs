//! Why a unit is, or would be, on one host and not on another, as things are now.

use super::board::Board;
use super::explain::{Explainer, sentence};
use super::fleet::{Fleet, Options};
use super::host_set::HostSet;
use super::keep::{index, keep};
use super::score::Score;
use serde::{Deserialize, Serialize};
use std::cmp::Reverse;

/// Every host of the fleet with what it is for the unit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Why {
    pub unit: String,
    /// Where it is; several only of a global unit.
    pub placed: Vec<String>,
    /// By id.
    pub hosts: Vec<WhyHost>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WhyHost {
    pub host: String,
    pub verdict: Verdict,
    /// Every rule that it fails.
    pub reasons: Vec<String>,
    /// Without the unit itself there.
    pub score: Score,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// It is there.
    Placed,
    /// It would fit, and another host is as good or better, or it stays where it is.
    Fits,
    /// It would go there.
    Best,
    Refused,
}

/// None: there is no such unit.
pub fn why(fleet: &Fleet, options: Options, unit: &str) -> Option<Why> {
    let mut board = Board::new(fleet, options.fill);
    keep(&mut board);
    let at = index(&board.unit_names, unit)?;
    let spots = board.spots[at as usize].clone();
    spots.iter().for_each(|host| board.remove(at, *host));
    let checks = Explainer::new().checks(&board, at);
    let mut fits = HostSet::all(board.hosts());
    checks.iter().for_each(|check| fits.keep(&check.pass));
    let points = |host: &u32| (board.score(board.shape(at), *host).total, Reverse(*host));
    let best = fits.iter().max_by_key(points).filter(|_| spots.is_empty());
    let hosts = (0..board.hosts() as u32).map(|host| {
        let failing = checks.iter().filter(|check| !check.pass.has(host));
        let reasons: Vec<String> = failing.map(|check| sentence(&board, at, check, host)).collect();
        let verdict = if spots.contains(&host) {
            Verdict::Placed
        } else if !reasons.is_empty() {
            Verdict::Refused
        } else if best == Some(host) || board.is_global(at) {
            Verdict::Best
        } else {
            Verdict::Fits
        };
        let score = board.score(board.shape(at), host);
        WhyHost { host: board.host_ids[host as usize].to_owned(), verdict, reasons, score }
    });
    let placed = spots.iter().map(|host| board.host_ids[*host as usize].to_owned()).collect();
    Some(Why { unit: unit.to_owned(), placed, hosts: hosts.collect() })
}
