//! The virtual machine offers what the other tests count on.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::Path;
use std::process::Command;

use flotilla_tests::{Scratch, need, require};

#[test]
fn every_controller_is_offered_to_cgroups() {
    require!(need::virtual_machine());
    for controller in ["cpu", "cpuset", "io", "memory", "pids", "hugetlb", "misc", "rdma"] {
        need::controller(controller).unwrap();
        let enabled = need::cgroup2().unwrap().join("cgroup.subtree_control");
        assert!(fs::read_to_string(enabled).unwrap().split_whitespace().any(|c| c == controller));
    }
}

#[test]
fn the_kernel_is_the_one_that_was_asked_for() {
    require!(need::virtual_machine());
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
    assert_eq!(release.trim(), std::env::var("FLOTILLA_VM").unwrap());
}

#[test]
fn the_scratch_directory_holds_an_overlays_upper_directory() {
    require!(need::root());
    let scratch = Scratch::new();
    let dir = |name: &str| {
        let path = scratch.path().join(name);
        fs::create_dir(&path).unwrap();
        path.display().to_string()
    };
    let (lower, upper, work, merged) = (dir("lower"), dir("upper"), dir("work"), dir("merged"));
    fs::write(Path::new(&lower).join("file"), "old").unwrap();
    let options = format!("lowerdir={lower},upperdir={upper},workdir={work}");
    let none = nix::mount::MsFlags::empty();
    nix::mount::mount(Some("x"), merged.as_str(), Some("overlay"), none, Some(options.as_str()))
        .unwrap();
    fs::write(Path::new(&merged).join("file"), "new").unwrap();
    nix::mount::umount(merged.as_str()).unwrap();
    assert_eq!(fs::read_to_string(Path::new(&upper).join("file")).unwrap(), "new");
    assert_eq!(fs::read_to_string(Path::new(&lower).join("file")).unwrap(), "old");
}

#[test]
fn the_root_can_be_written_to() {
    require!(need::virtual_machine());
    let path = "/etc/flotilla-was-here";
    fs::write(path, "x").unwrap();
    assert_eq!(fs::read_to_string(path).unwrap(), "x");
    fs::remove_file(path).unwrap();
}

#[test]
fn process_substitution_works() {
    let script = "read line < <(echo yes); echo $line";
    let output = Command::new("bash").args(["-c", script]).output().unwrap();
    assert_eq!(output.stdout, b"yes\n");
}

#[test]
fn a_module_that_was_not_loaded_comes_when_it_is_needed() {
    require!(need::virtual_machine());
    assert!(!fs::read_to_string("/proc/modules").unwrap().contains("dummy "));
    let status = Command::new("modprobe").arg("dummy").status().unwrap();
    assert!(status.success());
    assert!(fs::read_to_string("/proc/modules").unwrap().contains("dummy "));
}

#[test]
fn the_loopback_is_up() {
    require!(need::root());
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
}
