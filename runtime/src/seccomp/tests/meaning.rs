//! The decisions that the module's documentation promises, one test each.

use crate::seccomp::arch::Machine;
use crate::seccomp::{Program, compile_for};
use crate::spec::seccomp::Seccomp;

use super::direct::outcome;
use super::interpreter::{Call, run};

const X86_64: u32 = 0xc000_003e;
const X86: u32 = 0x4000_0003;

const ALLOW: u32 = 0x7fff_0000;
const KILL_PROCESS: u32 = 0x8000_0000;

fn errno(number: u32) -> u32 {
    outcome("SCMP_ACT_ERRNO", Some(number))
}

fn compiled(profile: &str) -> Program {
    let profile: Seccomp = serde_json::from_str(profile).unwrap();
    compile_for(Machine::X86_64, &profile).unwrap()
}

fn answer(profile: &str, architecture: u32, number: u32, first: u64) -> u32 {
    let call = Call { number, architecture, arguments: [first, 0, 0, 0, 0, 0] };
    run(&compiled(profile).filter, &call)
}

fn with_rules(default: &str, rules: &str) -> String {
    format!(
        r#"{{"defaultAction":"{default}","architectures":["SCMP_ARCH_X86"],"syscalls":[{rules}]}}"#
    )
}

/// A rule about read(2), which is 0.
fn read(action: &str, errno: Option<u32>, equal: Option<u64>) -> String {
    let errno = errno.map_or(String::new(), |errno| format!(r#","errnoRet":{errno}"#));
    let args = equal.map_or(String::new(), |value| {
        format!(r#","args":[{{"index":0,"value":{value},"op":"SCMP_CMP_EQ"}}]"#)
    });
    format!(r#"{{"names":["read"],"action":"SCMP_ACT_{action}"{errno}{args}}}"#)
}

#[test]
fn a_rule_without_conditions_holds_whatever_other_rules_say() {
    let (denied, allowed) = (read("ERRNO", Some(5), Some(7)), read("ALLOW", None, None));
    for rules in [[&denied, &allowed], [&allowed, &denied]] {
        let profile = with_rules("SCMP_ACT_ERRNO", &rules.map(String::as_str).join(","));
        assert_eq!(answer(&profile, X86_64, 0, 7), ALLOW);
    }
}

#[test]
fn a_rule_without_conditions_that_repeats_the_default_says_nothing() {
    let rules = [read("ERRNO", None, None), read("ALLOW", None, Some(7))].join(",");
    let profile = with_rules("SCMP_ACT_ERRNO", &rules);
    assert_eq!(answer(&profile, X86_64, 0, 7), ALLOW);
    assert_eq!(answer(&profile, X86_64, 0, 8), errno(1));
}

#[test]
fn the_first_condition_that_matches_decides() {
    let rules = [read("ERRNO", Some(5), Some(7)), read("ALLOW", None, Some(7))].join(",");
    assert_eq!(answer(&with_rules("SCMP_ACT_KILL", &rules), X86_64, 0, 7), errno(5));
}

#[test]
fn two_conditions_on_one_argument_are_alternatives() {
    let rule = r#"{"names":["read"],"action":"SCMP_ACT_ALLOW","args":[
        {"index":0,"value":7,"op":"SCMP_CMP_EQ"},{"index":0,"value":9,"op":"SCMP_CMP_EQ"}]}"#;
    let profile = with_rules("SCMP_ACT_ERRNO", rule);
    let answers = [7, 8, 9].map(|first| answer(&profile, X86_64, 0, first));
    assert_eq!(answers, [ALLOW, errno(1), ALLOW]);
}

#[test]
fn calls_newer_than_the_newest_named_one_do_not_exist() {
    let rule = r#"{"names":["openat2","no_such_call"],"action":"SCMP_ACT_ALLOW"}"#;
    let refusing = with_rules("SCMP_ACT_KILL", rule);
    let answers = [436, 437, 438].map(|number| answer(&refusing, X86_64, number, 0));
    assert_eq!(answers, [0, ALLOW, errno(38)]);

    let rule = r#"{"names":["openat2"],"action":"SCMP_ACT_KILL"}"#;
    assert_eq!(answer(&with_rules("SCMP_ACT_ALLOW", rule), X86_64, 438, 0), ALLOW);
}

#[test]
fn an_abi_that_is_not_listed_kills_the_process() {
    let x86_listed = with_rules("SCMP_ACT_ALLOW", "");
    assert_eq!(answer(&x86_listed, X86, 3, 0), ALLOW);
    assert_eq!(answer(r#"{"defaultAction":"SCMP_ACT_ALLOW"}"#, X86, 3, 0), KILL_PROCESS);
    // x32, and 64-bit ARM.
    assert_eq!(answer(&x86_listed, X86_64, 0x4000_0000, 0), KILL_PROCESS);
    assert_eq!(answer(&x86_listed, 0xc000_00b7, 0, 0), KILL_PROCESS);
}

#[test]
fn a_call_that_a_tracer_skips_is_not_taken_for_x32() {
    assert_eq!(answer(r#"{"defaultAction":"SCMP_ACT_ALLOW"}"#, X86_64, u32::MAX, 0), ALLOW);
}

#[test]
fn a_forbidden_socket_cannot_be_had_through_socketcall() {
    let rule = r#"{"names":["socket"],"action":"SCMP_ACT_ERRNO","errnoRet":13,
        "args":[{"index":0,"value":40,"op":"SCMP_CMP_EQ"}]}"#;
    let profile = with_rules("SCMP_ACT_ALLOW", rule);
    assert_eq!(answer(&profile, X86, 359, 2), ALLOW);
    assert_eq!(answer(&profile, X86, 102, 1), errno(13));
    assert_eq!(answer(&profile, X86, 102, 2), ALLOW);
}

#[test]
fn notify_is_reported() {
    let rule = r#"{"names":["mount"],"action":"SCMP_ACT_NOTIFY"}"#;
    let program = compiled(&with_rules("SCMP_ACT_ALLOW", rule));
    assert!(program.notifies);
    assert!(!compiled(&with_rules("SCMP_ACT_ALLOW", "")).notifies);
}

#[test]
fn flags_are_those_of_the_kernel() {
    let profile = r#"{"defaultAction":"SCMP_ACT_ALLOW","flags":["SECCOMP_FILTER_FLAG_TSYNC",
        "SECCOMP_FILTER_FLAG_LOG","SECCOMP_FILTER_FLAG_SPEC_ALLOW",
        "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"]}"#;
    assert_eq!(compiled(profile).flags, 1 | 2 | 4 | 32);
}
