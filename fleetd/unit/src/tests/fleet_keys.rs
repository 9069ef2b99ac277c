//! `[X-Fleet]`: what each key becomes, what is refused, what goes together.

use super::super::placement;
use super::*;
use crate::asks::{Preference, Spread, Unit};

pub(super) const ID: &str = "00f16a7e8b1c4d5e9f00112233445566";

fn text(lines: &str) -> String {
    format!("[Container]\nImage=registry.example/a\n[X-Fleet]\n{lines}\n")
}

fn asks_of(unit: &str, lines: &str) -> Unit {
    match placement(&name(unit), &text(lines), &BTreeMap::new()) {
        Ok(asks) => asks,
        Err(faults) => panic!("{lines}: {}", faults[0]),
    }
}

fn asks(lines: &str) -> Unit {
    asks_of("web.container", lines)
}

/// The faults, which a host that reads the unit finds too.
fn refused_of(unit: &str, lines: &str) -> Vec<String> {
    let Err(faults) = placement(&name(unit), &text(lines), &BTreeMap::new()) else {
        panic!("{lines} was taken");
    };
    assert_eq!(load(&name(unit), &text(lines), &BTreeMap::new(), &host()), Err(faults.clone()));
    faults.iter().map(Fault::to_string).collect()
}

fn refused(lines: &str) -> Vec<String> {
    refused_of("web.container", lines)
}

fn warned_of(unit: &str, lines: &str) -> Vec<String> {
    warnings(&verify(&name(unit), &text(lines), &BTreeMap::new()).unwrap())
}

fn pairs(list: &[(&str, &str)]) -> Vec<(String, String)> {
    list.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

#[test]
fn a_machine_id_is_whole() {
    assert_eq!(asks(&format!("MachineID={ID}")).machine_id, Some(ID.to_owned()));
    assert_eq!(asks(&format!("MachineID={ID}\nMachineID=")).machine_id, None);
    for bad in ["00f16a7e", "00F16A7E8B1C4D5E9F00112233445566", "web3"] {
        assert_eq!(
            refused(&format!("MachineID={bad}")),
            [format!(
                "web.container:4: MachineID={bad}: it takes a whole machine id, 32 lower-case hex \
                 digits: `fleetctl list-machines --full` prints them"
            )]
        );
    }
}

#[test]
fn machine_of_names_units() {
    let got = asks_of(
        "web@2.container",
        "MachineOf=db@%i.container \"a.container\"\nMachineOf=b\\x2dc.container",
    );
    assert_eq!(got.machine_of, ["db@2.container", "a.container", "b\\x2dc.container"]);
    assert_eq!(asks("MachineOf=db.container\nMachineOf=").machine_of, [""; 0]);
    for (bad, told) in [
        ("db", "MachineOf=db: read unit name \"db\": it needs a suffix, such as .container"),
        (
            "db@.container",
            "MachineOf=db@.container: db@.container is a template: name an instance of it",
        ),
        ("web.container", "MachineOf=web.container: a unit cannot follow itself"),
        ("'a", "MachineOf='a: the quote ' is not closed"),
    ] {
        assert_eq!(refused(&format!("MachineOf={bad}")), [format!("web.container:4: {told}")]);
    }
}

#[test]
fn metadata_is_words_of_a_key_and_a_value() {
    let got =
        asks("MachineMetadata=\"region=us east\" disk=ssd\nMachineMetadata=disk=NVMe url=a=b");
    assert_eq!(
        got.machine_metadata,
        pairs(&[("region", "us east"), ("disk", "ssd"), ("disk", "NVMe"), ("url", "a=b")])
    );
    for bad in ["ssd", "=ssd", "disk=", "\"a b=c\""] {
        let word = bad.trim_matches('"');
        assert_eq!(
            refused(&format!("MachineMetadata=a=b\nMachineMetadata={bad}")),
            [format!("web.container:5: MachineMetadata={bad}: {word:?} is not KEY=VALUE")]
        );
    }
}

#[test]
fn conflicts_are_globs_and_its_own_name_is_none() {
    let got = asks_of("web@1.container", "Conflicts=%p@* db*.container\nConflicts=\"[^a]?\"");
    assert_eq!(got.conflicts, ["web@*", "db*.container", "[^a]?"]);
    assert_eq!(asks("Conflicts=*").conflicts, ["*"]);
    // The backslash of the name is no glob's.
    let got = asks_of("a\\x2db@1.container", "Conflicts=%p@* a\\*");
    assert_eq!(got.conflicts, ["a\\\\x2db@*", "a\\*"]);
    assert_eq!(
        refused("Conflicts=a b[c"),
        [
            "web.container:4: Conflicts=a b[c: \"b[c\" is no glob: *, ?, [a-z], [^a-z], \\ before one"
        ]
    );
    refused("Conflicts=\"\"");
    refused("Replaces=a[");
}

#[test]
fn the_other_keys_are_read() {
    let got = asks(
        "Global=yes\nGlobal=no\nReplaces=web-old.container old@*\nPriority=-7\nSingleton=available\n\
         Spread=host zone\nSpread=zone\nPrefer=disk=ssd zone=a:-100 \"rack=a:b:5\"",
    );
    assert_eq!((got.global, got.priority), (false, -7));
    assert_eq!(got.replaces, ["web-old.container", "old@*"]);
    assert_eq!(got.spread, [Spread::Host, Spread::Metadata("zone".to_owned())]);
    let wish = |key: &str, value: &str, weight| Preference {
        key: key.to_owned(),
        value: value.to_owned(),
        weight,
    };
    assert_eq!(
        got.prefer,
        [wish("disk", "ssd", 10), wish("zone", "a", -100), wish("rack", "a:b", 5)]
    );
    assert!(asks("Global=true").global);
}

#[test]
fn values_that_are_not_allowed_are_refused_with_what_is() {
    for (line, told) in [
        ("Global=maybe", "it takes yes or no"),
        ("Spread=a=b", "\"a=b\" is neither host nor a key of metadata"),
        ("Spread=\"\"", "\"\" is neither host nor a key of metadata"),
        ("Prefer=disk", "\"disk\" is not KEY=VALUE"),
        ("Prefer=a=b:", "\"a=b:\" ends in no weight: -100 to 100 after the last :"),
        ("Prefer=a=b:101", "\"a=b:101\" ends in no weight: -100 to 100 after the last :"),
        ("Prefer=a=b:-101", "\"a=b:-101\" ends in no weight: -100 to 100 after the last :"),
        ("Priority=high", "it takes a whole number, -2147483648 to 2147483647"),
        ("Priority=2147483648", "it takes a whole number, -2147483648 to 2147483647"),
        ("Singleton=yes", "it takes available or strict"),
        ("Replicas=-1", "it takes a number of instances, 0 to 10000"),
        ("Replicas=10001", "it takes a number of instances, 0 to 10000"),
        (
            "X-ConditionMachineBootID=1",
            "a boot id is another one after every boot: write MachineID=",
        ),
    ] {
        assert_eq!(refused(line), [format!("web.container:4: {line}: {told}")]);
    }
}

#[test]
fn replicas_are_of_a_template() {
    let of = |unit: &str, lines: &str| replicas(&name(unit), &text(lines), &BTreeMap::new());
    assert_eq!(of("web@.container", "Replicas=3"), Ok(Some(3)));
    assert_eq!(of("web@.container", "Replicas=0"), Ok(Some(0)));
    assert_eq!(of("web@.container", "Replicas=3\nReplicas="), Ok(None));
    assert_eq!(of("web@.container", "MachineOf=db@%i.container"), Ok(None));
    // Its instances have the same text.
    assert_eq!(asks_of("web@1.container", "Replicas=3"), Unit::default());
    assert_eq!(
        refused("Replicas=3"),
        ["web.container:4: Replicas= is of a template: name the file web@.container"]
    );
}

#[test]
fn fleets_older_names_do_the_same() {
    let got = asks(
        "X-ConditionMachineMetadata=a=b\nX-ConditionMachineOf=a.container\nX-Conflicts=b\n\
         Conflicts=c",
    );
    assert_eq!(got.machine_metadata, pairs(&[("a", "b")]));
    assert_eq!((got.machine_of, got.conflicts), (texts(&["a.container"]), texts(&["b", "c"])));
    assert_eq!(asks(&format!("X-ConditionMachineID={ID}")).machine_id, Some(ID.to_owned()));
    assert_eq!(
        refused("X-ConditionMachineMetadata=a"),
        ["web.container:4: X-ConditionMachineMetadata=a: \"a\" is not KEY=VALUE"]
    );
    // In another section they are other programs'.
    let elsewhere = "[Container]\nImage=a\nX-Conflicts=a[\n";
    assert_eq!(verify(&name("web.container"), elsewhere, &BTreeMap::new()), Ok(Vec::new()));
}

#[test]
fn keys_that_exclude_each_other_are_faults() {
    let id = format!("MachineID={ID}");
    for (one, other, why) in [
        (id.as_str(), "MachineOf=a.container", "MachineID=: the unit has its one host"),
        (&id, "Conflicts=a", "MachineID=: the unit has its one host"),
        (&id, "Global=yes", "MachineID=: the unit has its one host"),
        (&id, "Replaces=a", "MachineID=: the unit has its one host"),
        ("Global=yes", "MachineOf=a.container", "Global=: the unit is on every host that fits"),
        ("Global=yes", "Replaces=a", "Global=: the unit is on every host that fits"),
        ("Global=yes", "Replicas=2", "Global=: the unit is on every host that fits"),
    ] {
        let key = other.split('=').next().unwrap();
        let told = format!("{key}= does not go with {why}");
        let unit = "web@1.container";
        assert_eq!(refused_of(unit, &format!("{one}\n{other}")), [format!("{unit}:5: {told}")]);
        assert_eq!(refused_of(unit, &format!("{other}\n{one}")), [format!("{unit}:4: {told}")]);
    }
    asks("Global=no\nReplaces=a");
    asks("Global=yes\nMachineMetadata=a=b\nConflicts=a");
    asks(&format!("{id}\nMachineMetadata=a=b"));
    asks("Conflicts=a\nReplaces=b\nMachineOf=c.container");
}

#[test]
fn what_waits_for_an_instance_excludes_others_until_it_is_taken_back() {
    let check = |lines: &str| verify(&name("web@.container"), &text(lines), &BTreeMap::new());
    assert!(check("MachineOf=%i.container\nGlobal=yes").is_err());
    assert!(check("MachineOf=%i.container\nMachineOf=\nGlobal=yes").is_ok());
    assert!(check("MachineOf=%i.container").is_ok());
}

#[test]
fn a_leader_is_neither_in_conflict_nor_replaced() {
    assert_eq!(
        refused("MachineOf=db.container\nConflicts=a d*\nReplaces=db.container"),
        [
            "web.container:5: Conflicts=d*: db.container is named in MachineOf=, to be beside it",
            "web.container:6: Replaces=db.container: db.container is named in MachineOf=, to be \
             beside it",
        ]
    );
    assert_eq!(
        refused("Replaces=%n"),
        ["web.container:4: Replaces=web.container: a unit cannot replace itself"]
    );
    let escaped = "a\\x2db.container";
    refused_of(escaped, "Replaces=%n");
    refused_of(escaped, &format!("Replaces={escaped}"));
    assert_eq!(asks_of("web@1.container", "Replaces=web@*").replaces, ["web@*"]);
}

#[test]
fn specifiers_of_the_host_are_refused_before_there_is_one() {
    for specifier in ["%H", "%m", "%b", "%l", "%v", "%a"] {
        for line in ["MachineMetadata=a=", "Conflicts=", "MachineID=", "MachineOf=", "Spread="] {
            let line = format!("{line}{specifier}");
            let told = format!(
                "web.container:4: {line}: {specifier} is of the host, and none is chosen yet"
            );
            assert_eq!(refused(&line), [told]);
        }
    }
    assert_eq!(
        refused("[Container]\nPublishPort=%H:80:80"),
        ["web.container:5: PublishPort=%H:80:80: %H is of the host, and none is chosen yet"]
    );
}

#[test]
fn what_has_no_effect_is_told() {
    assert_eq!(
        warned_of("web.container", "Spread=host"),
        ["web.container:4: Spread= has no effect: the unit is not of a template"]
    );
    assert_eq!(
        warned_of("web@.container", "Global=yes\nSpread=host\nPrefer=a=b"),
        [
            "web@.container:5: Spread= has no effect with Global=",
            "web@.container:6: Prefer= has no effect with Global=",
        ]
    );
    assert_eq!(
        warned_of("web@.container", &format!("Prefer=a=b\nMachineID={ID}")),
        ["web@.container:4: Prefer= has no effect with MachineID="]
    );
    assert_eq!(warned_of("web@.container", "Replicas=2\nSpread=host\nPrefer=a=b"), [""; 0]);
    assert_eq!(
        warned_of("web.container", "Singleton=strict"),
        [
            "web.container:4: Singleton=strict: not honoured yet: while its host is cut off the unit \
          goes on there, and may run elsewhere too"
        ]
    );
}

#[test]
fn aliases_lead_to_keys_that_there_are() {
    for alias in keys::ALIASES {
        let table::Found::Honoured(key) = keys::TABLE.find(alias.section, alias.old) else {
            panic!("{} is no key", alias.old);
        };
        assert_eq!((key.section, key.name), (alias.section, alias.name));
        assert!(keys::TABLE.all().all(|known| known != (alias.section, alias.old)));
    }
}

#[test]
fn more_words_than_a_rule_has_are_refused() {
    let globs = |count| format!("Conflicts={}", vec!["a"; count].join(" "));
    assert_eq!(asks(&globs(256)).conflicts.len(), 256);
    assert_eq!(refused(&globs(257)), ["web.container:4: Conflicts= has 257 words: at most 256"]);
}

fn texts(list: &[&str]) -> Vec<String> {
    list.iter().map(|text| (*text).to_owned()).collect()
}
