//! What netd does with requests that it should not have got, and with options that cannot work.

use crate::client::{Client, on, spec, tcp};
use crate::traffic::address_of;
use crate::world::{World, needs};
use flotilla_tests::require;
use netd_api::{ErrorKind, Failure, MAX_LINE, Reply};
use std::io::Write;
use std::os::fd::AsRawFd;
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;

fn refused(client: &mut Client, line: &[u8]) -> Failure {
    client.stream.write_all(line).unwrap();
    client.stream.write_all(b"\n").unwrap();
    match client.reply().unwrap() {
        (Reply::Failed(failure), _) => failure,
        (other, _) => panic!("{}: {other:?}", String::from_utf8_lossy(line)),
    }
}

#[test]
fn a_bad_request_gets_a_reason_and_the_next_one_is_served() {
    require!(needs());
    let world = World::new();
    let mut client = world.client();
    let attach = |body: &str| format!(r#"{{"version":2,"call":"attach","endpoint":{body}}}"#);
    let bad_id = attach(r#"{"id":"../x","network":"bridge","names":[]}"#);
    let bad_network = attach(r#"{"id":"x","network":"Br/idge","names":[]}"#);
    let bad_name = attach(r#"{"id":"x","network":"bridge","names":["a;touch /x"]}"#);
    let bad_port = attach(
        r#"{"id":"x","network":"bridge","names":[],"ports":[{"host_port":70000,"container_port":1,"protocol":"tcp"}]}"#,
    );
    let unknown_key = attach(r#"{"id":"x","network":"bridge","names":[],"prts":[]}"#);
    for (line, named) in [
        ("", "read request"),
        ("garbage", "read request"),
        ("[1,2,3]", "read request"),
        (r#"{"version":2}"#, "call"),
        (r#"{"version":2,"call":"format_disk"}"#, "format_disk"),
        (r#"{"version":1,"call":"status"}"#, "version 1"),
        (&bad_id, "../x"),
        (&bad_network, "Br/idge"),
        (&bad_name, "a;touch /x"),
        (&bad_port, "70000"),
        (&unknown_key, "prts"),
    ] {
        let failure = refused(&mut client, line.as_bytes());
        assert_eq!(failure.kind, ErrorKind::Invalid, "{line}");
        assert!(failure.message.contains(named), "{line}: {failure}");
    }
    refused(&mut client, &[0xff, 0xfe, 0x00]);
    let deep = "[".repeat(100_000);
    refused(&mut client, deep.as_bytes());
    client.attach(spec("web:1", &[]));
    assert_eq!(world.endpoints().len(), 1);
}

#[test]
fn wrong_specifications_are_named_and_leave_nothing() {
    require!(needs());
    let world = World::new();
    let mut client = world.client();
    let elsewhere =
        netd_api::EndpointSpec { networks: vec![on("elsewhere")], ..spec("web:1", &[]) };
    let fixed = |address: &str| {
        let addresses = vec![address.parse().unwrap()];
        let networks = vec![netd_api::Attachment { addresses, ..on("bridge") }];
        netd_api::EndpointSpec { networks, ..spec("web:1", &[]) }
    };
    for (wrong, named) in [
        (elsewhere, "elsewhere"),
        (fixed("10.1.2.3"), "10.1.2.3"),
        (fixed("10.89.0.1"), "10.89.0.1"),
        (fixed("fd00::7"), "has no IPv6"),
        (spec("web:1", &[tcp(0, 80)]), "1 to 65535"),
        (spec("web:1", &[tcp(80, 80), tcp(80, 81)]), "twice"),
    ] {
        let failure = client.try_attach(wrong).err().unwrap();
        assert_eq!(failure.kind, ErrorKind::Invalid);
        assert!(failure.message.contains(named), "{failure}");
    }
    let fixed = fixed("10.89.7.7");
    let (attached, _inside) = client.attach(fixed.clone());
    assert_eq!(address_of(&attached.endpoint).to_string(), "10.89.7.7");
    let second = netd_api::EndpointSpec { id: spec("db:1", &[]).id, ..fixed };
    assert_eq!(client.try_attach(second).err().unwrap().kind, ErrorKind::InUse);
    world.assert_consistent();
}

#[test]
fn a_huge_line_ends_its_connection_and_no_other() {
    require!(needs());
    let world = World::new();
    let mut other = world.client();
    let mut client = world.client();
    // netd hangs up after its reply, perhaps while this is still being written.
    let _ = client.stream.write_all(&vec![b'x'; 50 * MAX_LINE]);
    if let Ok((reply, _)) = client.reply() {
        assert!(matches!(reply, Reply::Failed(f) if f.message.contains("line")));
    }
    other.attach(spec("web:1", &[]));
}

#[test]
fn silent_and_slow_peers_keep_nobody_waiting() {
    require!(needs());
    let world = World::new();
    let silent: Vec<Client> = (0..50).map(|_| world.client()).collect();
    let mut slow = world.client();
    slow.stream.write_all(br#"{"version":2,"call":"#).unwrap();
    let mut greedy = world.client();
    for _ in 0..2000 {
        if greedy.stream.write_all(b"{\"version\":2,\"call\":\"status\"}\n").is_err() {
            break;
        }
    }
    world.client().attach(spec("web:1", &[]));
    drop(silent);
    slow.stream.write_all(b"\"list\"}\n").unwrap();
    assert!(matches!(slow.reply().unwrap().0, Reply::Endpoints { .. }));
}

#[test]
fn the_socket_and_the_journal_are_roots_alone() {
    require!(needs());
    let world = World::new();
    let mode = |path: &str| {
        let path = world.scratch.path().join(path);
        std::fs::metadata(path).unwrap().permissions().mode() & 0o7777
    };
    assert_eq!(mode("run/netd.sock"), 0o600);
    assert_eq!(mode("run"), 0o700);
    assert_eq!(mode("state"), 0o700);
    assert_eq!(mode("state/netd.journal"), 0o600);
    // Not even where the mode is lost may somebody else ask.
    let open = |path: &str, mode| {
        let path = world.scratch.path().join(path);
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    open(".", 0o755);
    open("run", 0o755);
    open("run/netd.sock", 0o666);
    // By descriptor, since the folders above may be closed to others.
    let dir = std::fs::File::open(world.scratch.path().join("run")).unwrap();
    let asked = std::thread::spawn(move || {
        let socket = format!("/proc/self/fd/{}/netd.sock", dir.as_raw_fd());
        flotilla_tests::sys::become_nobody_in_this_thread().unwrap();
        Client::connect(socket.as_ref()).unwrap().call(netd_api::Call::Status).unwrap().0
    });
    let reply = asked.join().unwrap();
    assert!(matches!(&reply, Reply::Failed(f) if f.kind == ErrorKind::Denied), "{reply:?}");
}

#[test]
fn a_subnet_that_the_host_routes_is_refused_or_passed_over() {
    require!(needs());
    let mut world = World::without_netd();
    world.host.ip("route add 10.89.128.0/24 via 192.0.2.2");
    let output = world.netd(&["--subnet", "10.89.0.0/16"]);
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success());
    assert!(error.contains("10.89.128.0/24") && error.contains("--subnet"), "{error}");
    assert_eq!(world.host.ip("link show type bridge"), "");
    world.start();
    let (attached, _inside) = world.client().attach(spec("web:1", &[]));
    assert_eq!(attached.dns[0].to_string(), "10.98.0.1");
}

#[test]
fn a_bridge_of_somebody_else_is_left_alone() {
    require!(needs());
    let world = World::without_netd();
    world.host.ip("link add flotilla0 type bridge");
    let output = world.netd(&[]);
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success());
    assert!(error.contains("flotilla0") && error.contains("--device"), "{error}");
    assert!(world.netd(&["down"]).status.success());
    assert!(world.host.ip("link show flotilla0").contains("flotilla0"));
}

#[test]
fn a_second_netd_with_other_names_lives_beside_the_first() {
    require!(needs());
    let world = World::new();
    let output = world.netd(&[]);
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && error.contains("another netd"), "{error}");
    let mut beside = World::without_netd();
    beside.options.extend(["--device", "other0", "--table", "other"].map(str::to_owned));
    beside.host = Arc::clone(&world.host);
    beside.start();
    let (attached, _inside) = beside.client().attach(spec("web:1", &[tcp(8080, 80)]));
    assert_eq!(attached.dns[0].to_string(), "10.98.0.1");
}
