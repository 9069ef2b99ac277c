use crate::Authority;
use crate::Expected;
use crate::fixture::*;
use crate::revoked::Revoked;

#[test]
fn a_rotation_leaves_no_moment_without_trust_and_no_open_connection_behind() {
    let old = fleet();
    let new = Authority::create(old.fleet(), now()).unwrap();
    let (before, both, after) = (bundle(&[&old]), bundle(&[&old, &new]), bundle(&[&new]));
    assert_eq!(before.with(new.certificate()).unwrap(), both);
    assert_eq!(both.without(&old.fingerprint()).unwrap(), after);
    let one = credentials(&before, own(&old, &host(1)));
    let two = credentials(&before, own(&old, &host(2)));
    let reach = |from, to, n| mutual(from, Expected::Host(machine(n)), to, Expected::AnyHost);
    let mut open = reach(&one, &two, 2);
    assert!(open.is_open());
    let mut both_ways = |at: &str| {
        assert!(reach(&one, &two, 2).is_open(), "{at}");
        assert!(reach(&two, &one, 1).is_open(), "{at}");
        assert!(open.is_open(), "the open connection, {at}");
    };

    // One step of one host at a time: any two of them meet in any state.
    one.replace_trust(both.clone(), Revoked::default());
    both_ways("one trusts both");
    two.replace_trust(both, Revoked::default());
    both_ways("two trusts both");
    one.replace_own(own(&new, &host(1)));
    both_ways("one shows the new");
    two.replace_own(own(&new, &host(2)));
    both_ways("two shows the new");
    one.replace_trust(after.clone(), Revoked::default());
    both_ways("one trusts only the new");
    two.replace_trust(after.clone(), Revoked::default());
    both_ways("two trusts only the new");

    // The connection of before is open; who asks again learns that it would not be made now.
    assert!(one.server(&open.client).unwrap_err().to_string().contains("no authority"));
    let late = credentials(&after, own(&old, &host(3)));
    assert!(!reach(&late, &one, 1).is_open());
}

#[test]
fn a_renewed_certificate_is_shown_from_the_next_connection_on() {
    let authority = fleet();
    let trusts = bundle(&[&authority]);
    let one = credentials(&trusts, own(&authority, &host(1)));
    let two = credentials(&trusts, own(&authority, &host(2)));
    let serial = |wire: &Wire| two.client(&wire.server).unwrap().serial;
    // One configuration for both connections: it is made once in a daemon.
    let client = crate::tls::client(&one, Expected::AnyHost).unwrap();
    let server = crate::tls::server(&two, Expected::AnyHost).unwrap();
    let mut first = connect(client.clone(), server.clone());
    one.replace_own(own(&authority, &host(1)));
    let mut second = connect(client, server);
    assert!(first.is_open() && second.is_open());
    assert_ne!(serial(&first), serial(&second));
}

#[tokio::test]
async fn who_holds_a_connection_of_a_host_that_is_revoked_is_told() {
    let authority = fleet();
    let trusts = bundle(&[&authority]);
    let one = credentials(&trusts, own(&authority, &host(1)));
    let two = credentials(&trusts, own(&authority, &host(2)));
    let wire = mutual(&one, Expected::AnyHost, &two, Expected::AnyHost);
    let mut changes = two.subscribe();
    let mut revoked = Revoked::default();
    revoked.revoke_host(machine(1));
    two.replace_trust(trusts, revoked);
    assert!(changes.changed().await);
    let refusal = two.client(&wire.server).unwrap_err();
    assert_eq!(refusal.to_string(), format!("the certificate of {} was revoked", host(1)));
}
