//! Every key of a `.network`.

use super::draft::NetworkDraft;
use crate::assign::Value;
use crate::keys::{FLEET, INSTALL, UNIT};
use crate::keys_not_yet::OF_UNIT;
use crate::table::{Key, NotYet, Refused, Table, key, not_yet, refused};
use fleetd_api::UnitKind;

pub const NETWORK: &str = "Network";

pub static TABLE: Table<NetworkDraft> = Table {
    kind: UnitKind::Network,
    sections: &[UNIT, NETWORK, INSTALL, FLEET],
    keys: KEYS,
    aliases: &[],
    not_yet: &[OF_UNIT, NOT_YET],
    refused: REFUSED,
};

#[rustfmt::skip]
pub const KEYS: &[Key<NetworkDraft>] = &[
    key(UNIT, "Description", |u, v| v.put(&mut u.description, Value::text), "What the network is, in words; the default is its name."),
    key(UNIT, "Documentation", |_, v| v.words().map(drop), "Where to read about it."),
    key(UNIT, "After", |_, v| v.ordering(), "As of a container."),
    key(UNIT, "Wants", |_, v| v.ordering(), "As of a container."),
    key(UNIT, "Requires", |_, v| v.ordering(), "As of a container."),

    key(NETWORK, "NetworkName", |u, v| v.put(&mut u.network, Value::network_name), "The network's own name: 1 to 63 of `a-z 0-9 -`. Default: the unit's name without its suffix. `bridge` is the network of every container that names none."),
    key(NETWORK, "Driver", |u, v| v.put(&mut u.driver, Value::driver), "How packets get from host to host: `bridge` (as the fleet does by default), `vxlan`, `wireguard` (encrypted) or `routes` (no tunnel: for hosts whose own network routes to their parts). Default `bridge`."),
    key(NETWORK, "Subnet", |u, v| v.add(&mut u.subnets, Value::subnet), "`ADDRESS/PREFIX`: the range of the whole fleet, of which every host gets a part. One of IPv4 and one of IPv6; without it the fleet chooses."),
    key(NETWORK, "IPRange", |u, v| v.add(&mut u.ranges, Value::subnet), "A range inside of `Subnet=`: hosts get their parts from it alone, and the rest is left for others. One of each family."),
    key(NETWORK, "IPv6", |u, v| v.put(&mut u.ipv6, Value::boolean), "Containers get an IPv6 address too. Default: yes where there is a `Subnet=` of IPv6."),
    key(NETWORK, "Internal", |u, v| v.put(&mut u.internal, Value::boolean), "No way from the network to the world. Default no."),
    key(NETWORK, "DisableDNS", |u, v| v.put(&mut u.disable_dns, Value::boolean), "The fleet's name server does not answer here. Default no."),
    key(NETWORK, "DNS", |u, v| v.add(&mut u.dns_servers, Value::upstream_servers), "Servers that are asked for the world's names, up to 8, in place of the host's. Repeatable."),
    key(NETWORK, "Options", |u, v| v.add(&mut u.options, Value::network_options), "`mtu=BYTES` (576 to 65535, with IPv6 from 1280; default: what the driver leaves of the host's), `isolate=true`: nothing from other networks or to them but what `Allow=` names. Repeatable."),
    key(NETWORK, "Label", |u, v| v.add(&mut u.labels, Value::metadata), "`KEY=VALUE` words, shown with the network. Repeatable."),

    key(INSTALL, "WantedBy", |_, v| v.words().map(drop), "Taken as it is: a network is there once it was submitted."),
    key(INSTALL, "RequiredBy", |_, v| v.words().map(drop), "As `WantedBy=`."),

    key(FLEET, "HostPrefix", |u, v| v.add(&mut u.host_prefixes, Value::host_prefixes), "Prefix length of a host's part, of IPv4 16 to 30, of IPv6 64 to 120; its first address is the gateway. Default `24` (253 containers on a host) and `80` (48 bits, as a hardware address has); one of each family."),
    key(FLEET, "ServiceSubnet", |u, v| v.add(&mut u.service_subnets, Value::subnet), "A range apart from `Subnet=` for the virtual addresses of `.socket` units. One of each family; without it the fleet chooses."),
    key(FLEET, "Encrypted", |u, v| v.put(&mut u.encrypted, Value::boolean), "`yes` is `Driver=wireguard`."),
    key(FLEET, "DefaultDeny", |u, v| v.add(&mut u.deny, Value::directions), "`ingress`, `egress` or both: new connections to or from the network's containers are denied but for those that `Allow=` names. The fleet's name server answers in any case. Repeatable."),
    key(FLEET, "Allow", |u, v| v.add(&mut u.allow, Value::allow), "Connections that are not denied: see above. Repeatable."),
];

#[rustfmt::skip]
const NOT_YET: &[NotYet] = &[
    not_yet(NETWORK, "IPAMDriver", "addresses come from the host's part of the range"),
    not_yet(NETWORK, "InterfaceName", "the bridge is called after the network"),
    not_yet(NETWORK, "NetworkDeleteOnStop", "the network goes when its unit is destroyed"),
    not_yet(NETWORK, "ServiceName", "the network is found by its unit's name"),
];

const REFUSED: &[Refused] = &[
    refused(NETWORK, "Gateway", |_| {
        "each host has a gateway of its own, the first address of its part".to_owned()
    }),
    refused(NETWORK, "PodmanArgs", native),
    refused(NETWORK, "GlobalArgs", native),
    refused(NETWORK, "ContainersConfModule", |_| "there is no podman here to configure".to_owned()),
];

/// Options of `podman network create` and the keys that do the same.
const NATIVE: &[(&str, &str)] = &[
    ("--disable-dns", "DisableDNS="),
    ("--dns", "DNS="),
    ("--driver", "Driver="),
    ("-d", "Driver="),
    ("--internal", "Internal="),
    ("--ip-range", "IPRange="),
    ("--ipv6", "IPv6="),
    ("--label", "Label="),
    ("--opt", "Options="),
    ("-o", "Options="),
    ("--subnet", "Subnet="),
];

fn native(value: &str) -> String {
    crate::keys_not_yet::native(NATIVE, value)
}
