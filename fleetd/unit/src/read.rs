//! From the text of a unit and its drop-ins to a draft, whatever kind of unit it is.

use super::assign::Value;
use super::fault::{Fault, Place};
use super::specifier::{HostFacts, Specifiers, Unexpanded};
use super::syntax::{self, Assignment, Section};
use super::table::{Found, Key, Table};
use super::{keys, network, socket};
use fleetd_api::{UnitKind, UnitName, Warning};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;

/// A unit of one kind while its keys are read.
pub trait Drafted: Default + 'static {
    const TABLE: &'static Table<Self>;

    /// Whether the fleet asks for a key, before there is a host.
    fn is_of_the_fleet(section: &str, key: &str) -> bool;

    fn seen(&mut self) -> &mut Seen;

    /// What no single key can tell.
    fn check(&self, name: &UnitName) -> Checks;
}

/// What was met on the way through the file.
#[derive(Debug, Default)]
pub struct Seen {
    /// Where each key was last assigned.
    pub places: BTreeMap<&'static str, Place>,
    /// Keys whose value waits for an instance, or for a host.
    pub waiting: Vec<&'static str>,
}

impl Seen {
    /// Where a key stands; the file as a whole if it is not there.
    pub fn place(&self, name: &UnitName, key: &str) -> Place {
        self.places.get(key).cloned().unwrap_or_else(|| whole(name.as_str()))
    }

    pub fn is_waiting(&self, key: &str) -> bool {
        self.waiting.contains(&key)
    }
}

fn whole(file: &str) -> Place {
    Place { file: Arc::from(file), line: 0 }
}

/// What the checks of a whole unit said.
#[derive(Debug, Default)]
pub struct Checks {
    pub faults: Vec<Fault>,
    pub warnings: Vec<Warning>,
}

/// A file read, with what can be read of it where it has faults.
pub struct Read<D> {
    pub draft: D,
    pub faults: Vec<Fault>,
    pub warnings: Vec<Warning>,
}

impl<D> Read<D> {
    pub fn whole(self) -> Result<(D, Vec<Warning>), Vec<Fault>> {
        if self.faults.is_empty() { Ok((self.draft, self.warnings)) } else { Err(self.faults) }
    }
}

/// Reads a unit of the kind that `D` is of: its text, then its drop-ins in the order of their names.
pub fn read<D: Drafted>(
    name: &UnitName,
    text: &str,
    drop_ins: &BTreeMap<String, String>,
    host: Option<&HostFacts>,
) -> Read<D> {
    let specifiers = Specifiers { name, host };
    let read = Read { draft: D::default(), faults: Vec::new(), warnings: Vec::new() };
    let mut reader = Reader { specifiers, read };
    if let Some(message) = wrong_kind(name, D::TABLE.kind) {
        reader.read.faults.push(whole(name.as_str()).fault(message));
        return reader.read;
    }
    reader.file(name.as_str(), text);
    for (file, text) in drop_ins {
        let path = format!("{name}.d/{file}");
        if file.contains('/') || !file.ends_with(".conf") {
            let fault = whole(&path).fault("the name of a drop-in ends in .conf and has no /");
            reader.read.faults.push(fault);
        } else {
            reader.file(&path, text);
        }
    }
    let Read { draft, mut faults, mut warnings } = reader.read;
    let checks = draft.check(name);
    // A fault of the whole says nothing new about a file that could not be read in part.
    if faults.is_empty() {
        faults = checks.faults;
    }
    warnings.extend(checks.warnings);
    Read { draft, faults, warnings }
}

/// Why a unit of this name is none of the kind that is wanted.
fn wrong_kind(name: &UnitName, wanted: UnitKind) -> Option<String> {
    let suffix = name.suffix();
    match name.kind() {
        None => Some(not_there(suffix)),
        Some(kind) if kind != wanted => {
            Some(format!("it is a .{suffix}: a .{} is needed here", wanted.suffix()))
        }
        Some(kind) if name.instance().is_some() && !kind.has_templates() => {
            let plain = name.prefix();
            Some(format!("a .{suffix} has no template yet: name it {plain}.{suffix}"))
        }
        Some(_) => None,
    }
}

fn not_there(suffix: &str) -> String {
    let there: Vec<String> =
        UnitKind::ALL.iter().map(|kind| format!(".{}", kind.suffix())).collect();
    format!("units of the type .{suffix} are not there yet: {} are", there.join(", "))
}

/// The fault of a name whose kind is not there yet.
pub fn unknown_kind(name: &UnitName) -> Fault {
    whole(name.as_str()).fault(not_there(name.suffix()))
}

struct Reader<'a, D> {
    specifiers: Specifiers<'a>,
    read: Read<D>,
}

impl<D: Drafted> Reader<'_, D> {
    fn file(&mut self, file: &str, text: &str) {
        let (sections, faults) = syntax::parse(file, text);
        self.read.faults.extend(faults);
        for section in &sections {
            self.section(section);
        }
    }

    fn section(&mut self, section: &Section) {
        if D::TABLE.sections.contains(&section.name.as_str()) {
            for assignment in &section.assignments {
                self.assignment(&section.name, assignment);
            }
        } else if !section.name.starts_with("X-") {
            let (shown, suffix) = (syntax::head(&section.name), D::TABLE.kind.suffix());
            let message = format!("[{shown}] is no section of a .{suffix} and is passed over");
            self.read.warnings.push(section.place.warning(message));
        }
    }

    fn assignment(&mut self, section: &str, assignment: &Assignment) {
        let Assignment { key: name, value, place } = assignment;
        let shown = syntax::head(value);
        match D::TABLE.find(section, name) {
            Found::Honoured(key) => self.apply(key, assignment),
            Found::Refused(instead) => {
                let message = format!("{name}={shown}: {}", instead(value));
                self.read.faults.push(place.fault(message));
            }
            Found::NotYet(why) => {
                let message = format!("{name}= is not honoured yet: {why}");
                self.read.warnings.push(place.warning(message));
            }
            // systemd leaves these to other programs.
            Found::Unknown if name.starts_with("X-") => {}
            Found::Unknown => {
                let hint = hint(D::TABLE, section, name);
                let hint = hint.map(|hint| format!(" ({hint})")).unwrap_or_default();
                let name = syntax::head(name);
                let message = format!("{name}= is no key of [{section}] and is passed over{hint}");
                self.read.warnings.push(place.warning(message));
            }
        }
    }

    fn apply(&mut self, key: &'static Key<D>, assignment: &Assignment) {
        let Assignment { key: written, value: raw, place } = assignment;
        let of_the_fleet = D::is_of_the_fleet(key.section, key.name);
        let host = self.specifiers.host.filter(|_| !of_the_fleet);
        let specifiers = Specifiers { host, ..self.specifiers };
        let value = Value { raw, specifiers, warnings: RefCell::default() };
        let taken = (key.apply)(&mut self.read.draft, &value);
        let seen = self.read.draft.seen();
        seen.places.insert(key.name, place.clone());
        if raw.is_empty() && taken.is_ok() {
            seen.waiting.retain(|waiting| *waiting != key.name);
        }
        let told = |message: String| format!("{written}={}: {message}", syntax::head(raw));
        let warnings = value.warnings.into_inner().into_iter();
        self.read.warnings.extend(warnings.map(|message| place.warning(told(message))));
        match taken {
            Ok(()) => {}
            Err(Unexpanded::NeedsHost(specifier)) if of_the_fleet => {
                let message = format!("%{specifier} is of the host, and none is chosen yet");
                self.read.faults.push(place.fault(told(message)));
            }
            Err(Unexpanded::NeedsInstance | Unexpanded::NeedsHost(_)) => {
                self.read.draft.seen().waiting.push(key.name);
            }
            Err(Unexpanded::Wrong(message)) => self.read.faults.push(place.fault(told(message))),
        }
    }
}

/// What was probably meant by a key that is not known: of this kind of unit, or of another.
fn hint<D>(table: &Table<D>, section: &str, name: &str) -> Option<String> {
    let kinds = [
        (UnitKind::Container, keys::TABLE.knows(section, name)),
        (UnitKind::Network, network::keys::TABLE.knows(section, name)),
        (UnitKind::Socket, socket::keys::TABLE.knows(section, name)),
    ];
    let other = kinds.into_iter().find(|(_, knows)| *knows);
    let other = other.map(|(kind, _)| format!("it belongs to a .{}", kind.suffix()));
    other.or_else(|| table.suggestion(section, name))
}
