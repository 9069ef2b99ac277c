//! Which host's packets do not reach which. Pure.

use super::plan::Host;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// Pairs of a sender and a receiver whose packets are dropped.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Cuts(BTreeSet<(Host, Host)>);

impl Cuts {
    pub(super) fn pairs(&self) -> impl Iterator<Item = (Host, Host)> {
        self.0.iter().copied()
    }

    /// Takes `host` off those of `others` that are not itself.
    pub(super) fn cut(&mut self, host: Host, others: &[Host], one_way: bool) {
        for &other in others.iter().filter(|other| **other != host) {
            self.0.insert((host, other));
            if !one_way {
                self.0.insert((other, host));
            }
        }
    }

    /// Every cut that has to do with `host` ends.
    pub(super) fn heal(&mut self, host: Host) {
        self.0.retain(|(from, to)| *from != host && *to != host);
    }

    /// What the cuts mean for a host, in words; none if nothing. `all`: the hosts that there are.
    pub(super) fn words(&self, host: Host, all: &[Host]) -> Vec<String> {
        let others: Vec<Host> = all.iter().copied().filter(|other| *other != host).collect();
        let lost = |out: bool, back: bool| {
            let is = |a, b| self.0.contains(&(a, b));
            let found = others.iter().filter(|o| (is(host, **o), is(**o, host)) == (out, back));
            found.copied().collect::<Vec<Host>>()
        };
        let mut words = Vec::new();
        for (out, back, whole, part) in [
            (true, true, "cut", "cut from"),
            (true, false, "not heard", "not heard by"),
            (false, true, "deaf", "deaf to"),
        ] {
            let lost = lost(out, back);
            if !lost.is_empty() && lost == others {
                words.push(whole.to_owned());
            } else if !lost.is_empty() {
                let names = lost.iter().map(Host::to_string).collect::<Vec<_>>();
                words.push(format!("{part} {}", names.join(" ")));
            }
        }
        words
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn three() -> [Host; 3] {
        let hosts: Vec<Host> = Host::first(3).collect();
        hosts.try_into().unwrap()
    }

    fn words(cuts: &Cuts) -> Vec<String> {
        three().iter().map(|host| cuts.words(*host, &three()).join(", ")).collect()
    }

    #[test]
    fn a_host_is_cut_from_all_or_from_one_and_healed() {
        let [a, b, c] = three();
        let mut cuts = Cuts::default();
        cuts.cut(b, &three(), false);
        assert_eq!(cuts.pairs().count(), 4);
        assert_eq!(words(&cuts), ["cut from h2", "cut", "cut from h2"]);
        cuts.heal(a);
        assert_eq!(words(&cuts), ["", "cut from h3", "cut from h2"]);
        cuts.heal(b);
        assert_eq!(cuts, Cuts::default());
        cuts.cut(a, &[c], false);
        assert_eq!(words(&cuts), ["cut from h3", "", "cut from h1"]);
    }

    #[test]
    fn one_way_drops_what_the_host_sends() {
        let [a, b, _] = three();
        let mut cuts = Cuts::default();
        cuts.cut(a, &[b], true);
        assert_eq!(cuts.pairs().collect::<Vec<_>>(), [(a, b)]);
        assert_eq!(words(&cuts), ["not heard by h2", "deaf to h1", ""]);
        cuts.cut(a, &three(), true);
        assert_eq!(words(&cuts), ["not heard", "deaf to h1", "deaf to h1"]);
        // The other direction as well makes a whole cut of it.
        cuts.cut(b, &[a], true);
        assert_eq!(words(&cuts)[0], "cut from h2, not heard by h3");
    }
}
