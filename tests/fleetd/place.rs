//! Places on the hosts of a fleet; here it has one.

use crate::host::{Host, needs, on_host};
use fleetd_api::{Active, ChangeMachine, Machine, Scale, Verdict, Why};
use flotilla_tests::require;

fn machine(host: &Host) -> Machine {
    host.client().get::<Vec<Machine>>("/v1/machines").remove(0)
}

fn change(host: &Host, change: &ChangeMachine) -> Machine {
    let path = format!("/v1/machines/{}", machine(host).id);
    let body = serde_json::to_vec(change).unwrap();
    host.client().ask("PATCH", &path, &body).unwrap().json()
}

fn cordon(host: &Host, cordoned: bool) -> Machine {
    change(host, &ChangeMachine { cordoned: Some(cordoned), ..ChangeMachine::default() })
}

#[test]
fn a_cordoned_host_keeps_its_units_and_gets_no_new_ones() {
    require!(needs());
    let mut host = Host::new();
    host.client().launch("hello.container", &on_host("")).unwrap();
    let pid = host.client().wait_active("hello.container").state.pid;
    assert!(cordon(&host, true).cordoned);
    let lonely = "[Container]\nImage=hello\nExec=/bin/hello-server\nNetwork=none\n";
    host.client().launch("late.container", lonely).unwrap();
    let message = host.client().unit("late.container").state.message.unwrap();
    assert!(message.contains("1 host: the host is cordoned (uncordon host "), "{message}");
    let why: Why = host.client().get("/v1/units/late.container/why");
    assert_eq!((why.places.len(), why.machines[0].verdict), (0, Verdict::Refused));
    assert_eq!(why.machines[0].reasons, ["the host is cordoned"]);
    assert!(why.remedy.unwrap().starts_with("uncordon host "));
    // It is decided: the next fleetd knows it too, and what runs stays.
    host.kill_fleetd();
    host.start_fleetd();
    assert!(machine(&host).cordoned);
    assert_eq!(host.client().unit("hello.container").state.pid, pid);
    assert_eq!(host.client().unit("late.container").state.active, Active::Inactive);
    cordon(&host, false);
    host.client().wait_active("late.container");
    let why: Why = host.client().get("/v1/units/late.container/why");
    assert_eq!(why.machines[0].verdict, Verdict::Placed);
    assert!(why.places[0].reasons[0].contains("is the best that fits"), "{why:?}");
}

#[test]
fn metadata_of_a_host_is_set_shown_and_taken_away() {
    require!(needs());
    let mut host = Host::new();
    let set = |key: &str, value: Option<&str>| ChangeMachine {
        metadata: [(key.to_owned(), value.map(str::to_owned))].into(),
        ..ChangeMachine::default()
    };
    let changed = change(&host, &set("zone", Some("a")));
    assert_eq!(changed.metadata["zone"], "a");
    host.kill_fleetd();
    host.start_fleetd();
    assert_eq!(machine(&host), changed);
    assert!(change(&host, &set("zone", None)).metadata.is_empty());
    for (path, body, word) in [
        (machine(&host).id, r#"{"metadata":{"a=b":"c"}}"#, "without blanks"),
        (machine(&host).id, r#"{"cordoned":true,"color":"red"}"#, "color"),
        ("0".repeat(32), "{}", "has none of that id"),
        ("x".to_owned(), "{}", "not a machine id"),
    ] {
        let answer = host.client().ask("PATCH", &format!("/v1/machines/{path}"), body.as_bytes());
        let problem: fleetd_api::Problem = answer.unwrap().json();
        assert!(problem.message.contains(word), "{problem:?}");
    }
}

#[test]
fn a_unit_goes_where_its_rules_hold_and_leaves_where_they_do_not() {
    require!(needs());
    let host = Host::new();
    let zone = |value: Option<&str>| {
        let metadata = [("zone".to_owned(), value.map(str::to_owned))].into();
        change(&host, &ChangeMachine { metadata, ..ChangeMachine::default() })
    };
    let text = "[Container]\nImage=hello\nExec=/bin/hello-server\nNetwork=none\n\
                [X-Fleet]\nMachineMetadata=zone=a zone=b\n";
    host.client().launch("picky.container", text).unwrap();
    let message = host.client().unit("picky.container").state.message.unwrap();
    assert!(message.contains("MachineMetadata=: zone is not a or b"), "{message}");
    zone(Some("b"));
    host.client().wait_active("picky.container");
    zone(Some("c"));
    host.eventually("it has ended", |host| Host::names(&host.run_dir().join("runs")).is_empty());
    assert_eq!(host.client().unit("picky.container").state.active, Active::Inactive);
    zone(Some("a"));
    host.client().wait_active("picky.container");
}

#[test]
fn who_asks_for_more_than_there_is_is_told_how_much_there_is() {
    require!(needs());
    let host = Host::new();
    let text = "[Container]\nImage=hello\nNetwork=none\n[Service]\nMemoryMax=900T\n";
    host.client().launch("big.container", text).unwrap();
    let message = host.client().unit("big.container").state.message.unwrap();
    assert!(message.contains("memory: needs 900 TiB, at most "), "{message}");
    assert!(message.contains("(ask for at most "), "{message}");
}

#[test]
fn a_template_is_started_scaled_and_destroyed_as_a_whole() {
    require!(needs());
    let host = Host::new();
    let text = "[Container]\nImage=hello\nExec=/bin/hello-server\nNetwork=none\n\
                [X-Fleet]\nReplicas=2\n";
    host.client().launch("web@.container", text).unwrap();
    for name in ["web@1.container", "web@2.container"] {
        let unit = host.client().wait_active(name);
        assert_eq!(unit.made_from.as_deref(), Some("web@.container"));
    }
    let first = host.client().unit("web@1.container").state.pid;
    let scale = |replicas: u32| {
        let body = serde_json::to_vec(&Scale { replicas }).unwrap();
        host.client().ask("PUT", "/v1/units/web@.container/replicas", &body).unwrap()
    };
    assert_eq!(scale(3).status, 200);
    host.client().wait_active("web@3.container");
    assert_eq!(host.client().unit("web@1.container").state.pid, first);
    // What the fleet has made is changed with its template.
    let problem = host.client().destroy("web@2.container").unwrap_err();
    assert!(problem.message.contains("it is one of the Replicas= of web@.container"), "{problem}");
    scale(1);
    host.eventually("one is left", |host| Host::names(&host.run_dir().join("runs")).len() == 1);
    assert_eq!(host.client().unit("web@1.container").state.pid, first);
    assert_eq!(scale(20_000).status, 400);
    host.client().destroy("web@.container").unwrap();
    host.eventually("all have gone", |host| host.client().units().is_empty());
    host.assert_clear();
}
