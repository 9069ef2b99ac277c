//! What happens to each call of one ABI: numbers resolved, rules merged, equal neighbours joined to ranges.

use super::arch::{Abi, Machine, NONE};
use super::multiplex;
use super::profile::{Condition, Profile, errno};

/// What happens to a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Decision {
    /// `SECCOMP_RET_*`, whatever the arguments.
    Always(u32),
    /// The first clause that matches, else the profile's default.
    Tried(Vec<Clause>),
}

/// An action under conditions that must all hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Clause {
    pub(super) conditions: Vec<Condition>,
    pub(super) outcome: u32,
}

/// The same decision for all numbers from `first` to the next range's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Range {
    pub(super) first: u32,
    pub(super) decision: Decision,
}

/// The decisions of an ABI over all numbers: sorted, the first range begins at 0.
pub(super) fn ranges(abi: Abi, mentions: &Mentions, profile: &Profile<'_>) -> Vec<Range> {
    let mut called = mentions.by_number(profile);
    if abi == Abi::X86 {
        multiplex::add(&mut called, profile);
    }
    let unnamed = Unnamed::new(abi, mentions, profile);
    let mut ranges = Ranges(Vec::new());
    let mut next = 0;
    for (number, decision) in called {
        unnamed.append(next, number, &mut ranges);
        ranges.append(number, decision);
        next = number + 1;
    }
    unnamed.append(next, u32::MAX, &mut ranges);
    ranges.0
}

/// Which rules of the profile name which numbers of one ABI.
pub(super) struct Mentions {
    /// (number, index of the rule), sorted: so by number, then in the profile's order.
    pairs: Vec<(u32, u32)>,
}

impl Mentions {
    /// One for each ABI of the machine, in its order. A name is looked up once for all of them.
    pub(super) fn of(machine: Machine, profile: &Profile<'_>) -> Vec<Mentions> {
        let names = profile.rules.iter().map(|rule| rule.names.len()).sum();
        let mut all: Vec<Mentions> =
            machine.abis().iter().map(|_| Mentions { pairs: Vec::with_capacity(names) }).collect();
        for (index, rule) in (0_u32..).zip(&profile.rules) {
            for numbers in rule.names.iter().filter_map(|name| machine.numbers(name)) {
                for (mentions, number) in all.iter_mut().zip(numbers) {
                    if number != NONE {
                        mentions.pairs.push((number, index));
                    }
                }
            }
        }
        for mentions in &mut all {
            mentions.pairs.sort_unstable();
        }
        all
    }

    /// The newest call that the author of the profile knew.
    fn newest(&self, abi: Abi) -> Option<u32> {
        let ordered = |number: &u32| *number < abi.end_of_ordered_numbers();
        self.pairs.iter().map(|pair| pair.0).rfind(ordered)
    }

    /// The decision for every number that is mentioned and does not simply get the default.
    fn by_number(&self, profile: &Profile<'_>) -> Vec<(u32, Decision)> {
        let same_number = |a: &(u32, u32), b: &(u32, u32)| a.0 == b.0;
        let mut called = Vec::with_capacity(self.pairs.len());
        called.extend(
            self.pairs.chunk_by(same_number).map(|pairs| {
                (pairs[0].0, decide(pairs.iter().map(|pair| pair.1 as usize), profile))
            }),
        );
        called
    }
}

/// Merges the rules that name one call, in the profile's order. See the module `seccomp` for the precedence.
pub(super) fn decide(rules: impl Iterator<Item = usize>, profile: &Profile<'_>) -> Decision {
    let mut clauses = Vec::new();
    for rule in rules.map(|index| &profile.rules[index]) {
        if !rule.conditions.is_empty() {
            clauses.push(Clause { conditions: rule.conditions.clone(), outcome: rule.outcome });
        } else if rule.outcome != profile.default {
            return Decision::Always(rule.outcome);
        }
    }
    if clauses.is_empty() { Decision::Always(profile.default) } else { Decision::Tried(clauses) }
}

/// The decision for numbers that the profile does not name.
struct Unnamed {
    default: u32,
    newer: u32,
    /// The numbers of calls that are newer than the newest one named.
    newer_numbers: std::ops::Range<u32>,
}

impl Unnamed {
    fn new(abi: Abi, mentions: &Mentions, profile: &Profile<'_>) -> Unnamed {
        let end = abi.end_of_ordered_numbers();
        let newer_numbers = match mentions.newest(abi) {
            Some(newest) if profile.refuses_newer_calls => newest + 1..end,
            _ => end..end,
        };
        Unnamed { default: profile.default, newer: errno(libc::ENOSYS), newer_numbers }
    }

    /// Appends the ranges for the numbers from `from` up to `to`, without it.
    fn append(&self, from: u32, to: u32, ranges: &mut Ranges) {
        let newer = &self.newer_numbers;
        for (start, end, outcome) in [
            (0, newer.start, self.default),
            (newer.start, newer.end, self.newer),
            (newer.end, u32::MAX, self.default),
        ] {
            let (first, end) = (start.max(from), end.min(to));
            if first < end {
                ranges.append(first, Decision::Always(outcome));
            }
        }
    }
}

struct Ranges(Vec<Range>);

impl Ranges {
    /// Appends, or widens the last range if it decides the same.
    fn append(&mut self, first: u32, decision: Decision) {
        if self.0.last().is_none_or(|last| last.decision != decision) {
            self.0.push(Range { first, decision });
        }
    }
}
