//! Values that are refused, each with its line and its whole sentence.

mod container;
mod network;
mod socket;

use super::*;

/// Lines behind those that the unit needs, and the line and the sentence that are told of them.
type Case = (&'static str, &'static str);

fn told(unit: &str, text: &str) -> Vec<String> {
    let Err(faults) = verify(&name(unit), text, &BTreeMap::new()) else {
        panic!("{text} was taken");
    };
    faults.iter().map(Fault::to_string).collect()
}

fn check(unit: &str, before: &str, cases: &[Case]) {
    for (lines, expected) in cases {
        let text = format!("{before}{lines}\n");
        assert_eq!(told(unit, &text), [format!("{unit}:{expected}")], "{lines}");
    }
}

#[test]
fn of_names_and_kinds() {
    for (unit, expected) in [
        ("web@.socket", "web@.socket: a .socket has no template yet: name it web.socket"),
        ("web@1.socket", "web@1.socket: a .socket has no template yet: name it web.socket"),
        ("front@.network", "front@.network: a .network has no template yet: name it front.network"),
        (
            "web.service",
            "web.service: units of the type .service are not there yet: .container, .network, \
             .socket are",
        ),
    ] {
        assert_eq!(told(unit, ""), [expected]);
    }
    // What wants a container gets no other.
    let other = "front.network: it is a .network: a .container is needed here";
    assert_eq!(faults("front.network", "[Network]\n"), [other]);
    let none = BTreeMap::new();
    let asks = placement(&name("front.network"), "[Network]\n", &none).unwrap_err();
    assert_eq!(asks[0].to_string(), other);
    let socket = load_socket(&name("front.network"), "", &none).unwrap_err();
    assert_eq!(socket[0].to_string(), "front.network: it is a .network: a .socket is needed here");
    let network = load_network(&name("web@1.container"), "", &none).unwrap_err();
    assert_eq!(
        network[0].to_string(),
        "web@1.container: it is a .container: a .network is needed here"
    );
}
