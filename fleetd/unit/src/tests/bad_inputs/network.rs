//! Networks and their policies.

use super::*;

#[test]
fn of_a_network() {
    let cases: &[Case] = &[
        (
            "NetworkName=Front",
            "2: NetworkName=Front: \"Front\" is no name of a network: 1 to 63 of a-z 0-9 -, neither host nor none",
        ),
        (
            "NetworkName=host",
            "2: NetworkName=host: \"host\" is no name of a network: 1 to 63 of a-z 0-9 -, neither host nor none",
        ),
        ("Driver=overlay", "2: Driver=overlay: it takes bridge, vxlan, wireguard or routes"),
        (
            "Driver=macvlan",
            "2: Driver=macvlan: a container on the hosts' own network is not there yet: bridge",
        ),
        (
            "Subnet=10.1.0.0",
            "2: 10.1.0.0/32 is smaller than one host's part, /24: HostPrefix= makes it smaller",
        ),
        (
            "Subnet=10.1.2.0/16",
            "2: Subnet=10.1.2.0/16: 10.1.2.0/16 has bits behind its prefix: 10.1.0.0/16",
        ),
        (
            "Subnet=10.1/16",
            "2: Subnet=10.1/16: \"10.1/16\" is no range of addresses: 10.1.0.0/16 or fd00:1::/48",
        ),
        (
            "Subnet=10.0.0.0/33",
            "2: Subnet=10.0.0.0/33: \"10.0.0.0/33\" is no range of addresses: 10.1.0.0/16 or fd00:1::/48",
        ),
        (
            "Subnet=127.0.0.0/16",
            "2: Subnet=127.0.0.0/16: 127.0.0.0/16 is no range that hosts can have",
        ),
        ("Subnet=ff00::/16", "2: Subnet=ff00::/16: ff00::/16 is no range that hosts can have"),
        (
            "Subnet=10.1.0.0/16\nSubnet=10.2.0.0/16",
            "3: Subnet=10.2.0.0/16 is the second one of its family",
        ),
        (
            "Subnet=10.1.0.0/25",
            "2: 10.1.0.0/25 is smaller than one host's part, /24: HostPrefix= makes it smaller",
        ),
        ("IPRange=10.1.0.0/24", "2: IPRange=10.1.0.0/24 needs a Subnet= of its family"),
        (
            "IPRange=10.1.0.5-10.1.0.9",
            "2: IPRange=10.1.0.5-10.1.0.9: it takes ADDRESS/PREFIX: parts for hosts are cut from such a range",
        ),
        (
            "Subnet=10.1.0.0/16\nIPRange=10.2.0.0/24",
            "3: IPRange=10.2.0.0/24 is not inside of Subnet=10.1.0.0/16",
        ),
        (
            "Subnet=10.1.0.0/16\nIPRange=10.1.0.0/26",
            "3: 10.1.0.0/26 is smaller than one host's part, /24: HostPrefix= makes it smaller",
        ),
        (
            "Gateway=10.1.0.1",
            "2: Gateway=10.1.0.1: each host has a gateway of its own, the first address of its part",
        ),
        ("IPv6=no\nSubnet=fd00::/48", "2: IPv6=no does not go with Subnet=fd00::/48"),
        ("Internal=maybe", "2: Internal=maybe: it takes yes or no"),
        ("DNS=none", "2: DNS=none: \"none\" is no address of a name server"),
        ("Options=mtu=100", "2: Options=mtu=100: mtu= takes 576 to 65535 bytes"),
        ("Options=mtu=65536", "2: Options=mtu=65536: mtu= takes 576 to 65535 bytes"),
        ("Options=isolate", "2: Options=isolate: \"isolate\" is not KEY=VALUE"),
        ("Options=isolate=perhaps", "2: Options=isolate=perhaps: isolate= takes true or false"),
        ("IPv6=yes\nOptions=mtu=1279", "3: mtu=1279: IPv6 needs 1280 bytes"),
        (
            "PodmanArgs=--opt=x",
            "2: PodmanArgs=--opt=x: there is no podman here: for --opt write Options=",
        ),
        (
            "[X-Fleet]\nHostPrefix=40",
            "3: HostPrefix=40: \"40\" is no length of a part: 16 to 30 of IPv4, 64 to 120 of IPv6",
        ),
        (
            "[X-Fleet]\nHostPrefix=+24",
            "3: HostPrefix=+24: \"+24\" is no length of a part: 16 to 30 of IPv4, 64 to 120 of IPv6",
        ),
        ("[X-Fleet]\nHostPrefix=24 25", "3: HostPrefix= takes one length of a family"),
        (
            "Subnet=10.1.0.0/16\n[X-Fleet]\nServiceSubnet=10.1.128.0/20",
            "4: ServiceSubnet=10.1.128.0/20 and Subnet=10.1.0.0/16 overlap",
        ),
        (
            "Driver=vxlan\n[X-Fleet]\nEncrypted=yes",
            "4: Encrypted=yes is Driver=wireguard, and another is named",
        ),
        (
            "Driver=wireguard\n[X-Fleet]\nEncrypted=no",
            "4: Encrypted=no does not go with Driver=wireguard",
        ),
        ("[X-Fleet]\nDefaultDeny=all", "3: DefaultDeny=all: \"all\" is neither ingress nor egress"),
        ("NetworkName=%H", "2: NetworkName=%H: %H is of the host, and none is chosen yet"),
    ];
    check("front.network", "[Network]\n", cases);
    let unnamed = "Front.network: \"Front\" is no name of a network: [Network] needs NetworkName=";
    assert_eq!(told("Front.network", ""), [unnamed]);
    assert_eq!(
        verify(&name("Front.network"), "[Network]\nNetworkName=front\n", &BTreeMap::new()),
        Ok(vec![])
    );
}

#[test]
fn of_a_policy() {
    let cases: &[Case] = &[
        ("Allow=\"\"", "3: Allow=\"\": word 1, \"\": from, to or port begins here"),
        ("Allow=role=web", "3: Allow=role=web: word 1, \"role=web\": from, to or port begins here"),
        ("Allow=from", "3: Allow=from: word 1: nothing stands behind from"),
        ("Allow=from to role=db", "3: Allow=from to role=db: word 1: nothing stands behind from"),
        (
            "Allow=from role=web port",
            "3: Allow=from role=web port: word 3: nothing stands behind port",
        ),
        (
            "Allow=from web",
            "3: Allow=from web: word 2, \"web\": it is neither any, a range, nor LABEL=VALUE",
        ),
        (
            "Allow=from any tcp/80",
            "3: Allow=from any tcp/80: word 3, \"tcp/80\": from, to or port begins here",
        ),
        (
            "Allow=from 10.0.0.0/8 role=web",
            "3: Allow=from 10.0.0.0/8 role=web: word 3, \"role=web\": from, to or port begins here",
        ),
        (
            "Allow=from role=web too role=db",
            "3: Allow=from role=web too role=db: word 3: \"too\" is no label: KEY=VALUE, each of 1 to 63 of a-z A-Z 0-9 . _ - /",
        ),
        (
            "Allow=from role=a role=b",
            "3: Allow=from role=a role=b: word 3: role is a already, and one has to have all of them",
        ),
        (
            "Allow=from role=a from role=b",
            "3: Allow=from role=a from role=b: word 3: from stands there twice",
        ),
        (
            "Allow=from any to 10.0.0.0/8",
            "3: Allow=from any to 10.0.0.0/8: neither end is of the network's containers: name labels, or leave from or to out",
        ),
        (
            "Allow=to 10.1.2.3/8",
            "3: Allow=to 10.1.2.3/8: word 2, \"10.1.2.3/8\": it is neither any, a range, nor LABEL=VALUE",
        ),
        (
            "Allow=port 80",
            "3: Allow=port 80: word 2: \"80\" is none of tcp/80, udp/53, tcp/8000-8010, tcp, udp, icmp",
        ),
        (
            "Allow=port tcp/80,",
            "3: Allow=port tcp/80,: word 2: \"\" is none of tcp/80, udp/53, tcp/8000-8010, tcp, udp, icmp",
        ),
        ("Allow=port tcp/0", "3: Allow=port tcp/0: word 2: \"0\" is no port: 1 to 65535"),
        (
            "Allow=port udp/20-10",
            "3: Allow=port udp/20-10: word 2: its range ends before it begins",
        ),
        ("Allow=port icmp/8", "3: Allow=port icmp/8: word 2: icmp has no ports"),
    ];
    check("front.network", "[X-Fleet]\nDefaultDeny=ingress\n", cases);
    let lines = "Allow=from any\n".repeat(257);
    let many = told("front.network", &format!("[X-Fleet]\nDefaultDeny=ingress\n{lines}"));
    assert_eq!(many, ["front.network:259: 257 of them: 256 are the most"]);
}
