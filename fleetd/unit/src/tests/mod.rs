//! Whole files.

mod bad_inputs;
mod container_network;
mod each_key;
mod fleet_keys;
mod network_keys;
mod placement;
mod socket_keys;

use super::*;
use proptest::prelude::*;

pub(super) fn host() -> HostFacts {
    HostFacts {
        machine_id: "0123456789abcdef0123456789abcdef".to_owned(),
        hostname: "web3".to_owned(),
        memory: 8 << 30,
        tasks: 32_768,
        ..HostFacts::default()
    }
}

pub(super) fn name(text: &str) -> UnitName {
    UnitName::new(text).unwrap()
}

pub(super) fn drop_ins(list: &[(&str, &str)]) -> BTreeMap<String, String> {
    list.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect()
}

fn warnings(loaded: &[Warning]) -> Vec<String> {
    loaded.iter().map(|w| format!("{}:{}: {}", w.file, w.line, w.message)).collect()
}

fn faults(unit: &str, text: &str) -> Vec<String> {
    let faults = load(&name(unit), text, &BTreeMap::new(), &host()).unwrap_err();
    faults.iter().map(Fault::to_string).collect()
}

#[test]
fn a_quadlet_file_loads_without_a_warning() {
    let text = "\
[Unit]
Description=The web server
After=network-online.target

[Container]
Image=docker.io/library/nginx:1.27
Exec=nginx -g 'daemon off;'
PublishPort=8080:80

[Service]
Restart=always

[Install]
WantedBy=multi-user.target default.target
";
    let loaded = load(&name("web.container"), text, &BTreeMap::new(), &host()).unwrap();
    assert_eq!(warnings(&loaded.warnings), [""; 0]);
    assert_eq!(loaded.unit.name, "web.container");
    assert_eq!(loaded.unit.description, "The web server");
    assert_eq!(loaded.unit.exec, ["nginx", "-g", "daemon off;"]);
}

#[test]
fn the_example_loads_without_a_warning() {
    let text = include_str!("../../../../examples/hello.container");
    let loaded = load(&name("hello.container"), text, &BTreeMap::new(), &host()).unwrap();
    assert_eq!(warnings(&loaded.warnings), [""; 0]);
}

#[test]
fn drop_ins_are_applied_in_the_order_of_their_names() {
    let text = "[Container]\nImage=a\nEnvironment=A=1 B=2\n[Service]\nMemoryMax=1G\n";
    let over = drop_ins(&[
        ("20-b.conf", "[Container]\nEnvironment=C=3\n[Service]\nMemoryMax="),
        ("10-a.conf", "[Container]\nEnvironment=\nImage=b"),
    ]);
    let unit = load(&name("web.container"), text, &over, &host()).unwrap().unit;
    assert_eq!(unit.image, "b");
    assert_eq!(unit.environment, [("C".to_owned(), "3".to_owned())]);
    assert_eq!(unit.limits.memory_max, None);
}

#[test]
fn every_fault_is_told_with_file_line_key_and_what_is_allowed() {
    let text = "[Container]\nImage=a\nReadOnly=maybe\nPublishPort=80\nrubbish\n";
    let over = drop_ins(&[("x.conf", "[Service]\nMemoryMax=lots\n"), ("no-suffix", "")]);
    let faults = load(&name("web.container"), text, &over, &host()).unwrap_err();
    let told: Vec<String> = faults.iter().map(Fault::to_string).collect();
    assert_eq!(
        told,
        [
            "web.container:5: \"rubbish\" is neither KEY=VALUE nor [SECTION]",
            "web.container:3: ReadOnly=maybe: it takes yes or no",
            "web.container:4: PublishPort=80: it takes [IP:]HOST:CONTAINER[/udp]; a port that the \
             host chooses is not there yet",
            "web.container.d/no-suffix: the name of a drop-in ends in .conf and has no /",
            "web.container.d/x.conf:2: MemoryMax=lots: it takes bytes such as 512M, 50% or infinity",
        ]
    );
    let problem = problem(&name("web.container"), &faults);
    assert_eq!(problem.message, "read web.container: 5 faults");
    assert_eq!(problem.details, told);
}

#[test]
fn keys_without_effect_are_warnings_that_name_the_consequence() {
    let text = "[Container]\nImage=a\nPidLimit=3\nTmpfs=/x\nX-Mine=1\nMemoryMax=1G\nZzz=1\n\
                [Foo]\nA=1\n[X-Mine]\nB=2\n[X-Fleet]\nSelector=true\n[Unit]\nAfter=db.container\n";
    let loaded = load(&name("web.container"), text, &BTreeMap::new(), &host()).unwrap();
    assert_eq!(
        warnings(&loaded.warnings),
        [
            "web.container:3: PidLimit= is no key of [Container] and is passed over (PidsLimit= is \
             the nearest known key)",
            "web.container:4: Tmpfs= is not honoured yet: nothing is mounted for it",
            "web.container:6: MemoryMax= is no key of [Container] and is passed over (it belongs \
             to [Service])",
            "web.container:7: Zzz= is no key of [Container] and is passed over",
            "web.container:8: [Foo] is no section of a .container and is passed over",
            "web.container:13: Selector= is no key of [X-Fleet] and is passed over (it belongs to a \
             .socket)",
            "web.container:15: After=db.container: not honoured yet: the unit does not wait for \
             db.container",
        ]
    );
}

#[test]
fn podmans_own_options_are_refused_with_the_key_that_does_the_same() {
    let text = "[Container]\nImage=a\nPodmanArgs=--tty --cpus=2\n[Service]\nExecStart=/bin/a\n";
    assert_eq!(
        faults("web.container", text),
        [
            "web.container:3: PodmanArgs=--tty --cpus=2: there is no podman here: for --cpus write \
             CPUQuota= in [Service]",
            "web.container:5: ExecStart=/bin/a: a container's command is Exec= in [Container]; a \
             plain program is a .service",
        ]
    );
}

#[test]
fn an_instance_fills_its_template() {
    let text = "[Container]\nImage=web:%i\nPublishPort=80%i:80\nExec=\"%p %i\" %%i\n";
    let unit = load(&name("web@1.container"), text, &BTreeMap::new(), &host()).unwrap().unit;
    assert_eq!((unit.image.as_str(), unit.ports[0].host), ("web:1", 801));
    assert_eq!(unit.exec, ["web 1", "%i"]);
    assert_eq!(
        faults("web@x.container", text),
        ["web@x.container:3: PublishPort=80%i:80: \"80x\" is no port: 1 to 65535"]
    );
}

#[test]
fn a_bare_template_is_checked_and_not_loaded() {
    let good = "[Container]\nImage=%i\nPublishPort=%i:80\n";
    let template = name("web@.container");
    let none = BTreeMap::new();
    assert_eq!(check_template(&template, good, &none, &host()), Ok(Vec::new()));
    assert_eq!(
        faults("web@.container", good),
        ["web@.container: a template has no instance: name web@1.container"]
    );
    let bad = "[Container]\nImage=%i\nReadOnly=x\n";
    assert!(check_template(&template, bad, &none, &host()).is_err());
}

#[test]
fn units_of_other_types_say_that_they_are_not_there_yet() {
    assert_eq!(
        faults("db.volume", "[Volume]\n"),
        ["db.volume: units of the type .volume are not there yet: .container, .network, \
             .socket are"]
    );
}

#[test]
fn a_hash_is_sha256_of_the_text_and_changes_with_every_drop_in() {
    let none = BTreeMap::new();
    assert_eq!(
        hash("abc", &none),
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    );
    let a = hash("abc", &drop_ins(&[("a.conf", "x")]));
    let b = hash("abc", &drop_ins(&[("a.con", "fx")]));
    assert!(a != b && a != hash("abc", &none));
}

/// Lines that are near to what files on networks have.
fn lines_of_the_network() -> impl Strategy<Value = String> {
    let tables = [
        keys::TABLE.all().collect::<Vec<_>>(),
        network::keys::TABLE.all().collect(),
        socket::keys::TABLE.all().collect(),
    ];
    let value = prop_oneof![
        ".{0,16}",
        "[0-9a-f.:/]{1,14}( [0-9]{1,3})?",
        "([a-z]{1,4}(.network|@?.container)?)(:(ip|mac|alias|interface_name)?=?[0-9a-f:.]{0,9},?){0,3}",
        "((from|to|port|any|a=b|10.0.0.0/8|tcp/[0-9]{1,3}|udp,icmp) ?){1,6}",
        "(yes|no|1h|0|infinity|ingress|stable|vxlan|mtu=[0-9]{1,5}|isolate=yes)",
    ];
    let line = (proptest::sample::select(tables.concat()), value)
        .prop_map(|((section, key), value)| format!("[{section}]\n{key}={value}\n"));
    proptest::collection::vec(line, 0..8).prop_map(|lines| lines.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn no_file_makes_it_panic(text in "(\\[(Unit|Container|Service|X-Fleet|X)\\]\n|[A-Za-z]{1,8}=.{0,12}\n|.{0,20}\n){0,12}") {
        let none = BTreeMap::new();
        let _ = load(&name("web@a-b.container"), &text, &none, &host());
        let _ = check_template(&name("web@.container"), &text, &none, &host());
    }

    #[test]
    fn no_network_and_no_socket_makes_it_panic(lines in lines_of_the_network()) {
        let none = BTreeMap::new();
        for unit in ["web.container", "front.network", "web.socket"] {
            let (faults, _) = review(&name(unit), &lines, &none);
            let _ = named(&name(unit), &lines, &none);
            let network = load_network(&name(unit), &lines, &none).is_ok();
            let socket = load_socket(&name(unit), &lines, &none).is_ok();
            // What has no fault is read as what it is, and as nothing else.
            prop_assert_eq!(network, unit == "front.network" && faults.is_empty());
            prop_assert_eq!(socket, unit == "web.socket" && faults.is_empty());
        }
    }

    #[test]
    fn no_value_of_a_known_key_makes_it_panic(position in any::<prop::sample::Index>(), value in ".{0,24}|[0-9%:./a-zA-Z-]{0,16}") {
        let known: Vec<_> = keys::TABLE.all().collect();
        let (section, key) = known[position.index(known.len())];
        let text = format!("[Container]\nImage=a\n[{section}]\n{key}={value}\n");
        let _ = load(&name("web.container"), &text, &BTreeMap::new(), &host());
    }
}
