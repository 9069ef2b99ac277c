use crate::fixture::*;
use crate::name::{FleetId, Identity, MachineId, Role, UserName};
use proptest::prelude::*;

const FLEET: &str = "00112233445566778899aabbccddeeff";

#[test]
fn an_identity_is_read_as_it_was_written() {
    let fleet: FleetId = FLEET.parse().unwrap();
    for identity in [host(7), user("anna@example.org", Role::Admin), user("b", Role::View)] {
        let uri = identity.uri(&fleet);
        assert_eq!(Identity::read(&uri), Ok((fleet.clone(), identity)), "{uri}");
    }
}

#[test]
fn a_uri_that_is_spelled_in_another_way_is_nobody() {
    let id = machine(1);
    for bad in [
        String::new(),
        format!("flotilla://{FLEET}"),
        format!("flotilla://{FLEET}/host"),
        format!("flotilla://{FLEET}/host/"),
        format!("flotilla://{FLEET}/host/{id}/"),
        format!("flotilla://{FLEET}/host/{id}/x"),
        format!("flotilla://{FLEET}/host/{id}?role=admin"),
        format!("flotilla://{FLEET}/host/{id}#"),
        format!("flotilla://{FLEET}//host/{id}"),
        format!("Flotilla://{FLEET}/host/{id}"),
        format!("flotilla://{}/host/{id}", FLEET.to_uppercase()),
        format!("flotilla://{FLEET}/host/{}", "A".repeat(32)),
        format!("flotilla://{FLEET}/host/{}", "1".repeat(31)),
        format!("flotilla://u@{FLEET}/host/{id}"),
        format!("flotilla://{FLEET}:1/host/{id}"),
        format!("flotilla://{FLEET}/user/anna"),
        format!("flotilla://{FLEET}/user/root/anna"),
        format!("flotilla://{FLEET}/user/admin/an%6ea"),
        format!("flotilla://{FLEET}/user/admin/../host"),
        format!("flotilla://{FLEET}/user/admin/Anna"),
        format!("flotilla://{FLEET}/user/admin/"),
        format!(" flotilla://{FLEET}/host/{id}"),
        format!("https://{FLEET}/host/{id}"),
    ] {
        assert!(Identity::read(&bad).is_err(), "{bad}");
    }
}

#[test]
fn a_foreign_text_does_not_write_in_our_messages() {
    let error = "\u{1b}[2Jx\n".repeat(100).parse::<MachineId>().unwrap_err();
    assert!(error.bytes().all(|byte| (b' '..=b'~').contains(&byte)), "{error}");
    assert!(error.len() < 1000);
}

#[test]
fn roles_are_ordered_by_what_they_may() {
    assert!(Role::View < Role::Operate && Role::Operate < Role::Admin);
    assert_eq!(serde_json::to_string(&Role::Operate).unwrap(), "\"operate\"");
    assert!(serde_json::from_str::<UserName>("\"-x\"").is_err());
}

proptest! {
    #[test]
    fn no_uri_panics_and_what_is_read_has_one_spelling(text in "(flotilla://)?[0-9a-f]{32}/(host|user)/.{0,60}") {
        if let Ok((fleet, identity)) = Identity::read(&text) {
            prop_assert_eq!(identity.uri(&fleet), text);
        }
    }
}
