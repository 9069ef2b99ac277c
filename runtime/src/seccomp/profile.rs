//! The checked profile: actions as the kernel's return values, operators as comparisons, flags as bits.

use std::fmt::Display;

use crate::error::{Error, Result};
use crate::spec::seccomp::{ArgumentCondition, Seccomp, SyscallRule};

use super::arch::{self, Abi, Machine};

pub(super) struct Profile<'a> {
    /// The return value for calls that no rule matches.
    pub(super) default: u32,
    /// Calls that the profile's author cannot have known fail with ENOSYS.
    pub(super) refuses_newer_calls: bool,
    /// The machine's own ABI first.
    pub(super) abis: Vec<Abi>,
    /// In the order in which they are tried.
    pub(super) rules: Vec<Rule<'a>>,
    pub(super) flags: u32,
    pub(super) notifies: bool,
}

pub(super) struct Rule<'a> {
    pub(super) names: &'a [String],
    /// `SECCOMP_RET_*` with its data.
    pub(super) outcome: u32,
    /// All must hold.
    pub(super) conditions: Vec<Condition>,
}

/// One argument of a call against a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Condition {
    /// 0 to 5.
    pub(super) argument: u32,
    pub(super) comparison: Comparison,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Comparison {
    NotEqual(u64),
    Less(u64),
    LessOrEqual(u64),
    Equal(u64),
    GreaterOrEqual(u64),
    Greater(u64),
    MaskedEqual { mask: u64, value: u64 },
}

/// `SECCOMP_RET_ERRNO` with a number.
pub(super) fn errno(number: i32) -> u32 {
    libc::SECCOMP_RET_ERRNO | number as u32
}

/// The kernel turns greater ones into this (`MAX_ERRNO`): they would arrive as another error.
const GREATEST_ERRNO: u32 = 4095;

pub(super) fn check(machine: Machine, profile: &Seccomp) -> Result<Profile<'_>> {
    if profile.listener_metadata.is_some() && profile.listener_path.is_none() {
        return error("listenerMetadata", "has no meaning without listenerPath");
    }
    let default = action(&profile.default_action, profile.default_errno_ret, Place::Default)?;
    let syscalls = profile.syscalls.as_deref().unwrap_or_default();
    let mut rules = Vec::with_capacity(syscalls.len());
    for (at, rule) in syscalls.iter().enumerate() {
        check_rule(at, rule, &mut rules)?;
    }
    Ok(Profile {
        default,
        refuses_newer_calls: !matches!(
            default,
            libc::SECCOMP_RET_ALLOW | libc::SECCOMP_RET_LOG | libc::SECCOMP_RET_USER_NOTIF
        ) && default & libc::SECCOMP_RET_ACTION_FULL
            != libc::SECCOMP_RET_TRACE,
        abis: abis(machine, profile.architectures.as_deref().unwrap_or_default())?,
        notifies: default == libc::SECCOMP_RET_USER_NOTIF
            || rules.iter().any(|rule| rule.outcome == libc::SECCOMP_RET_USER_NOTIF),
        rules,
        flags: flags(profile.flags.as_deref().unwrap_or_default())?,
    })
}

fn check_rule<'a>(at: usize, rule: &'a SyscallRule, rules: &mut Vec<Rule<'a>>) -> Result<()> {
    if rule.names.is_empty() {
        return error(&format!("syscalls[{at}].names"), "must hold at least one name");
    }
    let outcome = action(&rule.action, rule.errno_ret, Place::Rule(at))?;
    let conditions = rule
        .args
        .iter()
        .flatten()
        .enumerate()
        .map(|(nth, arg)| condition(at, nth, arg))
        .collect::<Result<Vec<_>, _>>()?;
    if has_a_repeated_argument(&conditions) {
        // Any one of them is enough, see the module's documentation: a rule each.
        for condition in conditions {
            rules.push(Rule { names: &rule.names, outcome, conditions: vec![condition] });
        }
    } else {
        rules.push(Rule { names: &rule.names, outcome, conditions });
    }
    Ok(())
}

/// Where an action stands.
#[derive(Clone, Copy)]
enum Place {
    Default,
    Rule(usize),
}

impl Place {
    fn action(self) -> String {
        match self {
            Place::Default => "defaultAction".into(),
            Place::Rule(at) => format!("syscalls[{at}].action"),
        }
    }

    fn errno(self) -> String {
        match self {
            Place::Default => "defaultErrnoRet".into(),
            Place::Rule(at) => format!("syscalls[{at}].errnoRet"),
        }
    }
}

fn action(name: &str, errno_ret: Option<u32>, place: Place) -> Result<u32> {
    let (action, greatest) = match name {
        "SCMP_ACT_KILL" | "SCMP_ACT_KILL_THREAD" => (libc::SECCOMP_RET_KILL_THREAD, None),
        "SCMP_ACT_KILL_PROCESS" => (libc::SECCOMP_RET_KILL_PROCESS, None),
        "SCMP_ACT_TRAP" => (libc::SECCOMP_RET_TRAP, None),
        "SCMP_ACT_ERRNO" => (libc::SECCOMP_RET_ERRNO, Some(GREATEST_ERRNO)),
        "SCMP_ACT_TRACE" => (libc::SECCOMP_RET_TRACE, Some(libc::SECCOMP_RET_DATA)),
        "SCMP_ACT_LOG" => (libc::SECCOMP_RET_LOG, None),
        "SCMP_ACT_ALLOW" => (libc::SECCOMP_RET_ALLOW, None),
        "SCMP_ACT_NOTIFY" => (libc::SECCOMP_RET_USER_NOTIF, None),
        _ => return error(&place.action(), format_args!("unknown action {name:?}")),
    };
    match (errno_ret, greatest) {
        (None, None) => Ok(action),
        (None, Some(_)) => Ok(action | libc::EPERM as u32),
        (Some(number), Some(greatest)) if number <= greatest => Ok(action | number),
        (Some(number), Some(greatest)) => {
            error(&place.errno(), format_args!("{number} is more than {greatest}"))
        }
        (Some(_), None) => error(&place.errno(), format_args!("{name} takes no errno")),
    }
}

fn condition(at: usize, nth: usize, arg: &ArgumentCondition) -> Result<Condition> {
    let field = |name: &str| format!("syscalls[{at}].args[{nth}].{name}");
    if arg.index > 5 {
        return error(
            &field("index"),
            format_args!("{} is not an argument: they are 0 to 5", arg.index),
        );
    }
    let value = arg.value;
    let comparison = match arg.op.as_str() {
        "SCMP_CMP_NE" => Comparison::NotEqual(value),
        "SCMP_CMP_LT" => Comparison::Less(value),
        "SCMP_CMP_LE" => Comparison::LessOrEqual(value),
        "SCMP_CMP_EQ" => Comparison::Equal(value),
        "SCMP_CMP_GE" => Comparison::GreaterOrEqual(value),
        "SCMP_CMP_GT" => Comparison::Greater(value),
        "SCMP_CMP_MASKED_EQ" => {
            Comparison::MaskedEqual { mask: value, value: arg.value_two.unwrap_or(0) & value }
        }
        unknown => return error(&field("op"), format_args!("unknown operator {unknown:?}")),
    };
    Ok(Condition { argument: arg.index, comparison })
}

fn has_a_repeated_argument(conditions: &[Condition]) -> bool {
    let mut seen = 0_u8;
    conditions.iter().any(|condition| {
        let bit = 1 << condition.argument;
        let repeated = seen & bit != 0;
        seen |= bit;
        repeated
    })
}

fn abis(machine: Machine, listed: &[String]) -> Result<Vec<Abi>> {
    for (at, name) in listed.iter().enumerate() {
        if !arch::NAMES.contains(&name.as_str()) {
            return error(
                &format!("architectures[{at}]"),
                format_args!("unknown architecture {name:?}"),
            );
        }
    }
    let possible = machine.abis();
    let wanted = |abi: &&Abi| **abi == possible[0] || listed.iter().any(|name| name == abi.name());
    Ok(possible.iter().filter(wanted).copied().collect())
}

fn flags(names: &[String]) -> Result<u32> {
    let mut bits = 0;
    for (at, name) in names.iter().enumerate() {
        bits |= match name.as_str() {
            "SECCOMP_FILTER_FLAG_TSYNC" => libc::SECCOMP_FILTER_FLAG_TSYNC,
            "SECCOMP_FILTER_FLAG_LOG" => libc::SECCOMP_FILTER_FLAG_LOG,
            "SECCOMP_FILTER_FLAG_SPEC_ALLOW" => libc::SECCOMP_FILTER_FLAG_SPEC_ALLOW,
            "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV" => {
                libc::SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
            }
            _ => return error(&format!("flags[{at}]"), format_args!("unknown flag {name:?}")),
        };
    }
    Ok(bits as u32)
}

fn error<T>(field: &str, problem: impl Display) -> Result<T> {
    Err(Error::new(format_args!("linux.seccomp.{field}: {problem}")))
}
