//! Networks and names of a container.

use super::*;

#[test]
fn of_the_networks_of_a_container() {
    let cases: &[Case] = &[
        (
            "Network=Front",
            "3: Network=Front: \"Front\" is no name of a network: 1 to 63 of a-z 0-9 -, neither host nor none",
        ),
        (
            "Network=front.network:color=red",
            "3: Network=front.network:color=red: \"color\" is no option of a network: ip, mac, alias, interface_name",
        ),
        (
            "Network=bridge:",
            "3: Network=bridge:: \"\" is no option of a network: ip, mac, alias, interface_name",
        ),
        ("Network=host:ip=10.0.0.1", "3: Network=host:ip=10.0.0.1: host takes no options"),
        (
            "Network=none:mac=02:00:00:00:00:01",
            "3: Network=none:mac=02:00:00:00:00:01: none takes no options",
        ),
        ("Network=front@.network", "3: Network=front@.network: a .network has no template yet"),
        (
            "Network=a/b.network",
            "3: Network=a/b.network: read unit name \"a/b.network\": it takes a-z A-Z 0-9 : _ . - @ and \\, no / and no space",
        ),
        ("Network=pasta", "3: Network=pasta: pasta is not there: bridge is a network of its own"),
        (
            "Network=container:db",
            "3: Network=container:db: the network of another container is not there yet",
        ),
        (
            "Network=db.container",
            "3: Network=db.container: the network of another container is not there yet",
        ),
        ("Network=bridge:ip=10.0.0", "3: Network=bridge:ip=10.0.0: \"10.0.0\" is no address"),
        ("Network=bridge:ip", "3: Network=bridge:ip: \"\" is no address"),
        (
            "Network=bridge:ip=127.0.0.1",
            "3: Network=bridge:ip=127.0.0.1: 127.0.0.1 is no address that one can have for itself",
        ),
        (
            "Network=bridge:ip=fe80::1",
            "3: Network=bridge:ip=fe80::1: fe80::1 is no address that one can have for itself",
        ),
        (
            "Network=bridge:ip=10.0.0.1,ip=10.0.0.2",
            "3: Network=bridge:ip=10.0.0.1,ip=10.0.0.2: of each family one address: ip= stands there twice",
        ),
        (
            "Network=bridge:mac=01:00:5e:00:00:01",
            "3: Network=bridge:mac=01:00:5e:00:00:01: \"01:00:5e:00:00:01\" is no hardware address of one interface: 02:00:00:00:00:01",
        ),
        (
            "Network=bridge:mac=2:0:0:0:0:1",
            "3: Network=bridge:mac=2:0:0:0:0:1: \"2:0:0:0:0:1\" is no hardware address of one interface: 02:00:00:00:00:01",
        ),
        (
            "Network=bridge:mac=02:00:00:00:00:01:02",
            "3: Network=bridge:mac=02:00:00:00:00:01:02: \"02:00:00:00:00:01:02\" is no hardware address of one interface: 02:00:00:00:00:01",
        ),
        (
            "Network=bridge:mac=02:00:00:00:00:01,mac=02:00:00:00:00:02",
            "3: Network=bridge:mac=02:00:00:00:00:01,mac=02:00:00:00:00:02: mac= stands there twice",
        ),
        ("Network=bridge:alias=a b", "3: Network=bridge:alias=a b: it takes one word"),
        (
            "Network=bridge:alias=",
            "3: Network=bridge:alias=: \"\" is no DNS name: labels of 1 to 63 of a-z 0-9 _ -, joined by dots, 253 in all",
        ),
        (
            "Network=bridge:interface_name=lo",
            "3: Network=bridge:interface_name=lo: \"lo\" is no name of an interface: 1 to 15 of a-z A-Z 0-9 . _ -, not lo, all, default",
        ),
        (
            "Network=bridge:interface_name=a-name-of-16-byt",
            "3: Network=bridge:interface_name=a-name-of-16-byt: \"a-name-of-16-byt\" is no name of an interface: 1 to 15 of a-z A-Z 0-9 . _ -, not lo, all, default",
        ),
        ("Network=%H", "3: Network=%H: %H is of the host, and none is chosen yet"),
        ("Network=host\nNetwork=bridge", "4: Network=host goes with no other network"),
        ("Network=none\nNetwork=host", "4: Network=none goes with no other network"),
        ("Network=a\nNetwork=a:alias=b", "4: Network=a stands there twice"),
        (
            "Network=a:interface_name=x\nNetwork=b:interface_name=x",
            "4: two networks have the interface x",
        ),
        (
            "Network=a\nNetwork=b\nNetwork=c\nNetwork=d\nNetwork=e\nNetwork=f\nNetwork=g\nNetwork=h\nNetwork=i",
            "11: 9 networks: 8 are the most",
        ),
        ("IP=fd00::1", "3: IP=fd00::1: it takes an IPv4 address: IP6= has the other"),
        ("IP6=10.0.0.1", "3: IP6=10.0.0.1: it takes an IPv6 address: IP= has the other"),
        ("IP=0.0.0.0", "3: IP=0.0.0.0: 0.0.0.0 is no address that one can have for itself"),
        ("IP=10.0.0.1\nNetwork=host", "3: IP= needs a network of its own"),
        (
            "Network=a\nNetwork=b\nIP6=fd00::1",
            "5: IP6= is for exactly one network, and there are 2: write :ip=fd00::1 behind one in Network=",
        ),
        ("Network=a:ip=10.0.0.1\nIP=10.0.0.2", "4: IP= and ip= in Network=: write one of them"),
        (
            "PodmanArgs=--ip=10.0.0.1",
            "3: PodmanArgs=--ip=10.0.0.1: there is no podman here: for --ip write IP=",
        ),
    ];
    check("web.container", "[Container]\nImage=a\n", cases);
}

#[test]
fn of_the_names_of_a_container() {
    let cases: &[Case] = &[
        (
            "NetworkAlias=a..b",
            "3: NetworkAlias=a..b: \"a..b\" is no DNS name: labels of 1 to 63 of a-z 0-9 _ -, joined by dots, 253 in all",
        ),
        (
            "NetworkAlias=ok ä",
            "3: NetworkAlias=ok ä: \"ä\" is no DNS name: labels of 1 to 63 of a-z 0-9 _ -, joined by dots, 253 in all",
        ),
        ("DNS=dns.example", "3: DNS=dns.example: \"dns.example\" is no address of a name server"),
        ("DNS=0.0.0.0", "3: DNS=0.0.0.0: \"0.0.0.0\" is no address of a name server"),
        ("DNS=10.0.0.1 10.0.0.2\nDNS=10.0.0.3 10.0.0.4", "4: 4 name servers: 3 are asked"),
        ("DNS=10.0.0.1\nDNS=none", "4: DNS=none goes with no name server"),
        (
            "DNSSearch=a b/c",
            "3: DNSSearch=a b/c: \"b/c\" is no DNS name: labels of 1 to 63 of a-z 0-9 _ -, joined by dots, 253 in all",
        ),
        ("DNSSearch=. a", "3: DNSSearch=. goes with no domain"),
        (
            "DNSOption=ndots:x",
            "3: DNSOption=ndots:x: \"ndots:x\" is no option of resolv.conf(5), such as rotate or ndots:2",
        ),
        (
            "DNSOption=\"a b\"",
            "3: DNSOption=\"a b\": \"a b\" is no option of resolv.conf(5), such as rotate or ndots:2",
        ),
        ("AddHost=db", "3: AddHost=db: it takes NAME:ADDRESS, or NAME:host-gateway"),
        ("AddHost=db:here", "3: AddHost=db:here: \"here\" is neither an address nor host-gateway"),
        (
            "AddHost=d/b:10.0.0.1",
            "3: AddHost=d/b:10.0.0.1: \"d/b\" is no DNS name: labels of 1 to 63 of a-z 0-9 _ -, joined by dots, 253 in all",
        ),
        (
            "HostName=web_1",
            "3: HostName=web_1: \"web_1\" is no hostname: labels of a-z A-Z 0-9 and - inside, joined by dots, 64 bytes in all",
        ),
        (
            "HostName=-web",
            "3: HostName=-web: \"-web\" is no hostname: labels of a-z A-Z 0-9 and - inside, joined by dots, 64 bytes in all",
        ),
        (
            "[X-Fleet]\nLabel=role",
            "4: Label=role: \"role\" is no label: KEY=VALUE, each of 1 to 63 of a-z A-Z 0-9 . _ - /",
        ),
        (
            "[X-Fleet]\nLabel=a=b \"c=d e\"",
            "4: Label=a=b \"c=d e\": \"c=d e\" is no label: KEY=VALUE, each of 1 to 63 of a-z A-Z 0-9 . _ - /",
        ),
        ("[X-Fleet]\nLabel=host=%H", "4: Label=host=%H: %H is of the host, and none is chosen yet"),
    ];
    check("web.container", "[Container]\nImage=a\n", cases);
    let host = format!("HostName={}", "a.".repeat(33));
    let [fault] =
        told("web.container", &format!("[Container]\nImage=a\n{host}b\n")).try_into().unwrap();
    assert!(fault.contains("is no hostname"), "{fault}");
    let aliases = format!("NetworkAlias={}", "a ".repeat(65));
    assert_eq!(
        told("web.container", &format!("[Container]\nImage=a\n{aliases}\n")),
        ["web.container:3: 65 names on one network: 64 are the most"]
    );
}
