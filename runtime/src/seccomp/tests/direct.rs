//! What a profile says about one call, read from the document itself: rule by rule, with nothing of the compiler
//! but its tables of numbers.

use crate::seccomp::arch::{Abi, Machine, NONE};
use crate::spec::seccomp::{ArgumentCondition, Seccomp, SyscallRule};

const KILL_PROCESS: u32 = 0x8000_0000;
const ENOSYS: u32 = 0x0005_0026;

pub(super) struct Direct<'a> {
    machine: Machine,
    profile: &'a Seccomp,
    default: u32,
    rules: &'a [SyscallRule],
    /// The newest call that the profile names, for each ABI of the machine.
    newest: Vec<Option<u32>>,
}

impl<'a> Direct<'a> {
    pub(super) fn new(machine: Machine, profile: &'a Seccomp) -> Direct<'a> {
        let rules = profile.syscalls.as_deref().unwrap_or_default();
        let newest = machine.abis().iter().map(|abi| newest(machine, *abi, rules)).collect();
        let default = outcome(&profile.default_action, profile.default_errno_ret);
        Direct { machine, profile, default, rules, newest }
    }

    /// The rules that name a number, and how the call is decided by them.
    pub(super) fn about(&self, architecture: u32, number: u32) -> About<'a> {
        let Some((abi, number)) = abi_and_number(self.machine, self.profile, architecture, number)
        else {
            return About::Wrong;
        };
        let column = column(self.machine, abi);
        let rows = self.machine.rows().iter();
        let names: Vec<&str> =
            rows.filter(|row| number != NONE && row.1[column] == number).map(|row| row.0).collect();
        let rules: Vec<&SyscallRule> =
            self.rules.iter().filter(|rule| mentions(rule, &names)).collect();
        let multiplexer = multiplexer(abi, number);
        let known = !rules.is_empty() || self.rules.iter().any(|rule| mentions(rule, multiplexer));
        let end = if abi == Abi::Arm { 0xf_0000 } else { u32::MAX };
        let newer = self.newest[column].is_some_and(|newest| number > newest)
            && (number < end || abi != Abi::Arm);
        if !known && newer && refuses(&self.profile.default_action) {
            return About::Newer;
        }
        About::Rules { rules, multiplexer, mask: if number == 117 { 0xffff } else { 0xffff_ffff } }
    }

    pub(super) fn answer(&self, about: &About<'_>, arguments: &[u64; 6]) -> u32 {
        match about {
            About::Wrong => KILL_PROCESS,
            About::Newer => ENOSYS,
            About::Rules { rules, multiplexer, mask } => decide(rules, self.default, arguments)
                .or_else(|| {
                    let which = (arguments[0] & mask) as usize;
                    let name = multiplexer.get(which.wrapping_sub(1))?;
                    let rules: Vec<_> =
                        self.rules.iter().filter(|rule| mentions(rule, &[name])).collect();
                    Some(strictest(&rules, self.default))
                })
                .unwrap_or(self.default),
        }
    }
}

/// How a profile speaks of a number.
pub(super) enum About<'a> {
    /// It is of an ABI that is not listed.
    Wrong,
    /// It is newer than all it names.
    Newer,
    Rules {
        rules: Vec<&'a SyscallRule>,
        multiplexer: &'static [&'static str],
        mask: u64,
    },
}

fn mentions(rule: &SyscallRule, names: &[&str]) -> bool {
    rule.names.iter().any(|name| names.contains(&name.as_str()))
}

fn abi_and_number(
    machine: Machine,
    profile: &Seccomp,
    architecture: u32,
    number: u32,
) -> Option<(Abi, u32)> {
    let listed = |name: &str| profile.architectures.iter().flatten().any(|listed| listed == name);
    let x32 = number >= 0x4000_0000;
    match (machine, architecture) {
        (Machine::X86_64, 0xc000_003e) if x32 && listed("SCMP_ARCH_X32") => {
            Some((Abi::X32, number - 0x4000_0000))
        }
        (Machine::X86_64, 0xc000_003e) if x32 && number != u32::MAX => None,
        (Machine::X86_64, 0xc000_003e) => Some((Abi::X86_64, number)),
        (Machine::X86_64, 0x4000_0003) if listed("SCMP_ARCH_X86") => Some((Abi::X86, number)),
        (Machine::Aarch64, 0xc000_00b7) => Some((Abi::Aarch64, number)),
        (Machine::Aarch64, 0x4000_0028) if listed("SCMP_ARCH_ARM") => Some((Abi::Arm, number)),
        _ => None,
    }
}

fn column(machine: Machine, abi: Abi) -> usize {
    machine.abis().iter().position(|known| *known == abi).unwrap()
}

fn newest(machine: Machine, abi: Abi, rules: &[SyscallRule]) -> Option<u32> {
    let end = if abi == Abi::Arm { 0xf_0000 } else { u32::MAX };
    rules
        .iter()
        .flat_map(|rule| &rule.names)
        .filter_map(|name| machine.rows().iter().find(|row| row.0 == name))
        .map(|row| row.1[column(machine, abi)])
        .filter(|number| *number != NONE && *number < end)
        .max()
}

fn refuses(default_action: &str) -> bool {
    !["SCMP_ACT_ALLOW", "SCMP_ACT_LOG", "SCMP_ACT_TRACE", "SCMP_ACT_NOTIFY"]
        .contains(&default_action)
}

/// None where no rule applies.
fn decide(about: &[&SyscallRule], default: u32, arguments: &[u64; 6]) -> Option<u32> {
    let of = |rule: &SyscallRule| outcome(&rule.action, rule.errno_ret);
    let always = about.iter().find(|rule| is_unconditional(rule) && of(rule) != default);
    let matching = about.iter().find(|rule| !is_unconditional(rule) && matches(rule, arguments));
    always.or(matching).map(|rule| of(rule))
}

fn is_unconditional(rule: &SyscallRule) -> bool {
    rule.args.as_deref().unwrap_or_default().is_empty()
}

fn matches(rule: &SyscallRule, arguments: &[u64; 6]) -> bool {
    let args = rule.args.as_deref().unwrap_or_default();
    let repeated =
        (0..6).any(|index| args.iter().filter(|condition| condition.index == index).count() > 1);
    let mut each = args.iter().map(|condition| holds(condition, arguments));
    if repeated { each.any(|holds| holds) } else { each.all(|holds| holds) }
}

fn holds(condition: &ArgumentCondition, arguments: &[u64; 6]) -> bool {
    let (argument, value) = (arguments[condition.index as usize], condition.value);
    match condition.op.as_str() {
        "SCMP_CMP_NE" => argument != value,
        "SCMP_CMP_LT" => argument < value,
        "SCMP_CMP_LE" => argument <= value,
        "SCMP_CMP_EQ" => argument == value,
        "SCMP_CMP_GE" => argument >= value,
        "SCMP_CMP_GT" => argument > value,
        "SCMP_CMP_MASKED_EQ" => argument & value == condition.value_two.unwrap_or(0) & value,
        op => panic!("{op}"),
    }
}

/// The calls that hide in 32-bit x86's `socketcall` and `ipc`, from 1.
#[rustfmt::skip]
pub(super) fn multiplexer(abi: Abi, number: u32) -> &'static [&'static str] {
    match (abi, number) {
        (Abi::X86, 102) => &[
            "socket", "bind", "connect", "listen", "accept", "getsockname", "getpeername",
            "socketpair", "send", "recv", "sendto", "recvfrom", "shutdown", "setsockopt",
            "getsockopt", "sendmsg", "recvmsg", "accept4", "recvmmsg", "sendmmsg",
        ],
        (Abi::X86, 117) => &[
            "semop", "semget", "semctl", "semtimedop", "", "", "", "", "", "", "msgsnd", "msgrcv",
            "msgget", "msgctl", "", "", "", "", "", "", "shmat", "shmdt", "shmget", "shmctl",
        ],
        _ => &[],
    }
}

/// The most severe answer that the rules could give, as the kernel ranks them.
fn strictest(about: &[&SyscallRule], default: u32) -> u32 {
    let of = |rule: &&&SyscallRule| outcome(&rule.action, rule.errno_ret);
    let mut unconditional = about.iter().filter(|rule| is_unconditional(rule));
    if let Some(rule) = unconditional.find(|rule| of(rule) != default) {
        return of(&rule);
    }
    let mut strictest = default;
    for answer in about.iter().filter(|rule| !is_unconditional(rule)).map(|rule| of(&rule)) {
        if ((answer & 0xffff_0000) as i32) < (strictest & 0xffff_0000) as i32 {
            strictest = answer;
        }
    }
    strictest
}

pub(super) fn outcome(action: &str, errno: Option<u32>) -> u32 {
    match action {
        "SCMP_ACT_KILL" | "SCMP_ACT_KILL_THREAD" => 0,
        "SCMP_ACT_KILL_PROCESS" => KILL_PROCESS,
        "SCMP_ACT_TRAP" => 0x0003_0000,
        "SCMP_ACT_ERRNO" => 0x0005_0000 | errno.unwrap_or(1),
        "SCMP_ACT_NOTIFY" => 0x7fc0_0000,
        "SCMP_ACT_TRACE" => 0x7ff0_0000 | errno.unwrap_or(1),
        "SCMP_ACT_LOG" => 0x7ffc_0000,
        "SCMP_ACT_ALLOW" => 0x7fff_0000,
        action => panic!("{action}"),
    }
}
