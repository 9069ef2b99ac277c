//! The networks of a container, its names, and where it looks for others.

use super::super::container::*;
use super::*;
use std::net::IpAddr;

fn unit(lines: &str) -> ContainerUnit {
    let text = format!("[Container]\nImage=a\n{lines}\n");
    match load(&name("web@1.container"), &text, &BTreeMap::new(), &host()) {
        Ok(loaded) => loaded.unit,
        Err(faults) => panic!("{lines}: {}", faults[0]),
    }
}

fn attachments(lines: &str) -> Vec<Attachment> {
    match unit(lines).network {
        Network::Bridge(attachments) => attachments,
        other => panic!("{lines}: {other:?}"),
    }
}

fn by_name(text: &str) -> NetworkRef {
    NetworkRef::Name(text.to_owned())
}

fn addresses(list: &[&str]) -> Vec<IpAddr> {
    list.iter().map(|address| address.parse().unwrap()).collect()
}

#[test]
fn a_container_is_on_the_default_network_the_hosts_or_none() {
    let default = vec![Attachment::new(by_name("bridge"))];
    assert_eq!(attachments(""), default);
    assert_eq!(attachments("Network=bridge"), default);
    assert_eq!(attachments("Network=host\nNetwork="), default);
    assert_eq!(unit("Network=host").network, Network::Host);
    assert_eq!(unit("Network=none").network, Network::None);
}

#[test]
fn networks_are_units_or_names_in_the_files_order() {
    let got = attachments("Network=front.network\nNetwork=%p-back\nNetwork=bridge");
    let networks: Vec<_> = got.into_iter().map(|attachment| attachment.network).collect();
    let unit = NetworkRef::Unit("front.network".to_owned());
    assert_eq!(networks, [unit, by_name("web-back"), by_name("bridge")]);
}

#[test]
fn options_stand_behind_a_colon() {
    let got = attachments(
        "Network=front.network:ip=10.1.2.3,ip=fd00::3,mac=02:00:5E-10:00:ff,alias=DB,alias=db.old,\
         interface_name=eth7",
    );
    let expected = Attachment {
        network: NetworkRef::Unit("front.network".to_owned()),
        addresses: addresses(&["10.1.2.3", "fd00::3"]),
        mac: Some([2, 0, 0x5e, 0x10, 0, 0xff]),
        aliases: vec!["db".to_owned(), "db.old".to_owned()],
        interface: Some("eth7".to_owned()),
    };
    assert_eq!(got, [expected]);
    // An instance has its own.
    assert_eq!(attachments("Network=bridge:ip=10.1.2.%i")[0].addresses, addresses(&["10.1.2.1"]));
}

#[test]
fn aliases_and_addresses_of_the_unit_are_those_of_its_networks() {
    let got = attachments("Network=a:alias=x\nNetwork=b\nNetworkAlias=y X\nNetworkAlias=z");
    assert_eq!(got[0].aliases, ["x", "y", "z"]);
    assert_eq!(got[1].aliases, ["y", "x", "z"]);
    assert_eq!(attachments("NetworkAlias=y\nNetworkAlias=")[0].aliases, [""; 0]);
    assert_eq!(
        attachments("IP=10.89.0.9\nIP6=fd00::9")[0].addresses,
        addresses(&["10.89.0.9", "fd00::9"])
    );
    assert_eq!(
        attachments("Network=a:ip=fd00::1\nIP=10.1.0.1")[0].addresses,
        addresses(&["fd00::1", "10.1.0.1"])
    );
}

#[test]
fn resolv_conf_is_said_key_by_key() {
    assert_eq!(unit("").resolver, Resolver::default());
    let got = unit(
        "DNS=192.0.2.53 2001:db8::53\nDNS=127.0.0.1\nDNSSearch=Example.org. a.b\n\
                    DNSOption=ndots:2 rotate",
    )
    .resolver;
    let servers = Servers::These(addresses(&["192.0.2.53", "2001:db8::53", "127.0.0.1"]));
    let search = vec!["example.org".to_owned(), "a.b".to_owned()];
    let options = vec!["ndots:2".to_owned(), "rotate".to_owned()];
    assert_eq!(got, Resolver { servers, search: Some(search), options });
    assert_eq!(unit("DNS=none").resolver.servers, Servers::Untouched);
    assert_eq!(unit("DNSSearch=.").resolver.search, Some(Vec::new()));
    assert_eq!(unit("DNSSearch=a\nDNSSearch=").resolver.search, None);
}

#[test]
fn hosts_hostname_and_labels_are_read() {
    let got = unit(
        "AddHost=DB.local:192.0.2.1\nAddHost=six:2001:db8::1\nAddHost=seven:[2001:db8::7]\n\
         AddHost=host.containers.internal:host-gateway\nHostName=Web-%i.%H\n[X-Fleet]\n\
         Label=role=web tier=a\nLabel=tier=front",
    );
    let entry = |name: &str, address| HostEntry { name: name.to_owned(), address };
    let ip = |text: &str| HostAddress::Ip(text.parse().unwrap());
    assert_eq!(
        got.hosts,
        [
            entry("db.local", ip("192.0.2.1")),
            entry("six", ip("2001:db8::1")),
            entry("seven", ip("2001:db8::7")),
            entry("host.containers.internal", HostAddress::Gateway),
        ]
    );
    assert_eq!(got.hostname.as_deref(), Some("Web-1.web3"));
    let labels: Vec<_> = got.labels.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
    assert_eq!(labels, [("role", "web"), ("tier", "front")]);
}

#[test]
fn keys_without_a_network_or_a_resolver_are_told() {
    let text = "[Container]\nImage=a\nNetwork=none\nNetworkAlias=x\nDNS=none\nDNSSearch=a\n\
                DNSOption=rotate\n";
    let loaded = load(&name("web.container"), text, &BTreeMap::new(), &host()).unwrap();
    assert_eq!(
        warnings(&loaded.warnings),
        [
            "web.container:4: NetworkAlias= has no effect without a network of its own",
            "web.container:6: DNSSearch= has no effect with DNS=none",
            "web.container:7: DNSOption= has no effect with DNS=none",
        ]
    );
}

#[test]
fn a_template_may_leave_its_network_to_the_instance() {
    let text = "[Container]\nImage=a\nNetwork=%i.network\nIP=10.1.2.%i\nHostName=%i\n";
    assert_eq!(verify(&name("web@.container"), text, &BTreeMap::new()), Ok(Vec::new()));
    let named = named(&name("web@7.container"), text, &BTreeMap::new());
    assert_eq!((named.len(), named[0].key, named[0].unit.as_str()), (1, "Network", "7.network"));
}

#[test]
fn an_address_of_what_runs_more_than_once_is_told() {
    let told = |unit: &str, lines: &str| {
        let text = format!("[Container]\nImage=a\n{lines}\n");
        warnings(&verify(&name(unit), &text, &BTreeMap::new()).unwrap())
    };
    assert_eq!(
        told("web@.container", "IP=10.1.0.9\nNetwork=a:mac=02:00:00:00:00:01"),
        [
            "web@.container:3: IP= has one address for every instance: write %i into it",
            "web@.container:4: Network= has one address for every instance: write %i into it",
        ]
    );
    assert_eq!(
        told("web.container", "IP6=fd00::9\n[X-Fleet]\nGlobal=yes"),
        ["web.container:3: IP6= has one address on every host"]
    );
    assert_eq!(told("web@.container", "Network=a:ip=10.1.0.%i"), [""; 0]);
    assert_eq!(told("web.container", "IP=10.1.0.9"), [""; 0]);
}

#[test]
fn networks_and_labels_are_known_before_there_is_a_host() {
    let text = "[Container]\nImage=a\nHostName=%H\nNetwork=front.network:ip=10.1.0.%i\n[X-Fleet]\n\
                Label=role=web tier=front\n";
    let of = |unit: &str| membership(&name(unit), text, &BTreeMap::new());
    let got = of("web@7.container").unwrap();
    let Network::Bridge(attachments) = &got.network else { panic!("{:?}", got.network) };
    assert_eq!(attachments[0].addresses, addresses(&["10.1.0.7"]));
    let labels = |list: &[(&str, &str)]| {
        list.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
    };
    assert!(got.has(&labels(&[("role", "web")])));
    assert!(got.has(&labels(&[("role", "web"), ("tier", "front")])));
    assert!(!got.has(&labels(&[("role", "web"), ("tier", "back")])));
    assert!(!got.has(&labels(&[("zone", "a")])));
    assert!(got.has(&labels(&[])));
    let template = of("web@.container").unwrap_err();
    assert_eq!(
        template[0].to_string(),
        "web@.container: a template has no instance: name web@1.container"
    );
}
