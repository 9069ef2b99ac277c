//! verify: without a fleetd, what fleetd would say.

use crate::server::{Ran, Server};
use serde_json::{Value, json};

/// Nobody answers at its socket's path.
fn run(files: &[(&str, &str)], arguments: &[&str]) -> Ran {
    let server = Server::new(Vec::new());
    for (name, text) in files {
        server.write(name, text);
    }
    let mut command = server.command(arguments);
    let ran = Ran::from(command.env("FLEETCTL_SOCKET", "/nowhere.sock").output().unwrap());
    assert!(server.bodies().is_empty());
    ran
}

const GOOD: &str = "[Container]\nImage=a\n";

#[test]
fn every_fault_is_told_with_its_file_and_line() {
    let bad = "[Container]\nImages=a\nReadOnly=maybe\n[Service]\n\nMemoryMax=much\nnonsense\n";
    let drop_in = "[Service]\nRestart=often\n";
    let files = [("units/web.container", bad), ("units/web.container.d/10.conf", drop_in)];
    let ran = run(&files, &["verify", "units/web.container"]);
    let lines: Vec<&str> = ran.out.lines().collect();
    assert_eq!(ran.code, 1, "{ran:?}");
    assert_eq!(lines.len(), 5, "{lines:#?}");
    for (at, place) in [
        "units/web.container:2: warning: Images= is no key",
        "units/web.container:3: ReadOnly=maybe: ",
        "units/web.container:6: MemoryMax=much: ",
        "units/web.container:7: ",
        "units/web.container.d/10.conf:2: Restart=often: ",
    ]
    .iter()
    .enumerate()
    {
        assert!(lines[at].starts_with(place), "{}", lines[at]);
    }
    assert_eq!(ran.err, "fleetctl: verify: 4 faults, 1 warning\n");
}

#[test]
fn what_has_no_effect_is_a_warning_and_a_fault_only_if_that_is_asked_for() {
    let text = "[Container]\nImage=a\nImages=b\n[X-Fleet]\nMachineOf=db.container\n";
    let ran = run(&[("web.container", text)], &["verify", "web"]);
    let lines: Vec<&str> = ran.out.lines().collect();
    assert_eq!((ran.code, lines.len(), ran.err.as_str()), (0, 2, ""), "{ran:?}");
    assert!(lines[0].starts_with("web.container:3: warning: Images= is no key"), "{}", lines[0]);
    let stranger = "web.container:5: warning: MachineOf=db.container: no file of that name is here";
    assert_eq!(lines[1], stranger);
    let ran = run(&[("web.container", text)], &["verify", "--strict", "web"]);
    assert_eq!((ran.code, ran.err.as_str()), (1, "fleetctl: verify: 2 warnings\n"));
    let both = [("web.container", text), ("db.container", GOOD)];
    assert_eq!(run(&both, &["verify", "web"]).out.lines().count(), 1);
    let apart = [("a/web.container", text), ("b/db.container", GOOD)];
    assert_eq!(run(&apart, &["verify", "a/web.container", "b"]).out.lines().count(), 1);
}

#[test]
fn a_directory_is_all_of_its_units_and_good_ones_are_nothing_to_tell() {
    let template = "[Container]\nImage=a\nExec=/bin/a %i %H\n[X-Fleet]\nReplicas=2\n";
    let good = [("u/a.container", GOOD), ("u/web@.container", template), ("u/README", "[")];
    let ran = run(&good, &["verify", "u"]);
    assert_eq!((ran.code, ran.out.as_str(), ran.err.as_str()), (0, "", ""));
    let ran = run(&[("u/a.container", "")], &["verify", "--json", "u", "gone.container"]);
    let out: Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(ran.code, 1);
    assert_eq!((&out[0]["file"], &out[0]["kind"]), (&json!("u/a.container"), &json!("fault")));
    assert_eq!(out[1]["message"], "read gone.container: no such file");
}

#[test]
fn networks_and_sockets_are_read_as_what_they_are() {
    let network = "[Network]\nSubnet=10.1.0.0/16\n[X-Fleet]\nDefaultDeny=ingress\n\
                   Allow=from role=web to role=db port tcp/5432\n";
    let socket = "[Socket]\nListenStream=80\nService=web@.container\n[X-Fleet]\n\
                  Network=front.network\n";
    let container = "[Container]\nImage=a\nNetwork=front.network:alias=www\n";
    let good =
        [("u/front.network", network), ("u/web.socket", socket), ("u/web@.container", container)];
    let ran = run(&good, &["verify", "--strict", "u"]);
    assert_eq!((ran.code, ran.out.as_str(), ran.err.as_str()), (0, "", ""));
    // Each of them alone names what is not there.
    let alone = [("web.socket", socket), ("web.container", container)];
    let ran = run(&alone, &["verify", "web.socket", "web.container"]);
    let lines: Vec<&str> = ran.out.lines().collect();
    assert_eq!(
        lines,
        [
            "web.socket:3: warning: Service=web@.container: no file of that name is here",
            "web.socket:5: warning: Network=front.network: no file of that name is here",
            "web.container:3: warning: Network=front.network: no file of that name is here",
        ]
    );
    let bad = [("front.network", "[Network]\nGateway=10.1.0.1\n"), ("web@.socket", socket)];
    let ran = run(&bad, &["verify", "front.network", "web@.socket"]);
    let lines: Vec<&str> = ran.out.lines().collect();
    assert_eq!(
        lines,
        [
            "front.network:2: Gateway=10.1.0.1: each host has a gateway of its own, the first \
             address of its part",
            "web@.socket: a .socket has no template yet: name it web.socket",
        ]
    );
    assert_eq!((ran.code, ran.err.as_str()), (1, "fleetctl: verify: 2 faults\n"));
}
