//! Several networks, both versions of IP, and what keeps them apart.

use crate::client::{network, on, spec, tcp, udp};
use crate::dns::{A, AAAA, resolve};
use crate::traffic::{address_of, address6_of, ask_udp, can_connect, greet, serve_tcp, serve_udp};
use crate::world::{GATEWAY, GATEWAY6, HOST, HOST6, NEIGHBOUR, NEIGHBOUR6, World, needs};
use flotilla_tests::require;
use hickory_proto::op::ResponseCode;
use netd_api::{
    Attachment, Document, EndpointSpec, ErrorKind, LinkName, Mac, NetworkSpec, OwnerName,
};
use std::net::{IpAddr, Ipv6Addr, UdpSocket};

#[test]
fn both_versions_of_ip_work_alike() {
    require!(needs());
    let world = World::dual();
    let mut client = world.client();
    let (web, web_inside) = client.attach(spec("web:1", &[tcp(8080, 80), udp(8080, 80)]));
    let (db, db_inside) = client.attach(spec("db:1", &[]));
    assert_eq!(db.dns, [IpAddr::from(GATEWAY), GATEWAY6.into()]);
    serve_tcp(&web_inside, 80, "web");
    serve_udp(&web_inside, 80, "web");
    serve_tcp(&world.neighbour, 80, "neighbour");
    serve_tcp(&world.host, 81, "host");
    for (to, sees) in [
        (IpAddr::from(address_of(&web.endpoint)), IpAddr::from(address_of(&db.endpoint))),
        (address6_of(&web.endpoint), address6_of(&db.endpoint)),
    ] {
        assert_eq!(greet(&db_inside, to, 80).unwrap(), format!("web sees {sees}"));
    }
    let own = address6_of(&db.endpoint);
    assert_eq!(greet(&db_inside, NEIGHBOUR6, 80).unwrap(), format!("neighbour sees {HOST6}"));
    assert_eq!(greet(&db_inside, GATEWAY6, 81).unwrap(), format!("host sees {own}"));
    assert_eq!(
        greet(&world.host, address6_of(&web.endpoint), 80).unwrap(),
        format!("web sees {GATEWAY6}")
    );
    // Published ports, from outside, from the host, from containers.
    let (neighbour, local) = (&world.neighbour, Ipv6Addr::LOCALHOST);
    assert_eq!(greet(neighbour, HOST6, 8080).unwrap(), format!("web sees {NEIGHBOUR6}"));
    assert_eq!(ask_udp(neighbour, HOST6, 8080).unwrap(), format!("web sees {NEIGHBOUR6}"));
    assert_eq!(greet(&world.host, HOST6, 8080).unwrap(), format!("web sees {HOST6}"));
    assert_eq!(greet(&world.host, local, 8080).unwrap(), format!("web sees {GATEWAY6}"));
    assert_eq!(ask_udp(&world.host, local, 8080).unwrap(), format!("web sees {GATEWAY6}"));
    assert_eq!(greet(&db_inside, HOST6, 8080).unwrap(), format!("web sees {own}"));
    assert_eq!(greet(&web_inside, HOST6, 8080).unwrap(), format!("web sees {GATEWAY6}"));
    // Around them nobody gets in.
    world.neighbour.ip("route add fd00:89::/64 via 2001:db8::1");
    assert!(!can_connect(neighbour, address6_of(&web.endpoint), 80));
    let found = resolve(&db_inside, "web.", AAAA);
    assert_eq!(found.addresses6, [address6_of(&web.endpoint)]);
    assert!(found.addresses.is_empty());
    world.assert_consistent();
}

#[test]
fn the_loopback_address_of_ipv6_leads_to_a_container_that_has_none() {
    require!(needs());
    let world = World::new();
    let (_, inside) = world.client().attach(spec("web:1", &[tcp(8080, 80), udp(8080, 80)]));
    serve_tcp(&inside, 80, "web");
    serve_udp(&inside, 80, "web");
    let local = Ipv6Addr::LOCALHOST;
    assert_eq!(greet(&world.host, local, 8080).unwrap(), format!("web sees {GATEWAY}"));
    assert_eq!(ask_udp(&world.host, local, 8080).unwrap(), format!("web sees {GATEWAY}"));
}

fn networks() -> Vec<NetworkSpec> {
    let internal = NetworkSpec { internal: true, ..network("back", &["10.77.0.0/24"]) };
    vec![network("front", &["10.66.0.0/24", "fd00:66::/64"]), internal]
}

fn document(networks: Vec<NetworkSpec>) -> Document {
    Document { networks, ..Document::default() }
}

fn on_networks(id: &str, networks: &[&str]) -> EndpointSpec {
    EndpointSpec { networks: networks.iter().map(|name| on(name)).collect(), ..spec(id, &[]) }
}

#[test]
fn networks_are_apart_and_a_container_can_be_on_several() {
    require!(needs());
    let world = World::new();
    let mut client = world.client();
    client.try_apply(document(networks())).unwrap();
    let (web, web_inside) = client.attach(on_networks("web:1", &["front", "back"]));
    let (db, db_inside) = client.attach(on_networks("db:1", &["back"]));
    let (guest, guest_inside) = client.attach(on_networks("guest:1", &["front"]));
    let (other, other_inside) = client.attach(spec("other:1", &[]));
    for (inside, name) in [
        (&web_inside, "web"),
        (&db_inside, "db"),
        (&guest_inside, "guest"),
        (&other_inside, "other"),
    ] {
        serve_tcp(inside, 80, name);
    }
    serve_tcp(&world.neighbour, 80, "neighbour");
    serve_tcp(&world.host, 81, "host");
    let [front, front6, back] =
        web.endpoint.addresses().collect::<Vec<IpAddr>>().try_into().unwrap();
    assert_eq!(
        greet(&guest_inside, front, 80).unwrap(),
        format!("web sees {}", address_of(&guest.endpoint))
    );
    assert!(greet(&guest_inside, front6, 80).is_ok());
    // By the second link, from its address there.
    assert_eq!(
        greet(&web_inside, address_of(&db.endpoint), 80).unwrap(),
        format!("db sees {back}")
    );
    assert!(greet(&db_inside, back, 80).is_ok());
    assert!(greet(&web_inside, NEIGHBOUR, 80).is_ok());
    for (from, to, what) in [
        (&guest_inside, IpAddr::from(address_of(&db.endpoint)), "front to back"),
        (&db_inside, address_of(&guest.endpoint).into(), "back to front"),
        (&other_inside, front, "the host's own network to front"),
        (&guest_inside, address_of(&other.endpoint).into(), "front to the host's own network"),
        (&db_inside, NEIGHBOUR.into(), "an internal network to the world"),
        (&db_inside, front, "around by the host"),
    ] {
        assert!(!can_connect(from, to, 80), "{what}");
    }
    assert!(!can_connect(&db_inside, HOST, 81), "an internal network to the host");
    assert!(greet(&guest_inside, HOST, 81).is_ok());
    world.assert_consistent();
}

#[test]
fn cve_2024_29018_names_are_those_of_the_networks_that_one_is_on_and_none_leave_an_internal_one() {
    require!(needs());
    let world = World::new();
    let mut client = world.client();
    client.try_apply(document(networks())).unwrap();
    let aliased = EndpointSpec {
        networks: vec![
            on("front"),
            Attachment { names: vec![netd_api::DnsName::new("store").unwrap()], ..on("back") },
        ],
        ..spec("web:1", &[])
    };
    let (web, web_inside) = client.attach(aliased);
    let (db, db_inside) = client.attach(on_networks("db:1", &["back"]));
    let (_, guest) = client.attach(on_networks("guest:1", &["front"]));
    let back = *web.endpoint.places[1].addresses.first().unwrap();
    let found = resolve(&db_inside, "web.", A);
    assert_eq!(found.addresses.iter().map(|a| IpAddr::from(*a)).collect::<Vec<_>>(), [back]);
    assert_eq!(resolve(&db_inside, "store.", A).addresses.len(), 1);
    assert_eq!(resolve(&web_inside, "db.", A).addresses, [address_of(&db.endpoint)]);
    for name in ["db.", "store."] {
        assert_eq!(resolve(&guest, name, A).code, ResponseCode::NXDomain, "{name}");
    }
    // The uplink hears the questions of others and none of who is inside.
    let upstream = world.neighbour.run(|| UdpSocket::bind((NEIGHBOUR, 53)).unwrap());
    upstream.set_read_timeout(Some(crate::traffic::SILENCE)).unwrap();
    assert_eq!(resolve(&db_inside, "example.org.", A).code, ResponseCode::NXDomain);
    assert!(upstream.recv_from(&mut [0; 512]).is_err(), "a question left an internal network");
    assert_eq!(resolve(&guest, "example.org.", A).code, ResponseCode::ServFail);
    assert!(upstream.recv_from(&mut [0; 512]).is_ok());
}

#[test]
fn addresses_hardware_addresses_and_interfaces_can_be_fixed() {
    require!(needs());
    let world = World::dual();
    let mut client = world.client();
    let wide = NetworkSpec { mtu: Some(1400), ..network("front", &["10.66.0.0/24"]) };
    client.try_apply(document(vec![wide])).unwrap();
    let fixed = EndpointSpec {
        networks: vec![
            Attachment {
                addresses: ["10.89.3.4", "fd00:89::34"].map(|a| a.parse().unwrap()).to_vec(),
                mac: Some(Mac([2, 1, 2, 3, 4, 5])),
                interface: Some(LinkName::new("lan").unwrap()),
                ..on("bridge")
            },
            Attachment { addresses: vec![[10, 66, 0, 77].into()], ..on("front") },
        ],
        ..spec("web:1", &[])
    };
    let (attached, inside) = client.attach(fixed.clone());
    let addresses: Vec<String> = attached.endpoint.addresses().map(|a| a.to_string()).collect();
    assert_eq!(addresses, ["10.89.3.4", "fd00:89::34", "10.66.0.77"]);
    let links = inside.json("ip", "-j addr");
    let shown: Vec<_> = links.as_array().unwrap().iter().skip(1).collect();
    assert_eq!(shown[0]["ifname"], "lan");
    assert_eq!(shown[0]["address"], "02:01:02:03:04:05");
    assert_eq!(shown[1]["ifname"], "eth1");
    assert_eq!((&shown[0]["mtu"], &shown[1]["mtu"]), (&1500.into(), &1400.into()));
    serve_tcp(&inside, 80, "web");
    for address in attached.endpoint.addresses() {
        assert!(greet(&world.host, address, 80).is_ok(), "{address}");
    }
    let second = EndpointSpec { id: spec("db:1", &[]).id, ..fixed };
    let error = client.try_attach(second).err().unwrap();
    assert_eq!(error.kind, ErrorKind::InUse, "{error}");
}

#[test]
fn a_network_that_cannot_be_is_refused_by_name_and_nothing_is_changed() {
    require!(needs());
    let world = World::new();
    let mut client = world.client();
    client.try_apply(document(networks())).unwrap();
    let (_, _inside) = client.attach(on_networks("web:1", &["front"]));
    let before = world.status().networks;
    let with = |changed: NetworkSpec| {
        let mut all = networks();
        all.retain(|network| network.name != changed.name);
        all.push(changed);
        let endpoints = vec![on_networks("web:1", &["front"])];
        Document { networks: all, endpoints, services: vec![] }
    };
    let twice = Document {
        networks: [networks(), networks()].concat(),
        endpoints: vec![on_networks("web:1", &["front"])],
        ..Document::default()
    };
    let without = Document {
        networks: networks().split_off(1),
        endpoints: vec![on_networks("web:1", &["front"])],
        ..Document::default()
    };
    for (wrong, kind, says) in [
        (
            with(network("new", &["10.66.0.128/25"])),
            ErrorKind::InUse,
            "subnet 10.66.0.128/25 overlaps 10.66.0.0/24 of network front",
        ),
        (
            with(network("new", &["10.89.0.0/24"])),
            ErrorKind::InUse,
            "subnet 10.89.0.0/24 overlaps 10.89.0.0/16 of network bridge",
        ),
        (
            with(network("new", &["192.0.2.0/25"])),
            ErrorKind::InUse,
            "subnet 192.0.2.0/25 overlaps 192.0.2.0/24, which this host routes elsewhere",
        ),
        (with(network("new", &[])), ErrorKind::Invalid, "make network new: it takes one subnet"),
        (
            with(network("bridge", &["10.55.0.0/24"])),
            ErrorKind::InUse,
            "make network bridge: the host has one of that name",
        ),
        (
            with(network("front", &["10.67.0.0/24"])),
            ErrorKind::InUse,
            "change network front: endpoint web:1 is on it",
        ),
        (twice, ErrorKind::Invalid, "make network front: it is in the document twice"),
        (without, ErrorKind::InUse, "drop network front: endpoint web:1 is on it"),
    ] {
        let error = client.try_apply(wrong).unwrap_err();
        assert_eq!(error.kind, kind, "{error}");
        assert!(error.message.contains(says), "{error}, not {says}");
        assert_eq!(world.status().networks, before);
    }
    for (wrong, says) in [
        (on_networks("db:1", &[]), "it takes 1 to 8 networks"),
        (on_networks("db:1", &["front", "front"]), "network front is named twice"),
        (on_networks("db:1", &["front", "elsewhere"]), "no network elsewhere"),
        (
            EndpointSpec { ports: vec![tcp(8080, 80)], ..on_networks("db:1", &["back"]) },
            "it publishes ports, and its networks are internal",
        ),
    ] {
        let error = client.try_attach(wrong).err().unwrap();
        assert!(error.message.contains(says), "{error}");
    }
    world.assert_consistent();
}

#[test]
fn a_network_goes_with_its_last_endpoint_and_its_group_is_given_again() {
    require!(needs());
    let world = World::new();
    let mut client = world.client();
    for round in 0..5 {
        let name = format!("net{round}");
        client.try_apply(document(vec![network(&name, &["10.66.0.0/24"])])).unwrap();
        let (attached, inside) = client.attach(on_networks(&format!("web:{round}"), &[&name]));
        serve_tcp(&inside, 80, "web");
        assert!(greet(&world.host, address_of(&attached.endpoint), 80).is_ok(), "{round}");
        assert!(greet(&inside, [10, 66, 0, 1], 80).is_err(), "nobody listens there");
        client.try_apply(Document::default()).unwrap();
        assert_eq!(world.status().networks.len(), 1);
        assert!(!can_connect(&inside, NEIGHBOUR, 80), "what is detached sends nothing");
    }
    let shown = world.host.ip("-4 addr show dev flotilla0");
    assert!(!shown.contains("10.66."), "{shown}");
    world.assert_consistent();
}

#[test]
fn what_one_owner_wants_is_not_anothers() {
    require!(needs());
    let world = World::new();
    let (mut fleet, mut cni) = (world.client(), world.client());
    cni.owner = Some(OwnerName::new("cni").unwrap());
    cni.try_apply(document(vec![network("pods", &["10.66.0.0/24"])])).unwrap();
    let (_, _pod) = cni.attach(on_networks("pod:1", &["pods"]));
    let (_, _web) = fleet.attach(spec("web:1", &[tcp(8080, 80)]));
    fleet
        .try_apply(Document { endpoints: vec![spec("web:1", &[])], ..Document::default() })
        .unwrap();
    assert_eq!(world.endpoints().len(), 2);
    assert_eq!(world.status().networks.len(), 2);
    for (error, says) in [
        (fleet.try_attach(on_networks("pod:1", &["pods"])).err().unwrap(), "attach pod:1: cni has"),
        (
            fleet.try_apply(document(vec![network("pods", &["10.67.0.0/24"])])).unwrap_err(),
            "make network pods: cni has one of that name",
        ),
        (
            cni.try_apply(Document {
                endpoints: vec![spec("web:1", &[])],
                ..document(vec![network("pods", &["10.66.0.0/24"])])
            })
            .unwrap_err(),
            "apply web:1: it is fleetd's",
        ),
    ] {
        assert!(error.message.starts_with(says), "{error}");
    }
    fleet.try_apply(Document::default()).unwrap();
    let left: Vec<String> = world.endpoints().iter().map(|e| e.spec.id.to_string()).collect();
    assert_eq!(left, ["pod:1"]);
    world.assert_consistent();
}
