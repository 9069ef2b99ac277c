use super::*;

const OWN: MachineId = MachineId(1);
const OTHER: MachineId = MachineId(2);

fn records() -> Records {
    Records::new(OWN, 5, Limits::default())
}

fn record(
    host: MachineId,
    kind: Kind,
    name: &str,
    version: (u64, u64),
    value: Option<&str>,
) -> Record {
    let key = Key { host, kind, name: name.to_owned() };
    let version = Version { life: version.0, counter: version.1 };
    Record { key, version, value: value.map(|text| Arc::from(text.as_bytes())) }
}

fn texts(records: &Records, kind: Kind) -> Vec<(u128, String, String)> {
    let text = |record: Record| {
        let value = String::from_utf8(record.value.unwrap().to_vec()).unwrap();
        (record.key.host.0, record.key.name, value)
    };
    records.of_kind(kind).map(text).collect()
}

#[test]
fn the_higher_version_wins_in_any_order() {
    let old = record(OTHER, Kind::Unit, "a", (1, 9), Some("old"));
    let new = record(OTHER, Kind::Unit, "a", (2, 1), Some("new"));
    for order in [[&old, &new], [&new, &old]] {
        let mut records = records();
        for record in order {
            records.hear(record, None);
        }
        assert_eq!(texts(&records, Kind::Unit), [(2, "a".into(), "new".into())]);
    }
}

#[test]
fn a_deletion_hides_the_value_until_a_newer_one_and_is_forgotten_in_the_end() {
    let mut records = records();
    records.hear(&record(OTHER, Kind::Unit, "a", (1, 2), None), None);
    assert_eq!(
        records.hear(&record(OTHER, Kind::Unit, "a", (1, 1), Some("x")), None),
        Heard::Known
    );
    assert!(texts(&records, Kind::Unit).is_empty());
    assert_eq!(records.size().0, 1);
    records.now = Limits::default().deletions;
    records.purge(|_| true);
    assert_eq!(records.size(), (0, 0));
    assert_eq!(records.sum(), 0);
}

#[test]
fn a_record_of_an_earlier_life_is_answered_with_what_is_true() {
    let mut records = records();
    records.write(Kind::Unit, "runs", Some(b"now")).unwrap();
    records.take_unsent();
    for (name, expected) in [("runs", Some("now")), ("ran", None)] {
        records.hear(&record(OWN, Kind::Unit, name, (4, 1_000), Some("then")), None);
        let (sent, _) = records.take_unsent();
        let sent = Record::decode(&sent[0]).unwrap();
        assert_eq!(sent.version.life, 5);
        assert_eq!(sent.value.as_deref(), expected.map(str::as_bytes));
    }
    assert_eq!(texts(&records, Kind::Unit), [(1, "runs".into(), "now".into())]);
}

#[test]
fn a_made_up_record_of_this_host_is_outdone() {
    for version in [(5, 700), (900, 3)] {
        let mut records = records();
        records.write(Kind::Unit, "a", Some(b"true")).unwrap();
        records.take_unsent();
        let lie = record(OWN, Kind::Unit, "a", version, Some("lie"));
        records.hear(&lie, None);
        let (sent, _) = records.take_unsent();
        let sent = Record::decode(&sent[0]).unwrap();
        assert!(sent.version > lie.version);
        assert_eq!(sent.value.as_deref(), Some(b"true".as_slice()));
        // And its next one is newer again.
        records.write(Kind::Unit, "a", Some(b"next")).unwrap();
        let (next, _) = records.take_unsent();
        assert!(Record::decode(&next[0]).unwrap().version > sent.version);
    }
}

#[test]
fn a_host_does_not_answer_its_own_current_record() {
    let mut records = records();
    records.write(Kind::Unit, "a", Some(b"x")).unwrap();
    let (sent, _) = records.take_unsent();
    records.hear(&Record::decode(&sent[0]).unwrap(), None);
    assert!(records.take_unsent().0.is_empty());
}

#[test]
fn a_set_about_this_host_is_taken_from_others_and_the_newer_one_wins() {
    let mut records = records();
    assert_eq!(records.hear(&record(OWN, Kind::Set, "", (1, 8), Some("new")), None), Heard::New);
    assert_eq!(records.hear(&record(OWN, Kind::Set, "", (1, 7), Some("old")), None), Heard::Known);
    records.write_set(OWN, Version { life: 1, counter: 6 }, b"older").unwrap();
    assert_eq!(texts(&records, Kind::Set), [(1, String::new(), "new".into())]);
    records.write_set(OWN, Version { life: 2, counter: 1 }, b"restored").unwrap();
    assert_eq!(texts(&records, Kind::Set), [(1, String::new(), "restored".into())]);
}

#[test]
fn what_is_written_again_unchanged_is_not_sent_again() {
    let mut records = records();
    for expected in [1, 0] {
        records.write(Kind::Unit, "a", Some(b"x")).unwrap();
        assert_eq!(records.take_unsent().0.len(), expected);
    }
    records.write(Kind::Unit, "never was", None).unwrap();
    assert!(records.take_unsent().0.is_empty());
}

#[test]
fn a_large_record_is_not_broadcast() {
    let mut records = records();
    records.write(Kind::Image, "large", Some(&[0; MAX_BROADCAST])).unwrap();
    assert_eq!(records.take_unsent(), (Vec::new(), true));
}

#[test]
fn limits_hold_and_their_breach_is_counted() {
    let limits = Limits { hosts: 2, records_per_host: 3, bytes_per_host: 100, ..Limits::default() };
    let mut records = Records::new(OWN, 5, limits);
    for host in 2..20 {
        for name in 0..20 {
            records.hear(
                &record(MachineId(host), Kind::Unit, &name.to_string(), (1, 1), Some("x")),
                None,
            );
        }
    }
    assert_eq!(records.size().0, 2 * 3);
    let long = "x".repeat(100);
    assert_eq!(
        records.hear(&record(OTHER, Kind::Unit, "0", (1, 2), Some(&long)), None),
        Heard::Refused
    );
    assert_eq!(records.dropped.of(Reason::Limit), 18 * 20 - 6 + 1);
}

#[test]
fn equal_sums_mean_equal_records_however_they_came() {
    let (mut one, mut two) = (records(), records());
    let list = [
        record(OTHER, Kind::Unit, "a", (1, 1), Some("x")),
        record(OTHER, Kind::Unit, "b", (1, 2), None),
        record(OTHER, Kind::Image, "a", (1, 3), Some("y")),
    ];
    list.iter().for_each(|record| assert_eq!(one.hear(record, None), Heard::New));
    assert_ne!(one.sum(), two.sum());
    two.hear(&record(OTHER, Kind::Unit, "a", (0, 7), Some("older")), None);
    list.iter().rev().for_each(|record| assert_eq!(two.hear(record, None), Heard::New));
    assert_eq!(one.sum(), two.sum());
}

#[test]
fn a_set_that_is_heard_by_push_pull_is_not_broadcast_again() {
    let mut records = records();
    records.hear(&record(OTHER, Kind::Set, "", (1, 8), Some("x")), None);
    assert_eq!(records.take_unsent(), (Vec::new(), false));
    assert!(!records.has_written());
}

#[test]
fn this_host_can_speak_whatever_others_have_filled_the_memory_with() {
    let limits = Limits { hosts: 2, records: 3, bytes: 1_000, ..Limits::default() };
    let mut records = Records::new(OWN, 5, limits);
    for host in 2..5 {
        for name in ["a", "b"] {
            records.hear(&record(MachineId(host), Kind::Unit, name, (1, 1), Some("x")), None);
        }
    }
    assert_eq!(records.size().0, 3);
    let long = "x".repeat(1_000);
    let longer = record(MachineId(2), Kind::Unit, "a", (1, 2), Some(&long));
    assert_eq!(records.hear(&longer, None), Heard::Refused);
    assert_eq!(records.write(Kind::Unit, "a", Some(long.as_bytes())), Ok(()));
    // What is purged makes room.
    records.purge(|_| false);
    assert_eq!(
        records.hear(&record(MachineId(4), Kind::Unit, "a", (1, 1), Some("x")), None),
        Heard::Refused
    );
    records.write(Kind::Unit, "a", Some(b"short")).unwrap();
    assert_eq!(
        records.hear(&record(MachineId(4), Kind::Unit, "a", (1, 1), Some("x")), None),
        Heard::New
    );
}

#[test]
fn lies_that_had_to_be_deleted_do_not_keep_a_host_from_speaking() {
    let limits = Limits { records_per_host: 50, ..Limits::default() };
    let (mut own, mut other) = (Records::new(OWN, 5, limits), Records::new(OTHER, 5, limits));
    for name in 0..200 {
        let lie = record(OWN, Kind::Unit, &name.to_string(), (4, 1), Some("x"));
        own.hear(&lie, None);
        other.hear(&lie, None);
        for sent in own.take_unsent().0 {
            other.hear(&Record::decode(&sent).unwrap(), None);
        }
    }
    own.write(Kind::Unit, "true", Some(b"true")).unwrap();
    for sent in own.take_unsent().0 {
        assert_eq!(other.hear(&Record::decode(&sent).unwrap(), None), Heard::New);
    }
    assert!(own.size().0 <= 50 && other.size().0 <= 50);
    assert_eq!(texts(&other, Kind::Unit), [(1, "true".into(), "true".into())]);
}

#[test]
fn a_set_is_one_only_with_the_voters_signature() {
    use crate::pki::signed::Signer;
    let (seed, public) = Signer::generate().unwrap();
    let signer = Signer::read(&seed).unwrap();
    let mut records = records();
    records.signers = vec!["00".repeat(32), public];
    let set = |host, counter, value: Option<&[u8]>| Record {
        key: Key { host, kind: Kind::Set, name: String::new() },
        version: Version { life: 0, counter },
        value: value.map(Arc::from),
    };
    let at = |counter| Version { life: 0, counter };
    let true_one = set_digest::sign(&signer, OTHER, at(7));
    assert_eq!(records.hear(&set(OTHER, 7, Some(&true_one)), None), Heard::New);
    let of_another = set_digest::sign(&signer, OWN, at(9));
    for (counter, value) in [
        (MAX, Some(b"".as_slice())),
        (MAX, Some(true_one.as_slice())),
        (9, Some(of_another.as_slice())),
        (8, None),
    ] {
        let forged = set(OTHER, counter, value);
        assert_eq!(records.hear(&forged, Some(OTHER)), Heard::Refused, "{forged:?}");
    }
    assert_eq!(records.dropped.of(Reason::Unsigned), 4);
    let next = set_digest::sign(&signer, OTHER, at(8));
    assert_eq!(records.hear(&set(OTHER, 8, Some(&next)), None), Heard::New);
}

/// The greatest number that can be read.
const MAX: u64 = (1 << 62) - 1;

#[test]
fn no_lie_about_a_host_is_one_that_it_cannot_outdo() {
    let (mut own, mut other) = (records(), Records::new(OTHER, 5, Limits::default()));
    own.write(Kind::Unit, "a", Some(b"true")).unwrap();
    let tell = |own: &mut Records, other: &mut Records| {
        own.take_unsent().0.iter().for_each(|sent| {
            other.hear(&Record::decode(sent).unwrap(), None);
        });
    };
    tell(&mut own, &mut other);
    for version in [(MAX, MAX), (5, MAX), (5 + LEAP, MAX), (6 + LEAP, 1), (7 + LEAP, MAX)] {
        let lie = record(OWN, Kind::Unit, "a", version, Some("lie"));
        other.hear(&lie, None);
        own.hear(&lie, None);
        tell(&mut own, &mut other);
        assert_eq!(texts(&other, Kind::Unit), [(1, "a".into(), "true".into())], "{version:?}");
        own.write(Kind::Unit, "b", Some(version.1.to_string().as_bytes())).unwrap();
        own.write(Kind::Unit, "b", None).unwrap();
        tell(&mut own, &mut other);
    }
    assert_eq!(other.dropped.of(Reason::Unbelievable), 1);
    // What somebody has missed of such a quarrel he takes from the host itself.
    let mut third = records_of(MachineId(9));
    let far = record(OWN, Kind::Unit, "a", (3 * LEAP, 1), Some("true"));
    assert_eq!(third.hear(&far, Some(OTHER)), Heard::Refused);
    assert_eq!(third.hear(&far, Some(OWN)), Heard::New);
}

fn records_of(host: MachineId) -> Records {
    Records::new(host, 1, Limits::default())
}
