//! `docs/units.md`, made from the tables of keys.

use super::keys::{self, FLEET};
use super::network;
use super::socket;
use super::specifier::SPECIFIERS;
use super::table::{Key, NotYet, Refused, Table};
use std::fmt::Write;

const INTRODUCTION: &str = "\
# Unit files

<!-- Made from fleetd/unit/src/: `cargo run -p fleetd-unit --example units_reference > docs/units.md` -->

A unit file says what a container is and how it is kept running, or what a network is, or who answers at a virtual
address. Its syntax is systemd's, its keys are Quadlet's and systemd's:

```ini
[Unit]
Description=Web server

[Container]
Image=web
PublishPort=8080:80
Volume=/srv/www:/var/www:ro

[Service]
Restart=on-failure
MemoryMax=256M
```

- `NAME.container`, or `NAME@.container`: a template, started as `NAME@INSTANCE`.
- `NAME.network`: a network of the whole fleet; `NAME.socket`: a virtual address and its ports before containers. fleetd
  does not take these two yet, and has one network: of a container's networks it knows `bridge`, `host` and `none` alone, and
  does not act on `DNS=`, `DNSSearch=`, `DNSOption=`, `AddHost=`, `HostName=` and `Label=`. `fleetctl verify` reads all of it.
- Drop-ins, `NAME.container.d/*.conf`, change it, in the order of their names; for an instance those of its template
  too. An assignment to nothing (`Environment=`) takes back what was said before it.
- A line may go on after a backslash; `#` or `;` begins a comment line, also between continued lines.
- Words are split at white space outside of quotes; C escapes such as `\\n`, `\\x41`, `\\u00e9` are understood.
- Times: `30` (seconds), `1min 30s`, `500ms`, `infinity`. Sizes: `512M`, `1.5G`, base 1024. Booleans: `yes`, `no`.
- A value that is not allowed is an error and the unit is not taken: `web.container:7: ReadOnly=maybe: it takes yes or no`.
  A key that is not known, or not honoured yet, is a warning with its line. Other sections and
  keys that begin with `X-` than those below are other programs' and passed over.
";

const FLEET_INTRODUCTION: &str = "
Where the unit may run: fleet's keys, and more. Three instances, each on a host of its own with a fast disk, in
different zones if they can be, rather not in the old racks:

```ini
# web@.container
[Container]
Image=web
PublishPort=80:8080

[Service]
MemoryMax=512M
CPUQuota=50%

[X-Fleet]
Replicas=3
MachineMetadata=disk=ssd disk=nvme
Conflicts=web@*
Spread=zone
Prefer=rack=old:-50
```

- `MemoryMax=`, `CPUQuota=` and `TasksMax=` are also what the unit asks of its host; a part of the host's (`25%`) asks for
  nothing, and what is not said neither. A port that it publishes is its own on that host. [How a host is chosen](schedule.md).
- A glob is fleet's: `*`, `?`, `[a-z]`, `[^a-z]`; a backslash takes the next letter as it is. What a specifier stands for
  matches only itself.
- No host is chosen when these keys and `PublishPort=` are read: specifiers of the host are errors there.
";

const NETWORK_INTRODUCTION: &str = "
A network of the whole fleet, for containers that name it: `Network=front.network`. One on which the databases are reached by
the web servers alone, and nobody gets out but to one network by HTTPS:

```ini
# front.network
[Network]
Subnet=10.1.0.0/16
Options=mtu=1400

[X-Fleet]
Encrypted=yes
DefaultDeny=ingress egress
Allow=from role=web to role=db port tcp/5432
Allow=from any to role=web port tcp/80,tcp/443
Allow=to 192.0.2.0/24 port tcp/443
```

`[Unit]` takes `Description=`, `Documentation=`, `After=`, `Wants=` and `Requires=`; `[Install]` what a container's does.

";

const POLICY: &str = "
`Allow=[from PEER] [to PEER] [port TRAFFIC,...]` names connections by who opens them, to whom, and of what kind; answers
need no line of their own.

- A peer is `LABEL=VALUE` words (containers of the network that have all of these: `[X-Fleet] Label=`), a range or an
  address, or `any`. One that is left out is every container of the network, and one end at least is some of them.
- Traffic is `tcp/80`, `udp/53`, `tcp/8000-8010`, `tcp`, `udp` or `icmp`: ports are of the end that is connected to. Left
  out it is all.
- A connection between two containers of the network needs one line, not one for each end.

";

const SOCKET_INTRODUCTION: &str = "
A virtual address of the whole fleet, and who answers there. Its name without the suffix is its DNS name. At `web`, port 80,
all instances of a template; the first connection starts one, and an hour after the last it is stopped:

```ini
# web.socket
[Socket]
ListenStream=80
Service=web@.container
FileDescriptorName=http

[X-Fleet]
TargetPort=8080
Activate=yes
IdleSec=1h
```

`[Unit]` and `[Install]` take what those of a `.network` do.

";

fn sentence<D>(table: &Table<D>, key: &Key<D>) -> String {
    let older: Vec<String> = table.older(key).map(|old| format!(" Also `{old}=`.")).collect();
    format!("{}{}", key.doc, older.concat()).replace('|', "\\|")
}

/// The keys of one section.
fn keys_of<D>(out: &mut String, table: &Table<D>, section: &str) {
    out.push_str("| Key | |\n|---|---|\n");
    for key in table.keys.iter().filter(|key| key.section == section) {
        let _ = writeln!(out, "| `{}=` | {} |", key.name, sentence(table, key));
    }
}

/// The whole page.
pub fn page() -> String {
    let mut out = INTRODUCTION.to_owned();
    for section in keys::TABLE.sections {
        let introduction = if *section == FLEET { FLEET_INTRODUCTION } else { "" };
        let _ = write!(out, "\n## `[{section}]`\n{introduction}\n");
        keys_of(&mut out, &keys::TABLE, section);
    }
    let _ = write!(out, "\n## `.network`: `[Network]`\n{NETWORK_INTRODUCTION}");
    keys_of(&mut out, &network::keys::TABLE, network::keys::NETWORK);
    let _ = write!(out, "\n## `.network`: `[{FLEET}]`\n{POLICY}");
    keys_of(&mut out, &network::keys::TABLE, FLEET);
    let _ = write!(out, "\n## `.socket`: `[Socket]`\n{SOCKET_INTRODUCTION}");
    keys_of(&mut out, &socket::keys::TABLE, socket::keys::SOCKET);
    let _ = write!(out, "\n## `.socket`: `[{FLEET}]`\n\n");
    keys_of(&mut out, &socket::keys::TABLE, FLEET);
    specifiers(&mut out);
    without_effect(&mut out);
    out
}

fn specifiers(out: &mut String) {
    out.push_str("\n## Specifiers\n\n| | Stands for |\n|---|---|\n");
    for (specifier, meaning) in SPECIFIERS {
        let _ = writeln!(out, "| {specifier} | {meaning} |");
    }
    out.push_str(
        "\nAny other is an error. They are replaced in every value that is text: not in times, sizes, numbers.\n",
    );
}

/// What is known of systemd, Quadlet and fleet besides.
fn without_effect(out: &mut String) {
    out.push_str(
        "\n## Not honoured yet\n\n\
         Known keys of Quadlet, systemd and fleet: each is a warning that says this.\n\n\
         | Section | Keys | Consequence |\n|---|---|---|\n",
    );
    // What is the same for every kind is told once.
    let [of_all, container @ ..] = keys::TABLE.not_yet else { return };
    let [_, network @ ..] = network::keys::TABLE.not_yet else { return };
    let [_, socket @ ..] = socket::keys::TABLE.not_yet else { return };
    let lists = std::iter::once(of_all).chain(container).chain(network).chain(socket);
    for NotYet { section, names, why } in lists.flat_map(|groups| groups.iter()) {
        let names = names.split_whitespace().map(|n| format!("`{n}`")).collect::<Vec<_>>();
        let _ = writeln!(out, "| `[{section}]` | {} | {why} |", names.join(" "));
    }
    out.push_str("\n## Refused\n\nThese are errors that say what to write instead.\n\n");
    let refused = [keys::TABLE.refused, network::keys::TABLE.refused, socket::keys::TABLE.refused];
    for Refused { section, name, .. } in refused.into_iter().flatten() {
        let _ = writeln!(out, "- `[{section}]` `{name}=`");
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::name;
    use super::super::{load_network, load_socket};

    /// The first file in a part of the page.
    fn example(text: &str) -> &str {
        let (_, example) = text.split_once("```ini\n").unwrap();
        example.split_once("```").unwrap().0
    }

    #[test]
    fn the_examples_of_a_network_and_a_socket_are_read_without_a_word_on_them() {
        let none = Default::default();
        let text = example(super::NETWORK_INTRODUCTION);
        let network = load_network(&name("front.network"), text, &none).unwrap();
        assert_eq!((network.unit.allow.len(), network.warnings), (3, vec![]));
        let socket = example(super::SOCKET_INTRODUCTION);
        let socket = load_socket(&name("web.socket"), socket, &none).unwrap();
        assert_eq!((socket.unit.ports[0].target, socket.warnings), (8080, vec![]));
    }

    #[test]
    fn the_example_of_a_template_is_read_without_a_word_on_it() {
        let example = example(super::FLEET_INTRODUCTION);
        let (template, none) = (name("web@.container"), Default::default());
        assert_eq!(super::super::replicas(&template, example, &none), Ok(Some(3)));
        let asks = super::super::placement(&name("web@1.container"), example, &none).unwrap();
        assert_eq!((asks.requests.cpu, asks.ports.len(), asks.prefer[0].weight), (500, 1, -50));
        assert_eq!(super::super::verify(&template, example, &none).unwrap(), []);
    }

    #[test]
    fn the_page_on_units_is_the_one_that_the_table_makes() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/units.md");
        let committed = std::fs::read_to_string(path).unwrap_or_default();
        assert!(
            committed == super::page(),
            "docs/units.md is old: cargo run -p fleetd-unit --example units_reference > docs/units.md"
        );
    }
}
