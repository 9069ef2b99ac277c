//! Comparisons of 64-bit arguments with the 32-bit words that classic BPF has.

use super::code::{Code, Target, Test};
use super::decision::Clause;
use super::profile::{Comparison, Condition};

/// Where `seccomp_data.args` begins (linux/seccomp.h).
const ARGUMENTS: u32 = 16;

/// Tries the clauses in order; none matches: `default`.
pub(super) fn write_clauses(code: &mut Code, clauses: &[Clause], default: u32) -> Target {
    clauses.iter().rev().fold(Target::Return(default), |otherwise, clause| {
        clause.conditions.iter().rev().fold(Target::Return(clause.outcome), |matched, condition| {
            write_condition(code, *condition, matched, otherwise)
        })
    })
}

fn write_condition(code: &mut Code, condition: Condition, yes: Target, no: Target) -> Target {
    let argument = Argument::new(condition.argument);
    match condition.comparison {
        Comparison::Equal(value) => argument.equal(code, u64::MAX, value, yes, no),
        Comparison::NotEqual(value) => argument.equal(code, u64::MAX, value, no, yes),
        Comparison::MaskedEqual { mask, value } => argument.equal(code, mask, value, yes, no),
        Comparison::Greater(value) => argument.greater(code, value, yes, no),
        Comparison::LessOrEqual(value) => argument.greater(code, value, no, yes),
        Comparison::GreaterOrEqual(0) => yes,
        Comparison::GreaterOrEqual(value) => argument.greater(code, value - 1, yes, no),
        Comparison::Less(0) => no,
        Comparison::Less(value) => argument.greater(code, value - 1, no, yes),
    }
}

/// The offsets of an argument's halves.
struct Argument {
    low: u32,
    high: u32,
}

impl Argument {
    fn new(index: u32) -> Argument {
        let start = ARGUMENTS + 8 * index;
        if cfg!(target_endian = "little") {
            Argument { low: start, high: start + 4 }
        } else {
            Argument { low: start + 4, high: start }
        }
    }

    /// `argument & mask == value`; `value` has no bit outside the mask.
    fn equal(&self, code: &mut Code, mask: u64, value: u64, yes: Target, no: Target) -> Target {
        let high = word_equal(code, self.high, half(mask >> 32), half(value >> 32), yes, no);
        word_equal(code, self.low, half(mask), half(value), high, no)
    }

    fn greater(&self, code: &mut Code, value: u64, yes: Target, no: Target) -> Target {
        if value == u64::MAX || yes == no {
            return no;
        }
        let (high, low) = (half(value >> 32), half(value));
        let compare_low = if low == u32::MAX {
            no
        } else {
            let branch = code.branch(Test::Greater, low, yes, no);
            code.load(self.low, branch)
        };
        let compare_high = match high {
            0 => code.branch(Test::Equal, high, compare_low, yes),
            u32::MAX => code.branch(Test::Equal, high, compare_low, no),
            _ => {
                let not_greater = code.branch(Test::Equal, high, compare_low, no);
                code.branch(Test::Greater, high, yes, not_greater)
            }
        };
        code.load(self.high, compare_high)
    }
}

fn word_equal(
    code: &mut Code,
    offset: u32,
    mask: u32,
    value: u32,
    yes: Target,
    no: Target,
) -> Target {
    if mask == 0 || yes == no {
        return yes;
    }
    let compare = match (mask, value) {
        (u32::MAX, _) => code.branch(Test::Equal, value, yes, no),
        (_, 0) => code.branch(Test::AnyBit, mask, no, yes),
        _ => {
            let branch = code.branch(Test::Equal, value, yes, no);
            code.and(mask, branch)
        }
    };
    code.load(offset, compare)
}

fn half(value: u64) -> u32 {
    value as u32
}
