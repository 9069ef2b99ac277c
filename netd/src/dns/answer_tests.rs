use super::*;
use crate::core::samples::{network, record};
use hickory_proto::op::Query;

const ASKS: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 2));

fn zone(endpoints: usize) -> Zone {
    let network = network("bridge", 0, &["10.0.0.0/16", "fd00::/64"]);
    let mut zone = Zone::default();
    zone.put_network(&network);
    for i in 0..endpoints {
        let (four, six) =
            (format!("10.0.{}.{}", i / 200, i % 200 + 2), format!("fd00::{:x}", i + 2));
        zone.insert(&record(&format!("web:{i}"), &["web"], &[(&network, &[&four, &six])]));
    }
    zone
}

fn query(name: &str, kind: RecordType) -> Vec<u8> {
    let mut message = Message::new(7, MessageType::Query, OpCode::Query);
    message.add_query(Query::query(Name::from_ascii(name).unwrap(), kind));
    message.to_vec().unwrap()
}

fn ask(zone: &Zone, name: &str, kind: RecordType) -> Message {
    match decide(&query(name, kind), Transport::Udp, zone, ASKS) {
        Decision::Reply(bytes) => Message::from_vec(&bytes).unwrap(),
        other => panic!("{name}: {other:?}"),
    }
}

#[test]
fn an_endpoint_has_an_address_and_a_name() {
    let zone = zone(1);
    let reply = ask(&zone, "web.", RecordType::A);
    assert_eq!(reply.metadata.id, 7);
    assert_eq!(reply.answers[0].data, RData::A(A::new(10, 0, 0, 2)));
    let reply = ask(&zone, "web.", RecordType::AAAA);
    assert_eq!(reply.answers[0].data, RData::AAAA(AAAA("fd00::2".parse().unwrap())));
    let six = format!("2.{}d.f.ip6.arpa.", "0.".repeat(29));
    for name in ["2.0.0.10.in-addr.arpa.", &six] {
        let reply = ask(&zone, name, RecordType::PTR);
        assert_eq!(reply.answers[0].data.to_string(), "web.flotilla.internal.");
    }
}

#[test]
fn a_known_name_without_that_kind_exists() {
    let reply = ask(&zone(1), "web.", RecordType::MX);
    assert_eq!(reply.metadata.response_code, ResponseCode::NoError);
    assert!(reply.answers.is_empty());
}

#[test]
fn an_unknown_short_name_is_answered_here() {
    for (name, kind) in [("db.", RecordType::A), ("9.9.0.10.in-addr.arpa.", RecordType::PTR)] {
        assert_eq!(ask(&zone(1), name, kind).metadata.response_code, ResponseCode::NXDomain);
    }
}

#[test]
fn the_worlds_names_are_forwarded() {
    let zone = zone(1);
    for name in ["example.org.", "1.2.0.192.in-addr.arpa."] {
        assert_eq!(
            decide(&query(name, RecordType::A), Transport::Udp, &zone, ASKS),
            Decision::Forward
        );
    }
}

#[test]
fn a_long_answer_is_cut_for_udp_and_whole_for_tcp() {
    let zone = zone(200);
    let reply = ask(&zone, "web.", RecordType::A);
    assert!(reply.metadata.truncation);
    let Decision::Reply(bytes) = decide(&query("web.", RecordType::A), Transport::Tcp, &zone, ASKS)
    else {
        panic!("no reply");
    };
    assert_eq!(Message::from_vec(&bytes).unwrap().answers.len(), 200);
}

#[test]
fn garbage_gets_an_error_or_nothing_and_never_a_panic() {
    let zone = zone(1);
    assert_eq!(decide(b"", Transport::Udp, &zone, ASKS), Decision::Ignore);
    assert_eq!(decide(&[0xff; 40], Transport::Udp, &zone, ASKS), Decision::Ignore);
    let whole = query("web.", RecordType::A);
    for cut in 12..whole.len() {
        assert!(matches!(decide(&whole[..cut], Transport::Udp, &zone, ASKS), Decision::Reply(_)));
    }
    let mut response = whole;
    response[2] |= 0x80;
    assert_eq!(decide(&response, Transport::Udp, &zone, ASKS), Decision::Ignore);
}

#[test]
fn an_answer_to_another_question_is_not_taken() {
    let asked = query("example.org.", RecordType::A);
    let mut same = asked.clone();
    same[2] |= 0x80;
    assert!(answers(&same, &asked));
    let mut other = query("example.com.", RecordType::A);
    other[2] |= 0x80;
    assert!(!answers(&other, &asked));
    assert!(!answers(&asked, &asked));
}
