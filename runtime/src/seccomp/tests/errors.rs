//! What is wrong with a profile is said with its place in the document.

use crate::seccomp::compile;
use crate::spec::seccomp::Seccomp;

fn refusal(profile: &str) -> String {
    let profile: Seccomp = serde_json::from_str(profile).unwrap();
    compile(&profile).unwrap_err().to_string()
}

fn refusal_of_rule(rule: &str) -> String {
    let good = r#"{"names":["read"],"action":"SCMP_ACT_ALLOW"}"#;
    refusal(&format!(r#"{{"defaultAction":"SCMP_ACT_ERRNO","syscalls":[{good},{rule}]}}"#))
}

#[test]
fn an_error_names_the_field() {
    for (profile, sentence) in [
        (r#"{"defaultAction":"ALLOW"}"#, r#"linux.seccomp.defaultAction: unknown action "ALLOW""#),
        (
            r#"{"defaultAction":"SCMP_ACT_KILL","defaultErrnoRet":1}"#,
            "linux.seccomp.defaultErrnoRet: SCMP_ACT_KILL takes no errno",
        ),
        (
            r#"{"defaultAction":"SCMP_ACT_ERRNO","defaultErrnoRet":4096}"#,
            "linux.seccomp.defaultErrnoRet: 4096 is more than 4095",
        ),
        (
            r#"{"defaultAction":"SCMP_ACT_ALLOW","architectures":["SCMP_ARCH_X86","X32"]}"#,
            r#"linux.seccomp.architectures[1]: unknown architecture "X32""#,
        ),
        (
            r#"{"defaultAction":"SCMP_ACT_ALLOW","flags":["TSYNC"]}"#,
            r#"linux.seccomp.flags[0]: unknown flag "TSYNC""#,
        ),
        (
            r#"{"defaultAction":"SCMP_ACT_ALLOW","listenerMetadata":"x"}"#,
            "linux.seccomp.listenerMetadata: has no meaning without listenerPath",
        ),
    ] {
        assert_eq!(refusal(profile), sentence);
    }
}

#[test]
fn an_error_in_a_rule_names_the_rule_and_the_field() {
    for (rule, sentence) in [
        (
            r#"{"names":[],"action":"SCMP_ACT_ALLOW"}"#,
            "linux.seccomp.syscalls[1].names: must hold at least one name",
        ),
        (
            r#"{"names":["read"],"action":"DENY"}"#,
            r#"linux.seccomp.syscalls[1].action: unknown action "DENY""#,
        ),
        (
            r#"{"names":["read"],"action":"SCMP_ACT_ALLOW","errnoRet":1}"#,
            "linux.seccomp.syscalls[1].errnoRet: SCMP_ACT_ALLOW takes no errno",
        ),
        (
            r#"{"names":["read"],"action":"SCMP_ACT_TRACE","errnoRet":65536}"#,
            "linux.seccomp.syscalls[1].errnoRet: 65536 is more than 65535",
        ),
        (
            r#"{"names":["read"],"action":"SCMP_ACT_TRAP","args":[{"index":6,"value":1,"op":"SCMP_CMP_EQ"}]}"#,
            "linux.seccomp.syscalls[1].args[0].index: 6 is not an argument: they are 0 to 5",
        ),
        (
            r#"{"names":["read"],"action":"SCMP_ACT_TRAP","args":[{"index":0,"value":1,"op":"EQ"}]}"#,
            r#"linux.seccomp.syscalls[1].args[0].op: unknown operator "EQ""#,
        ),
    ] {
        assert_eq!(refusal_of_rule(rule), sentence);
    }
}

#[test]
fn a_profile_that_needs_too_many_instructions_is_refused() {
    let conditions: Vec<String> = (0..1500)
        .map(|value| {
            format!(
                r#"{{"names":["read"],"action":"SCMP_ACT_TRAP",
                   "args":[{{"index":0,"value":{value},"op":"SCMP_CMP_EQ"}}]}}"#
            )
        })
        .collect();
    let profile =
        format!(r#"{{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{}]}}"#, conditions.join(","));
    let refusal = refusal(&profile);
    assert!(refusal.starts_with("linux.seccomp: needs 6"), "{refusal}");
}
