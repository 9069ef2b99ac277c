//! How long a transaction takes. Nothing is asserted: the figures in docs/netd.md come from here.

use super::*;
use crate::core::Binding;
use crate::core::network::groups_of;
use crate::core::ruleset::ruleset;
use netd_api::Protocol;
use std::time::Instant;

fn port(number: u32) -> Element {
    let port = u16::try_from(number).unwrap();
    let binding = Binding { host: [0, 0, 0, 0].into(), port, protocol: Protocol::Tcp };
    Element::published(&binding, [10, 89, 0, 2].into(), 80)
}

fn median(mut act: impl FnMut()) -> u128 {
    let mut times: Vec<u128> = (0..200)
        .map(|_| {
            let start = Instant::now();
            act();
            start.elapsed().as_micros()
        })
        .collect();
    times.sort_unstable();
    times[times.len() / 2]
}

#[test]
#[ignore = "needs root; prints how long a transaction takes"]
fn measure_transactions() {
    crate::sys::netns::unshare().unwrap();
    let table = ruleset("flotilla0", groups_of("flotilla0"));
    let mut nft = Nftables::open("flotilla").unwrap();
    for count in [0, 100, 10_000] {
        let elements: Vec<Element> = (1..=count).map(port).collect();
        let replace = median(|| nft.replace(&table, &elements).unwrap());
        let (with, without) = (
            Change { remove: vec![], add: vec![port(20_000)] },
            Change { remove: vec![port(20_000)], add: vec![] },
        );
        nft.change(&with).unwrap();
        assert!(nft.elements().unwrap().contains(&port(20_000)));
        nft.change(&without).unwrap();
        assert!(nft.change(&without).is_err(), "a missing element is refused");
        let change = median(|| {
            nft.change(&with).unwrap();
            nft.change(&without).unwrap();
        });
        println!("{count} ports: replace everything {replace} us, one element {} us", change / 2);
    }
}
