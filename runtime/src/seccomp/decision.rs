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
    let mut ranges = Ranges::new(Unnamed::new(abi, mentions, profile));
    let hidden = if abi == Abi::X86 { multiplex::clauses(profile) } else { Vec::new() };
    let mut hidden = hidden.into_iter().peekable();
    for (number, decision) in mentions.by_number(profile) {
        while let Some((number, clauses)) = hidden.next_if(|before| before.0 < number) {
            ranges.add(number, Decision::Tried(clauses));
        }
        let decision = match hidden.next_if(|same| same.0 == number) {
            Some((_, clauses)) => multiplex::join(decision, clauses, profile.default),
            None => decision,
        };
        ranges.add(number, decision);
    }
    for (number, clauses) in hidden {
        ranges.add(number, Decision::Tried(clauses));
    }
    ranges.finish()
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

    /// The decision for every number that is mentioned, in order.
    fn by_number(&self, profile: &Profile<'_>) -> impl Iterator<Item = (u32, Decision)> {
        let same_number = |a: &(u32, u32), b: &(u32, u32)| a.0 == b.0;
        self.pairs
            .chunk_by(same_number)
            .map(|pairs| (pairs[0].0, decide(pairs.iter().map(|pair| pair.1 as usize), profile)))
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

    /// The decisions for the numbers from `from` up to `to`, without it: pairs of a first number and an outcome.
    fn between(&self, from: u32, to: u32) -> impl Iterator<Item = (u32, u32)> + use<> {
        let newer = &self.newer_numbers;
        [
            (0, newer.start, self.default),
            (newer.start, newer.end, self.newer),
            (newer.end, u32::MAX, self.default),
        ]
        .into_iter()
        .map(move |(start, end, outcome)| (start.max(from), end.min(to), outcome))
        .filter(|(first, end, _)| first < end)
        .map(|(first, _, outcome)| (first, outcome))
    }
}

/// Ranges under construction, in the order of the numbers.
struct Ranges {
    done: Vec<Range>,
    /// The first number that is not decided yet.
    next: u32,
    unnamed: Unnamed,
}

impl Ranges {
    fn new(unnamed: Unnamed) -> Ranges {
        Ranges { done: Vec::new(), next: 0, unnamed }
    }

    /// A call that the profile names, and what is not named before it.
    fn add(&mut self, number: u32, decision: Decision) {
        self.skip_to(number);
        self.append(number, decision);
        self.next = number + 1;
    }

    fn finish(mut self) -> Vec<Range> {
        self.skip_to(u32::MAX);
        self.done
    }

    fn skip_to(&mut self, number: u32) {
        for (first, outcome) in self.unnamed.between(self.next, number) {
            self.append(first, Decision::Always(outcome));
        }
    }

    /// Appends, or widens the last range if it decides the same.
    fn append(&mut self, first: u32, decision: Decision) {
        if self.done.last().is_none_or(|last| last.decision != decision) {
            self.done.push(Range { first, decision });
        }
    }
}
