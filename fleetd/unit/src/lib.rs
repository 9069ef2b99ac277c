//! Unit files: from text to what the agent acts on.
//!
//! ```text
//! syntax    text to sections and assignments, each with file and line
//! keys      the table: what each key does to the draft, and its documentation
//! assign    one value on its way there: words, value, mapping, specifier, escape
//! draft     the unit while it is read, the checks of the whole, the defaults
//! rules     the same for `[X-Fleet]`
//! container the unit as the agent gets it
//! credential what a program gets to read and nobody else
//! difference in which keys two versions of a file differ
//! placement the unit as the scheduler gets it, in the words of asks
//! ```
//!
//! A package of its own, so that `fleetctl verify` reads files as fleetd does, without one. Pure: what depends on the host comes in as [`HostFacts`], if there is one already. Every fault of a file is told, each
//! with its line; what is known and not honoured yet, or not known at all, is a warning.

pub mod asks;
pub mod assign;
pub mod command;
pub mod container;
pub mod credential;
pub mod difference;
pub mod draft;
pub mod escape;
pub mod fault;
pub mod glob;
pub mod keys;
pub mod keys_not_yet;
pub mod mapping;
pub mod placement;
pub mod reference;
pub mod rules;
pub mod specifier;
pub mod syntax;
pub mod value;
pub mod words;

pub use container::ContainerUnit;
pub use difference::difference;
pub use fault::{Fault, Place, problem};
pub use fleetd_api::UnitName;
pub use mapping::port_text;
pub use placement::{leaders, names_registry, placement, replicas, review, secrets, verify};
pub use specifier::HostFacts;

use assign::Value;
use draft::Draft;
use fleetd_api::Warning;
use keys::Found;
use sha2::{Digest, Sha256};
use specifier::{Specifiers, Unexpanded};
use std::cell::RefCell;
use std::collections::BTreeMap;
use syntax::{Assignment, Section};

/// A unit that can be started, and what in its file has no effect.
#[derive(Debug, Clone, PartialEq)]
pub struct Loaded {
    pub unit: ContainerUnit,
    pub warnings: Vec<Warning>,
}

/// Reads a unit: its text, then its drop-ins in the order of their names. The name has an instance
/// if its file is a template's; a bare template goes to [`check_template`].
pub fn load(
    name: &UnitName,
    text: &str,
    drop_ins: &BTreeMap<String, String>,
    host: &HostFacts,
) -> Result<Loaded, Vec<Fault>> {
    instance_is_named(name)?;
    let (draft, warnings) = read(name, text, drop_ins, Some(host))?;
    Ok(Loaded { unit: draft.finish(name), warnings })
}

/// Checks a bare template: everything but the values that wait for an instance.
pub fn check_template(
    name: &UnitName,
    text: &str,
    drop_ins: &BTreeMap<String, String>,
    host: &HostFacts,
) -> Result<Vec<Warning>, Vec<Fault>> {
    read(name, text, drop_ins, Some(host)).map(|(_, warnings)| warnings)
}

fn instance_is_named(name: &UnitName) -> Result<(), Vec<Fault>> {
    if !name.is_template() {
        return Ok(());
    }
    let example = format!("{}@1.{}", name.prefix(), name.suffix());
    let whole = Place { file: name.as_str().into(), line: 0 };
    Err(vec![whole.fault(format!("a template has no instance: name {example}"))])
}

/// SHA-256 in hex of a unit's text and drop-ins. Without drop-ins it is what `sha256sum` prints.
pub fn hash(text: &str, drop_ins: &BTreeMap<String, String>) -> String {
    let mut sha = Sha256::new();
    sha.update(text);
    for (name, text) in drop_ins {
        // No text that is accepted has a NUL byte in it, so that no two units give one stream.
        sha.update([0]);
        sha.update(name);
        sha.update([0]);
        sha.update(text);
    }
    sha.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn read(
    name: &UnitName,
    text: &str,
    drop_ins: &BTreeMap<String, String>,
    host: Option<&HostFacts>,
) -> Result<(Draft, Vec<Warning>), Vec<Fault>> {
    let reader = read_on(name, text, drop_ins, host);
    match reader.faults.is_empty() {
        true => Ok((reader.draft, reader.warnings)),
        false => Err(reader.faults),
    }
}

/// The same, and what can be read of a file with faults.
fn read_on<'a>(
    name: &'a UnitName,
    text: &str,
    drop_ins: &BTreeMap<String, String>,
    host: Option<&'a HostFacts>,
) -> Reader<'a> {
    let mut reader = Reader {
        specifiers: Specifiers { name, host },
        draft: Draft::default(),
        faults: Vec::new(),
        warnings: Vec::new(),
    };
    if name.suffix() != "container" {
        let whole = Place { file: name.as_str().into(), line: 0 };
        reader.faults.push(whole.fault(format!(
            "units of the type .{} are not there yet: .container is",
            name.suffix()
        )));
        return reader;
    }
    reader.file(name.as_str(), text);
    for (file, text) in drop_ins {
        let path = format!("{name}.d/{file}");
        if file.contains('/') || !file.ends_with(".conf") {
            let whole = Place { file: path.into(), line: 0 };
            reader.faults.push(whole.fault("the name of a drop-in ends in .conf and has no /"));
        } else {
            reader.file(&path, text);
        }
    }
    let checks = reader.draft.check(name);
    // A fault of the whole says nothing new about a file that could not be read in part.
    if reader.faults.is_empty() {
        reader.faults = checks.faults;
    }
    reader.warnings.extend(checks.warnings);
    reader
}

struct Reader<'a> {
    specifiers: Specifiers<'a>,
    draft: Draft,
    faults: Vec<Fault>,
    warnings: Vec<Warning>,
}

impl Reader<'_> {
    fn file(&mut self, file: &str, text: &str) {
        let (sections, faults) = syntax::parse(file, text);
        self.faults.extend(faults);
        for section in &sections {
            self.section(section);
        }
    }

    fn section(&mut self, section: &Section) {
        if keys::SECTIONS.contains(&section.name.as_str()) {
            for assignment in &section.assignments {
                self.assignment(&section.name, assignment);
            }
        } else if !section.name.starts_with("X-") {
            let shown = syntax::head(&section.name);
            let message = format!("[{shown}] is no section of a .container and is passed over");
            self.warnings.push(section.place.warning(message));
        }
    }

    fn assignment(&mut self, section: &str, assignment: &Assignment) {
        let Assignment { key: name, value, place } = assignment;
        let shown = syntax::head(value);
        match keys::find(section, name) {
            Found::Honoured(key) => self.apply(key, assignment),
            Found::Refused(instead) => {
                self.faults.push(place.fault(format!("{name}={shown}: {}", instead(value))));
            }
            Found::NotYet(why) => {
                let message = format!("{name}= is not honoured yet: {why}");
                self.warnings.push(place.warning(message));
            }
            // systemd leaves these to other programs.
            Found::Unknown if name.starts_with("X-") => {}
            Found::Unknown => {
                let hint = keys::suggestion(section, name).unwrap_or_default();
                let hint = if hint.is_empty() { hint } else { format!(" ({hint})") };
                let name = syntax::head(name);
                let message = format!("{name}= is no key of [{section}] and is passed over{hint}");
                self.warnings.push(place.warning(message));
            }
        }
    }

    fn apply(&mut self, key: &'static keys::Key, assignment: &Assignment) {
        let Assignment { key: written, value: raw, place } = assignment;
        let host = self.specifiers.host.filter(|_| !key.is_of_the_fleet());
        let specifiers = Specifiers { host, ..self.specifiers };
        let value = Value { raw, specifiers, warnings: RefCell::default() };
        let taken = (key.apply)(&mut self.draft, &value);
        self.draft.places.insert(key.name, place.clone());
        let told = |message: String| format!("{written}={}: {message}", syntax::head(raw));
        let warnings = value.warnings.into_inner().into_iter();
        self.warnings.extend(warnings.map(|message| place.warning(told(message))));
        match taken {
            Ok(()) if raw.is_empty() => self.draft.waiting.retain(|waiting| *waiting != key.name),
            Ok(()) => {}
            Err(Unexpanded::NeedsHost(specifier)) if key.is_of_the_fleet() => {
                let message = format!("%{specifier} is of the host, and none is chosen yet");
                self.faults.push(place.fault(told(message)));
            }
            Err(Unexpanded::NeedsInstance | Unexpanded::NeedsHost(_)) => {
                self.draft.waiting.push(key.name);
            }
            Err(Unexpanded::Wrong(message)) => self.faults.push(place.fault(told(message))),
        }
    }
}

#[cfg(test)]
mod tests;
