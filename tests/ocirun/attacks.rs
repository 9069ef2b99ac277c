//! Mechanisms of known attacks. The identifiers are those of the advisories.

use std::fs::{self, File};
use std::os::fd::AsRawFd;
use std::os::unix::fs::symlink;

use flotilla_tests::require;
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
fn cve_2019_19921_cve_2023_27561_cve_2023_28642_proc_and_sys_must_be_directories() {
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
    // Dangling links of the image: their targets must not appear in the host.
    let target = canary.join("made");
    symlink(&target, bundle.root().join("file")).unwrap();
    symlink(&canary, bundle.root().join("directory")).unwrap();
    bundle.set_script("true");
    let good = bundle.config.clone();
    let file = canary.join("ptmx");
    let bind = json!({"destination": "/file", "type": "bind", "source": file, "options": ["bind"]});
    for (pointer, value) in [
        ("/mounts/7", bind),
        ("/mounts/7", json!({"destination": "/file", "type": "tmpfs", "source": "t"})),
        ("/mounts/7", json!({"destination": "/directory/made", "type": "tmpfs", "source": "t"})),
        ("/linux/devices/0", json!({"type": "p", "path": "/file"})),
        ("/linux/devices/0", json!({"type": "p", "path": "/directory/made"})),
        ("/linux/devices/0", json!({"type": "p", "path": "/directory/made/pipe", "uid": 1})),
        ("/process/cwd", json!("/directory/made")),
        ("/process/cwd", json!("/file")),
    ] {
        bundle.config = good.clone();
        match pointer {
            "/mounts/7" => bundle.push("/mounts", value.clone()),
            "/linux/devices/0" => bundle.config["linux"]["devices"] = json!([value.clone()]),
            _ => bundle.config["process"]["cwd"] = value.clone(),
        }
        // An error, or what is made lies in the root file system.
        let output = bundle.run();
        assert!(output.status.success() || output.stderr.starts_with(b"ocirun: "), "{output:?}");
        assert!(!target.exists(), "{value}");
        assert_eq!(fs::read_dir(&canary).unwrap().count(), 1, "{value}");
    }
}

#[test]
fn cve_2021_43784_what_is_long_is_whole_or_refused() {
    let mut bundle = require!(Bundle::new());
    let good = bundle.config.clone();
    // Whole: more than fits in the 16 bits of a length.
    let long = "x".repeat(100_000);
    bundle.config["process"]["env"].as_array_mut().unwrap().push(json!(format!("LONG={long}")));
    assert_eq!(bundle.prints("echo ${#LONG}"), "100000");
    // Refused: cut off after 64 KiB each of these would be something else that is there.
    let padding = "/".repeat(1 << 16);
    for (pointer, value) in [
        ("/linux/namespaces/1/path", format!("/proc/self/ns/net{padding}/nothing")),
        ("/root/path", format!("rootfs{padding}nothing")),
        ("/process/cwd", format!("/bin{padding}nothing")),
        ("/mounts/0/destination", format!("/proc{padding}/nothing/../..")),
        ("/mounts/6/destination", format!("/tmp/{}", "n".repeat(1 << 16))),
        ("/linux/cgroupsPath", format!("/{}", "n".repeat((1 << 16) + 10))),
    ] {
        bundle.config = good.clone();
        let (parent, key) = pointer.rsplit_once('/').unwrap();
        match bundle.config.pointer_mut(parent).unwrap() {
            serde_json::Value::Array(list) => list[key.parse::<usize>().unwrap()] = json!(value),
            object => object[key] = json!(value),
        }
        bundle.set_script("true");
        assert!(bundle.fault().len() > 10, "{pointer}");
        bundle.assert_nothing_left();
    }
}

/// A map of so many lines of one id each.
fn map(count: u32, first: u32) -> serde_json::Value {
    (0..count).map(|n| json!({"containerID": n, "hostID": first + 2 * n, "size": 1})).collect()
}

#[test]
fn cve_2021_43784_a_long_map_is_whole_or_refused() {
    let mut bundle = require!(Bundle::new());
    for name in ["proc", "sys", "dev"] {
        fs::create_dir(bundle.root().join(name)).unwrap();
    }
    bundle.push("/linux/namespaces", json!({"type": "user"}));
    bundle.config["linux"]["gidMappings"] = map(200, 100_000);
    bundle.config["linux"]["uidMappings"] = map(200, 100_000);
    assert_eq!(bundle.prints("wc -l < /proc/self/uid_map; wc -l < /proc/self/gid_map"), "200\n200");
    bundle.config["linux"]["uidMappings"] = map(340, 1_000_000_000);
    let fault = bundle.fault();
    assert!(fault.contains("uid_map") && fault.contains("5670 bytes long"), "{fault}");
    bundle.config["linux"]["uidMappings"] = map(5000, 1_000_000_000);
    assert_eq!(bundle.fault(), "linux.uidMappings: has more than 340 entries");
}
