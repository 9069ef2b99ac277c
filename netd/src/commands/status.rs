//! `netd status`

use super::{CommandError, ask, connect, system};
use crate::cli::Arguments;
use netd_api::{Call, NetworkStatus, Place, Reply};
use std::io::Write;

pub(super) fn run(arguments: &Arguments) -> Result<(), CommandError> {
    let stream = connect(arguments)?;
    let Reply::Status(status) = ask(&stream, Call::Status)? else {
        return Err(CommandError::Answer("read status: netd answered something else".to_owned()));
    };
    let Reply::Endpoints { endpoints } = ask(&stream, Call::List)? else {
        return Err(CommandError::Answer(
            "list endpoints: netd answered something else".to_owned(),
        ));
    };
    let counts = status.counts;
    let mut text = format!(
        "netd {}: {} endpoints, {} published ports, {} namespaces ready, {} addresses free\n",
        status.version, counts.endpoints, counts.published, counts.ready, counts.free_addresses
    );
    for NetworkStatus { name, owner, subnets, internal, endpoints } in status.networks {
        let subnets: Vec<String> = subnets.iter().map(ToString::to_string).collect();
        let whose = owner.map_or_else(|| "the host".to_owned(), String::from);
        let internal = if internal { ", internal" } else { "" };
        let subnets = subnets.join(" ");
        text += &format!("network {name} {subnets}: of {whose}{internal}, {endpoints} endpoints\n");
    }
    for endpoint in endpoints {
        let on = |place: &Place| {
            let addresses: Vec<String> = place.addresses.iter().map(ToString::to_string).collect();
            format!(" {} {} {}", place.network, addresses.join(" "), place.link)
        };
        let places: Vec<String> = endpoint.places.iter().map(on).collect();
        let ports: Vec<String> = endpoint
            .spec
            .ports
            .iter()
            .map(|m| format!(" {}->{}/{}", m.host_port, m.container_port, m.protocol))
            .collect();
        text += &format!("{}{}{}\n", endpoint.spec.id, places.concat(), ports.concat());
    }
    for finding in status.findings {
        text += &format!("! {}\n", finding.message);
        if let Some(hint) = finding.hint {
            text += &format!("  {hint}\n");
        }
    }
    std::io::stdout().write_all(text.as_bytes()).map_err(system("write to stdout"))
}
