//! The machine offers what the other tests count on.

use std::fs;

use crate::systemctl;
use flotilla_tests::{need, require};

#[test]
fn systemd_is_the_first_process() {
    require!(need::systemd());
    assert_eq!(fs::read_to_string("/proc/1/comm").unwrap(), "systemd\n");
}

#[test]
fn a_service_is_restarted_with_another_process() {
    require!(need::systemd());
    let unit = "flotilla-restart-test.service";
    let path = format!("/run/systemd/system/{unit}");
    fs::create_dir_all("/run/systemd/system").unwrap();
    fs::write(&path, "[Service]\nExecStart=/bin/sleep infinity\nSlice=flotilla.slice\n").unwrap();
    systemctl(&["daemon-reload"]);
    systemctl(&["start", unit]);
    let first = systemctl(&["show", "--property=MainPID", "--value", unit]);
    systemctl(&["restart", unit]);
    let second = systemctl(&["show", "--property=MainPID", "--value", unit]);
    assert_ne!(first, second);
    assert_ne!(second, "0\n");
    systemctl(&["stop", unit, "flotilla.slice"]);
    fs::remove_file(path).unwrap();
    systemctl(&["daemon-reload"]);
}
