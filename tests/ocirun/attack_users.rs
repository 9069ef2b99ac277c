//! Known attacks on who a program is and what a container is called. The identifiers are those of the
//! advisories.

use std::fs::{self, File};
use std::os::unix::fs::symlink;

use flotilla_tests::require;
use serde_json::json;

use crate::bundle::{Bundle, stderr, stdout};

#[test]
fn cve_2022_29162_nothing_is_inheritable_that_is_not_configured() {
    let mut bundle = require!(Bundle::new());
    bundle.start_sleeping();
    let id = bundle.id.clone();
    let inside = stdout(&bundle.exec(&[
        "--cap",
        "CAP_SYS_ADMIN",
        &id,
        "grep",
        "CapInh",
        "/proc/self/status",
    ]));
    assert_eq!(inside, "CapInh:\t0000000000000000");
}

#[test]
fn cve_2026_30892_a_user_is_the_one_that_is_written_or_an_error() {
    let mut bundle = require!(Bundle::new());
    bundle.start_sleeping();
    let id = bundle.id.clone();
    for (user, inside) in [("1", "1:0"), ("1:1", "1:1"), ("0", "0:0")] {
        let said = stdout(&bundle.exec(&["-u", user, &id, "sh", "-c", "echo $(id -u):$(id -g)"]));
        assert_eq!(said, inside, "{user}");
    }
    for user in ["-1", "01", "4294967295", "4294967296", "1 ", "", "x"] {
        let output = bundle.exec(&[&format!("--user={user}"), &id, "id"]);
        assert!(stderr(&output).contains("must be a number"), "{user:?}");
    }
}

#[test]
fn cve_2024_40635_a_user_that_calls_take_for_unchanged_is_refused() {
    let mut bundle = require!(Bundle::new());
    let no_user = json!(4_294_967_295_u32);
    for field in ["uid", "gid", "additionalGids"] {
        bundle.config["process"]["user"] = json!({"uid": 5, "gid": 5});
        bundle.config["process"]["user"][field] =
            if field == "additionalGids" { json!([7, no_user]) } else { no_user.clone() };
        bundle.set_script("id");
        assert_eq!(bundle.fault(), format!("process.user.{field}: must be 0 to 4294967294"));
    }
    for text in ["4294967296", "-1", "18446744073709551616"] {
        bundle.config["process"]["user"] =
            json!({"uid": serde_json::from_str::<serde_json::Value>(text).unwrap(), "gid": 0});
        assert!(bundle.fault().contains("process.user.uid: invalid "), "{text}");
    }
    // The same in a document of exec.
    bundle.config["process"]["user"] = json!({"uid": 5, "gid": 5});
    bundle.start_sleeping();
    let document = bundle.path().join("process.json");
    let process = json!({"cwd": "/", "args": ["/bin/id"], "user": {"uid": no_user, "gid": 5}});
    fs::write(&document, process.to_string()).unwrap();
    let said = stderr(&bundle.exec(&["--process", document.to_str().unwrap(), &bundle.id]));
    assert!(said.contains("process.user.uid: must be 0 to 4294967294"), "{said}");
}

#[test]
fn an_id_with_a_path_in_it_is_refused_by_every_command() {
    let bundle = require!(Bundle::new());
    bundle.write_config();
    for id in ["../x", "a/b", "..", ".", "", "a\nb"] {
        for command in ["run", "create", "start", "state", "kill", "delete", "exec"] {
            let output = bundle.ocirun(
                &[command, id, "TERM"]
                    [..if command == "kill" || command == "exec" { 3 } else { 2 }],
            );
            assert!(stderr(&output).contains("container id"), "{command} {id:?}: {output:?}");
        }
    }
}

#[test]
fn an_endless_or_silent_passwd_stops_nothing() {
    let mut bundle = require!(Bundle::new());
    fs::create_dir(bundle.root().join("etc")).unwrap();
    let passwd = bundle.root().join("etc/passwd");
    symlink("/dev/zero", &passwd).unwrap();
    assert_eq!(bundle.prints("echo $HOME"), "/");
    fs::remove_file(&passwd).unwrap();
    nix::unistd::mkfifo(&passwd, nix::sys::stat::Mode::from_bits_truncate(0o600)).unwrap();
    assert_eq!(bundle.prints("echo $HOME"), "/");
    fs::remove_file(&passwd).unwrap();
    fs::write(&passwd, "x:x:0:0::/a\tb:/bin/sh\n").unwrap();
    assert_eq!(bundle.prints("echo $HOME"), "/");
    let file = File::create(&passwd).unwrap();
    file.set_len(4 << 30).unwrap();
    assert_eq!(bundle.prints("echo $HOME"), "/");
}
