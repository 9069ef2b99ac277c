//! What stands in the way on this host and is not netd's to change.

use crate::{nft, sysctl};
use netd_api::Finding;
use std::fmt::Display;

/// Looks now.
pub fn look() -> Vec<Finding> {
    let mut findings = Vec::new();
    match nft::dropping_forward_chains() {
        Ok(chains) => findings.extend(chains.iter().map(foreign_chain)),
        Err(e) => findings.push(unknown(&e)),
    }
    findings.extend(legacy_iptables());
    match sysctl::read("ipv4/ip_forward") {
        Ok(value) if value == "1" => {}
        Ok(_) => findings.push(Finding {
            message: "ip_forward is off: containers reach nothing beyond this host".to_owned(),
            hint: Some("somebody turned it off after netd started; restart netd".to_owned()),
        }),
        Err(e) => findings.push(unknown(&e)),
    }
    findings
}

fn unknown(e: &impl Display) -> Finding {
    Finding { message: format!("look at the host's network: {e}"), hint: None }
}

fn foreign_chain(chain: &nft::ForeignChain) -> Finding {
    let nft::ForeignChain { family, table, chain } = chain;
    // Docker and ufw leave a place for the operator's own rules.
    let place = if *family == "ip" && table == "filter" && chain == "FORWARD" {
        "for Docker: iptables -I DOCKER-USER -i BRIDGE -j ACCEPT, and the same with -o; for ufw: \
         ufw route allow in on BRIDGE, and out on BRIDGE"
    } else {
        "add a rule that accepts what goes in and out by netd's bridge"
    };
    Finding {
        message: format!(
            "chain {chain} of table {family} {table} drops every forwarded packet that none of its \
             rules accepts, containers' too"
        ),
        hint: Some(place.to_owned()),
    }
}

/// The old iptables has its own hooks, which nftables does not show.
fn legacy_iptables() -> Option<Finding> {
    let names = std::fs::read_to_string("/proc/net/ip_tables_names").unwrap_or_default();
    names.lines().any(|table| table == "filter").then(|| Finding {
        message: "iptables-legacy has a filter table, which may drop what containers forward"
            .to_owned(),
        hint: Some("see: iptables-legacy -S FORWARD".to_owned()),
    })
}
