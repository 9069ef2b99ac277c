//! Secrets and credentials, as a program finds them, and where they are not found.

use crate::client::Client;
use crate::host::{Host, needs, on_host};
use data_encoding::BASE64;
use fleetd_api::{Active, Secret, SetSecret};
use flotilla_tests::{Scratch, need, require};
use std::path::Path;

const UNIT: &str = "look@1.container";

fn set(client: &Client, name: &str, value: &[u8]) {
    let body = serde_json::to_vec(&SetSecret { value: BASE64.encode(value) }).unwrap();
    let answer = client.ask("PUT", &format!("/v1/secrets/{name}"), &body).unwrap();
    assert!(matches!(answer.status, 200 | 201), "{}", answer.status);
}

fn look(client: &Client, line: &str) -> String {
    let mut command = vec!["/bin/busybox"];
    command.extend(line.split(' '));
    let (_, out, err) = client.exec(UNIT, &command);
    out + &err
}

/// Files below a directory with these bytes in them.
fn with(directory: &Path, bytes: &[u8]) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory).unwrap().map(Result::unwrap) {
        let (path, kind) = (entry.path(), entry.file_type().unwrap());
        if kind.is_dir() {
            found.extend(with(&path, bytes));
        } else if kind.is_file() {
            let content = std::fs::read(&path).unwrap();
            if content.windows(bytes.len()).any(|window| window == bytes) {
                found.push(path.display().to_string());
            }
        }
    }
    found
}

#[test]
fn a_program_finds_what_its_unit_names_in_memory_and_only_its_user_reads_it() {
    require!(needs());
    require!(need::program("busybox"));
    let host = Host::new();
    let client = host.client();
    let file = host.scratch.path().join("ca.pem");
    std::fs::write(&file, "from the host").unwrap();
    set(&client, "db-1", b"hunter2\n");
    set(&client, "tls", b"a key");
    let text = on_host(&format!(
        "User=web\nSecret=tls,target=tls.key,uid=1000,mode=0440\n[Service]\n\
         LoadCredential=db:db-%i\nLoadCredential=ca:{}\nLoadCredential=other:not-there\n\
         SetCredential=other:a\\x20default\n",
        file.display()
    ));
    client.launch(UNIT, &text).unwrap();
    client.wait_active(UNIT);
    let directory = "/run/credentials/look@1.container";
    let env = look(&client, "env");
    assert!(env.lines().any(|line| line == format!("CREDENTIALS_DIRECTORY={directory}")), "{env}");
    for (name, content) in [("db", "hunter2\n"), ("ca", "from the host"), ("other", "a default")] {
        assert_eq!(look(&client, &format!("cat {directory}/{name}")), content);
        assert_eq!(
            look(&client, &format!("stat -c %a-%u-%g {directory}/{name}")),
            "400-1000-1000\n"
        );
    }
    assert_eq!(look(&client, &format!("stat -c %a-%u {directory}")), "500-1000\n");
    assert_eq!(look(&client, "cat /run/secrets/tls.key"), "a key");
    assert_eq!(look(&client, "stat -c %a-%u-%g /run/secrets/tls.key"), "440-1000-0\n");
    let mounts = look(&client, "grep ramfs /proc/mounts");
    for place in [directory, "/run/secrets"] {
        let line = mounts.lines().find(|line| line.split(' ').nth(1) == Some(place)).unwrap();
        for option in ["ro", "nosuid", "nodev", "noexec"] {
            let mut options = line.split(' ').nth(3).unwrap().split(',');
            assert!(options.any(|one| one == option), "{line}");
        }
    }
    assert!(look(&client, "touch /run/secrets/x").contains("Read-only file system"));

    // Nothing of it is mounted on the host, nor in the clear in any file.
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap();
    assert!(!mounts.contains("ramfs /") && !mounts.contains("credentials"), "{mounts}");
    for bytes in [b"hunter2".to_vec(), BASE64.encode(b"hunter2\n").into_bytes()] {
        let mut places = with(&host.state_dir(), &bytes);
        places.extend(with(&host.run_dir(), &bytes));
        assert_eq!(places, [""; 0]);
    }
    let listed = client.ask("GET", "/v1/secrets", b"").unwrap();
    let secrets: Vec<Secret> = listed.json();
    let named: Vec<_> = secrets.iter().map(|one| (one.name.as_str(), one.units.len())).collect();
    assert_eq!(named, [("db-1", 1), ("tls", 1)]);
}

#[test]
fn a_start_without_its_secret_fails_with_what_to_do_and_goes_well_when_it_is_done() {
    require!(needs());
    require!(need::program("busybox"));
    let host = Host::new();
    let client = host.client();
    client.launch(UNIT, &on_host("[Service]\nLoadCredential=db\n")).unwrap();
    let unit = client.wait_failed(UNIT);
    let told = "LoadCredential=db: the fleet has no secret db (fleetctl secret set db)";
    assert_eq!(unit.state.message.as_deref(), Some(told));
    set(&client, "db", b"one");
    client.desire(UNIT, fleetd_api::DesiredState::Launched).unwrap();
    client.wait_active(UNIT);
    let credential = "cat /run/credentials/look@1.container/db";
    assert_eq!(look(&client, credential), "one");
    // What runs goes on as it is; the next run has the new value.
    let pid = client.unit(UNIT).state.pid;
    set(&client, "db", b"two");
    assert_eq!((look(&client, credential).as_str(), client.unit(UNIT).state.pid), ("one", pid));
    client.restart(UNIT).unwrap();
    client.wait(UNIT, "restarted", |unit| {
        unit.state.active == Active::Active && unit.state.pid != pid
    });
    assert_eq!(look(&client, credential), "two");
    let removal = client.ask("DELETE", "/v1/secrets/db", b"").unwrap();
    assert_eq!(removal.status, 409);
    let removal = client.ask("DELETE", "/v1/secrets/db?force=true", b"").unwrap();
    assert_eq!(removal.status, 200);
    assert_eq!(look(&client, credential), "two");
}

/// Nobody writes to it: a start that reads it would never come to its end.
#[test]
fn a_pipe_in_the_place_of_a_file_fails_the_start() {
    require!(needs());
    let (host, scratch) = (Host::new(), Scratch::new());
    let pipe = scratch.path().join("pipe");
    nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).unwrap();
    for (key, value) in [
        ("[Service]\nLoadCredential", format!("db:{}", pipe.display())),
        ("[Container]\nEnvironmentFile", pipe.display().to_string()),
    ] {
        host.client().launch(UNIT, &on_host(&format!("{key}={value}\n"))).unwrap();
        let told = host.client().wait_failed(UNIT).state.message.unwrap();
        assert!(told.contains(&format!("={value}: it is a pipe")), "{told}");
        host.client().destroy(UNIT).unwrap();
    }
}

#[test]
fn a_fleetd_that_has_lost_its_key_gives_programs_their_secrets_all_the_same() {
    require!(needs());
    require!(need::program("busybox"));
    let mut host = Host::new();
    let client = host.client();
    set(&client, "db", b"hunter2");
    client.launch(UNIT, &on_host("[Service]\nLoadCredential=db\nRestart=always\n")).unwrap();
    let pid = client.wait_active(UNIT).state.pid;
    host.kill_fleetd();
    std::fs::remove_file(host.state_dir().join("sealing.key")).unwrap();
    host.start_fleetd();
    let client = host.client();
    assert_eq!(client.wait_active(UNIT).state.pid, pid);
    // Nothing is decided that would bring another set.
    let program = nix::unistd::Pid::from_raw(pid.unwrap());
    nix::sys::signal::kill(program, nix::sys::signal::Signal::SIGKILL).unwrap();
    client.wait(UNIT, "restarted", |unit| {
        unit.state.active == Active::Active && unit.state.pid != pid
    });
    assert_eq!(look(&client, "cat /run/credentials/look@1.container/db"), "hunter2");
}

#[test]
fn what_can_be_no_secret_is_refused() {
    require!(needs());
    let host = Host::new();
    let client = host.client();
    let big = BASE64.encode(&vec![b'x'; fleetd_api::MAX_SECRET + 1]);
    for (name, value, told) in [
        ("db", "not base64!", "set secret db: its value is not base64"),
        ("db", "", "set secret db: its value is empty"),
        ("db", &big, "set secret db: 524289 bytes are over the limit of 524288"),
        ("..", "eA==", "read the name of a secret"),
        ("a%2Fb", "eA==", "read the name of a secret \"a/b\": a name takes 1 to 128"),
    ] {
        let body = serde_json::to_vec(&SetSecret { value: value.to_owned() }).unwrap();
        let answer = client.ask("PUT", &format!("/v1/secrets/{name}"), &body).unwrap();
        let problem: fleetd_api::Problem = answer.json();
        assert_eq!(answer.status, 400, "{name}: {}", problem.message);
        assert!(problem.message.starts_with(told), "{name}: {}", problem.message);
    }
    assert_eq!(client.ask("DELETE", "/v1/secrets/db", b"").unwrap().status, 404);
    assert!(client.ask("GET", "/v1/secrets", b"").unwrap().json::<Vec<Secret>>().is_empty());
}
