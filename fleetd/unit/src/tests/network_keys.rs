//! `.network`: what each key becomes, and what has no effect.

use super::*;
use crate::asks::Protocol;
use crate::cidr;
use crate::network::policy::{Allow, Deny, Peer, Traffic};
use crate::network::{Driver, NetworkUnit, Plan};
use ipnet::IpNet;

fn read(text: &str) -> Loaded<NetworkUnit> {
    match load_network(&name("front.network"), text, &BTreeMap::new()) {
        Ok(loaded) => loaded,
        Err(faults) => panic!("{text}: {}", faults[0]),
    }
}

fn unit(lines: &str) -> NetworkUnit {
    read(&format!("[Network]\n{lines}\n")).unit
}

fn fleet(lines: &str) -> NetworkUnit {
    read(&format!("[X-Fleet]\n{lines}\n")).unit
}

fn cidr(text: &str) -> IpNet {
    cidr::parse(text).unwrap()
}

#[test]
fn an_empty_file_is_a_network_with_every_default() {
    let expected = NetworkUnit {
        name: "front.network".to_owned(),
        description: "front.network".to_owned(),
        network: "front".to_owned(),
        driver: Driver::Bridge,
        ipv4: None,
        ipv6: None,
        has_ipv6: false,
        host_prefix_ipv4: 24,
        host_prefix_ipv6: 80,
        service_subnets: Vec::new(),
        internal: false,
        dns: true,
        dns_servers: Vec::new(),
        mtu: None,
        isolate: false,
        default_deny: Deny::default(),
        allow: Vec::new(),
        labels: BTreeMap::new(),
    };
    assert_eq!(read(""), Loaded { unit: expected, warnings: Vec::new() });
}

#[test]
fn names_and_drivers_are_read() {
    assert_eq!(unit("NetworkName=%N-1").network, "front-1");
    assert_eq!(read("[Unit]\nDescription=The front").unit.description, "The front");
    for (text, driver) in [
        ("bridge", Driver::Bridge),
        ("vxlan", Driver::Vxlan),
        ("wireguard", Driver::Wireguard),
        ("routes", Driver::Routes),
    ] {
        assert_eq!(unit(&format!("Driver={text}")).driver, driver);
    }
    assert_eq!(fleet("Encrypted=yes").driver, Driver::Wireguard);
    assert_eq!(fleet("Encrypted=no").driver, Driver::Bridge);
    assert_eq!(unit("Driver=vxlan\n[X-Fleet]\nEncrypted=no").driver, Driver::Vxlan);
    let both = unit("Driver=wireguard\n[X-Fleet]\nEncrypted=yes");
    assert_eq!(both.driver, Driver::Wireguard);
}

#[test]
fn ranges_are_of_the_fleet_and_parts_of_hosts() {
    let got = unit(
        "Subnet=10.1.0.0/16\nSubnet=fd00:1::/48\nIPRange=10.1.128.0/17\n[X-Fleet]\n\
         HostPrefix=/26 96\nServiceSubnet=10.2.0.0/20\nServiceSubnet=fd00:2::/108",
    );
    let ipv4 = Plan { subnet: cidr("10.1.0.0/16"), range: cidr("10.1.128.0/17") };
    let ipv6 = Plan { subnet: cidr("fd00:1::/48"), range: cidr("fd00:1::/48") };
    assert_eq!((got.ipv4, got.ipv6, got.has_ipv6), (Some(ipv4), Some(ipv6), true));
    assert_eq!((got.host_prefix_ipv4, got.host_prefix_ipv6), (26, 96));
    assert_eq!(got.service_subnets, [cidr("10.2.0.0/20"), cidr("fd00:2::/108")]);
    // The fleet chooses the range.
    let got = unit("IPv6=yes");
    assert_eq!((got.ipv6, got.has_ipv6), (None, true));
    assert!(!unit("Subnet=fd00::/64\nSubnet=").has_ipv6);
}

#[test]
fn a_range_for_one_host_is_told() {
    let told = |lines: &str| warnings(&read(&format!("[Network]\n{lines}\n")).warnings);
    assert_eq!(told("Subnet=10.1.0.0/23"), [""; 0]);
    assert_eq!(
        told("Subnet=10.1.0.0/24"),
        ["front.network:2: 10.1.0.0/24 has one part of /24: containers of one host fit in"]
    );
    assert_eq!(
        told("Subnet=fd00::/64\nIPRange=fd00::/80"),
        ["front.network:3: fd00::/80 has one part of /80: containers of one host fit in"]
    );
    assert_eq!(told("Subnet=10.1.0.0/24\n[X-Fleet]\nHostPrefix=28"), [""; 0]);
}

#[test]
fn the_other_keys_are_read() {
    let got = unit(
        "Internal=yes\nDisableDNS=no\nDNS=192.0.2.53 2001:db8::53\nOptions=mtu=9000 isolate=true\n\
         Options=mtu=1400\nLabel=owner=ops \"note=two words\"",
    );
    assert_eq!((got.internal, got.dns, got.mtu, got.isolate), (true, true, Some(1400), true));
    assert_eq!(got.dns_servers.len(), 2);
    assert_eq!(got.labels["note"], "two words");
    assert!(!unit("DisableDNS=yes").dns);
    assert!(unit("Options=isolate=strict").isolate);
    assert!(!unit("Options=isolate=true isolate=no").isolate);
    assert_eq!(unit("Options=com.docker.network.driver.mtu=1300").mtu, Some(1300));
}

fn labels(list: &[(&str, &str)]) -> Peer {
    let owned = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
    Peer::Labels(list.iter().map(owned).collect())
}

#[test]
fn policies_name_ends_and_traffic() {
    assert_eq!(
        fleet("DefaultDeny=ingress egress").default_deny,
        Deny { ingress: true, egress: true }
    );
    let ingress = fleet("DefaultDeny=egress\nDefaultDeny=\nDefaultDeny=ingress").default_deny;
    assert_eq!(ingress, Deny { ingress: true, egress: false });
    let every = || labels(&[]);
    let tcp = |first, last| Traffic::Ports { protocol: Protocol::Tcp, first, last };
    let udp = |first, last| Traffic::Ports { protocol: Protocol::Udp, first, last };
    for (line, from, to, traffic) in [
        (
            "from role=web to role=db port tcp/80,udp/53",
            labels(&[("role", "web")]),
            labels(&[("role", "db")]),
            vec![tcp(80, 80), udp(53, 53)],
        ),
        (
            "to 10.0.0.0/8 port tcp/443",
            every(),
            Peer::Range(cidr("10.0.0.0/8")),
            vec![tcp(443, 443)],
        ),
        (
            "port tcp/8000-8010 icmp from role=web tier=front to 192.0.2.1",
            labels(&[("role", "web"), ("tier", "front")]),
            Peer::Range(cidr("192.0.2.1/32")),
            vec![tcp(8000, 8010), Traffic::Icmp],
        ),
        ("from any port udp", Peer::Any, every(), vec![udp(1, 65535)]),
        ("to \"role=%N\"", every(), labels(&[("role", "front")]), vec![]),
    ] {
        let got = fleet(&format!("DefaultDeny=ingress\nAllow={line}")).allow;
        assert_eq!(got, [Allow { from, to, traffic }], "{line}");
    }
    let two = fleet("DefaultDeny=ingress\nAllow=from any\nAllow=to any").allow;
    assert_eq!(two.len(), 2);
    assert_eq!(fleet("Allow=from any\nAllow=").allow, []);
}

#[test]
fn what_has_no_effect_is_told() {
    let text = "[Unit]\nBefore=a.container\nStartLimitBurst=2\n[Network]\nDisableDNS=yes\n\
                DNS=192.0.2.1\nOptions=vlan=5 mtu=1400\nIPAMDriver=dhcp\nSubnett=10.0.0.0/8\n\
                ListenStream=80\n[Container]\nImage=a\n[X-Fleet]\nAllow=from any\nReplicas=2\n\
                X-Mine=1\nZzz=1\n";
    assert_eq!(
        warnings(&read(text).warnings),
        [
            "front.network:2: Before= is not honoured yet: no other unit waits for this one",
            "front.network:3: StartLimitBurst= is no key of [Unit] and is passed over (it belongs \
             to a .container)",
            "front.network:7: Options=vlan=5 mtu=1400: the option vlan=5 is not known and is \
             passed over",
            "front.network:8: IPAMDriver= is not honoured yet: addresses come from the host's part \
             of the range",
            "front.network:9: Subnett= is no key of [Network] and is passed over (Subnet= is the \
             nearest known key)",
            "front.network:10: ListenStream= is no key of [Network] and is passed over",
            "front.network:11: [Container] is no section of a .network and is passed over",
            "front.network:15: Replicas= is no key of [X-Fleet] and is passed over (it belongs to a \
             .container)",
            "front.network:17: Zzz= is no key of [X-Fleet] and is passed over",
            "front.network:6: DNS= has no effect with DisableDNS=yes",
            "front.network:14: Allow= has no effect: nothing is denied without DefaultDeny= or \
             Options=isolate=true",
        ]
    );
    assert_eq!(read("[Network]\nOptions=isolate=true\n[X-Fleet]\nAllow=from any").warnings, []);
}

#[test]
fn drop_ins_change_a_network() {
    let over = drop_ins(&[("10.conf", "[Network]\nSubnet=\nSubnet=10.9.0.0/16\n")]);
    let text = "[Network]\nSubnet=10.1.0.0/16\n";
    let got = load_network(&name("front.network"), text, &over).unwrap().unit;
    assert_eq!(got.ipv4.unwrap().subnet, cidr("10.9.0.0/16"));
}
