use super::*;
use crate::core::unit::container::{Limits, Resolver, Restart, Service, Volume};
use std::time::Duration;

fn unit() -> ContainerUnit {
    ContainerUnit {
        name: "hello.container".to_owned(),
        description: String::new(),
        image: "hello".to_owned(),
        entrypoint: None,
        exec: Vec::new(),
        environment: Vec::new(),
        environment_files: Vec::new(),
        ports: Vec::new(),
        volumes: Vec::new(),
        credentials: Vec::new(),
        secrets: Vec::new(),
        user: None,
        working_dir: None,
        read_only: false,
        network: Network::None,
        resolver: Resolver::default(),
        hosts: Vec::new(),
        hostname: None,
        labels: Default::default(),
        health: None,
        service: Service {
            kind: ServiceType::Simple,
            restart: Restart::No,
            restart_sec: Duration::from_millis(100),
            restart_steps: 0,
            restart_max_delay: None,
            timeout_start: None,
            timeout_stop: None,
            start_limit_interval: Duration::ZERO,
            start_limit_burst: 0,
            remain_after_exit: false,
            stop_signal: None,
        },
        limits: Limits::default(),
    }
}

fn image() -> ImageConfig {
    ImageConfig {
        entrypoint: vec!["/entry".to_owned()],
        cmd: vec!["default".to_owned()],
        env: vec!["PATH=/image".to_owned(), "A=image".to_owned()],
        ..ImageConfig::default()
    }
}

fn root() -> User {
    User { uid: 0, gid: 0, groups: vec![0], home: "/root".to_owned() }
}

fn made(unit: &ContainerUnit, image: &ImageConfig, user: &User) -> Result<Value, String> {
    let files = ["/etc/hosts", "/etc/hostname", "/etc/resolv.conf"];
    config(&Input {
        unit,
        image,
        user,
        run: "hello-1.1",
        environment: &[("B".to_owned(), "file".to_owned()), ("A".to_owned(), "file".to_owned())],
        files: &files,
        cgroup: "/flotilla/hello-1.1/payload",
        controllers: &[],
        cpus: 1,
    })
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|w| (*w).to_owned()).collect()
}

fn has(list: &Value, word: &str) -> bool {
    list.as_array().unwrap().iter().any(|v| v == word)
}

#[test]
fn entry_point_and_command_combine_as_with_every_engine() {
    type Words = &'static [&'static str];
    let table: [(Option<Words>, Words, Words); 4] = [
        (None, &[], &["/entry", "default"]),
        (None, &["own"], &["/entry", "own"]),
        (Some(&["/mine"]), &[], &["/mine"]),
        (Some(&["/mine"]), &["own"], &["/mine", "own"]),
    ];
    for (entrypoint, exec, expected) in table {
        let unit = ContainerUnit { entrypoint: entrypoint.map(words), exec: words(exec), ..unit() };
        assert_eq!(process::arguments(&unit, &image(), &[]).unwrap(), expected);
    }
    let cleared = ContainerUnit { entrypoint: Some(Vec::new()), ..unit() };
    assert!(process::arguments(&cleared, &image(), &[]).unwrap_err().contains("Exec="));
}

#[test]
fn variables_in_the_units_own_words_are_those_of_its_program() {
    let mut unit = unit();
    unit.exec = words(&["sh", "-c", "echo $A", "${A}/x", "$B", "$$A"]);
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    unit.environment = vec![pair("A", "one"), pair("B", "two three")];
    let image = ImageConfig { entrypoint: words(&["/entry", "${A}"]), ..image() };
    let config = made(&unit, &image, &root()).unwrap();
    let expected = ["/entry", "${A}", "sh", "-c", "echo $A", "one/x", "two", "three", "$A"];
    assert_eq!(config["process"]["args"], json!(expected));
}

#[test]
fn the_environment_is_ours_then_the_image_s_then_the_files_then_the_unit_s() {
    let mut unit = unit();
    unit.environment = vec![("B".to_owned(), "unit".to_owned())];
    let config = made(&unit, &image(), &root()).unwrap();
    let env = &config["process"]["env"];
    for pair in ["PATH=/image", "A=file", "B=unit", "HOSTNAME=hello", "HOME=/root"] {
        assert!(has(env, pair), "{pair} is not in {env}");
    }
    assert_eq!(
        env.as_array().unwrap().iter().filter(|v| v.as_str().unwrap().starts_with("A=")).count(),
        1
    );
}

#[test]
fn a_user_other_than_root_has_no_capability_at_hand() {
    let user = User { uid: 5, gid: 5, groups: vec![5], home: "/".to_owned() };
    let config = made(&unit(), &image(), &user).unwrap();
    let sets = &config["process"]["capabilities"];
    for set in ["effective", "permitted", "inheritable", "ambient"] {
        assert_eq!(sets[set], json!([]), "{set}");
    }
    assert!(has(&sets["bounding"], "CAP_CHOWN"));
}

#[test]
fn a_container_on_the_host_s_network_cannot_read_its_packets() {
    let mut unit = unit();
    unit.network = Network::Host;
    let config = made(&unit, &image(), &root()).unwrap();
    assert!(!has(&config["process"]["capabilities"]["bounding"], "CAP_NET_RAW"));
    assert!(
        !config["linux"]["namespaces"].as_array().unwrap().contains(&json!({ "type": "network" }))
    );
}

#[test]
fn a_volume_over_one_of_our_files_wins() {
    let mut unit = unit();
    unit.volumes =
        vec![Volume { source: "/h".into(), target: "/etc/hosts".into(), read_only: true }];
    let config = made(&unit, &image(), &root()).unwrap();
    let mounts = config["mounts"].as_array().unwrap();
    let hosts: Vec<_> = mounts.iter().filter(|m| m["destination"] == "/etc/hosts").collect();
    assert_eq!(hosts.len(), 1);
    assert!(has(&hosts[0]["options"], "rro"));
}

#[test]
fn a_read_only_root_has_places_to_write() {
    let mut unit = unit();
    unit.read_only = true;
    let config = made(&unit, &image(), &root()).unwrap();
    assert_eq!(config["root"]["readonly"], true);
    assert!(config["mounts"].as_array().unwrap().iter().any(|m| m["destination"] == "/tmp"));
}

#[test]
fn a_working_directory_is_absolute() {
    let image = ImageConfig { working_dir: Some("srv".to_owned()), ..image() };
    assert!(made(&unit(), &image, &root()).unwrap_err().contains("not absolute"));
}
