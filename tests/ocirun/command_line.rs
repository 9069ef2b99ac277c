//! What engines rely on in the command line.

use std::fs;

use flotilla_tests::require;
use serde_json::{Value, json};

use crate::bundle::{Bundle, stderr, stdout};

#[test]
fn the_version_has_the_three_lines_that_engines_read() {
    let bundle = require!(Bundle::new());
    let text = stdout(&bundle.ocirun(&["--version"]));
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines[0].starts_with("ocirun version "), "{text}");
    assert!(lines[1].starts_with("commit: ") && lines[2].starts_with("spec: 1."), "{text}");
}

#[test]
fn every_command_tells_its_flags() {
    let bundle = require!(Bundle::new());
    let all = stdout(&bundle.ocirun(&["--help"]));
    let commands = all.lines().skip_while(|line| *line != "commands:").skip(1);
    let commands: Vec<&str> = commands
        .take_while(|line| !line.is_empty())
        .map(|line| line.split_whitespace().next().unwrap())
        .collect();
    assert!(commands.contains(&"run") && commands.contains(&"supervise"), "{all}");
    for command in commands {
        let text = stdout(&bundle.ocirun(&[command, "--help"]));
        assert!(text.starts_with(&format!("usage: ocirun {command}")), "{text}");
    }
    let text = stdout(&bundle.ocirun(&["exec", "-h"]));
    assert!(text.contains("  -e, --env VALUE\n") && text.contains("ID PROGRAM"), "{text}");
}

#[test]
fn an_error_is_in_the_log_as_text_or_json() {
    let bundle = require!(Bundle::new());
    let log = bundle.path().join("log");
    let name = log.to_str().unwrap();
    let output = bundle.ocirun(&["--log", name, "--log-format=json", "state", "nobody"]);
    assert!(stderr(&output).contains("does not exist"));
    let text = fs::read_to_string(&log).unwrap();
    let line: Value = serde_json::from_str(text.trim_end()).unwrap();
    assert_eq!(line["level"], "error");
    assert_eq!(line["msg"], "container \"nobody\" does not exist");
    assert!(line["time"].as_str().unwrap().ends_with('Z'));
    bundle.ocirun(&["--log", name, "state", "nobody"]);
    let text = fs::read_to_string(&log).unwrap();
    assert!(text.lines().nth(1).unwrap().contains("level=error msg="), "{text}");
}

#[test]
fn flags_of_engines_are_taken_or_refused_by_name() {
    let mut bundle = require!(Bundle::new());
    bundle.set_script("echo fine");
    bundle.write_config();
    let id = bundle.id.clone();
    let taken = bundle.ocirun(&[
        "--debug",
        "--rootless=auto",
        "--cgroup-manager",
        "cgroupfs",
        "--systemd-cgroup=false",
        "run",
        &id,
        "--no-new-keyring",
        "--bundle",
        bundle.path().to_str().unwrap(),
        "--no-pivot=false",
    ]);
    assert_eq!(stdout(&taken), "fine");
    for (arguments, words) in [
        (vec!["--systemd-cgroup", "run", &id], "--systemd-cgroup: "),
        (vec!["--cgroup-manager=disabled", "run", &id], "--cgroup-manager disabled: "),
        (vec!["run", "--no-pivot", &id], "--no-pivot: "),
        (vec!["run", "--colour", &id], "--colour: unknown flag"),
        (vec!["run", "--preserve-fds", "200", &id], "--preserve-fds 200: descriptor "),
        (vec!["pause", &id], "pause: not there yet"),
        (vec!["dance", &id], "dance: unknown command"),
        (vec!["run"], "id is missing"),
        (vec!["run", &id, "more"], "one argument too many"),
    ] {
        let said = stderr(&bundle.ocirun(&arguments));
        assert!(said.contains(words), "{arguments:?}: {said}");
    }
}

#[test]
fn preserved_descriptors_reach_the_program_and_no_others_do() {
    let mut bundle = require!(Bundle::new());
    bundle.set_script("cat <&3; ls /proc/self/fd | tr '\\n' ' '");
    bundle.write_config();
    let text = bundle.path().join("text");
    fs::write(&text, "kept ").unwrap();
    // The shell opens what the program is to get.
    let script = "exec \"$0\" --root \"$1\" run --preserve-fds 1 \"$2\" 3< \"$3\" 4< \"$3\"";
    let output = std::process::Command::new("sh")
        .args(["-c", script])
        .arg(flotilla_tests::programs::path("ocirun"))
        .arg(bundle.state_root())
        .arg(&bundle.id)
        .arg(&text)
        .current_dir(bundle.path())
        .output()
        .unwrap();
    // The fourth is the directory that ls reads.
    assert_eq!(stdout(&output), "kept 0 1 2 3 4");
}

#[test]
fn features_name_nothing_that_is_refused() {
    let bundle = require!(Bundle::new());
    let features: Value = serde_json::from_str(&stdout(&bundle.ocirun(&["features"]))).unwrap();
    let options = features["mountOptions"].as_array().unwrap();
    assert!(options.contains(&json!("rro")) && !options.contains(&json!("idmap")));
    assert_eq!(features["hooks"].as_array().unwrap().len(), 6);
    assert_eq!(features["linux"]["cgroup"]["systemd"], false);
    assert_eq!(features["linux"]["mountExtensions"]["idmap"]["enabled"], false);
}

#[test]
fn spec_overwrites_nothing() {
    let bundle = require!(Bundle::new());
    let again = bundle.ocirun(&["spec"]);
    assert!(stderr(&again).contains("file exists"), "{again:?}");
}
