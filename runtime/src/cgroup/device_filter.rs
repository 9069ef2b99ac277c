//! From `linux.resources.devices` to the eBPF program that the kernel asks before a device is opened or made
//! (`BPF_PROG_TYPE_CGROUP_DEVICE`).
//!
//! Pure. Each wanted access (read, write, mknod) is decided by itself, by the last rule that is about the device
//! and the access; no rule: forbidden. What is asked for is allowed if all of it is. So a rule that forbids
//! writing also forbids opening for reading and writing, and two rules may allow the two halves.

use crate::error::{Error, Result};
use crate::spec::DeviceRule;
use crate::sys::bpf::Instruction;

/// `BPF_DEVCG_ACC_*` of linux/bpf.h.
const MKNOD: i32 = 1;
const READ: i32 = 2;
const WRITE: i32 = 4;
const ALL: i32 = MKNOD | READ | WRITE;

/// `BPF_DEVCG_DEV_*` of linux/bpf.h.
const BLOCK: i32 = 1;
const CHARACTER: i32 = 2;

/// A rule is at most five instructions, and a jump's distance is 16 bits.
const MOST_RULES: usize = 5000;

/// Translates the rules, the last of which is the strongest. An error names the rule's place in the document.
pub fn compile(rules: &[DeviceRule]) -> Result<Vec<Instruction>> {
    if rules.len() > MOST_RULES {
        return Err(Error::new(format_args!(
            "linux.resources.devices: {} rules, at most {MOST_RULES} can be held",
            rules.len()
        )));
    }
    let rules =
        rules.iter().enumerate().map(|(at, rule)| check(at, rule)).collect::<Result<Vec<_>>>()?;
    Ok(assemble(&rules))
}

/// A rule as the kernel speaks of devices. `None`: any.
struct Rule {
    allow: bool,
    kind: Option<i32>,
    major: Option<i32>,
    minor: Option<i32>,
    access: i32,
}

fn check(at: usize, rule: &DeviceRule) -> Result<Rule> {
    let refuse = |field: &str, why: &str| {
        Err(Error::new(format_args!("linux.resources.devices[{at}].{field}: {why}")))
    };
    let number = |number: Option<i64>| match number {
        None | Some(-1) => Ok(None),
        // The bits are what the kernel compares.
        Some(number) => u32::try_from(number).map(|number| Some(number.cast_signed())),
    };
    let Ok(major) = number(rule.major) else {
        return refuse("major", "must be -1 or 0 to 4294967295");
    };
    let Ok(minor) = number(rule.minor) else {
        return refuse("minor", "must be -1 or 0 to 4294967295");
    };
    let kind = match rule.kind.as_deref() {
        None | Some("a") => None,
        Some("b") => Some(BLOCK),
        Some("c") => Some(CHARACTER),
        Some(_) => return refuse("type", "must be a, b or c"),
    };
    let mut access = 0;
    for letter in rule.access.as_deref().unwrap_or("rwm").chars() {
        access |= match letter {
            'r' => READ,
            'w' => WRITE,
            'm' => MKNOD,
            _ => return refuse("access", "may only hold r, w and m"),
        };
    }
    if access == 0 {
        return refuse("access", "must hold r, w or m");
    }
    Ok(Rule { allow: rule.allow, kind, major, minor, access })
}

impl Rule {
    fn is_about_every_device(&self) -> bool {
        self.kind.is_none() && self.major.is_none() && self.minor.is_none()
    }
}

/// What the registers hold.
const ANSWER: u8 = 0;
const CONTEXT: u8 = 1;
const KIND: u8 = 2;
/// What is asked for and not yet allowed.
const WANTED: u8 = 3;
const MAJOR: u8 = 4;
const MINOR: u8 = 5;

/// From the last rule to the first, until one has allowed all that is wanted, or one forbids some of it.
fn assemble(rules: &[Rule]) -> Vec<Instruction> {
    let mut program = Program::default();
    program.begin();
    // What a rule further back can still say something about.
    let mut open = ALL;
    for rule in rules.iter().rev() {
        if rule.access & open != 0 {
            program.rule(rule);
        }
        if rule.is_about_every_device() {
            open &= !rule.access;
        }
    }
    program.finish()
}

/// Opcodes of linux/bpf.h; comparisons are of 32 bits (Linux 5.1).
const LOAD_WORD: u8 = 0x61;
const MOVE: u8 = 0xb4;
const MOVE_REGISTER: u8 = 0xbc;
const AND: u8 = 0x54;
const SHIFT_RIGHT: u8 = 0x74;
const JUMP_EQUAL: u8 = 0x16;
const JUMP_NOT_EQUAL: u8 = 0x56;
const JUMP_ANY_BIT: u8 = 0x46;
const EXIT: u8 = 0x95;

#[derive(Default)]
struct Program {
    instructions: Vec<Instruction>,
    /// Jumps to the end, which is not written yet.
    to_allow: Vec<usize>,
    to_forbid: Vec<usize>,
}

impl Program {
    /// `struct bpf_cgroup_dev_ctx`: access in the upper half and type in the lower half of the first
    /// word, major, minor.
    fn begin(&mut self) {
        self.push(MOVE, ANSWER, 0, 0);
        self.load(KIND, 0);
        self.push(MOVE_REGISTER, WANTED | KIND << 4, 0, 0);
        self.push(SHIFT_RIGHT, WANTED, 0, 16);
        self.push(AND, KIND, 0, 0xffff);
        self.load(MAJOR, 4);
        self.load(MINOR, 8);
        self.allow_if_nothing_is_wanted();
    }

    fn rule(&mut self, rule: &Rule) {
        let conditions = [(KIND, rule.kind), (MAJOR, rule.major), (MINOR, rule.minor)];
        let to_next: Vec<usize> = conditions
            .into_iter()
            .filter_map(|(register, value)| Some((register, value?)))
            .map(|(register, value)| self.push(JUMP_NOT_EQUAL, register, 0, value))
            .collect();
        if rule.allow {
            self.push(AND, WANTED, 0, ALL & !rule.access);
            self.allow_if_nothing_is_wanted();
        } else {
            let jump = self.push(JUMP_ANY_BIT, WANTED, 0, rule.access);
            self.to_forbid.push(jump);
        }
        self.land(&to_next);
    }

    fn allow_if_nothing_is_wanted(&mut self) {
        let jump = self.push(JUMP_EQUAL, WANTED, 0, 0);
        self.to_allow.push(jump);
    }

    fn finish(mut self) -> Vec<Instruction> {
        let to_forbid = std::mem::take(&mut self.to_forbid);
        self.land(&to_forbid);
        self.push(EXIT, 0, 0, 0);
        let to_allow = std::mem::take(&mut self.to_allow);
        self.land(&to_allow);
        self.push(MOVE, ANSWER, 0, 1);
        self.push(EXIT, 0, 0, 0);
        self.instructions
    }

    fn load(&mut self, register: u8, offset: i16) {
        self.push(LOAD_WORD, register | CONTEXT << 4, offset, 0);
    }

    fn push(&mut self, code: u8, registers: u8, offset: i16, immediate: i32) -> usize {
        self.instructions.push(Instruction { code, registers, offset, immediate });
        self.instructions.len() - 1
    }

    /// Lets jumps lead to what is written next.
    fn land(&mut self, jumps: &[usize]) {
        let here = self.instructions.len();
        for jump in jumps {
            self.instructions[*jump].offset = (here - jump - 1) as i16;
        }
    }
}

#[cfg(test)]
#[path = "device_filter_tests.rs"]
mod tests;
