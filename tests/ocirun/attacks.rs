//! Mechanisms of known attacks. The identifiers are those of the advisories.

use std::fs::{self, File};
use std::os::fd::AsRawFd;
use std::os::unix::fs::symlink;

use flotilla_tests::{programs, require};
use serde_json::json;

use crate::bundle::{Bundle, mounts, stderr, stdout};

/// A directory of the host with a file in it that must stay as it is.
fn canary(bundle: &Bundle) -> std::path::PathBuf {
    let directory = bundle.path().join("canary");
    fs::create_dir(&directory).unwrap();
    fs::write(directory.join("ptmx"), "canary").unwrap();
    directory
}

#[test]
fn cve_2019_19921_proc_and_sys_must_be_directories() {
    for name in ["proc", "sys"] {
        let mut bundle = require!(Bundle::new());
        bundle.config["root"]["readonly"] = json!(false);
        fs::create_dir(bundle.root().join("elsewhere")).unwrap();
        symlink("elsewhere", bundle.root().join(name)).unwrap();
        bundle.set_script("true");
        assert_eq!(
            bundle.fault(),
            format!("mount /{name}: it is a symbolic link in the root file system")
        );
    }
}

#[test]
fn cve_2026_41579_a_dev_that_is_a_link_makes_and_deletes_nothing_in_the_host() {
    let mut bundle = require!(Bundle::new());
    let canary = canary(&bundle);
    bundle.config["root"]["readonly"] = json!(false);
    symlink(&canary, bundle.root().join("dev")).unwrap();
    bundle.set_script("true");
    assert!(bundle.fault().contains("symbolic link"));
    // Without a mount there the nodes would be made in the root file system itself.
    let mounts = bundle.config["mounts"].as_array_mut().unwrap();
    mounts.retain(|mount| !mount["destination"].as_str().unwrap().starts_with("/dev"));
    assert!(bundle.fault().contains("symbolic link"));
    let names: Vec<_> = fs::read_dir(&canary).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(names, ["ptmx"]);
    assert_eq!(fs::read_to_string(canary.join("ptmx")).unwrap(), "canary");
}

#[test]
fn cve_2021_30465_a_destination_that_is_a_link_stays_in_the_root() {
    let mut bundle = require!(Bundle::new());
    let canary = canary(&bundle);
    let before = mounts();
    bundle.config["root"]["readonly"] = json!(false);
    symlink(&canary, bundle.root().join("absolute")).unwrap();
    symlink("../../../../../../../../../..", bundle.root().join("up")).unwrap();
    fs::create_dir_all(bundle.root().join(canary.strip_prefix("/").unwrap())).unwrap();
    for (destination, kind) in
        [("/absolute/new", "tmpfs"), ("/up/new", "tmpfs"), ("/absolute", "tmpfs")]
    {
        bundle.push("/mounts", json!({"destination": destination, "type": kind, "source": kind}));
    }
    bundle.set_script("grep -c new /proc/self/mountinfo");
    let output = bundle.run();
    assert_eq!(stdout(&output), "2");
    assert_eq!(mounts(), before);
    assert_eq!(fs::read_dir(&canary).unwrap().count(), 1);
    assert!(!std::path::Path::new("/new").exists());
}

#[test]
fn cve_2024_21626_no_working_directory_outside_of_the_container() {
    let mut bundle = require!(Bundle::new());
    // A caller that leaks a directory of the host, without close-on-exec.
    let leaked = File::open("/").unwrap();
    let flags = nix::fcntl::FdFlag::empty();
    nix::fcntl::fcntl(&leaked, nix::fcntl::FcntlArg::F_SETFD(flags)).unwrap();
    let number = leaked.as_raw_fd();
    for cwd in (3..32).chain([number]) {
        bundle.config["process"]["cwd"] = json!(format!("/proc/self/fd/{cwd}"));
        bundle.set_script("cat /etc/hostname /proc/1/cgroup; pwd");
        let fault = bundle.fault();
        assert!(fault.contains("/proc/self/fd"), "{cwd}: {fault}");
    }
    bundle.config["process"]["cwd"] = json!("/");
    assert_eq!(bundle.prints("ls /proc/self/fd | wc -l"), "4");
    bundle.start_sleeping();
    for cwd in (3..32).chain([number]) {
        let said = bundle.exec(&["--cwd", &format!("/proc/self/fd/{cwd}"), &bundle.id, "pwd"]);
        assert!(stderr(&said).contains("/proc/self/fd"), "{cwd}");
    }
    let inside = stdout(&bundle.exec(&[&bundle.id, "sh", "-c", "ls /proc/self/fd | wc -l"]));
    assert_eq!(inside, "4");
}

#[test]
fn cve_2019_5736_the_executable_cannot_be_opened_for_writing() {
    let mut bundle = require!(Bundle::new());
    let own = fs::read(programs::path("ocirun")).unwrap();
    // The program is ocirun itself, by way of an interpreter line.
    let script = bundle.root().join("bin/again");
    fs::write(&script, "#!/proc/self/exe\n").unwrap();
    fs::set_permissions(&script, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    bundle.config["process"]["args"] = json!(["/bin/again"]);
    let _ = bundle.run();
    // A loop inside tries to write to every executable that it sees, while others join.
    let all = json!(["CAP_SYS_PTRACE", "CAP_DAC_OVERRIDE", "CAP_SYS_ADMIN"]);
    bundle.config["process"]["capabilities"] =
        json!({"bounding": all, "permitted": all, "effective": all});
    bundle.set_script(
        "while :; do for e in /proc/[0-9]*/exe; do test -w $e && (echo x >> $e) 2>/dev/null; done; done",
    );
    bundle.write_config();
    bundle.quietly(&["run", "--detach", &bundle.id]).unwrap();
    for _ in 0..50 {
        stdout(&bundle.exec(&[&bundle.id, "true"]));
    }
    bundle.delete();
    assert!(fs::read(programs::path("ocirun")).unwrap() == own, "the executable has changed");
}

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
fn cve_2023_25809_the_hosts_cgroups_are_not_in_sight() {
    let mut bundle = require!(Bundle::new());
    bundle.config["linux"]["namespaces"].as_array_mut().unwrap().retain(|n| n["type"] != "cgroup");
    let inside = bundle.prints(
        "cat /sys/fs/cgroup/cgroup.procs; (mkdir /sys/fs/cgroup/x) 2>&1 | grep -c Read-only",
    );
    // Its own cgroup, by the numbers of its own pid namespace, and read-only as configured.
    assert!(inside.starts_with("1\n") && inside.ends_with("\n1"), "{inside}");
}

#[test]
fn cve_2025_31133_a_fake_null_in_the_image_masks_nothing_of_the_host() {
    let mut bundle = require!(Bundle::new());
    bundle.config["root"]["readonly"] = json!(false);
    let mounts = bundle.config["mounts"].as_array_mut().unwrap();
    mounts.retain(|mount| !mount["destination"].as_str().unwrap().starts_with("/dev"));
    fs::create_dir(bundle.root().join("dev")).unwrap();
    symlink("/proc/sys/kernel/core_pattern", bundle.root().join("dev/null")).unwrap();
    bundle.config["linux"]["maskedPaths"] = json!(["/proc/version"]);
    bundle.set_script("true");
    let fault = bundle.fault();
    assert_eq!(fault, "make /dev/null: something else is there");
}

#[test]
fn cve_2025_24965_files_that_are_made_are_never_links() {
    let mut bundle = require!(Bundle::new());
    let canary = canary(&bundle);
    bundle.config["root"]["readonly"] = json!(false);
    // A bind of a file onto a dangling link: its target must not appear in the host.
    let target = canary.join("made");
    symlink(&target, bundle.root().join("file")).unwrap();
    bundle.push(
        "/mounts",
        json!({"destination": "/file", "type": "bind", "source": canary.join("ptmx"), "options": ["bind"]}),
    );
    bundle.set_script("true");
    assert!(bundle.fault().starts_with("mount /file: "));
    assert!(!target.exists());
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
