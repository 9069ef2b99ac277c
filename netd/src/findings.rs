//! What stands in the way on this host and is not netd's to change.

use crate::{nft, sysctl};
use netd_api::Finding;
use std::fmt::Display;

/// Looks now.
pub fn look(ipv6: bool) -> Vec<Finding> {
    let mut findings = Vec::new();
    match nft::dropping_forward_chains() {
        Ok(chains) => findings.extend(chains.iter().map(foreign_chain)),
        Err(e) => findings.push(unknown(&e)),
    }
    findings.extend(legacy_iptables());
    findings.extend(forwarding("ipv4/ip_forward"));
    if ipv6 {
        findings.extend(forwarding("ipv6/conf/all/forwarding"));
    }
    findings
}

fn forwarding(parameter: &str) -> Option<Finding> {
    match sysctl::read(parameter) {
        Ok(value) if value == "1" => None,
        Ok(_) => Some(Finding {
            message: format!("{parameter} is off: containers reach nobody"),
            hint: Some("somebody turned it off after netd started; restart netd".to_owned()),
        }),
        Err(e) => Some(unknown(&e)),
    }
}

fn unknown(e: &impl Display) -> Finding {
    Finding { message: format!("look at the host's network: {e}"), hint: None }
}

fn foreign_chain(chain: &nft::ForeignChain) -> Finding {
    let nft::ForeignChain { family, table, chain } = chain;
    // Docker and ufw leave a place for the operator's own rules.
    let place = if *family == "ip" && table == "filter" && chain == "FORWARD" {
        "for Docker: iptables -I DOCKER-USER -s SUBNET -j ACCEPT, and the same with -d; for ufw: \
         ufw route allow from SUBNET, and to SUBNET"
    } else {
        "add rules that accept what comes from and goes to the containers' subnets"
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
