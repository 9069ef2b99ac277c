//! The document as a whole.

use super::*;
use crate::core::unit::container::{
    ContainerUnit, Limits, Network, Restart, Service, ServiceType, Volume,
};
use std::path::{Path, PathBuf};
use std::time::Duration;

fn unit() -> ContainerUnit {
    let volume = |target: &str, read_only| Volume {
        source: PathBuf::from("/srv"),
        target: PathBuf::from(target),
        read_only,
    };
    ContainerUnit {
        name: "web@1.container".to_owned(),
        description: String::new(),
        image: "hello".to_owned(),
        entrypoint: None,
        exec: vec![],
        environment: vec![],
        environment_files: vec![],
        ports: vec![],
        volumes: vec![volume("/data/deep/er", true), volume("/data", false)],
        user: None,
        working_dir: None,
        read_only: true,
        network: Network::Bridge("default".to_owned()),
        health: None,
        service: Service {
            kind: ServiceType::Simple,
            restart: Restart::No,
            restart_sec: Duration::ZERO,
            restart_steps: 0,
            restart_max_delay: None,
            timeout_start: None,
            timeout_stop: None,
            start_limit_interval: Duration::ZERO,
            start_limit_burst: 0,
            remain_after_exit: false,
            stop_signal: None,
        },
        limits: Limits { memory_max: Some(1 << 20), cpu_quota: Some(1.5), tasks_max: Some(0) },
    }
}

fn document(unit: &ContainerUnit, uid: u32) -> Value {
    config(&Input {
        unit,
        args: vec!["/bin/x".to_owned()],
        env: vec![],
        user: user::User { uid, ..user::User::default() },
        image_working_dir: Some("/srv"),
        files_dir: Path::new("/run/f"),
        notify_socket: None,
        cgroup: "/flotilla/web/payload",
        annotations: vec![],
        thermal: &[],
    })
}

fn destinations(document: &Value) -> Vec<&str> {
    let mounts = document["mounts"].as_array().unwrap();
    mounts.iter().map(|m| m["destination"].as_str().unwrap()).collect()
}

#[test]
fn limits_are_the_units() {
    let document = document(&unit(), 0);
    let resources = &document["linux"]["resources"];
    assert_eq!(resources["memory"]["limit"], 1 << 20);
    assert_eq!(resources["cpu"], json!({"quota": 150_000, "period": 100_000}));
    assert_eq!(resources["pids"]["limit"], 0);
}

#[test]
fn a_unit_without_limits_asks_for_no_controller() {
    let mut unit = unit();
    unit.limits = Limits::default();
    let document = document(&unit, 0);
    let keys: Vec<_> = document["linux"]["resources"].as_object().unwrap().keys().collect();
    assert_eq!(keys, ["devices"]);
}

#[test]
fn another_user_than_root_holds_no_capability() {
    let held = |uid| document(&unit(), uid)["process"]["capabilities"]["effective"].clone();
    assert_eq!(held(1000), json!([]));
    assert!(held(0).as_array().unwrap().iter().all(|c| c != "CAP_SYS_ADMIN"));
    assert!(document(&unit(), 0)["process"]["capabilities"]["inheritable"].is_null());
}

#[test]
fn the_host_network_has_no_namespace() {
    let mut unit = unit();
    let has = |unit: &ContainerUnit| {
        let list = document(unit, 0)["linux"]["namespaces"].clone();
        list.as_array().unwrap().contains(&json!({"type": "network"}))
    };
    assert!(has(&unit));
    unit.network = Network::Host;
    assert!(!has(&unit));
}

#[test]
fn a_volume_comes_after_the_one_it_lies_in() {
    let document = document(&unit(), 0);
    let list = destinations(&document);
    let place = |wanted: &str| list.iter().position(|d| *d == wanted).unwrap();
    assert!(place("/data") < place("/data/deep/er"));
    assert!(place("/run") < place("/data"));
}

#[test]
fn a_unit_with_its_own_directory_starts_there() {
    let mut unit = unit();
    assert_eq!(document(&unit, 0)["process"]["cwd"], "/srv");
    unit.working_dir = Some(PathBuf::from("/opt"));
    assert_eq!(document(&unit, 0)["process"]["cwd"], "/opt");
}

#[test]
fn words_of_the_unit_replace_those_of_the_image() {
    let words = |list: &[&str]| list.iter().map(|w| (*w).to_owned()).collect::<Vec<_>>();
    let (entrypoint, cmd) = (words(&["/init"]), words(&["serve"]));
    let mut unit = unit();
    let command = |unit: &ContainerUnit| process::command(unit, &entrypoint, &cmd).unwrap();
    assert_eq!(command(&unit), ["/init", "serve"]);
    unit.exec = words(&["check"]);
    assert_eq!(command(&unit), ["/init", "check"]);
    unit.entrypoint = Some(words(&["/bin/sh"]));
    assert_eq!(command(&unit), ["/bin/sh", "check"]);
    unit.exec = vec![];
    assert_eq!(command(&unit), ["/bin/sh"]);
    unit.entrypoint = None;
    assert!(process::command(&unit, &[], &[]).unwrap_err().contains("set Exec="));
}
