use super::*;
use crate::core::gossip::limits::Limits;
use std::sync::Mutex;

fn knowledge(host: u128) -> Knowledge {
    let node = Node::new(MachineId(host), 1, "10.0.0.1:7000".parse().unwrap());
    let records = Records::new(MachineId(host), 1, Limits::default());
    Knowledge {
        own: node.clone(),
        members: vec![(node, 0)],
        records: Arc::new(Mutex::new(records)),
        peer: None,
    }
}

fn put(knowledge: &Knowledge, host: u128, name: &str, counter: u64, value: Option<&[u8]>) {
    let key = Key { host: MachineId(host), kind: Kind::Unit, name: name.to_owned() };
    let version = Version { life: 1, counter };
    let record = Record { key, version, value: value.map(Arc::from) };
    assert_eq!(lock(&knowledge.records).hear(&record, None), Heard::New);
}

/// Runs a push-pull over bytes, and gives back how many questions it took.
fn exchange(one: &Knowledge, two: &Knowledge) -> u32 {
    let over_the_wire = |message: &Message| {
        let (head, body) = message.encode().unwrap();
        assert!(head.len() <= MAX_PART && body.len() <= MAX_PART);
        Message::decode(&head, body.to_vec()).unwrap()
    };
    let mut asking = Asking::default();
    let mut question = Some(asking.first(one));
    let mut count = 0;
    while let Some(asked) = question {
        count += 1;
        let (answer, _) = two.answer(&over_the_wire(&asked));
        question = asking.next(one, &over_the_wire(&answer)).0;
    }
    count
}

fn same(one: &Knowledge, two: &Knowledge) -> bool {
    let all =
        |knowledge: &Knowledge| lock(&knowledge.records).of_kind(Kind::Unit).collect::<Vec<_>>();
    lock(&one.records).sum() == lock(&two.records).sum() && all(one) == all(two)
}

#[test]
fn equal_hosts_need_one_question() {
    let (one, mut two) = (knowledge(1), knowledge(1));
    two.members.clone_from(&one.members);
    for side in [&one, &two] {
        put(side, 5, "a", 1, Some(b"x"));
    }
    assert_eq!(exchange(&one, &two), 1);
}

#[test]
fn both_get_what_is_newer_on_the_other_side() {
    let (one, two) = (knowledge(1), knowledge(2));
    put(&one, 5, "newer in one", 2, Some(b"new"));
    put(&two, 5, "newer in one", 1, Some(b"old"));
    put(&one, 5, "deleted in two", 1, Some(b"old"));
    put(&two, 5, "deleted in two", 2, None);
    put(&one, 6, "only in one", 1, Some(b"x"));
    put(&two, 7, "only in two", 1, Some(b""));
    assert!(!same(&one, &two));
    exchange(&one, &two);
    assert!(same(&one, &two));
    assert_eq!(lock(&one.records).of_kind(Kind::Unit).count(), 3);
}

#[test]
fn many_hosts_and_many_bytes_go_page_by_page() {
    let (one, two) = (knowledge(1), knowledge(2));
    for host in 10..1_700 {
        put(if host % 2 == 0 { &one } else { &two }, host, "a", 1, Some(b"x"));
    }
    let large = vec![7; 60_000];
    for number in 0..40 {
        put(
            if number % 2 == 0 { &one } else { &two },
            9,
            &format!("large {number}"),
            1,
            Some(&large[..20_000]),
        );
    }
    for number in 0..1_500 {
        put(&two, 8, &number.to_string(), 1, Some(b"y"));
    }
    exchange(&one, &two);
    assert!(same(&one, &two));
}

#[test]
fn a_message_of_a_later_version_is_answered_and_ends_in_peace() {
    let one = knowledge(1);
    let later = br#"{"version":9,"what":"merkle","root":"abc"}"#;
    let (answer, heard) = one.answer(&Message::decode(later, Vec::new()).unwrap());
    assert_eq!((answer.what, heard.len()), (What::Unknown, 0));
    let who = one.answer(&Message::who()).0;
    assert_eq!(who.is_from(), Some(one.own.clone()));
    let unknown = Message::new(What::Unknown);
    assert!(Asking::default().next(&one, &unknown).0.is_none());
    let field = br#"{"version":9,"what":"hello","members":1,"records":2,"load":3}"#;
    let message = Message::decode(field, Vec::new()).unwrap();
    assert_eq!(message.what, What::Hello { members: 1, records: 2 });
}

#[test]
fn a_peer_that_answers_nonsense_is_left_in_the_end() {
    let (one, two) = (knowledge(1), knowledge(2));
    put(&two, 5, "a", 1, Some(b"x"));
    let key = Key { host: MachineId(5), kind: Kind::Unit, name: "a".to_owned() };
    let mut row = Row::asking(&key);
    row.bytes = Some(1_000_000);
    let rows = vec![(2, "a".to_owned(), 1, 1)];
    let promises = Message::new(What::Differ {
        hosts: vec![Versions { host: MachineId(5), rows }],
        next: Some(MachineId(0)),
    });
    let short = Message::new(What::Records { records: vec![row] });
    let empty = Message::new(What::Records { records: Vec::new() });
    for answers in [[&promises, &short], [&promises, &empty], [&promises, &promises]] {
        let mut asking = Asking::default();
        let mut count = 0;
        while asking.next(&one, answers[count % 2]).0.is_some() {
            count += 1;
            assert!(count <= 5_000);
        }
        assert_eq!(lock(&one.records).size().0, 0);
    }
}

#[test]
fn hosts_with_as_many_and_as_long_names_as_there_may_be_still_fit() {
    let (one, two) = (knowledge(1), knowledge(2));
    // Each letter takes two bytes in JSON.
    for host in 5..9 {
        for number in 0..2_048 {
            put(&two, host, &format!("{number:\"<255}"), 1, Some(b"x"));
        }
    }
    exchange(&one, &two);
    assert!(same(&one, &two));
    let key = Key { host: MachineId(9), kind: Kind::Unit, name: "\u{1}".to_owned() };
    let record = Record { key, version: Version { life: 1, counter: 1 }, value: None };
    assert_eq!(lock(&one.records).hear(&record, None), Heard::Refused);
}

#[test]
fn the_answer_to_another_question_ends_it() {
    let one = knowledge(1);
    let mut asking = Asking::default();
    for (host, goes_on) in [(5, true), (6, false)] {
        let rows = vec![(2, "a".to_owned(), 1, 1)];
        let hosts = vec![Versions { host: MachineId(host), rows }];
        let answer = Message::new(What::Differ { hosts, next: None });
        assert_eq!(asking.next(&one, &answer).0.is_some(), goes_on);
    }
}
