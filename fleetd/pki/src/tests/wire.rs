//! Every refusal, at both ends of a connection.

use crate::authority::HOST_VALID;
use crate::fixture::*;
use crate::name::Role;
use crate::refusal::Side;
use crate::revoked::Revoked;
use crate::{Authority, Bundle, Expected, Own, tls};
use rcgen::SanType;
use rustls::ClientConfig;

/// A host that shows something bad to a good one; what the good and the bad one say.
fn refused(trusts: &Bundle, good: &Own, bad: &Own, bad_is: Side) -> (String, String) {
    let good = credentials(trusts, good.clone());
    let bad = credentials(trusts, bad.clone());
    let (client, server) = match bad_is {
        Side::Client => (&bad, &good),
        Side::Server => (&good, &bad),
    };
    let mut wire = mutual(client, Expected::AnyHost, server, Expected::AnyHost);
    assert!(!wire.is_open(), "the connection is open");
    let (client, server) = wire.sentences();
    match bad_is {
        Side::Client => (server, client),
        Side::Server => (client, server),
    }
}

/// It is refused at either end, with this in the sentences of the good and of the bad host.
fn is_refused(authority: &Authority, bad: &Own, good_says: &str, bad_hears: &str) {
    let trusts = bundle(&[authority]);
    for side in [Side::Client, Side::Server] {
        let (good, heard) = refused(&trusts, &own(authority, &host(1)), bad, side);
        assert!(good.contains(good_says), "as {side}: {good}");
        assert!(heard.contains(bad_hears), "as {side}: {heard}");
    }
}

#[test]
fn two_hosts_of_a_fleet_know_each_other() {
    let authority = fleet();
    let trusts = bundle(&[&authority]);
    let one = credentials(&trusts, own(&authority, &host(1)));
    let two = credentials(&trusts, own(&authority, &host(2)));
    let mut wire = mutual(&one, Expected::Host(machine(2)), &two, Expected::AnyHost);
    assert!(wire.is_open(), "{:?}", wire.sentences());
    assert_eq!(one.server(&wire.client).unwrap().identity, host(2));
    assert_eq!(two.client(&wire.server).unwrap().identity, host(1));
    assert_eq!(wire.client.protocol_version(), Some(rustls::ProtocolVersion::TLSv1_3));
}

#[test]
fn a_user_is_known_with_the_role_where_users_may_come() {
    let authority = fleet();
    let trusts = bundle(&[&authority]);
    let anna = user("anna", Role::Operate);
    let client = credentials(&trusts, own(&authority, &anna));
    let server = credentials(&trusts, own(&authority, &host(1)));
    let mut wire = mutual(&client, Expected::AnyHost, &server, Expected::Anyone);
    assert!(wire.is_open(), "{:?}", wire.sentences());
    assert_eq!(server.client(&wire.server).unwrap().identity, anna);
}

#[test]
fn a_host_of_another_fleet_is_refused() {
    let bad = own(&fleet(), &host(1));
    is_refused(&fleet(), &bad, "of no authority that this fleet trusts", "is it of another fleet?");
}

#[test]
fn another_authority_with_the_same_names_is_refused() {
    let authority = fleet();
    let imitation = Authority::create(authority.fleet(), now()).unwrap();
    let bad = own(&imitation, &host(1));
    is_refused(&authority, &bad, "of no authority that this fleet trusts", "trusts no authority");
}

#[test]
fn an_expired_certificate_is_refused() {
    let authority = Authority::create(fleet().fleet(), now() - 100 * DAY).unwrap();
    let bad = issued_at(&authority, &host(2), now() - HOST_VALID - 10);
    is_refused(
        &authority,
        &bad,
        "the peer's certificate expired at 20",
        "our certificate has expired",
    );
}

#[test]
fn a_certificate_of_tomorrow_is_refused_and_one_within_the_skew_is_not() {
    let authority = fleet();
    let bad = issued_at(&authority, &host(2), now() + DAY);
    is_refused(&authority, &bad, "are both right?", "is not valid yet");
    let trusts = bundle(&[&authority]);
    let ahead = credentials(&trusts, issued_at(&authority, &host(2), now() + 3000));
    let good = credentials(&trusts, own(&authority, &host(1)));
    let mut wire = mutual(&ahead, Expected::AnyHost, &good, Expected::AnyHost);
    assert!(wire.is_open(), "{:?}", wire.sentences());
}

#[test]
fn a_certificate_that_names_nobody_is_refused() {
    let authority = fleet();
    let good = host(2).uri(authority.fleet());
    let dns = SanType::DnsName("db.example".try_into().unwrap());
    for (names, says) in [
        (vec![], "it has no URI"),
        (vec![dns.clone()], "it has names of the DNS"),
        (vec![dns, uri(&good)], "it has names of the DNS"),
        (vec![uri(&good), uri(&good)], "it has more than one URI"),
        (vec![uri("https://db.example/")], "names no host and no user"),
        (vec![uri(&format!("{good}/x"))], "names no host and no user"),
        (vec![uri(&host(2).uri(fleet().fleet()))], "the peer's certificate is of fleet "),
    ] {
        let bad = forged(&authority, names);
        is_refused(&authority, &bad, says, "does not take our certificate");
    }
}

#[test]
fn a_users_certificate_is_no_hosts() {
    let authority = fleet();
    let trusts = bundle(&[&authority]);
    let bad = own(&authority, &user("anna", Role::Admin));
    let good = own(&authority, &host(1));
    let (says, hears) = refused(&trusts, &good, &bad, Side::Client);
    assert_eq!(says, "user anna (admin) is not a host");
    assert!(hears.contains("does not take our certificate"), "{hears}");
    let (says, hears) = refused(&trusts, &good, &bad, Side::Server);
    assert!(says.contains("may not be used at its end"), "{says}");
    assert!(hears.contains("not for this use"), "{hears}");
}

#[test]
fn a_users_certificate_that_may_serve_is_still_no_hosts() {
    let authority = fleet();
    let bad = forged(&authority, vec![uri(&user("anna", Role::Admin).uri(authority.fleet()))]);
    is_refused(&authority, &bad, "user anna (admin) is not a host", "does not take");
}

#[test]
fn a_certificate_without_a_purpose_is_refused() {
    let authority = fleet();
    let key = crate::Key::generate().unwrap();
    let signer = crate::Key::read(authority.key_pem()).unwrap().0;
    let issuer = rcgen::Issuer::from_ca_cert_der(authority.certificate(), signer).unwrap();
    let mut params = forged_params(vec![uri(&host(2).uri(authority.fleet()))]);
    params.extended_key_usages.clear();
    let made = params.signed_by(&key.0, &issuer).unwrap();
    let bad = Own::new(made.der().clone(), &key).unwrap();
    is_refused(&authority, &bad, "may not be used at its end", "not for this use");
}

#[test]
fn the_authority_itself_is_no_host() {
    let authority = fleet();
    let key = crate::Key::read(authority.key_pem()).unwrap();
    let bad = Own::new(authority.certificate().clone(), &key).unwrap();
    is_refused(&authority, &bad, "is not valid", "does not take");
}

#[test]
fn a_certificate_that_a_host_signed_is_refused() {
    let authority = fleet();
    // A host that plays the authority: its own certificate in the chain does not help.
    let key = crate::Key::generate().unwrap();
    let csr = crate::Request::make(&key, None).unwrap();
    let request = crate::Request::read(&csr).unwrap();
    let issued = authority.issue(&request, &host(2), HOST_VALID, now()).unwrap();
    let issuer = rcgen::Issuer::from_ca_cert_der(&issued.certificate, key.0).unwrap();
    let leaf = crate::Key::generate().unwrap();
    let params = forged_params(vec![uri(&host(3).uri(authority.fleet()))]);
    let made = params.signed_by(&leaf.0, &issuer).unwrap();
    let bad = Own::new(made.der().clone(), &leaf).unwrap();
    let mut certified = (*bad.0).clone();
    certified.cert.push(issued.certificate);
    let bad = Own(std::sync::Arc::new(certified));
    is_refused(&authority, &bad, "of no authority that this fleet trusts", "trusts no authority");
}

#[test]
fn another_host_than_the_one_that_was_meant_is_refused() {
    let authority = fleet();
    let trusts = bundle(&[&authority]);
    let one = credentials(&trusts, own(&authority, &host(1)));
    let two = credentials(&trusts, own(&authority, &host(2)));
    let mut wire = mutual(&one, Expected::Host(machine(3)), &two, Expected::AnyHost);
    assert!(!wire.is_open());
    let (client, server) = wire.sentences();
    assert_eq!(client, format!("host {} was meant, and {} answered", machine(3), host(2)));
    assert!(server.contains("does not take our certificate"), "{server}");
}

#[test]
fn who_shows_no_certificate_is_refused() {
    let authority = fleet();
    let trusts = bundle(&[&authority]);
    let server = credentials(&trusts, own(&authority, &host(1)));
    let mut roots = rustls::RootCertStore::empty();
    roots.add(authority.certificate().clone()).unwrap();
    let mut client = tls::client(&server, Expected::AnyHost).unwrap();
    let nobody = ClientConfig::builder_with_provider(tls::provider())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    client.client_auth_cert_resolver = nobody.client_auth_cert_resolver;
    let mut wire = connect(client, tls::server(&server, Expected::Anyone).unwrap());
    assert!(!wire.is_open());
    let (client, server) = wire.sentences();
    assert_eq!(server, "the peer shows no certificate");
    assert_eq!(client, "the peer wants a certificate of us");
}

#[test]
fn a_client_that_speaks_only_tls_1_2_is_refused() {
    let authority = fleet();
    let server = credentials(&bundle(&[&authority]), own(&authority, &host(1)));
    let mut roots = rustls::RootCertStore::empty();
    roots.add(authority.certificate().clone()).unwrap();
    let old = ClientConfig::builder_with_provider(tls::provider())
        .with_protocol_versions(&[&rustls::version::TLS12])
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let mut wire = connect(old, tls::server(&server, Expected::Anyone).unwrap());
    assert!(!wire.is_open() && wire.server_error.is_some() && wire.client_error.is_some());
}

#[test]
fn a_revoked_host_is_refused_by_id_and_by_serial() {
    let authority = fleet();
    let trusts = bundle(&[&authority]);
    let bad = own(&authority, &host(2));
    let good = credentials(&trusts, own(&authority, &host(1)));
    let serial = good
        .trust()
        .verify(&certificate(&bad), Side::Client, rustls::pki_types::UnixTime::now())
        .unwrap()
        .serial;
    let (mut by_id, mut by_serial) = (Revoked::default(), Revoked::default());
    by_id.revoke_host(machine(2));
    by_serial.revoke_serial(serial, now() + DAY);
    let bad = credentials(&trusts, bad);
    for revoked in [by_id, by_serial] {
        good.replace_trust(trusts.clone(), revoked);
        let mut wire = mutual(&bad, Expected::AnyHost, &good, Expected::AnyHost);
        assert!(!wire.is_open());
        let (client, server) = wire.sentences();
        assert_eq!(server, "the peer's certificate was revoked");
        assert_eq!(client, "the peer says that our certificate was revoked");
        let mut wire = mutual(&good, Expected::Host(machine(2)), &bad, Expected::AnyHost);
        assert!(!wire.is_open());
        let (client, server) = wire.sentences();
        assert_eq!(client, "the peer's certificate was revoked");
        assert_eq!(server, "the peer says that our certificate was revoked");
    }
}

#[test]
fn a_revoked_user_is_refused_in_every_role_and_others_are_not() {
    let authority = fleet();
    let trusts = bundle(&[&authority]);
    let server = credentials(&trusts, own(&authority, &host(1)));
    let mut revoked = Revoked::default();
    revoked.revoke_user("anna".parse().unwrap());
    server.replace_trust(trusts.clone(), revoked);
    for (name, role, open) in
        [("anna", Role::Admin, false), ("anna", Role::View, false), ("berta", Role::View, true)]
    {
        let client = credentials(&trusts, own(&authority, &user(name, role)));
        let mut wire = mutual(&client, Expected::AnyHost, &server, Expected::Anyone);
        assert_eq!(wire.is_open(), open, "{name} {role}");
    }
}

#[test]
fn no_session_is_resumed() {
    let authority = fleet();
    let trusts = bundle(&[&authority]);
    let one = credentials(&trusts, own(&authority, &host(1)));
    let two = credentials(&trusts, own(&authority, &host(2)));
    let client = tls::client(&one, Expected::AnyHost).unwrap();
    let server = tls::server(&two, Expected::AnyHost).unwrap();
    for _ in 0..2 {
        let mut wire = connect(client.clone(), server.clone());
        assert!(wire.is_open());
        assert_eq!(wire.client.handshake_kind(), Some(rustls::HandshakeKind::Full));
        assert_eq!(wire.client.tls13_tickets_received(), 0);
    }
}
