use crate::authority::HOST_VALID;
use crate::fixture::*;
use crate::join::{Answer, JoinRequest, Known, MachineFacts, admit};
use crate::record::{Accepted, Record};
use crate::revoked::Revoked;
use crate::{Authority, Expected, Fingerprint, Key, Request, Token, Trust, joining, tls};
use rustls::pki_types::UnixTime;

struct Joining {
    key: Key,
    token: Token,
    request: JoinRequest,
    csr: Request,
}

/// Host 9, with a token of the authority.
fn joining(authority: &Authority) -> Joining {
    let key = Key::generate().unwrap();
    let token = Token::new(authority.fingerprint()).unwrap();
    let csr = Request::make(&key, None).unwrap();
    let facts = MachineFacts { hostname: "db1".to_owned(), cpus: 4, ..MachineFacts::default() };
    let request = JoinRequest { token: token.clone(), machine: machine(9), csr, facts };
    let csr = Request::read(&request.csr).unwrap();
    Joining { key, token, request, csr }
}

fn admitted(
    joining: &Joining,
    host: Option<&Fingerprint>,
    revoked: &Revoked,
) -> Result<Accepted, String> {
    let record = Record::new(&joining.token, 60, Some(1), 1000);
    let known = Known { record: Some(&record), host, revoked };
    admit(&joining.request, &joining.csr, known, 1001).map_err(|error| error.to_string())
}

#[test]
fn a_host_joins_with_a_token_and_is_one_of_the_fleet() {
    let authority = fleet();
    let trusts = bundle(&[&authority]);
    let member = credentials(&trusts, own(&authority, &host(1)));
    let joining_host = joining(&authority);
    let mut wire = connect(
        joining::client(joining_host.token.authority()).unwrap(),
        joining::server(&member).unwrap(),
    );
    assert!(wire.is_open(), "{:?}", wire.sentences());
    assert!(member.client(&wire.server).is_err(), "who joins is nobody yet");

    // What is sent is what arrives.
    let sent = serde_json::to_string(&joining_host.request).unwrap();
    let request: JoinRequest = serde_json::from_str(&sent).unwrap();
    assert_eq!(request.token.hash(), joining_host.token.hash());
    assert_eq!(admitted(&joining_host, None, &Revoked::default()), Ok(Accepted::New));
    let issued = authority.issue(&joining_host.csr, &host(9), HOST_VALID, now()).unwrap();
    let answer = serde_json::to_string(&Answer::new(&issued, &member.trust())).unwrap();
    let answer: Answer = serde_json::from_str(&answer).unwrap();
    let pinned = joining_host.token.authority();
    let shows = answer.accept(&machine(9), &joining_host.key, &pinned, UnixTime::now()).unwrap();
    let joined = credentials(&answer.bundle, shows);
    let mut wire = mutual(&joined, Expected::Host(machine(1)), &member, Expected::AnyHost);
    assert!(wire.is_open(), "{:?}", wire.sentences());
    assert_eq!(member.client(&wire.server).unwrap().identity, host(9));
}

#[test]
fn who_joins_says_nothing_to_another_fleet_or_to_who_stands_between() {
    let (authority, other) = (fleet(), fleet());
    let pinned = authority.fingerprint();
    let imitation = Authority::create(authority.fleet(), now()).unwrap();
    // It shows the right authority, and has a certificate of another.
    let between = credentials(&bundle(&[&authority]), own(&imitation, &host(1)));
    let of_other = credentials(&bundle(&[&other]), own(&other, &host(1)));
    let copied = credentials(&bundle(&[&imitation]), own(&imitation, &host(1)));
    let user = user("anna", crate::Role::Admin);
    let of_user = credentials(&bundle(&[&authority]), own(&authority, &user));
    for (server, says) in [
        (between, "of no authority"),
        (of_other, "does not show the certificate authority that the token names"),
        (copied, "does not show the certificate authority that the token names"),
        (of_user, "may not be used at its end"),
    ] {
        let mut wire = connect(joining::client(pinned).unwrap(), joining::server(&server).unwrap());
        assert!(!wire.is_open());
        let (client, server) = wire.sentences();
        assert!(client.contains(says), "{client}");
        assert!(!server.is_empty());
    }
}

#[test]
fn a_connection_to_join_is_taken_for_no_other() {
    let authority = fleet();
    let member = credentials(&bundle(&[&authority]), own(&authority, &host(1)));
    let pinned = authority.fingerprint();
    let mut to_fleet =
        connect(joining::client(pinned).unwrap(), tls::server(&member, Expected::Anyone).unwrap());
    assert!(!to_fleet.is_open());
    let (client, server) = to_fleet.sentences();
    assert!(client.contains("does not show the certificate authority"), "{client}");
    assert!(server.contains("does not take our certificate"), "{server}");
    let client = tls::client(&member, Expected::AnyHost).unwrap();
    let mut to_join = connect(client, joining::server(&member).unwrap());
    assert!(!to_join.is_open() && to_join.server_error.is_some());
}

#[test]
fn a_token_is_no_right_to_become_another_host() {
    let authority = fleet();
    let joining = joining(&authority);
    let none = Revoked::default();
    let (own_key, other_key) = (joining.key.fingerprint(), authority.fingerprint());
    assert_eq!(admitted(&joining, Some(&own_key), &none), Ok(Accepted::New));
    let says = admitted(&joining, Some(&other_key), &none).unwrap_err();
    assert!(says.contains("a host of that id is in the fleet with another key"), "{says}");
    let mut revoked = Revoked::default();
    revoked.revoke_host(machine(9));
    let says = admitted(&joining, None, &revoked).unwrap_err();
    assert!(says.contains("that host has left the fleet"), "{says}");
}

#[test]
fn who_has_no_good_token_learns_nothing_of_the_fleets_hosts() {
    let authority = fleet();
    let joining = joining(&authority);
    let (other_key, revoked) = (authority.fingerprint(), Revoked::default());
    let known = Known { record: None, host: Some(&other_key), revoked: &revoked };
    let says = admit(&joining.request, &joining.csr, known, 1001).unwrap_err().to_string();
    assert_eq!(says, "use join token: the fleet knows no such token");
}

#[test]
fn facts_that_are_no_facts_are_refused() {
    let authority = fleet();
    for hostname in ["a\nb", "\u{1b}[2J", "\u{e4}", &"x".repeat(300)] {
        let mut joining = joining(&authority);
        joining.request.facts.hostname = hostname.to_owned();
        let says = admitted(&joining, None, &Revoked::default()).unwrap_err();
        assert!(says.ends_with("its hostname is too long or not printable"), "{says}");
    }
}

#[test]
fn an_answer_about_somebody_else_is_refused() {
    let (authority, other) = (fleet(), fleet());
    let joining = joining(&authority);
    let key = &joining.key;
    let answer = |authority: &Authority, csr: &Request, n| {
        let issued = authority.issue(csr, &host(n), HOST_VALID, now()).unwrap();
        let trust = Trust { bundle: bundle(&[authority]), revoked: Revoked::default() };
        Answer::new(&issued, &trust)
    };
    let accept = |answer: &Answer| {
        let pinned = authority.fingerprint();
        let result = answer.accept(&machine(9), key, &pinned, UnixTime::now());
        result.map(drop).map_err(|error| error.to_string())
    };
    assert_eq!(accept(&answer(&authority, &joining.csr, 9)), Ok(()));
    let foreign_key = Request::read(&Request::make(&Key::generate().unwrap(), None).unwrap());
    let mut mixed = answer(&authority, &joining.csr, 9);
    mixed.certificate = answer(&other, &joining.csr, 9).certificate;
    let mut cut = answer(&authority, &joining.csr, 9);
    cut.certificate.truncate(100);
    for (bad, says) in [
        (answer(&authority, &joining.csr, 8), "the certificate is of host 0000"),
        (answer(&authority, &foreign_key.unwrap(), 9), "the certificate is for another key"),
        (answer(&other, &joining.csr, 9), "the authority we know is not among those"),
        (mixed, "of no authority"),
        (cut, "is it cut off?"),
    ] {
        let error = accept(&bad).unwrap_err();
        assert!(error.contains(says), "{error}");
    }
}
