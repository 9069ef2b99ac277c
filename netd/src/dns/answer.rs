//! From a query's bytes to what to do with it, without a socket.

use super::zone::{Answer, Zone};
use hickory_proto::op::{Edns, Message, MessageType, OpCode, ResponseCode};
use hickory_proto::rr::rdata::{A, AAAA, PTR};
use hickory_proto::rr::{DNSClass, Name, RData, Record, RecordType};
use std::net::IpAddr;

/// Seconds that an answer may be kept: a unit's address may change when it is started again.
const TTL: u32 = 5;
/// The largest datagram that we take and send (DNS flag day 2020).
const DATAGRAM: u16 = 1232;
const HEADER: usize = 12;
/// The bit of the third byte that marks a response (RFC 1035, 4.1.1).
const RESPONSE: u8 = 0x80;

/// What to do with a query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Decision {
    Reply(Vec<u8>),
    /// Ask the host's name servers.
    Forward,
    /// Not a query: an answer to it could go round in circles.
    Ignore,
}

/// How the query came: an answer that is too long for a datagram is cut, and asked for again by TCP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Transport {
    Udp,
    Tcp,
}

/// `asks` is the address that the query came from.
pub(super) fn decide(bytes: &[u8], transport: Transport, zone: &Zone, asks: IpAddr) -> Decision {
    if bytes.len() < HEADER || bytes[2] & RESPONSE != 0 {
        return Decision::Ignore;
    }
    let Ok(query) = Message::from_vec(bytes) else {
        let id = u16::from_be_bytes([bytes[0], bytes[1]]);
        let message = Message::error_msg(id, OpCode::Query, ResponseCode::FormErr);
        return message.to_vec().map_or(Decision::Ignore, Decision::Reply);
    };
    let reply = |code, answers| reply(&query, transport, code, answers);
    let [question] = query.queries.as_slice() else {
        return reply(ResponseCode::FormErr, vec![]);
    };
    if query.metadata.op_code != OpCode::Query {
        return reply(ResponseCode::NotImp, vec![]);
    }
    if question.query_class() != DNSClass::IN {
        return reply(ResponseCode::Refused, vec![]);
    }
    let name = question.name();
    match look_up(name, zone, asks) {
        Answer::Foreign => Decision::Forward,
        Answer::Nothing => reply(ResponseCode::NXDomain, vec![]),
        Answer::Addresses(addresses) => {
            let kind = question.query_type();
            let records = addresses.into_iter().map(|a| address(name, a));
            let wanted = |r: &Record| [r.record_type(), RecordType::ANY].contains(&kind);
            reply(ResponseCode::NoError, records.filter(wanted).collect())
        }
        Answer::Name(target) => {
            let wanted = matches!(question.query_type(), RecordType::PTR | RecordType::ANY);
            let records = Name::from_ascii(format!("{target}.")).into_iter().filter(|_| wanted);
            let records =
                records.map(|t| Record::from_rdata(name.clone(), TTL, RData::PTR(PTR(t))));
            reply(ResponseCode::NoError, records.collect())
        }
    }
}

/// The same query, answered that its name cannot be found out now.
pub(super) fn failed(bytes: &[u8], transport: Transport) -> Option<Vec<u8>> {
    let query = Message::from_vec(bytes).ok()?;
    match reply(&query, transport, ResponseCode::ServFail, vec![]) {
        Decision::Reply(bytes) => Some(bytes),
        _ => None,
    }
}

/// Whether `answer` answers `query`: the same id and question.
pub(super) fn answers(answer: &[u8], query: &[u8]) -> bool {
    answer.len() >= HEADER
        && answer[..2] == query[..2]
        && answer[2] & RESPONSE != 0
        && match (Message::from_vec(answer), Message::from_vec(query)) {
            (Ok(answer), Ok(query)) => answer.queries == query.queries,
            _ => false,
        }
}

/// Whether the server that answered could not or would not say.
pub(super) fn is_failure(answer: &[u8]) -> bool {
    let code = answer.get(3).map_or(0, |b| b & 0x0f);
    [ResponseCode::ServFail, ResponseCode::Refused].iter().any(|c| c.low() == code)
}

fn look_up(name: &Name, zone: &Zone, asks: IpAddr) -> Answer {
    let text = name.to_ascii();
    let lower = text.to_ascii_lowercase();
    if (lower.ends_with(".in-addr.arpa.") || lower.ends_with(".ip6.arpa."))
        && let Ok(net) = name.parse_arpa_name()
        && net.prefix_len() == net.max_prefix_len()
    {
        return zone.look_up_address(net.addr(), asks);
    }
    zone.look_up(&text, asks)
}

fn address(name: &Name, address: IpAddr) -> Record {
    let data = match address {
        IpAddr::V4(address) => RData::A(A(address)),
        IpAddr::V6(address) => RData::AAAA(AAAA(address)),
    };
    Record::from_rdata(name.clone(), TTL, data)
}

fn reply(
    query: &Message,
    transport: Transport,
    code: ResponseCode,
    answers: Vec<Record>,
) -> Decision {
    let mut message =
        Message::new(query.metadata.id, MessageType::Response, query.metadata.op_code);
    message.metadata.response_code = code;
    message.metadata.recursion_desired = query.metadata.recursion_desired;
    message.metadata.recursion_available = true;
    message.metadata.authoritative = code == ResponseCode::NXDomain || !answers.is_empty();
    message.add_queries(query.queries.iter().cloned());
    message.add_answers(answers);
    if query.edns.is_some() {
        let mut edns = Edns::new();
        edns.set_max_payload(DATAGRAM);
        message.set_edns(edns);
    }
    let room = usize::from(query.max_payload().clamp(512, DATAGRAM));
    match message.to_vec() {
        Ok(bytes) if transport == Transport::Udp && bytes.len() > room => {
            message.truncate().to_vec().map_or(Decision::Ignore, Decision::Reply)
        }
        Ok(bytes) => Decision::Reply(bytes),
        Err(_) => Decision::Ignore,
    }
}

#[cfg(test)]
#[path = "answer_tests.rs"]
mod tests;
