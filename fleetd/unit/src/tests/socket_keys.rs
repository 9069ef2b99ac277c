//! `.socket`: what each key becomes, and what has no effect.

use super::*;
use crate::asks::Protocol;
use crate::container::NetworkRef;
use crate::socket::{Activation, Backends, Balance, ServicePort, SocketUnit, TriggerLimit};
use std::time::Duration;

const BASE: &str = "[Socket]\nListenStream=80\nService=web@.container\n";

fn read(text: &str) -> Loaded<SocketUnit> {
    match load_socket(&name("web.socket"), text, &BTreeMap::new()) {
        Ok(loaded) => loaded,
        Err(faults) => panic!("{text}: {}", faults[0]),
    }
}

fn socket(lines: &str) -> SocketUnit {
    read(&format!("[Socket]\nService=web@.container\n{lines}\n")).unit
}

fn fleet(lines: &str) -> SocketUnit {
    read(&format!("{BASE}[X-Fleet]\n{lines}\n")).unit
}

fn port(protocol: Protocol, port: u16, target: u16, name: Option<&str>) -> ServicePort {
    ServicePort { protocol, port, target, name: name.map(str::to_owned) }
}

#[test]
fn a_port_and_who_answers_are_enough() {
    let expected = SocketUnit {
        name: "web.socket".to_owned(),
        description: "web.socket".to_owned(),
        dns_names: vec!["web".to_owned()],
        addresses: Vec::new(),
        ports: vec![port(Protocol::Tcp, 80, 80, None)],
        backends: Backends::Template("web@.container".to_owned()),
        network: NetworkRef::Name("bridge".to_owned()),
        balance: Balance::Random,
        affinity: None,
        activation: None,
        drain: Duration::from_secs(5),
    };
    assert_eq!(read(BASE), Loaded { unit: expected, warnings: Vec::new() });
}

#[test]
fn ports_are_of_one_virtual_address() {
    let got = socket(
        "ListenStream=10.96.0.10:80\nListenStream=[fd00::10]:80\nListenStream=443\n\
         ListenDatagram=443",
    );
    let addresses: Vec<String> = got.addresses.iter().map(ToString::to_string).collect();
    assert_eq!(addresses, ["10.96.0.10", "fd00::10"]);
    assert_eq!(
        got.ports,
        [
            port(Protocol::Tcp, 80, 80, None),
            port(Protocol::Tcp, 443, 443, None),
            port(Protocol::Udp, 443, 443, None),
        ]
    );
    let named = socket("ListenStream=53\nListenDatagram=53\nFileDescriptorName=DNS").ports;
    assert_eq!(
        named,
        [port(Protocol::Tcp, 53, 53, Some("dns")), port(Protocol::Udp, 53, 53, Some("dns"))]
    );
    assert_eq!(socket("ListenStream=1\nListenStream=\nListenStream=2").ports[0].port, 2);
    assert_eq!(socket("ListenStream=1\nAccept=no").ports.len(), 1);
}

#[test]
fn target_ports_are_the_containers() {
    assert_eq!(fleet("TargetPort=8080").ports, [port(Protocol::Tcp, 80, 8080, None)]);
    let got = socket(
        "ListenStream=80\nListenStream=443\nListenStream=22\n[X-Fleet]\nTargetPort=80:8080\n\
         TargetPort=443:8443",
    );
    let targets: Vec<u16> = got.ports.iter().map(|port| port.target).collect();
    assert_eq!(targets, [8080, 8443, 22]);
    let both = socket("ListenStream=53\nListenDatagram=53\n[X-Fleet]\nTargetPort=5353").ports;
    assert!(both.iter().all(|port| port.target == 5353));
}

#[test]
fn a_template_a_unit_or_labels_answer() {
    let of = |service: &str| read(&format!("[Socket]\nListenStream=80\n{service}\n")).unit.backends;
    assert_eq!(of("Service=%p@.container"), Backends::Template("web@.container".to_owned()));
    assert_eq!(of("Service=web@1.container"), Backends::Unit("web@1.container".to_owned()));
    assert_eq!(of("Service=db.container"), Backends::Unit("db.container".to_owned()));
    let labels = [("role", "web"), ("tier", "front")];
    let labels = labels.map(|(key, value)| (key.to_owned(), value.to_owned()));
    assert_eq!(
        of("[X-Fleet]\nSelector=role=web\nSelector=tier=front"),
        Backends::Labels(labels.into())
    );
}

#[test]
fn the_keys_of_the_fleet_are_read() {
    let got = fleet(
        "Network=front.network\nBalance=stable\nAffinity=10min\nDrainSec=0\n\
         NetworkAlias=WWW api.example\nNetworkAlias=www web",
    );
    assert_eq!(got.network, NetworkRef::Unit("front.network".to_owned()));
    assert_eq!((got.balance, got.affinity), (Balance::Stable, Some(Duration::from_secs(600))));
    assert_eq!(got.drain, Duration::ZERO);
    assert_eq!(got.dns_names, ["web", "www", "api.example"]);
    assert_eq!(fleet("Balance=source").balance, Balance::Source);
    assert_eq!(fleet("Network=back").network, NetworkRef::Name("back".to_owned()));
}

#[test]
fn activation_has_a_limit_and_may_end_again() {
    let seconds = Duration::from_secs;
    let default = TriggerLimit { interval: seconds(2), burst: 20 };
    assert_eq!(
        fleet("Activate=yes").activation,
        Some(Activation { idle: None, limit: Some(default) })
    );
    let got = fleet(
        "Activate=yes\nIdleSec=1h\n[Socket]\nTriggerLimitIntervalSec=10\nTriggerLimitBurst=3",
    );
    let limit = Some(TriggerLimit { interval: seconds(10), burst: 3 });
    assert_eq!(got.activation, Some(Activation { idle: Some(seconds(3600)), limit }));
    let without = fleet("Activate=yes\nIdleSec=infinity\n[Socket]\nTriggerLimitBurst=0");
    assert_eq!(without.activation, Some(Activation { idle: None, limit: None }));
    assert_eq!(fleet("Activate=no").activation, None);
}

#[test]
fn what_has_no_effect_is_told() {
    let text = format!(
        "{BASE}Backlog=5\nSocketMode=0600\nNoDelay=yes\nTriggerLimitBurst=1\nListenStreams=1\n\
         [Service]\nRestart=no\n[X-Fleet]\nIdleSec=1\nPriority=1\n[Unit]\nAfter=a.container\n"
    );
    assert_eq!(
        warnings(&read(&text).warnings),
        [
            "web.socket:4: Backlog= is not honoured yet: connections are passed on without a count",
            "web.socket:5: SocketMode= is not honoured yet: there is no file",
            "web.socket:6: NoDelay= is not honoured yet: the socket is the program's own, and so are \
             its options",
            "web.socket:8: ListenStreams= is no key of [Socket] and is passed over (ListenStream= is \
             the nearest known key)",
            "web.socket:9: [Service] is no section of a .socket and is passed over",
            "web.socket:13: Priority= is no key of [X-Fleet] and is passed over (it belongs to a \
             .container)",
            "web.socket:15: After=a.container: not honoured yet: the unit does not wait for \
             a.container",
            "web.socket:12: IdleSec= has no effect without Activate=yes",
            "web.socket:7: TriggerLimitBurst= has no effect without Activate=yes",
        ]
    );
}

#[test]
fn the_units_that_it_names_are_known() {
    let text = format!("{BASE}[X-Fleet]\nNetwork=front.network\n");
    let got = named(&name("web.socket"), &text, &BTreeMap::new());
    let got: Vec<_> = got.iter().map(|n| (n.place.line, n.key, n.unit.as_str())).collect();
    assert_eq!(got, [(3, "Service", "web@.container"), (5, "Network", "front.network")]);
}
