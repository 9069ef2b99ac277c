use super::*;
use hickory_proto::op::Query;
use netd_api::{DnsName, EndpointId, EndpointSpec, NetworkName};

fn zone(endpoints: usize) -> Zone {
    let mut zone = Zone::new("10.0.0.0/16".parse().unwrap(), "flotilla.internal");
    for i in 0..endpoints {
        let spec = EndpointSpec {
            id: EndpointId::new(format!("web:{i}")).unwrap(),
            network: NetworkName::new("bridge").unwrap(),
            names: vec![DnsName::new("web").unwrap()],
            ports: vec![],
            address: None,
        };
        zone.insert(&spec, Ipv4Addr::from_bits(0x0a00_0002 + i as u32));
    }
    zone
}

fn query(name: &str, kind: RecordType) -> Vec<u8> {
    let mut message = Message::new(7, MessageType::Query, OpCode::Query);
    message.add_query(Query::query(Name::from_ascii(name).unwrap(), kind));
    message.to_vec().unwrap()
}

fn ask(zone: &Zone, name: &str, kind: RecordType) -> Message {
    match decide(&query(name, kind), Transport::Udp, zone) {
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
    let reply = ask(&zone, "2.0.0.10.in-addr.arpa.", RecordType::PTR);
    assert_eq!(reply.answers[0].data.to_string(), "web.flotilla.internal.");
}

#[test]
fn a_known_name_without_that_kind_exists() {
    let reply = ask(&zone(1), "web.", RecordType::AAAA);
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
        assert_eq!(decide(&query(name, RecordType::A), Transport::Udp, &zone), Decision::Forward);
    }
}

#[test]
fn a_long_answer_is_cut_for_udp_and_whole_for_tcp() {
    let zone = zone(200);
    let reply = ask(&zone, "web.", RecordType::A);
    assert!(reply.metadata.truncation);
    let Decision::Reply(bytes) = decide(&query("web.", RecordType::A), Transport::Tcp, &zone)
    else {
        panic!("no reply");
    };
    assert_eq!(Message::from_vec(&bytes).unwrap().answers.len(), 200);
}

#[test]
fn garbage_gets_an_error_or_nothing_and_never_a_panic() {
    let zone = zone(1);
    assert_eq!(decide(b"", Transport::Udp, &zone), Decision::Ignore);
    assert_eq!(decide(&[0xff; 40], Transport::Udp, &zone), Decision::Ignore);
    let whole = query("web.", RecordType::A);
    for cut in 12..whole.len() {
        assert!(matches!(decide(&whole[..cut], Transport::Udp, &zone), Decision::Reply(_)));
    }
    let mut response = whole;
    response[2] |= 0x80;
    assert_eq!(decide(&response, Transport::Udp, &zone), Decision::Ignore);
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
