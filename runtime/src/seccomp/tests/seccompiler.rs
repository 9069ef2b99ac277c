//! Against the compiler of the rust-vmm project, for what it can express: one ABI, one action.

use std::collections::BTreeMap;

use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule, TargetArch,
};

use crate::seccomp::arch::Machine;
use crate::seccomp::compile_for;
use crate::spec::seccomp::{ArgumentCondition, Seccomp};

use super::interpreter::{Call, run};
use super::random::Random;

const X86_64: u32 = 0xc000_003e;

#[test]
fn another_compiler_decides_the_same() {
    let mut differ = 0;
    for seed in 0..40 {
        let mut random = Random(1000 + seed);
        let profile = forbidding(random.profile(Machine::X86_64));
        let ours = compile_for(Machine::X86_64, &profile).unwrap().filter;
        let theirs = theirs(&profile);
        let compared: Vec<u64> =
            profile.syscalls.iter().flatten().flat_map(conditions).map(|c| c.value).collect();
        for number in 0..1024 {
            for _ in 0..4 {
                let arguments = random.arguments(&compared);
                let call = Call { number, architecture: X86_64, arguments };
                let answer = run(&ours, &call);
                assert_eq!(answer, run(&theirs, &call), "{call:#x?} under {profile:#?}");
                differ += usize::from(answer == 0x0005_0005);
            }
        }
    }
    assert!(differ > 1000, "hardly anything was forbidden: {differ}");
}

/// All is allowed but for the rules, whose action is the same errno; no argument twice in a rule.
fn forbidding(mut profile: Seccomp) -> Seccomp {
    profile.default_action = "SCMP_ACT_ALLOW".to_owned();
    profile.default_errno_ret = None;
    for rule in profile.syscalls.iter_mut().flatten() {
        rule.action = "SCMP_ACT_ERRNO".to_owned();
        rule.errno_ret = Some(5);
        let args = rule.args.get_or_insert_default();
        args.sort_by_key(|condition| condition.index);
        args.dedup_by_key(|condition| condition.index);
        for condition in args {
            // It takes no value outside the mask.
            condition.value_two = Some(condition.value_two.unwrap_or(0) & condition.value);
        }
    }
    profile
}

fn conditions(rule: &crate::spec::seccomp::SyscallRule) -> &[ArgumentCondition] {
    rule.args.as_deref().unwrap_or_default()
}

fn theirs(profile: &Seccomp) -> Vec<libc::sock_filter> {
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> = BTreeMap::new();
    let mut always: Vec<i64> = Vec::new();
    for rule in profile.syscalls.iter().flatten() {
        for numbers in rule.names.iter().filter_map(|name| Machine::X86_64.numbers(name)) {
            let number = i64::from(numbers[0] as i32);
            let about = rules.entry(number).or_default();
            let conditions: Vec<_> = conditions(rule).iter().map(condition).collect();
            if conditions.is_empty() {
                always.push(number);
            } else {
                about.push(SeccompRule::new(conditions).unwrap());
            }
        }
    }
    // There, a call with no rules at all is one that always matches.
    for number in always {
        rules.insert(number, Vec::new());
    }
    rules.remove(&-1);
    let filter = SeccompFilter::new(
        rules,
        SeccompAction::Allow,
        SeccompAction::Errno(5),
        TargetArch::x86_64,
    );
    let program: BpfProgram = filter.unwrap().try_into().unwrap();
    program.iter().map(|i| libc::sock_filter { code: i.code, jt: i.jt, jf: i.jf, k: i.k }).collect()
}

fn condition(condition: &ArgumentCondition) -> SeccompCondition {
    let (op, value) = match condition.op.as_str() {
        "SCMP_CMP_NE" => (SeccompCmpOp::Ne, condition.value),
        "SCMP_CMP_LT" => (SeccompCmpOp::Lt, condition.value),
        "SCMP_CMP_LE" => (SeccompCmpOp::Le, condition.value),
        "SCMP_CMP_EQ" => (SeccompCmpOp::Eq, condition.value),
        "SCMP_CMP_GE" => (SeccompCmpOp::Ge, condition.value),
        "SCMP_CMP_GT" => (SeccompCmpOp::Gt, condition.value),
        _ => (SeccompCmpOp::MaskedEq(condition.value), condition.value_two.unwrap()),
    };
    SeccompCondition::new(condition.index as u8, SeccompCmpArgLen::Qword, op, value).unwrap()
}
