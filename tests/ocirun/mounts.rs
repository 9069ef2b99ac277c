//! Mounts, devices and masks.

use std::fs;

use flotilla_tests::require;
use serde_json::json;

use crate::bundle::Bundle;

/// The options of one mount point, per mount and of the file system, in a text of mountinfo.
fn options(mountinfo: &str, point: &str) -> String {
    let line = mountinfo
        .lines()
        .rev()
        .find(|line| line.split(' ').nth(4) == Some(point))
        .unwrap_or_else(|| panic!("{point} is not mounted:\n{mountinfo}"));
    let fields: Vec<&str> = line.split(' ').collect();
    format!(",{},{},", fields[5], fields[fields.len() - 1])
}

#[test]
fn the_mounts_of_the_template_are_there() {
    let mut bundle = require!(Bundle::new());
    let table = bundle.prints("cat /proc/self/mountinfo");
    for (point, words) in [
        ("/", vec!["ro"]),
        ("/proc", vec!["nosuid", "nodev", "noexec"]),
        ("/dev", vec!["nosuid", "mode=755", "size=65536k"]),
        ("/dev/pts", vec!["nosuid", "noexec", "gid=5", "mode=620", "ptmxmode=666"]),
        ("/dev/shm", vec!["nosuid", "nodev", "noexec", "size=65536k"]),
        ("/dev/mqueue", vec!["nosuid", "nodev", "noexec"]),
        ("/sys", vec!["ro", "nosuid", "nodev", "noexec"]),
        ("/sys/fs/cgroup", vec!["ro", "nosuid", "nodev", "noexec"]),
    ] {
        let found = options(&table, point);
        for word in words {
            assert!(found.contains(&format!(",{word},")), "{point}: {word} not in {found}");
        }
    }
}

#[test]
fn a_read_only_root_cannot_be_written_and_another_can() {
    let mut bundle = require!(Bundle::new());
    let said = bundle.prints("touch /x 2>&1 || true");
    assert!(said.contains("Read-only file system"), "{said}");
    bundle.config["root"]["readonly"] = json!(false);
    bundle.prints("touch /x");
    assert!(bundle.root().join("x").exists());
}

#[test]
fn a_directory_and_a_file_of_the_host_are_bound() {
    let mut bundle = require!(Bundle::new());
    let host = bundle.path().join("host");
    fs::create_dir(&host).unwrap();
    fs::write(host.join("file"), "text").unwrap();
    bundle.config["root"]["readonly"] = json!(false);
    bundle.push(
        "/mounts",
        json!({"destination": "/a/b", "type": "bind", "source": host, "options": ["rbind", "ro", "nosuid"]}),
    );
    bundle.push(
        "/mounts",
        json!({"destination": "/etc/one", "type": "none", "source": host.join("file"), "options": ["bind"]}),
    );
    let said = bundle.prints(
        "cat /a/b/file /etc/one; echo; touch /a/b/x 2>/dev/null || echo refused; echo new > /etc/one; cat /proc/self/mountinfo",
    );
    assert!(said.starts_with("texttext\nrefused\n"), "{said}");
    assert!(options(&said, "/a/b").contains(",nosuid,"));
    assert_eq!(fs::read_to_string(host.join("file")).unwrap(), "new\n");
}

#[test]
fn a_read_only_root_takes_files_bound_where_none_was() {
    let mut bundle = require!(Bundle::new());
    let source = bundle.path().join("hosts");
    fs::write(&source, "text").unwrap();
    assert_eq!(bundle.config["root"]["readonly"], true);
    bundle.push(
        "/mounts",
        json!({"destination": "/etc/made/hosts", "type": "bind", "source": source, "options": ["bind"]}),
    );
    let said =
        bundle.prints("cat /etc/made/hosts; echo; touch /etc/made/x 2>/dev/null || echo refused");
    assert_eq!(said, "text\nrefused");
}

#[test]
fn a_relative_source_is_one_of_the_bundle() {
    let mut bundle = require!(Bundle::new());
    fs::write(bundle.path().join("notes"), "here").unwrap();
    bundle.config["root"]["readonly"] = json!(false);
    bundle.push(
        "/mounts",
        json!({"destination": "/notes", "type": "bind", "source": "notes", "options": ["bind"]}),
    );
    assert_eq!(bundle.prints("cat /notes"), "here");
}

#[test]
fn a_recursive_option_reaches_what_is_mounted_below() {
    let mut bundle = require!(Bundle::new());
    let host = bundle.path().join("host");
    fs::create_dir(&host).unwrap();
    bundle.config["root"]["readonly"] = json!(false);
    // A tree with a mount in it: another container's /dev would do, the host's own is at hand.
    bundle.push(
        "/mounts",
        json!({"destination": "/host", "type": "bind", "source": "/dev", "options": ["rbind", "rro", "rprivate"]}),
    );
    let table = bundle.prints("cat /proc/self/mountinfo");
    assert!(options(&table, "/host").contains(",ro,"));
    assert!(options(&table, "/host/pts").contains(",ro,"));
}

#[test]
fn a_read_only_tmpfs_can_have_mounts_in_it() {
    let mut bundle = require!(Bundle::new());
    bundle.config["root"]["readonly"] = json!(false);
    bundle.push(
        "/mounts",
        json!({"destination": "/t", "type": "tmpfs", "source": "tmpfs", "options": ["ro", "size=4k"]}),
    );
    bundle.push("/mounts", json!({"destination": "/t/in", "type": "tmpfs", "source": "tmpfs"}));
    let said = bundle.prints("touch /t/in/x && (touch /t/x 2>/dev/null || echo refused)");
    assert_eq!(said, "refused");
}

#[test]
fn a_file_systems_own_words_say_what_is_wrong() {
    let mut bundle = require!(Bundle::new());
    bundle.push(
        "/mounts",
        json!({"destination": "/dev/x", "type": "tmpfs", "source": "t", "options": ["size=lots"]}),
    );
    let fault = bundle.fault();
    assert!(fault.starts_with("mount /dev/x: invalid argument: tmpfs: "), "{fault}");
    bundle.config["mounts"][7]["type"] = json!("nofs");
    assert_eq!(bundle.fault(), "mount /dev/x: the kernel has no file system of type \"nofs\"");
}

#[test]
fn device_nodes_and_links_are_the_default_ones() {
    let mut bundle = require!(Bundle::new());
    let inside = bundle.prints(
        "for d in null zero full random urandom tty; do stat -c '%n %t:%T %a' /dev/$d; done; for l in fd stdin stdout stderr ptmx; do readlink /dev/$l; done",
    );
    assert_eq!(
        inside,
        "/dev/null 1:3 666\n/dev/zero 1:5 666\n/dev/full 1:7 666\n/dev/random 1:8 666\n/dev/urandom 1:9 666\n/dev/tty 5:0 666\n\
         /proc/self/fd\n/proc/self/fd/0\n/proc/self/fd/1\n/proc/self/fd/2\npts/ptmx"
    );
}

#[test]
fn a_configured_device_is_made_and_only_allowed_ones_open() {
    let mut bundle = require!(Bundle::new());
    // The kernel's log: the template's rules forbid it.
    bundle.config["linux"]["devices"] = json!([
        {"type": "c", "path": "/dev/kmsg2", "major": 1, "minor": 11, "fileMode": 0o640, "uid": 0, "gid": 4},
        {"type": "p", "path": "/dev/pipe"},
    ]);
    let inside = bundle.prints(
        "stat -c '%t:%T %a %u:%g' /dev/kmsg2; stat -c %F /dev/pipe; head -c1 /dev/kmsg2 2>&1 || true",
    );
    assert!(inside.starts_with("1:b 640 0:4\nfifo\n"), "{inside}");
    assert!(inside.contains("Operation not permitted"), "{inside}");
    bundle.push(
        "/linux/resources/devices",
        json!({"allow": true, "type": "c", "major": 1, "minor": 11, "access": "r"}),
    );
    bundle.config["process"]["capabilities"]["bounding"] = json!(["CAP_SYSLOG"]);
    bundle.config["process"]["capabilities"]["effective"] = json!(["CAP_SYSLOG"]);
    bundle.config["process"]["capabilities"]["permitted"] = json!(["CAP_SYSLOG"]);
    bundle.prints(": < /dev/kmsg2");
}

#[test]
fn masked_paths_show_nothing_and_read_only_paths_stay_as_they_are() {
    let mut bundle = require!(Bundle::new());
    bundle.config["linux"]["maskedPaths"] =
        json!(["/proc/version", "/proc/fs", "/sys/kernel", "/proc/uptime", "/nowhere"]);
    bundle.config["linux"]["readonlyPaths"] = json!(["/proc/sys", "/nowhere/either"]);
    let inside = bundle.prints(
        "cat /proc/version /proc/uptime; ls -A /proc/fs /sys/kernel | grep -v : | tr -d '\\n'; \
         (mkdir /sys/kernel/x 2>&1; echo x > /proc/sys/kernel/hostname) 2>&1 | grep -c 'Read-only'",
    );
    assert_eq!(inside, "2");
}

#[test]
fn masked_directories_are_one_empty_file_system() {
    let mut bundle = require!(Bundle::new());
    bundle.config["linux"]["maskedPaths"] = json!(["/proc/fs", "/sys/kernel", "/proc/bus"]);
    let inside = bundle.prints("stat -c %d /proc/fs /sys/kernel /proc/bus");
    let mut devices: Vec<&str> = inside.lines().collect();
    devices.dedup();
    assert_eq!(devices.len(), 1, "{inside}");
}

#[test]
fn a_container_sees_its_own_cgroup_only() {
    let mut bundle = require!(Bundle::new());
    let inside = bundle.prints("cat /sys/fs/cgroup/cgroup.procs; grep ^0:: /proc/self/cgroup");
    assert_eq!(inside.lines().last(), Some("0::/"), "{inside}");
    assert_eq!(inside.lines().next(), Some("1"), "{inside}");
}

/// So many layers of an overlay, each with a file, as the option that names them.
fn layers(bundle: &Bundle, count: usize) -> String {
    let layers: Vec<String> = (0..count)
        .map(|number| {
            let layer = bundle.path().join(format!("a-layer-with-a-long-name-{number}"));
            fs::create_dir_all(&layer).unwrap();
            fs::write(layer.join(number.to_string()), "").unwrap();
            layer.to_str().unwrap().to_owned()
        })
        .collect();
    format!("lowerdir={}", layers.join(":"))
}

#[test]
fn a_long_option_string_reaches_the_file_system_with_all_others() {
    let mut bundle = require!(Bundle::new());
    bundle.config["root"]["readonly"] = json!(false);
    let place = bundle.config["mounts"].as_array().unwrap().len();
    let mut options = vec![layers(&bundle, 12)];
    bundle.push("/mounts", json!({"destination": "/o", "type": "overlay", "source": "overlay"}));
    bundle.config["mounts"][place]["options"] = json!(options);
    assert_eq!(bundle.prints("ls /o | wc -l"), "12");
    options.extend(["ro", "nodev", "strictatime", "nosymfollow", "shared"].map(str::to_owned));
    bundle.config["mounts"][place]["options"] = json!(options);
    let table = bundle.prints("cat /proc/self/mountinfo");
    let line = table.lines().find(|line| line.contains(" /o ")).unwrap();
    for word in ["ro", "nodev", "nosymfollow"] {
        assert!(options_of(line).contains(&word), "{word}: {line}");
    }
    assert!(!line.contains("relatime") && line.contains(" shared:"), "{line}");
}

fn options_of(line: &str) -> Vec<&str> {
    line.split(' ').nth(5).unwrap().split(',').collect()
}

#[test]
fn options_that_the_kernel_would_cut_off_are_refused() {
    let mut bundle = require!(Bundle::new());
    bundle.config["root"]["readonly"] = json!(false);
    bundle.push(
        "/mounts",
        json!({"destination": "/o", "type": "overlay", "source": "overlay", "options": [layers(&bundle, 150)]}),
    );
    bundle.set_script("true");
    let fault = bundle.fault();
    assert!(fault.starts_with("mount /o: its options are "), "{fault}");
}

#[test]
fn every_option_of_the_features_document_is_taken() {
    let mut bundle = require!(Bundle::new());
    let features = bundle.ocirun(&["features"]);
    let features: serde_json::Value = serde_json::from_slice(&features.stdout).unwrap();
    let binds = ["bind", "rbind"].map(|word| json!(word));
    bundle.config["root"]["readonly"] = json!(false);
    for word in features["mountOptions"].as_array().unwrap() {
        if binds.contains(word) {
            continue;
        }
        bundle.push(
            "/mounts",
            json!({"destination": format!("/m/{}", word.as_str().unwrap()), "type": "tmpfs", "source": "t", "options": [word]}),
        );
    }
    let table = bundle.prints("cat /proc/self/mountinfo");
    assert!(options(&table, "/m/iversion").contains(",rw,"), "{table}");
    assert!(options(&table, "/m/sync").contains(",sync,"), "{table}");
    assert!(options(&table, "/m/rro").contains(",ro,"), "{table}");
}

#[test]
fn a_relative_destination_is_one_of_the_root() {
    let mut bundle = require!(Bundle::new());
    bundle.config["root"]["readonly"] = json!(false);
    for mount in bundle.config["mounts"].as_array_mut().unwrap() {
        let destination = mount["destination"].as_str().unwrap().trim_start_matches('/').to_owned();
        mount["destination"] = json!(destination);
    }
    bundle.push("/mounts", json!({"destination": "a/b", "type": "tmpfs", "source": "t"}));
    let table = bundle.prints("cd /bin; cat /proc/self/mountinfo; test -c /dev/null");
    for point in ["/proc", "/dev/pts", "/sys/fs/cgroup", "/a/b"] {
        options(&table, point);
    }
}

#[test]
fn a_working_directory_that_is_not_there_is_made() {
    let mut bundle = require!(Bundle::new());
    bundle.config["root"]["readonly"] = json!(false);
    bundle.config["process"]["cwd"] = json!("/new/one");
    assert_eq!(bundle.prints("pwd"), "/new/one");
}
