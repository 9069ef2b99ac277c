//! Starts and stops.

use crate::host::{HELLO, Host, needs, on_host};
use fleetd_api::{Active, DesiredState, EventKind};
use flotilla_tests::{need, require};

#[test]
fn a_unit_starts_answers_on_its_port_and_stops_without_a_trace() {
    require!(needs());
    let host = Host::new();
    let client = host.client();
    client
        .launch("hello.container", &HELLO.replace("[Service]", "Environment=HELLO=moin\n[Service]"))
        .unwrap();
    let unit = client.wait_active("hello.container");
    assert_eq!(unit.state.sub, "running");
    assert!(unit.state.pid.is_some() && unit.state.address.is_some());
    let answer = host.fetch(8080).unwrap();
    assert!(answer.starts_with("moin from hello, answer 1"), "{answer}");
    client.wait_log("hello.container", "GET / ");
    for step in ["image", "network", "root", "create"] {
        assert!(unit.state.steps.iter().any(|s| s.step == step), "{step}: {:?}", unit.state.steps);
    }
    client.stop("hello.container").unwrap();
    let unit = client.wait("hello.container", "stopped", |u| u.state.active == Active::Inactive);
    assert_eq!(unit.state.current, DesiredState::Loaded);
    assert!(host.fetch(8080).is_err());
    host.assert_clear();
}

#[test]
fn a_container_sees_its_own_files_user_and_environment() {
    require!(needs());
    require!(need::program("busybox"));
    let host = Host::new();
    let client = host.client();
    let volume = host.scratch.path().join("volume");
    std::fs::create_dir(&volume).unwrap();
    std::fs::write(volume.join("note"), "from the host").unwrap();
    let file = host.scratch.path().join("variables");
    std::fs::write(&file, "A=file\nB=file\n").unwrap();
    let text = format!(
        "[Container]\nImage=hello\nExec=/bin/hello-server\nUser=web\nEnvironment=B=unit\n\
         EnvironmentFile={}\nVolume={}:/data:ro\n",
        file.display(),
        volume.display()
    );
    client.launch("look@1.container", &text).unwrap();
    let unit = client.wait_active("look@1.container");
    let look = |line: &str| {
        let mut command = vec!["/bin/busybox"];
        command.extend(line.split(' '));
        let (code, out, err) = client.exec("look@1.container", &command);
        (code, out.trim_end().to_owned() + err.trim_end())
    };
    assert_eq!(look("cat /data/note").1, "from the host");
    assert_ne!(look("touch /data/new").0, 0);
    assert_eq!(look("id -u").1, "1000");
    assert_eq!(look("hostname").1, "look-1");
    assert_eq!(look("cat /etc/hostname").1, "look-1");
    assert!(look("cat /etc/hosts").1.contains(unit.state.address.as_deref().unwrap()));
    assert!(look("cat /etc/resolv.conf").1.contains("nameserver 10.77.0.1"));
    let env = look("env").1;
    for pair in ["A=file", "B=unit", "HOME=/srv", "FLOTILLA_UNIT=look@1.container"] {
        assert!(env.lines().any(|line| line == pair), "{pair} is not in {env}");
    }
    assert!(!env.contains("FLOTILLA_PROGRAMS"), "the host's environment is inside: {env}");
    assert_eq!(look("cat /proc/1/comm").1, "hello-server");
    assert_ne!(look("mount -t tmpfs none /mnt").0, 0);
}

#[test]
fn two_starts_at_once_make_one_run() {
    require!(needs());
    let host = Host::new();
    host.client().launch("hello.container", &on_host("")).unwrap();
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope
                .spawn(|| host.client().desire("hello.container", DesiredState::Launched).unwrap());
        }
    });
    let client = host.client();
    client.wait_active("hello.container");
    assert_eq!(Host::names(&host.run_dir().join("runs")).len(), 1);
    client.wait_log("hello.container", "listening");
    assert_eq!(client.log("hello.container"), ["listening on port 8080"]);
}

#[test]
fn a_restart_replaces_the_container_and_keeps_its_log() {
    require!(needs());
    let host = Host::new();
    let client = host.client();
    client.launch("hello.container", &on_host("")).unwrap();
    let before = client.wait_active("hello.container").state.pid;
    client.restart("hello.container").unwrap();
    client.wait("hello.container", "restarted", |unit| {
        unit.state.active == Active::Active && unit.state.pid != before
    });
    host.eventually("both runs are in the log", |host| {
        host.client().log("hello.container").len() == 2
    });
}

#[test]
fn a_replaced_file_takes_effect_with_the_next_restart() {
    require!(needs());
    let host = Host::new();
    let client = host.client();
    client.launch("hello.container", &on_host("Environment=HELLO=old\n")).unwrap();
    client.wait_active("hello.container");
    let new = on_host("Environment=HELLO=new\n");
    let file = fleetd_api::Submit {
        text: new,
        drop_ins: Default::default(),
        replace: true,
        desired: None,
    };
    client.submit("hello.container", &file).unwrap();
    let unit = client.unit("hello.container");
    assert!(unit.state.message.unwrap().contains("earlier file"));
    assert!(host.fetch(8080).unwrap().starts_with("old"));
    client.restart("hello.container").unwrap();
    host.eventually("the new file runs", |host| {
        host.fetch(8080).is_ok_and(|answer| answer.starts_with("new"))
    });
}

#[test]
fn a_destroyed_unit_is_stopped_and_forgotten() {
    require!(needs());
    let host = Host::new();
    let client = host.client();
    client.launch("hello.container", HELLO).unwrap();
    client.wait_active("hello.container");
    client.destroy("hello.container").unwrap();
    host.eventually("the unit has gone", |host| host.client().units().is_empty());
    host.assert_clear();
    host.eventually("its logs have gone", |host| {
        Host::names(&host.state_dir().join("logs")).is_empty()
    });
    assert_eq!(client.ask("GET", "/v1/units/hello.container", b"").unwrap().status, 404);
}

#[test]
fn a_notify_unit_is_active_when_its_program_says_so() {
    require!(needs());
    let host = Host::new();
    let client = host.client();
    let text = on_host("[Service]\nType=notify\n");
    client.launch("hello.container", &text).unwrap();
    client.wait_active("hello.container");
    client.wait_log("hello.container", "listening");
}

#[test]
fn a_notify_unit_that_stays_silent_fails_in_time() {
    require!(needs());
    require!(need::program("busybox"));
    let host = Host::new();
    let client = host.client();
    let text = "[Container]\nImage=hello\nExec=/bin/busybox sleep 1000\nNetwork=none\n\
                [Service]\nType=notify\nTimeoutStartSec=1s\nTimeoutStopSec=1s\n";
    client.launch("silent.container", text).unwrap();
    let unit = client.wait_failed("silent.container");
    assert!(unit.state.message.unwrap().contains("TimeoutStartSec="));
    host.assert_clear();
}

#[test]
fn a_oneshot_is_done_once_even_over_a_restart_of_fleetd() {
    require!(needs());
    require!(need::program("busybox"));
    let mut host = Host::new();
    let text = "[Container]\nImage=hello\nExec=/bin/busybox echo done\nNetwork=none\n\
                [Service]\nType=oneshot\nRemainAfterExit=yes\n";
    host.client().launch("job.container", text).unwrap();
    let unit = host.client().wait_active("job.container");
    assert_eq!(unit.state.sub, "exited");
    host.assert_clear();
    host.kill_fleetd();
    host.start_fleetd();
    assert_eq!(host.client().unit("job.container").state.sub, "exited");
    assert_eq!(host.client().log("job.container"), ["done"]);
    assert!(host.traces().is_empty());
}

#[test]
fn events_tell_the_steps_of_a_start() {
    require!(needs());
    let host = Host::new();
    let client = host.client();
    let index = client.launch("hello.container", &on_host("")).unwrap().index;
    client.wait_active("hello.container");
    let events = client.events(
        index,
        |event| matches!(&event.kind, EventKind::State { state } if state.active == Active::Active),
    );
    let steps: Vec<&str> = events
        .iter()
        .filter_map(|event| match &event.kind {
            EventKind::Done { step, .. } => Some(step.as_str()),
            _ => None,
        })
        .collect();
    assert_eq!(steps, ["image", "root", "create"]);
    assert!(events.windows(2).all(|pair| pair[0].index < pair[1].index));
}
