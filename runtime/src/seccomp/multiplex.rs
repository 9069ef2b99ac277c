//! 32-bit x86 has two calls that stand for many: `socketcall` and `ipc` choose by their first argument.
//!
//! A rule about `socket` must hold for `socketcall(SYS_SOCKET, ...)` too, or whoever forbids it is bypassed. The
//! arguments of the inner call lie behind a pointer (or in other places), where a filter cannot look: a rule
//! with conditions is answered with the most severe of the answers that it could give.

use super::decision::{Clause, Decision, decide};
use super::profile::{Comparison, Condition, Profile};

struct Multiplexer {
    number: u32,
    /// What of the first argument chooses: `ipc` has a version in the upper half.
    mask: u64,
    /// (name, first argument)
    calls: &'static [(&'static str, u64)],
}

/// linux/net.h, `SYS_*`, and linux/ipc.h.
const MULTIPLEXERS: [Multiplexer; 2] = [
    Multiplexer {
        number: 102,
        mask: 0xffff_ffff,
        calls: &[
            ("socket", 1),
            ("bind", 2),
            ("connect", 3),
            ("listen", 4),
            ("accept", 5),
            ("getsockname", 6),
            ("getpeername", 7),
            ("socketpair", 8),
            ("send", 9),
            ("recv", 10),
            ("sendto", 11),
            ("recvfrom", 12),
            ("shutdown", 13),
            ("setsockopt", 14),
            ("getsockopt", 15),
            ("sendmsg", 16),
            ("recvmsg", 17),
            ("accept4", 18),
            ("recvmmsg", 19),
            ("sendmmsg", 20),
        ],
    },
    Multiplexer {
        number: 117,
        mask: 0xffff,
        calls: &[
            ("semop", 1),
            ("semget", 2),
            ("semctl", 3),
            ("semtimedop", 4),
            ("msgsnd", 11),
            ("msgrcv", 12),
            ("msgget", 13),
            ("msgctl", 14),
            ("shmat", 21),
            ("shmdt", 22),
            ("shmget", 23),
            ("shmctl", 24),
        ],
    },
];

/// What the profile says of the calls behind `socketcall` and `ipc`: the multiplexer's number and the clauses about
/// its first argument, in the order of the numbers. To name a call is to know its multiplexer.
pub(super) fn clauses(profile: &Profile<'_>) -> Vec<(u32, Vec<Clause>)> {
    MULTIPLEXERS
        .iter()
        .filter_map(|multiplexer| Some((multiplexer.number, multiplexer.clauses(profile)?)))
        .collect()
}

/// Adds such clauses to what the profile says of the multiplexer itself. A rule without conditions about it is
/// obeyed as it is.
pub(super) fn join(own: Decision, hidden: Vec<Clause>, default: u32) -> Decision {
    match own {
        Decision::Always(outcome) if outcome != default => own,
        Decision::Always(_) => Decision::Tried(hidden),
        Decision::Tried(mut clauses) => {
            clauses.extend(hidden);
            Decision::Tried(clauses)
        }
    }
}

impl Multiplexer {
    /// None if the profile names none of the calls.
    fn clauses(&self, profile: &Profile<'_>) -> Option<Vec<Clause>> {
        let mut rules: Vec<Vec<usize>> = vec![Vec::new(); self.calls.len()];
        for (index, rule) in profile.rules.iter().enumerate() {
            for name in rule.names {
                if let Some(call) = self.calls.iter().position(|call| call.0 == name) {
                    rules[call].push(index);
                }
            }
        }
        let named = rules.iter().any(|rules| !rules.is_empty());
        let clauses = self
            .calls
            .iter()
            .zip(rules)
            .map(|((_, call), rules)| self.clause(*call, rules, profile));
        named.then(|| clauses.filter(|clause| clause.outcome != profile.default).collect())
    }

    fn clause(&self, call: u64, rules: Vec<usize>, profile: &Profile<'_>) -> Clause {
        let outcome = match decide(rules.into_iter(), profile) {
            Decision::Always(outcome) => outcome,
            Decision::Tried(clauses) => clauses
                .iter()
                .map(|clause| clause.outcome)
                .fold(profile.default, |a, b| if severity(b) < severity(a) { b } else { a }),
        };
        let comparison = Comparison::MaskedEqual { mask: self.mask, value: call };
        Clause { conditions: vec![Condition { argument: 0, comparison }], outcome }
    }
}

/// The smaller, the more severe: how the kernel chooses between the answers of several filters.
fn severity(outcome: u32) -> i32 {
    (outcome & libc::SECCOMP_RET_ACTION_FULL) as i32
}
