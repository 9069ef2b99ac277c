//! What a unit asks of the scheduler, read before it has a host.
//!
//! The same reader as for a unit that is started; what only a host can tell is passed over, but
//! in the keys that say where the unit goes.

use super::container::{Port, ServiceType};
use super::draft::Draft;
use super::fault::Fault;
use super::{container, instance_is_named};
use crate::asks::{HostPort, Protocol, Resources, Spread, Unit};
use fleetd_api::UnitName;
use std::collections::{BTreeMap, BTreeSet};

/// What a unit asks of its host: the rules of `[X-Fleet]`, the host's ports that it publishes,
/// its limits as room. What it does not say it does not ask for, nor a limit that is a part of
/// the host's, nor what its volumes hold.
///
/// Text and drop-ins are as for [`super::load`], and so are the faults. A bare template is one.
pub fn placement(
    name: &UnitName,
    text: &str,
    drop_ins: &BTreeMap<String, String>,
) -> Result<Unit, Vec<Fault>> {
    instance_is_named(name)?;
    container(name, text, drop_ins, None).map(|(draft, _)| asks(draft))
}

/// How many instances a template is to have. None: it says nothing.
pub fn replicas(
    template: &UnitName,
    text: &str,
    drop_ins: &BTreeMap<String, String>,
) -> Result<Option<u32>, Vec<Fault>> {
    container(template, text, drop_ins, None).map(|(draft, _)| draft.rules.replicas)
}

/// The secrets of the fleet that a unit names. None of a bare template, which does not run, nor of a file
/// with faults.
pub fn secrets(
    name: &UnitName,
    text: &str,
    drop_ins: &BTreeMap<String, String>,
) -> BTreeSet<String> {
    match container(name, text, drop_ins, None) {
        Ok((draft, _)) if !name.is_template() => draft.secrets(),
        _ => BTreeSet::new(),
    }
}

fn asks(draft: Draft) -> Unit {
    let has_ports = draft.is_on_a_network();
    let rules = draft.rules;
    Unit {
        machine_id: rules.machine_id,
        machine_of: rules.machine_of,
        machine_metadata: rules.machine_metadata,
        conflicts: rules.conflicts,
        global: rules.global.unwrap_or(false),
        replaces: rules.replaces,
        requests: Resources {
            cpu: draft.cpu_quota.map_or(0, thousandths),
            memory: draft.memory_max.flatten().unwrap_or(0),
            tasks: draft.tasks_max.flatten().unwrap_or(0),
        },
        ports: draft.ports.iter().filter(|_| has_ports).map(host_port).collect(),
        volumes: Vec::new(),
        devices: Vec::new(),
        spread: once(rules.spread),
        prefer: rules.prefer,
        priority: rules.priority.unwrap_or(0),
        image: draft.image.as_deref().and_then(image_of_hosts),
        stays: draft.kind == Some(ServiceType::Oneshot) || rules.strict == Some(true),
    }
}

/// Docker's rule: the part before the first slash is a host if it has a dot, a port, or is localhost.
pub fn names_registry(image: &str) -> bool {
    let is_host = |part: &str| part.contains(['.', ':']) || part == "localhost";
    image.split_once('/').is_some_and(|(first, _)| is_host(first))
}

/// An image that names no registry is only where somebody has put it. None: it is had from a registry, or
/// named by a digest.
fn image_of_hosts(image: &str) -> Option<String> {
    if names_registry(image) || image.contains('@') || image.starts_with("sha256:") {
        return None;
    }
    let name = image.strip_prefix("library/").unwrap_or(image);
    Some(if name.contains(':') { name.to_owned() } else { format!("{name}:latest") })
}

/// Who asks for less than a thousandth of a CPU still asks.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is 1 to 10^7")]
fn thousandths(cpus: f64) -> u64 {
    (cpus * 1000.0).round().max(1.0) as u64
}

fn host_port(port: &Port) -> HostPort {
    let protocol = if port.udp { Protocol::Udp } else { Protocol::Tcp };
    HostPort { protocol, address: port.host_ip, port: port.host }
}

/// Said twice it would count twice.
fn once(spread: Vec<Spread>) -> Vec<Spread> {
    let mut out = Vec::with_capacity(spread.len());
    for place in spread {
        if !out.contains(&place) {
            out.push(place);
        }
    }
    out
}
