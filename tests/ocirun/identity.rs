//! Who the program is and what it may do.

use std::fs;
use std::process::Command;

use flotilla_tests::{ignored_signals, require};
use serde_json::json;

use crate::bundle::{Bundle, stderr};

fn status(bundle: &mut Bundle, fields: &str) -> String {
    bundle.prints(&format!("grep -E '^({fields}):' /proc/self/status | tr '\\t' ' '"))
}

#[test]
fn a_program_has_exactly_the_configured_capabilities() {
    let mut bundle = require!(Bundle::new());
    bundle.config["process"]["capabilities"] = json!({
        "bounding": ["CAP_CHOWN", "CAP_KILL", "CAP_NET_RAW"],
        "permitted": ["CAP_CHOWN", "CAP_KILL"],
        "effective": ["CAP_CHOWN"],
        "inheritable": ["CAP_KILL"],
        "ambient": ["CAP_KILL"],
    });
    bundle.config["process"]["user"] = json!({"uid": 1000, "gid": 1000});
    // A program that is not root gets what is ambient at its exec; the shell is one.
    let sets = status(&mut bundle, "CapInh|CapPrm|CapEff|CapBnd|CapAmb");
    assert_eq!(
        sets,
        "CapInh: 0000000000000020\nCapPrm: 0000000000000020\nCapEff: 0000000000000020\n\
         CapBnd: 0000000000002021\nCapAmb: 0000000000000020"
    );
    bundle.config["process"]["capabilities"] = json!(null);
    bundle.config["process"]["user"] = json!({"uid": 0, "gid": 0});
    let sets = status(&mut bundle, "CapInh|CapPrm|CapEff|CapBnd|CapAmb");
    assert!(sets.lines().all(|line| line.ends_with(" 0000000000000000")), "{sets}");
}

#[test]
fn what_the_host_cannot_grant_is_a_warning() {
    let mut bundle = require!(Bundle::new());
    let own = fs::read_to_string("/proc/self/status").unwrap();
    let own = own.lines().find_map(|line| line.strip_prefix("CapPrm:\t")).unwrap().to_owned();
    let held = u64::from_str_radix(&own, 16).unwrap();
    if held >> 24 & 1 == 1 {
        println!("SKIPPED: the host has CAP_SYS_RESOURCE");
        return;
    }
    let sets = json!(["CAP_KILL", "CAP_SYS_RESOURCE"]);
    bundle.config["process"]["capabilities"] =
        json!({"bounding": sets, "permitted": sets, "effective": sets});
    bundle.set_script("grep CapEff /proc/self/status");
    let output = bundle.run();
    assert!(String::from_utf8_lossy(&output.stdout).contains("0000000000000020"), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stderr).contains("CAP_SYS_RESOURCE"), "{output:?}");
}

#[test]
fn user_groups_and_umask_are_set() {
    let mut bundle = require!(Bundle::new());
    bundle.config["process"]["user"] =
        json!({"uid": 7, "gid": 8, "additionalGids": [9, 10], "umask": 0o027});
    let inside = bundle.prints("id -u; id -g; id -G; umask");
    assert_eq!(inside, "7\n8\n8 9 10\n0027");
}

#[test]
fn home_is_the_one_of_the_containers_passwd() {
    let mut bundle = require!(Bundle::new());
    fs::create_dir(bundle.root().join("etc")).unwrap();
    fs::write(bundle.root().join("etc/passwd"), "w:x:7:8::/srv/w:/bin/sh\n").unwrap();
    bundle.config["process"]["user"] = json!({"uid": 7, "gid": 8});
    assert_eq!(bundle.prints("echo $HOME"), "/srv/w");
    bundle.push("/process/env", json!("HOME=/own"));
    assert_eq!(bundle.prints("echo $HOME"), "/own");
}

#[test]
fn the_environment_is_the_configured_one_and_nothing_else() {
    let mut bundle = require!(Bundle::new());
    bundle.config["process"]["env"] = json!(["PATH=/bin", "A=1"]);
    bundle.config["process"]["args"] = json!(["env"]);
    bundle.write_config();
    let output =
        bundle.command(&["run", &bundle.id]).env("SENTINEL", "of the host").output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "PATH=/bin\nA=1\nHOME=/\n");
}

#[test]
fn limits_of_a_process_are_set() {
    let mut bundle = require!(Bundle::new());
    bundle.config["process"]["rlimits"] = json!([
        {"type": "RLIMIT_NOFILE", "soft": 100, "hard": 200},
        {"type": "RLIMIT_CORE", "soft": 0, "hard": 0},
    ]);
    let inside = bundle.prints("ulimit -n; ulimit -Hn; ulimit -c");
    assert_eq!(inside, "100\n200\n0");
}

#[test]
fn a_limit_that_the_host_cannot_raise_names_the_capability() {
    let mut bundle = require!(Bundle::new());
    let huge = 1_u64 << 40;
    bundle.config["process"]["rlimits"] =
        json!([{"type": "RLIMIT_NOFILE", "soft": huge, "hard": huge}]);
    let fault = bundle.fault();
    // Beyond fs.nr_open even the capability does not help, and the answer is the same.
    assert!(fault.starts_with("set RLIMIT_NOFILE to "), "{fault}");
    assert!(fault.contains("CAP_SYS_RESOURCE"), "{fault}");
}

#[test]
fn no_new_privileges_is_as_configured() {
    let mut bundle = require!(Bundle::new());
    assert_eq!(status(&mut bundle, "NoNewPrivs"), "NoNewPrivs: 1");
    bundle.config["process"]["noNewPrivileges"] = json!(false);
    assert_eq!(status(&mut bundle, "NoNewPrivs"), "NoNewPrivs: 0");
}

#[test]
fn an_oom_score_is_set_only_if_it_is_configured() {
    let mut bundle = require!(Bundle::new());
    let own = fs::read_to_string("/proc/self/oom_score_adj").unwrap();
    assert_eq!(bundle.prints("cat /proc/self/oom_score_adj"), own.trim());
    bundle.config["process"]["oomScoreAdj"] = json!(500);
    assert_eq!(bundle.prints("cat /proc/self/oom_score_adj"), "500");
}

#[test]
fn signals_are_as_a_new_program_expects_them() {
    let mut bundle = require!(Bundle::new());
    bundle.set_script("grep -E '^Sig(Blk|Ign):' /proc/self/status; exit 7");
    bundle.write_config();
    let command = bundle.command(&["run", &bundle.id]);
    // What nohup, a shell's background job, Python and others leave ignored.
    let output = Command::new("env")
        .arg("--ignore-signal=HUP,INT,QUIT,PIPE,XFSZ,CHLD")
        .arg(command.get_program())
        .args(command.get_args())
        .current_dir(bundle.path())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(7), "{output:?}");
    let text = String::from_utf8_lossy(&output.stdout);
    let [blocked, ignored] = text.lines().collect::<Vec<_>>()[..] else { panic!("{text}") };
    assert_eq!(blocked, "SigBlk:\t0000000000000000");
    assert_eq!(ignored_signals(ignored), 0, "{ignored}");
}

#[test]
fn a_session_keyring_is_not_the_callers() {
    let mut bundle = require!(Bundle::new());
    let Ok(own) = fs::read_to_string("/proc/self/sessionid") else { return };
    // The kernel shows no keyring's id in /proc; what can be seen is that one of ours was made.
    let before = fs::read_to_string("/proc/keys").unwrap_or_default();
    bundle.start_sleeping();
    let after = fs::read_to_string("/proc/keys").unwrap_or_default();
    if after.is_empty() {
        println!("SKIPPED: needs /proc/keys");
        return;
    }
    let name = format!("_ses.{}", bundle.id);
    assert!(!before.contains(&name) && after.contains(&name), "{own} {after}");
}

#[test]
fn a_program_that_is_not_there_is_named() {
    let mut bundle = require!(Bundle::new());
    bundle.config["process"]["args"] = json!(["nope"]);
    assert_eq!(bundle.fault(), "exec \"nope\": executable file not found in $PATH");
    bundle.config["process"]["args"] = json!(["/nope"]);
    assert_eq!(bundle.fault(), "exec /nope: no such file or directory");
    bundle.config["process"]["args"] = json!(["/bin"]);
    assert_eq!(bundle.fault(), "exec /bin: permission denied");
    bundle.config["process"]["args"] = json!(["nope"]);
    bundle.write_config();
    let created = bundle.ocirun(&["create", &bundle.id]);
    assert!(stderr(&created).contains("executable file not found in $PATH"));
}
