//! What is wrong with the file of a unit, whatever kind of unit its name says it is.

use super::draft::Draft;
use super::fault::{Fault, Place};
use super::network::draft::NetworkDraft;
use super::read::{Read, read, unknown_kind};
use super::socket::draft::SocketDraft;
use fleetd_api::{UnitKind, UnitName, Warning};
use std::collections::BTreeMap;

type DropIns = BTreeMap<String, String>;

/// Checks a unit or a bare template as far as that can be done without a host and, of a template,
/// without an instance.
pub fn verify(name: &UnitName, text: &str, drop_ins: &DropIns) -> Result<Vec<Warning>, Vec<Fault>> {
    let (faults, warnings) = review(name, text, drop_ins);
    if faults.is_empty() { Ok(warnings) } else { Err(faults) }
}

/// The same, with all that is to be said about a file that has faults: these first.
pub fn review(name: &UnitName, text: &str, drop_ins: &DropIns) -> (Vec<Fault>, Vec<Warning>) {
    fn told<D>(read: Read<D>) -> (Vec<Fault>, Vec<Warning>) {
        (read.faults, read.warnings)
    }
    match name.kind() {
        Some(UnitKind::Container) => told(read::<Draft>(name, text, drop_ins, None)),
        Some(UnitKind::Network) => told(read::<NetworkDraft>(name, text, drop_ins, None)),
        Some(UnitKind::Socket) => told(read::<SocketDraft>(name, text, drop_ins, None)),
        None => (vec![unknown_kind(name)], Vec::new()),
    }
}

/// Another unit that a file names and does not do without, and the line that says so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    pub place: Place,
    pub key: &'static str,
    /// Its full name, or that of a template.
    pub unit: String,
}

/// The units that a file names. Empty where it has faults.
pub fn named(name: &UnitName, text: &str, drop_ins: &DropIns) -> Vec<Named> {
    let told = |place, key, unit| Named { place, key, unit };
    match name.kind() {
        Some(UnitKind::Container) => {
            let Ok((draft, _)) = read::<Draft>(name, text, drop_ins, None).whole() else {
                return Vec::new();
            };
            let (leaders, networks) = (draft.rules.machine_of.clone(), draft.network_units());
            let leaders = leaders.into_iter().map(|unit| ("MachineOf", unit));
            let networks = networks.into_iter().map(|unit| ("Network", unit));
            let all = leaders.chain(networks);
            all.map(|(key, unit)| told(draft.place(name, key), key, unit)).collect()
        }
        Some(UnitKind::Socket) => {
            let Ok((draft, _)) = read::<SocketDraft>(name, text, drop_ins, None).whole() else {
                return Vec::new();
            };
            let all = draft.units().into_iter();
            all.map(|(key, unit)| told(draft.seen.place(name, key), key, unit)).collect()
        }
        Some(UnitKind::Network) | None => Vec::new(),
    }
}
