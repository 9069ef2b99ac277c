//! The daemons as services: what systemd does to them must not reach a container.

use crate::systemctl;
use flotilla_tests::{need, programs, require};
use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;

const REPOSITORY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
const UNIT: &str = "hello.container";

/// Flotilla as `make install` leaves it, with its storage on a file system that overlays can use.
fn install() {
    let storage = Path::new("/var/lib/flotilla");
    fs::create_dir_all(storage).unwrap();
    let mounted =
        Command::new("mount").args(["-t", "tmpfs", "tmpfs"]).arg(storage).status().unwrap();
    assert!(mounted.success());
    let done = Command::new(format!("{REPOSITORY}/fleetd/systemd/install"))
        .env("FLOTILLA_PROGRAMS", programs::path("fleetd").parent().unwrap())
        .output()
        .unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    systemctl(&["start", "netd.service", "fleetd.service"]);
}

/// Every trace of it, as an operator would remove it.
fn uninstall() {
    systemctl(&["stop", "fleetd.service", "netd.service"]);
    for down in ["fleetd", "netd"] {
        let done = Command::new(format!("/usr/local/bin/{down}")).arg("down").output().unwrap();
        assert!(done.status.success(), "{down} down: {}", String::from_utf8_lossy(&done.stderr));
    }
    systemctl(&["stop", "flotilla.slice"]);
    let unmounted = Command::new("umount").arg("/var/lib/flotilla").status().unwrap();
    assert!(unmounted.success());
    let drop_in = "/run/systemd/system/fleetd.service.d";
    for directory in ["/var/lib/flotilla", "/run/flotilla", "/run/hello-image", drop_in] {
        fs::remove_dir_all(directory).unwrap();
    }
    fs::remove_file("/run/store.key.cred").unwrap();
}

fn fleetctl(arguments: &[&str]) -> String {
    let output = Command::new("/usr/local/bin/fleetctl").args(arguments).output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        let journal =
            Command::new("journalctl").args(["-b", "-u", "fleetd", "-u", "netd"]).output();
        let journal = journal.map(|o| String::from_utf8_lossy(&o.stdout).into_owned());
        panic!("fleetctl {arguments:?}: {error}\n{}", journal.unwrap_or_default());
    }
    String::from_utf8(output.stdout).unwrap()
}

/// The key of fleetd's database as a credential that systemd has encrypted, and no longer beside it.
fn move_the_key_away() {
    let (key, credential) = (Path::new("/var/lib/flotilla/store.key"), "/run/store.key.cred");
    // As systemd has it where it does not take the machine for a container.
    let shared = Command::new("mount").args(["--make-rshared", "/"]).status().unwrap();
    assert!(shared.success());
    let mut encrypt = Command::new("systemd-creds");
    let done = encrypt
        .args(["encrypt", "--with-key=host", "--name=store.key"])
        .arg(key)
        .arg(credential)
        .output();
    let done = done.unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    fs::remove_file(key).unwrap();
    std::os::unix::fs::symlink("/run/credentials/fleetd.service/store.key", key).unwrap();
    let drop_in = Path::new("/run/systemd/system/fleetd.service.d");
    fs::create_dir_all(drop_in).unwrap();
    let text = format!("[Service]\nLoadCredentialEncrypted=store.key:{credential}\n");
    fs::write(drop_in.join("key.conf"), text).unwrap();
    systemctl(&["daemon-reload"]);
}

/// The container's first process, as the host sees it.
fn pid() -> i64 {
    let text = fleetctl(&["list-units", "--json"]);
    let units: serde_json::Value = serde_json::from_str(&text).unwrap();
    let unit = units.as_array().unwrap().iter().find(|u| u["name"] == UNIT).unwrap();
    assert_eq!(unit["state"]["active"], "active", "{unit}");
    unit["state"]["pid"].as_i64().unwrap()
}

fn answer() -> String {
    let mut stream = TcpStream::connect("127.0.0.1:8080").unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    text
}

fn start_hello() {
    let image = Path::new("/run/hello-image");
    fs::create_dir_all(image.join("bin")).unwrap();
    fs::copy(programs::path("hello-server"), image.join("bin/hello-server")).unwrap();
    fleetctl(&["image", "import", image.to_str().unwrap(), "hello"]);
    fleetctl(&["start", &format!("{REPOSITORY}/examples/hello.container")]);
    assert!(answer().contains("hello from hello"), "{}", answer());
}

fn lives(pid: i64) -> bool {
    Path::new(&format!("/proc/{pid}")).exists()
}

#[test]
fn a_restart_of_the_daemons_leaves_containers_running() {
    require!(need::systemd());
    install();
    start_hello();
    let before = pid();

    systemctl(&["restart", "fleetd.service", "netd.service"]);
    assert_eq!(pid(), before);
    assert!(answer().contains("hello from hello"));

    move_the_key_away();
    systemctl(&["restart", "fleetd.service"]);
    assert_eq!(pid(), before);

    systemctl(&["stop", "fleetd.service", "netd.service"]);
    assert!(lives(before), "stopping the daemons stopped the container");
    systemctl(&["daemon-reload"]);
    assert!(lives(before), "daemon-reload stopped the container");
    systemctl(&["start", "netd.service", "fleetd.service"]);
    assert_eq!(pid(), before);

    // The one unit that does reach them: this is what a shutdown does.
    systemctl(&["stop", "flotilla-workloads.service"]);
    assert!(!lives(before), "the container outlived its cgroup's unit");
    uninstall();
}

#[test]
fn the_demo_runs_beside_systemd() {
    require!(need::systemd());
    let words = flotilla_tests::demo().unwrap();
    assert!(words.contains("127.0.0.1: hello from ") && words.contains("\ndone: "), "{words}");
}
