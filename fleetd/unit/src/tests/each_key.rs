//! Key by key: what a value becomes, and which values are refused.

use super::super::container::*;
use super::*;
use std::time::Duration;

fn unit(section: &str, lines: &str) -> ContainerUnit {
    let text = format!("[Container]\nImage=a\n[{section}]\n{lines}\n");
    match load(&name("web.container"), &text, &BTreeMap::new(), &host()) {
        Ok(loaded) => loaded.unit,
        Err(faults) => panic!("{lines}: {}", faults[0]),
    }
}

fn refused(section: &str, line: &str) -> String {
    let text = format!("[Container]\nImage=a\n[{section}]\n{line}\n");
    match load(&name("web.container"), &text, &BTreeMap::new(), &host()) {
        Ok(_) => panic!("{line} was taken"),
        Err(faults) => faults[0].to_string(),
    }
}

const fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

#[test]
fn defaults_are_those_that_the_reference_names() {
    let unit = unit("Container", "");
    let service = unit.service;
    assert_eq!(unit.description, "web.container");
    let bridge = NetworkRef::Name("bridge".to_owned());
    assert_eq!(unit.network, Network::Bridge(vec![Attachment::new(bridge)]));
    assert_eq!(unit.resolver, Resolver::default());
    assert_eq!((unit.hosts, unit.hostname, unit.labels.len()), (vec![], None, 0));
    assert_eq!((unit.read_only, unit.health, unit.user), (false, None, None));
    assert_eq!((service.kind, service.restart), (ServiceType::Simple, Restart::No));
    assert_eq!(service.restart_sec, Duration::from_millis(100));
    assert_eq!(service.timeout_start, Some(seconds(90)));
    assert_eq!(service.timeout_stop, Some(seconds(10)));
    assert_eq!((service.start_limit_interval, service.start_limit_burst), (seconds(10), 5));
    assert_eq!(unit.limits, Limits::default());
}

#[test]
fn the_command_line_is_read() {
    let got = unit("Container", "Entrypoint=[\"/bin/a\", \"b c\"]\nExec=x \"y z\" %p");
    assert_eq!(got.entrypoint, Some(vec!["/bin/a".to_owned(), "b c".to_owned()]));
    assert_eq!(got.exec, ["x", "y z", "web"]);
    assert_eq!(unit("Container", "Entrypoint=/a b").entrypoint.unwrap(), ["/a", "b"]);
    assert_eq!(unit("Container", "Exec=a\nExec=").exec, [""; 0]);
    let faults = refused("Container", "Exec='a");
    assert_eq!(faults, "web.container:4: Exec='a: the quote ' is not closed");
    refused("Container", "Entrypoint=[1]");
    refused("Container", "Exec=%z");
}

#[test]
fn the_environment_keeps_its_order() {
    let got = unit("Container", "Environment=A=1 \"B=x y\"\nEnvironment=discovery.type=single A=2");
    let pairs: Vec<_> = got.environment.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
    assert_eq!(pairs, [("A", "1"), ("B", "x y"), ("discovery.type", "single"), ("A", "2")]);
    for bad in ["Environment=A", "Environment==x", "Environment='A B=1'"] {
        refused("Container", bad);
    }
    let got = unit("Container", "EnvironmentFile=/etc/a\nEnvironmentFile=-/etc/%p");
    assert_eq!(
        got.environment_files,
        [
            EnvironmentFile { path: "/etc/a".into(), optional: false },
            EnvironmentFile { path: "/etc/web".into(), optional: true },
        ]
    );
    refused("Container", "EnvironmentFile=a.env");
}

#[test]
fn what_a_program_gets_to_read_is_read() {
    let got = unit(
        "Service",
        "SetCredential=db:a\\nb: %%\nLoadCredential=db\nLoadCredential=key:web-%p\n\
         LoadCredential=ca:/etc/ca.pem",
    );
    let credential = |id: &str, source| Credential { id: id.to_owned(), source };
    assert_eq!(
        got.credentials,
        [
            credential("db", Source::Secret("db".to_owned())),
            credential("key", Source::Secret("web-web".to_owned())),
            credential("ca", Source::File("/etc/ca.pem".into())),
            credential("db", Source::Text("a\nb: %%".to_owned())),
        ]
    );
    for (bad, cause) in [
        ("LoadCredential=a/b", "no name of a file"),
        ("LoadCredential=a:../b", "the secret \"../b\": a name takes"),
        ("LoadCredential=a:/etc/../b", "has a .. in it"),
        ("LoadCredential=a:b-%H", "%H is of the host, and none is chosen yet"),
        ("LoadCredential=a:b\nLoadCredential=a:c", "two of them are called a"),
        ("SetCredential=a", "it takes ID:VALUE"),
        ("SetCredential=a:\\x0", "the escape \\x takes 2 digits"),
    ] {
        let told = refused("Service", bad);
        assert!(told.contains(cause), "{bad}: {told}");
    }
    let got =
        unit("Service", "LoadCredential=a\nLoadCredential=\nSetCredential=b:x\nSetCredential=");
    assert_eq!(got.credentials, []);
    assert_eq!(
        unit("Container", "Exec=cat %d/x").exec,
        ["cat", "/run/credentials/web.container/x"]
    );
}

#[test]
fn secrets_are_files_as_podman_has_them() {
    let got =
        unit("Container", "Secret=db\nSecret=key,type=mount,target=k.pem,uid=7,gid=8,mode=0400");
    let file = |secret: &str, target: &str, (uid, gid, mode)| SecretFile {
        secret: secret.to_owned(),
        target: target.to_owned(),
        uid,
        gid,
        mode,
    };
    assert_eq!(got.secrets, [file("db", "db", (0, 0, 0o444)), file("key", "k.pem", (7, 8, 0o400))]);
    for (bad, cause) in [
        ("Secret=db,type=env", "an environment is copied to every child"),
        ("Secret=db,target=/etc/x", "a path is not there yet"),
        ("Secret=db,mode=9", "it takes 0 to 0777"),
        ("Secret=db,uid=-1", "is no number of an id"),
        ("Secret=db,color=red", "is none of type, target, uid, gid, mode"),
        ("Secret=.db", "a name takes"),
        ("Secret=a\nSecret=b,target=a", "two of them are called a"),
    ] {
        let told = refused("Container", bad);
        assert!(told.contains(cause), "{bad}: {told}");
    }
}

#[test]
fn the_secrets_of_a_file_are_known_before_it_has_a_host() {
    let text = "[Container]\nImage=a\nSecret=tls\n[Service]\nLoadCredential=x:key-%i\n\
                LoadCredential=ca:/etc/ca.pem\nSetCredential=y:z\n";
    let named = |unit: &str| secrets(&name(unit), text, &BTreeMap::new());
    assert_eq!(named("web@7.container"), ["key-7".to_owned(), "tls".to_owned()].into());
    assert_eq!(named("web@.container"), [].into());
}

#[test]
fn users_and_paths_are_read() {
    assert_eq!(unit("Container", "User=app\nGroup=www").user, Some("app:www".to_owned()));
    assert_eq!(unit("Container", "User=0:0").user, Some("0:0".to_owned()));
    assert_eq!(unit("Container", "WorkingDir=/srv").working_dir, Some("/srv".into()));
    assert!(unit("Container", "ReadOnly=on").read_only);
    for bad in ["Group=www", "User=a:b\nGroup=c", "User=a b", "WorkingDir=srv"] {
        refused("Container", bad);
    }
}

#[test]
fn health_checks_follow_podman() {
    let command = |line: &str| unit("Container", line).health.unwrap().command;
    assert_eq!(
        command("HealthCmd=curl -f localhost || exit 1"),
        ["/bin/sh", "-c", "curl -f localhost || exit 1"]
    );
    assert_eq!(command("HealthCmd=[\"/a\", \"b c\"]"), ["/a", "b c"]);
    assert_eq!(command("HealthCmd=[\"CMD\", \"/a\"]"), ["/a"]);
    assert_eq!(command("HealthCmd=CMD /a 'b c'"), ["/a", "b c"]);
    assert_eq!(command("HealthCmd=CMD-SHELL a b"), ["/bin/sh", "-c", "a b"]);
    assert_eq!(unit("Container", "HealthCmd=none").health, None);
    let health = unit(
        "Container",
        "HealthCmd=a\nHealthInterval=5\nHealthTimeout=1s\nHealthRetries=2\nHealthStartPeriod=1min",
    )
    .health
    .unwrap();
    assert_eq!((health.interval, health.timeout), (seconds(5), seconds(1)));
    assert_eq!((health.retries, health.start_period), (2, seconds(60)));
    for bad in ["HealthCmd=[]", "HealthInterval=0", "HealthTimeout=infinity", "HealthRetries=0"] {
        refused("Container", bad);
    }
}

#[test]
fn restarts_and_times_are_read() {
    let service = unit(
        "Service",
        "Type=notify\nRestart=on-abnormal\nRestartSec=2\nRestartSteps=3\nRestartMaxDelaySec=1min\n\
         TimeoutStartSec=infinity\nTimeoutStopSec=0\nKillSignal=SIGINT\nRemainAfterExit=yes",
    )
    .service;
    assert_eq!((service.kind, service.restart), (ServiceType::Notify, Restart::OnAbnormal));
    assert_eq!((service.restart_sec, service.restart_steps), (seconds(2), 3));
    assert_eq!(service.restart_max_delay, Some(seconds(60)));
    assert_eq!((service.timeout_start, service.timeout_stop), (None, None));
    assert_eq!((service.stop_signal, service.remain_after_exit), (Some(2), true));
    let both = unit("Service", "TimeoutSec=7").service;
    assert_eq!((both.timeout_start, both.timeout_stop), (Some(seconds(7)), Some(seconds(7))));
    assert_eq!(unit("Service", "Type=oneshot").service.timeout_start, None);
    assert_eq!(
        unit("Unit", "StartLimitBurst=2\nStartLimitIntervalSec=0").service.start_limit_burst,
        2
    );
    assert_eq!(unit("Container", "Notify=true").service.kind, ServiceType::Notify);
    for bad in [
        "Restart=sometimes",
        "Type=forking",
        "Type=oneshot\nRestart=always",
        "RestartSec=x",
        "KillSignal=SIGFOO",
        "RestartSteps=-1",
    ] {
        refused("Service", bad);
    }
}

#[test]
fn limits_are_read() {
    let limits = unit("Service", "MemoryMax=25%\nCPUQuota=150%\nTasksMax=10%").limits;
    assert_eq!(limits.memory_max, Some(2 << 30));
    assert_eq!((limits.cpu_quota, limits.tasks_max), (Some(1.5), Some(3276)));
    let none = unit("Service", "MemoryMax=1G\nMemoryMax=infinity\nTasksMax=infinity").limits;
    assert_eq!(none, Limits::default());
    let quadlet = unit("Container", "Memory=64m\nPidsLimit=5").limits;
    assert_eq!((quadlet.memory_max, quadlet.tasks_max), (Some(64 << 20), Some(5)));
    for bad in ["MemoryMax=0", "MemoryMax=101%", "TasksMax=0", "CPUQuota=0%", "CPUQuota=2"] {
        refused("Service", bad);
    }
}

#[test]
fn ports_and_volumes_meet_no_other() {
    for bad in [
        "PublishPort=80:1\nPublishPort=80:2",
        "Volume=/a:/x\nVolume=/b:/x",
        "Volume=data:/x",
        "PublishPort=80:1-2",
    ] {
        refused("Container", bad);
    }
    assert_eq!(unit("Container", "PublishPort=80:1\nPublishPort=80:1/udp").ports.len(), 2);
    // What was said before an empty assignment does not count.
    assert_eq!(
        unit("Container", "PublishPort=80:1\nPublishPort=\nPublishPort=80:2").ports.len(),
        1
    );
}

#[test]
fn a_key_without_its_partner_is_told() {
    let text = "[Container]\nImage=a\nNetwork=host\nPublishPort=80:80\nHealthRetries=1\n";
    let loaded = load(&name("web.container"), text, &BTreeMap::new(), &host()).unwrap();
    assert_eq!(
        warnings(&loaded.warnings),
        [
            "web.container:4: PublishPort= has no effect without a network of its own",
            "web.container:5: HealthRetries= has no effect without HealthCmd=",
        ]
    );
    let text = "[Unit]\nDescription=x\n";
    assert_eq!(faults("web.container", text), ["web.container: [Container] needs Image="]);
}

#[test]
fn no_key_stands_twice_in_the_tables() {
    let tables: [Vec<_>; 3] = [
        keys::TABLE.all().collect(),
        network::keys::TABLE.all().collect(),
        socket::keys::TABLE.all().collect(),
    ];
    for mut all in tables {
        all.sort_unstable();
        let count = all.len();
        all.dedup();
        assert_eq!(count, all.len());
    }
}
