//! What the scheduler gets of a unit.

use super::fleet_keys::ID;
use super::*;
use crate::asks::{HostPort, Protocol, Resources, Unit};

fn asks(lines: &str) -> Unit {
    let text = format!("[Container]\nImage=registry.example/a\n{lines}\n");
    match placement(&name("web.container"), &text, &BTreeMap::new()) {
        Ok(asks) => asks,
        Err(faults) => panic!("{lines}: {}", faults[0]),
    }
}

fn requests(lines: &str) -> Resources {
    asks(&format!("[Service]\n{lines}")).requests
}

#[test]
fn a_unit_without_rules_and_limits_asks_for_its_ports_alone() {
    let got = asks("PublishPort=80-81:80-81\nPublishPort=[::1]:53:53/udp\nVolume=/a:/b");
    let port = |protocol, address: Option<&str>, port| HostPort {
        protocol,
        address: address.map(|address| address.parse().unwrap()),
        port,
    };
    let ports = vec![
        port(Protocol::Tcp, None, 80),
        port(Protocol::Tcp, None, 81),
        port(Protocol::Udp, Some("::1"), 53),
    ];
    assert_eq!(got, Unit { ports, ..Unit::default() });
    assert_eq!(asks(""), Unit::default());
}

#[test]
fn an_image_without_a_registry_is_only_where_somebody_has_put_it() {
    for (image, expected) in [
        ("hello", Some("hello:latest")),
        ("hello:1.2", Some("hello:1.2")),
        ("library/hello", Some("hello:latest")),
        ("someone/hello:1", Some("someone/hello:1")),
        ("ghcr.io/someone/hello", None),
        ("localhost/hello", None),
        ("10.0.0.1:80/hello:1", None),
        ("localhost:5000/hello:1", None),
        ("hello@sha256:00", None),
        ("sha256:0011", None),
    ] {
        assert_eq!(asks(&format!("Image={image}")).image.as_deref(), expected, "{image}");
    }
}

#[test]
fn a_unit_without_a_network_of_its_own_takes_no_port() {
    for network in ["host", "none"] {
        assert_eq!(asks(&format!("PublishPort=80:80\nNetwork={network}")), Unit::default());
    }
    assert_eq!(asks("PublishPort=80:80\nNetwork=bridge").ports.len(), 1);
}

#[test]
fn limits_are_what_it_asks_for() {
    assert_eq!(
        requests("MemoryMax=512M\nCPUQuota=150%\nTasksMax=100"),
        Resources { cpu: 1500, memory: 512 << 20, tasks: 100 }
    );
    assert_eq!(
        asks("Memory=64m\nPidsLimit=5").requests,
        Resources { cpu: 0, memory: 64 << 20, tasks: 5 }
    );
    for (quota, cpu) in
        [("0.01%", 1), ("0.14%", 1), ("110%", 1100), ("29%", 290), ("1000000%", 10_000_000)]
    {
        assert_eq!(requests(&format!("CPUQuota={quota}")).cpu, cpu, "{quota}");
    }
}

#[test]
fn a_part_of_the_hosts_asks_for_nothing_and_is_checked() {
    assert_eq!(requests("MemoryMax=25%\nTasksMax=10%"), Resources::default());
    assert_eq!(requests("MemoryMax=1G\nMemoryMax=100%"), Resources::default());
    assert_eq!(requests("MemoryMax=infinity\nTasksMax=infinity"), Resources::default());
    for bad in ["MemoryMax=0%", "MemoryMax=101%", "TasksMax=0%", "TasksMax=x"] {
        let text = format!("[Container]\nImage=a\n[Service]\n{bad}\n");
        assert!(placement(&name("web.container"), &text, &BTreeMap::new()).is_err(), "{bad}");
    }
}

#[test]
fn what_is_of_the_host_is_passed_over_where_it_does_not_matter() {
    let lines =
        "Environment=HOST=%H\nExec=/a %m %b\nUser=%l\nGroup=a\nHealthCmd=/a %v\nHealthRetries=1";
    assert_eq!(asks(lines), Unit::default());
    let text = "[Container]\nImage=%a\nVolume=/srv/%H:/a\nVolume=/srv/%l:/a\n";
    assert_eq!(placement(&name("web.container"), text, &BTreeMap::new()), Ok(Unit::default()));
    assert_eq!(verify(&name("web.container"), text, &BTreeMap::new()), Ok(Vec::new()));
}

#[test]
fn drop_ins_and_the_instance_are_in_it() {
    let text =
        "[Container]\nImage=a\nPublishPort=808%i:80\n[X-Fleet]\nReplicas=2\nMachineMetadata=a=b\n";
    let over = drop_ins(&[(
        "10.conf",
        "[X-Fleet]\nMachineMetadata=\nMachineMetadata=n=%i\n[Service]\nTasksMax=7\n",
    )]);
    let got = placement(&name("web@3.container"), text, &over).unwrap();
    assert_eq!((got.ports[0].port, got.requests.tasks), (8083, 7));
    assert_eq!(got.machine_metadata, [("n".to_owned(), "3".to_owned())]);
}

#[test]
fn faults_are_those_of_the_unit() {
    let none = BTreeMap::new();
    let bad = "[Container]\nImage=a\nReadOnly=x\n";
    let faults = placement(&name("web.container"), bad, &none).unwrap_err();
    assert_eq!(faults[0].to_string(), "web.container:3: ReadOnly=x: it takes yes or no");
    let faults = placement(&name("web@.container"), "[Container]\nImage=a\n", &none).unwrap_err();
    assert_eq!(
        faults[0].to_string(),
        "web@.container: a template has no instance: name web@1.container"
    );
}

#[test]
fn ports_of_one_unit_that_meet_are_refused() {
    let twice = |ports: &[&str]| {
        let lines: Vec<String> = ports.iter().map(|port| format!("PublishPort={port}")).collect();
        let text = format!("[Container]\nImage=a\n{}\n", lines.join("\n"));
        placement(&name("web.container"), &text, &BTreeMap::new()).err().map(|f| f[0].to_string())
    };
    for ports in [
        ["80:1", "127.0.0.1:80:2"],
        ["127.0.0.1:80:2", "80:1"],
        ["0.0.0.0:80:1", "[::1]:80:2"],
        ["127.0.0.1:80:1", "127.0.0.1:80:2"],
        ["[::]:80:1", "0.0.0.0:80:1"],
        ["79-80:1-2", "80:1"],
    ] {
        assert!(twice(&ports).is_some(), "{ports:?}");
    }
    assert_eq!(
        twice(&["80:1", "127.0.0.1:80:2"]).unwrap(),
        "web.container: the host's port of 127.0.0.1:80:2/tcp is published twice"
            .replace(".container:", ".container:4:")
    );
    for ports in [["80:1", "127.0.0.1:80:2/udp"], ["127.0.0.1:80:1", "127.0.0.2:80:1"]] {
        assert_eq!(twice(&ports), None);
    }
    assert_eq!(twice(&["1-65535:1-65535", "1-65535:1-65535/udp"]), None);
}

/// Lines that are near to what a file has.
fn lines() -> impl Strategy<Value = String> {
    let known: Vec<_> = keys::TABLE.all().collect();
    let old = keys::ALIASES.iter().map(|alias| (alias.section, alias.old));
    let known: Vec<_> =
        known.into_iter().filter(|(section, _)| *section == keys::FLEET).chain(old).collect();
    let value = prop_oneof![
        ".{0,24}",
        "[a-z@.*?%:= \\[\\]\\\\\"'-]{0,16}",
        "(yes|a=b(:-?[0-9]{1,4})?|[a-z]@[*1]?(.container)?|[0-9]{1,12}|%[a-zA-Z%])( a=c)?",
        Just(ID.to_owned()),
    ];
    let line = (proptest::sample::select(known), value)
        .prop_map(|((section, key), value)| format!("[{section}]\n{key}={value}\n"));
    proptest::collection::vec(line, 0..8).prop_map(|lines| lines.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn no_text_makes_it_panic(lines in lines(), rest in "(\\[(Unit|Container|X-Fleet)\\]\n)?.{0,60}") {
        let text = format!("[Container]\nImage=a\n{lines}{rest}");
        let none = BTreeMap::new();
        for unit in ["web.container", "web@a-b.container", "a\\x2db@1.container", "web@.container", "a.volume"] {
            let asks = placement(&name(unit), &text, &none);
            let _ = replicas(&name(unit), &text, &none);
            let warned = verify(&name(unit), &text, &none);
            prop_assert!(asks.is_err() || warned.is_ok());
            // What has a place can be started there.
            if asks.is_ok() {
                prop_assert!(load(&name(unit), &text, &none, &host()).is_ok());
            }
        }
    }

    #[test]
    fn what_is_said_neither_in_rules_nor_in_limits_is_not_asked_for(
        text in "((Exec|Environment|Volume|User|WorkingDir)=[a-z/=:%H]{0,12}\n){0,5}"
    ) {
        let text = format!("[Container]\nImage=registry.example/a\n{text}");
        if let Ok(asks) = placement(&name("web.container"), &text, &BTreeMap::new()) {
            prop_assert_eq!(asks, Unit::default());
        }
    }
}

#[test]
fn what_would_lose_its_work_or_is_to_run_only_once_is_not_moved_for_a_gain() {
    for (more, stays) in [
        ("[Service]\nRestart=always\n", false),
        ("[Service]\nType=oneshot\n", true),
        ("[X-Fleet]\nSingleton=strict\n", true),
        ("[X-Fleet]\nSingleton=strict\nSingleton=available\n", false),
        ("[X-Fleet]\nSingleton=strict\nSingleton=\n", false),
    ] {
        assert_eq!(asks(more).stays, stays, "{more}");
    }
}
