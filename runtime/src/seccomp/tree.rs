//! The program: which ABI, then a binary search for the range that holds the call's number.

use libc::sock_filter;

use super::arch::{Abi, Machine, X32_BIT};
use super::code::{Code, Target, Test};
use super::condition::write_clauses;
use super::decision::{self, Clause, Decision, Mentions, Range};
use super::profile::Profile;

/// Offsets in `seccomp_data` (linux/seccomp.h).
const NUMBER: u32 = 0;
const ARCHITECTURE: u32 = 4;

/// A call through an ABI that the profile does not list.
const WRONG_ABI: Target = Target::Return(libc::SECCOMP_RET_KILL_PROCESS);

/// How many single numbers a leaf of the tree tells from the range around them, one comparison each. In the
/// tree each would cost two, its beginning and its end.
const MOST_EXCEPTIONS: usize = 3;

pub(super) fn program(machine: Machine, profile: &Profile<'_>) -> Vec<sock_filter> {
    let mentions = Mentions::of(machine, profile);
    let mut writer =
        Writer { code: Code::default(), default: profile.default, written: Vec::new() };
    let mut start = WRONG_ABI;
    let mut x32 = None;
    let mut entries = Vec::new();
    // The machine's own ABI is first in the list and written last: nearest to the program's beginning.
    for (abi, mentions) in machine.abis().iter().zip(&mentions).rev() {
        if !profile.abis.contains(abi) {
            continue;
        }
        let ranges = decision::ranges(*abi, mentions, profile);
        let entry = writer.search(&ranges);
        match abi {
            Abi::X32 => x32 = Some(writer.code.subtract(X32_BIT, entry)),
            Abi::X86_64 => {
                let entry = writer.split_off_x32(entry, x32, &ranges);
                entries.push((abi, writer.code.load(NUMBER, entry)));
            }
            _ => entries.push((abi, writer.code.load(NUMBER, entry))),
        }
    }
    for (abi, entry) in entries {
        start = writer.code.branch(Test::Equal, abi.audit(), entry, start);
    }
    let start = writer.code.load(ARCHITECTURE, start);
    writer.code.finish(start)
}

struct Writer {
    code: Code,
    default: u32,
    /// Where clauses were written: many calls, and several ABIs, have the same.
    written: Vec<(Vec<Clause>, Target)>,
}

/// Numbers from `first` on, up to the next leaf.
struct Leaf {
    first: u32,
    target: Target,
    exceptions: Vec<(u32, Target)>,
}

impl Writer {
    fn search(&mut self, ranges: &[Range]) -> Target {
        let targets: Vec<(u32, Target)> =
            ranges.iter().map(|range| (range.first, self.target(&range.decision))).collect();
        let leaves = leaves(&targets);
        self.search_leaves(&leaves)
    }

    fn search_leaves(&mut self, leaves: &[Leaf]) -> Target {
        if let [leaf] = leaves {
            return leaf.exceptions.iter().fold(leaf.target, |otherwise, (number, target)| {
                self.code.branch(Test::Equal, *number, *target, otherwise)
            });
        }
        let (below, above) = leaves.split_at(leaves.len() / 2);
        let first_above = above[0].first;
        let above = self.search_leaves(above);
        let below = self.search_leaves(below);
        self.code.branch(Test::GreaterOrEqual, first_above, above, below)
    }

    /// x32 calls are told from x86_64 ones by a bit in the number. The number -1, with which a tracer skips a
    /// call, is neither.
    fn split_off_x32(&mut self, native: Target, x32: Option<Target>, ranges: &[Range]) -> Target {
        let with_bit = match (x32, ranges.last()) {
            (Some(x32), _) => x32,
            (None, Some(last)) => {
                let skipped = self.target(&last.decision);
                self.code.branch(Test::Equal, u32::MAX, skipped, WRONG_ABI)
            }
            (None, None) => WRONG_ABI,
        };
        self.code.branch(Test::GreaterOrEqual, X32_BIT, with_bit, native)
    }

    fn target(&mut self, decision: &Decision) -> Target {
        let clauses = match decision {
            Decision::Always(outcome) => return Target::Return(*outcome),
            Decision::Tried(clauses) => clauses,
        };
        if let Some((_, target)) = self.written.iter().find(|(known, _)| known == clauses) {
            return *target;
        }
        let target = write_clauses(&mut self.code, clauses, self.default);
        self.written.push((clauses.clone(), target));
        target
    }
}

/// Joins a range, the single numbers that interrupt it, and what comes behind them.
fn leaves(targets: &[(u32, Target)]) -> Vec<Leaf> {
    let mut leaves = Vec::with_capacity(targets.len());
    let mut rest = targets;
    while let [(first, target), behind @ ..] = rest {
        rest = behind;
        let mut exceptions = Vec::new();
        while let [(number, exception), (after, same), behind @ ..] = rest
            && after - number == 1
            && same == target
            && exceptions.len() < MOST_EXCEPTIONS
        {
            exceptions.push((*number, *exception));
            rest = behind;
        }
        leaves.push(Leaf { first: *first, target: *target, exceptions });
    }
    leaves
}
