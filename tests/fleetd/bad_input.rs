//! Bad input gets a clear sentence, and nothing is lost or left behind.

use crate::host::{HELLO, Host, needs, on_host};
use fleetd_api::{Active, DesiredState, ProblemKind, Submit};
use flotilla_tests::Scratch;
use flotilla_tests::require;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

fn submit(text: &str) -> Submit {
    Submit { text: text.to_owned(), drop_ins: Default::default(), replace: false, desired: None }
}

#[test]
fn a_missing_image_fails_with_its_name_and_the_remedy() {
    require!(needs());
    let host = Host::new();
    let client = host.client();
    client.launch("x.container", "[Container]\nImage=absent\n").unwrap();
    let unit = client.wait_failed("x.container");
    let message = unit.state.message.unwrap();
    assert!(message.starts_with("find image absent: not on this host"), "{message}");
    assert!(message.contains("fleetctl image import"), "{message}");
    host.assert_clear();
}

#[test]
fn a_syntax_error_is_refused_with_its_line_and_the_old_file_stays() {
    require!(needs());
    let host = Host::new();
    let client = host.client();
    client.submit("x.container", &submit(HELLO)).unwrap();
    for (text, place) in [
        ("[Container]\nImage=hello\n[Service]\nMemoryMax=lots\n", "x.container:4"),
        ("[Container\nImage=hello\n", "x.container:1"),
        ("[Container]\nImage=hello\nPublishPort=99999:1\n", "x.container:3"),
    ] {
        let wrong = Submit { replace: true, ..submit(text) };
        let problem = client.submit("x.container", &wrong).unwrap_err();
        assert_eq!(problem.kind, ProblemKind::Invalid);
        let told = format!("{problem} {}", problem.details.join(" "));
        assert!(told.contains(place), "{told}");
    }
    assert_eq!(client.unit("x.container").text.as_deref(), Some(HELLO));
}

#[test]
fn a_port_in_use_is_waited_for_with_its_holder_named_and_left_alone() {
    require!(needs());
    let host = Host::new();
    let client = host.client();
    client.launch("first.container", HELLO).unwrap();
    client.wait_active("first.container");
    client.launch("second.container", HELLO).unwrap();
    let unit = client.unit("second.container");
    let message = unit.state.message.unwrap();
    assert!(message.contains("port 8080/tcp: it is taken"), "{message}");
    assert!(message.contains("first.container"), "{message}");
    assert!(host.fetch(8080).unwrap().contains("first"));
    assert_eq!(Host::names(&host.run_dir().join("runs")).len(), 1);
    client.stop("first.container").unwrap();
    client.wait_active("second.container");
    host.eventually("the second answers", |host| {
        host.fetch(8080).is_ok_and(|text| text.contains("second"))
    });
}

#[test]
fn a_name_that_is_a_path_is_refused() {
    require!(needs());
    let host = Host::new();
    let client = host.client();
    for name in
        ["..%2fx.container", "a%2fb.container", "%00.container", "x.exe", "x", "a%20b.container"]
    {
        let body = serde_json::to_vec(&submit(HELLO)).unwrap();
        let response = client.ask("PUT", &format!("/v1/units/{name}"), &body).unwrap();
        assert_eq!(response.status, 400, "{name}");
        let problem: fleetd_api::Problem = response.json();
        assert!(problem.message.starts_with("read unit name"), "{problem}");
    }
    assert!(client.units().is_empty());
}

#[test]
fn a_unit_file_of_10_mb_is_refused() {
    require!(needs());
    let host = Host::new();
    let client = host.client();
    let text = format!("[Container]\nImage=hello\n{}", "# x\n".repeat(2_500_000));
    let problem = client.submit("x.container", &submit(&text)).unwrap_err();
    assert_eq!(problem.kind, ProblemKind::Invalid);
    assert!(problem.message.contains("262144"), "{problem}");
    let text = format!("[Container]\nImage=hello\n{}", "# x\n".repeat(100_000));
    let problem = client.submit("x.container", &submit(&text)).unwrap_err();
    assert!(problem.message.contains("over the limit"), "{problem}");
    assert!(client.units().is_empty());
}

#[test]
fn a_request_that_is_none_gets_a_problem() {
    require!(needs());
    let host = Host::new();
    let client = host.client();
    for (method, path, body, status) in [
        ("PUT", "/v1/units/x.container", "{", 400),
        ("PUT", "/v1/units/x.container", "", 400),
        ("PUT", "/v1/units/x.container", r#"{"text":"","surplus":1}"#, 400),
        ("PUT", "/v1/units/x.container/desired", r#"{"desired":"flying"}"#, 400),
        ("PUT", "/v1/units/x.container/desired", r#"{"desired":"launched"}"#, 404),
        ("POST", "/v1/units/x.container/restart", "", 404),
        ("DELETE", "/v1/units/x.container", "", 404),
        ("GET", "/v1/units/x.container/logs", "", 404),
        ("GET", "/v1/events?since=yesterday", "", 400),
        ("GET", "/v1/nothing", "", 404),
        ("DELETE", "/v1/images/absent", "", 404),
    ] {
        let response = client.ask(method, path, body.as_bytes()).unwrap();
        assert_eq!(response.status, status, "{method} {path} {body}");
        let problem: fleetd_api::Problem = response.json();
        assert!(!problem.message.is_empty());
    }
}

#[test]
fn a_different_file_is_a_conflict_that_names_replace() {
    require!(needs());
    let host = Host::new();
    let client = host.client();
    client.submit("x.container", &submit(HELLO)).unwrap();
    let problem = client.submit("x.container", &submit(&on_host(""))).unwrap_err();
    assert_eq!(problem.kind, ProblemKind::Conflict);
    assert!(problem.hint.unwrap().contains("--replace"));
}

#[test]
fn a_template_cannot_be_started() {
    require!(needs());
    let host = Host::new();
    let client = host.client();
    client.submit("web@.container", &submit(HELLO)).unwrap();
    let problem = client.desire("web@.container", DesiredState::Launched).unwrap_err();
    assert!(problem.hint.unwrap().contains("web@1.container"));
}

#[test]
fn a_volume_that_is_not_there_fails_with_its_line_and_undoes_the_network() {
    require!(needs());
    let host = Host::new();
    let client = host.client();
    client
        .launch("x.container", &HELLO.replace("PublishPort", "Volume=/absent:/data\nPublishPort"))
        .unwrap();
    let message = client.wait_failed("x.container").state.message.unwrap();
    assert_eq!(message, "Volume=/absent:/data: open /absent: no such file or directory");
    host.assert_clear();
}

#[test]
fn a_program_that_is_not_in_the_image_fails_and_leaves_nothing() {
    require!(needs());
    let host = Host::new();
    let client = host.client();
    client.launch("x.container", &HELLO.replace("/bin/hello-server", "/bin/absent")).unwrap();
    let message = client.wait_failed("x.container").state.message.unwrap();
    assert!(message.contains("/bin/absent"), "{message}");
    host.assert_clear();
}

#[test]
fn a_user_that_overflows_is_an_error_and_not_root() {
    require!(needs());
    let host = Host::new();
    let client = host.client();
    client.launch("x.container", &on_host("User=4294967296\n")).unwrap_or_else(|problem| {
        // The parser may know it already.
        assert!(problem.to_string().contains("4294967296"), "{problem}");
        client.launch("x.container", &on_host("User=nobody-of-this-name\n")).unwrap()
    });
    let unit = client.wait_failed("x.container");
    assert!(unit.state.message.unwrap().starts_with("look up user"));
    host.assert_clear();
}

#[test]
fn a_second_fleetd_on_the_same_directories_is_refused() {
    require!(needs());
    let host = Host::new();
    let output = host.fleetd_output();
    assert!(!output.status.success());
    let words = String::from_utf8_lossy(&output.stderr);
    assert!(words.contains("another fleetd"), "{words}");
    assert!(host.client().units().is_empty());
}

/// Its key may lie where the disk does not show it; where it is not, that is said.
#[test]
fn a_database_whose_key_is_gone_is_left_as_it_is() {
    require!(needs());
    let mut host = Host::new();
    host.client().launch("hello.container", &on_host("")).unwrap();
    host.client().wait_active("hello.container");
    host.kill_fleetd();
    let (key, scratch) = (host.state_dir().join("store.key"), Scratch::new());
    let elsewhere = scratch.path().join("store.key");
    let text = std::fs::read(&key).unwrap();
    std::fs::remove_file(&key).unwrap();
    std::os::unix::fs::symlink(&elsewhere, &key).unwrap();
    let output = host.fleetd_output();
    assert!(!output.status.success());
    let words = String::from_utf8_lossy(&output.stderr);
    assert!(words.contains("store.key") && words.contains("no container stopped"), "{words}");
    assert!(!elsewhere.exists());
    assert!(host.fetch(8080).is_ok(), "the container was stopped");
    std::fs::write(&elsewhere, &text).unwrap();
    std::fs::set_permissions(&elsewhere, std::fs::Permissions::from_mode(0o400)).unwrap();
    host.start_fleetd();
    assert_eq!(host.client().unit("hello.container").state.active, Active::Active);
}

#[test]
fn a_damaged_database_is_named_and_nothing_is_overwritten() {
    require!(needs());
    let mut host = Host::new();
    host.client().launch("hello.container", &on_host("")).unwrap();
    host.client().wait_active("hello.container");
    host.kill_fleetd();
    let path = host.state_dir().join("fleetd.redb");
    let sound = std::fs::read(&path).unwrap();
    let damaged = vec![0x5a; sound.len()];
    std::fs::write(&path, &damaged).unwrap();
    let output = host.fleetd_output();
    assert!(!output.status.success());
    let words = String::from_utf8_lossy(&output.stderr);
    assert!(words.contains("fleetd.redb") && words.contains("backup"), "{words}");
    assert_eq!(std::fs::read(&path).unwrap(), damaged);
    assert!(host.fetch(8080).is_ok(), "the container was stopped");
    std::fs::write(&path, sound).unwrap();
    host.start_fleetd();
    assert_eq!(host.client().unit("hello.container").state.active, Active::Active);
}

#[test]
fn a_cgroup_parent_that_is_no_path_is_refused() {
    require!(needs());
    let host = Host::without_daemons();
    for bad in ["..", "a/../b", "", "/"] {
        let mut command: Command = host.command(&[]);
        let output = command.arg("--cgroup-parent").arg(bad).output().unwrap();
        assert!(!output.status.success(), "{bad:?}");
    }
}
