//! `verify`: what is wrong with unit files, without asking anybody. The reader is fleetd's own.

use super::{print, print_json};
use crate::cli::Verify as Flags;
use crate::failure::{Failure, exit};
use crate::unit_files::{self, UnitFile};
use crate::{names, text};
use fleetd_api::{UnitName, Warning};
use fleetd_unit::{Fault, Named, Place};
use serde::Serialize;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

pub(super) fn run(flags: &Flags, json: bool) -> Result<u8, Failure> {
    let files = find(&flags.files)?;
    let named: BTreeSet<&str> = files.iter().map(|file| file.name.as_str()).collect();
    let found: Vec<Found> = files.iter().flat_map(|file| file.verify(&named)).collect();
    if json {
        print_json(&found)?;
    } else {
        print(&found.iter().map(Found::line).collect::<String>())?;
    }
    let count = |kind| found.iter().filter(|found| found.kind == kind).count();
    let (faults, warnings) = (count(Kind::Fault), count(Kind::Warning));
    match (faults, warnings) {
        (0, 0) => Ok(0),
        (0, _) if !flags.strict => Ok(0),
        _ => {
            let what = [(faults, "fault"), (warnings, "warning")];
            let what = what.iter().filter(|(number, _)| *number > 0);
            let what = what.map(|(number, word)| format!("{number} {word}{}", plural(*number)));
            let what: Vec<String> = what.collect();
            eprintln!("fleetctl: verify: {}", what.join(", "));
            Err(Failure::told(exit::FAILED))
        }
    }
}

fn plural(number: usize) -> &'static str {
    if number == 1 { "" } else { "s" }
}

/// One thing that is wrong, or has no effect.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct Found {
    file: String,
    /// 0: the file as a whole.
    line: u32,
    kind: Kind,
    message: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Fault,
    Warning,
}

impl Found {
    /// As compilers print it, so that editors find the place.
    fn line(&self) -> String {
        let Self { file, line, kind, message } = self;
        let place = if *line == 0 { file.clone() } else { format!("{file}:{line}") };
        let kind = if *kind == Kind::Warning { "warning: " } else { "" };
        text::plain(&format!("{place}: {kind}{message}")) + "\n"
    }
}

/// A file that is to be looked at; `read`: what of it could not be.
struct File {
    dir: PathBuf,
    name: UnitName,
    read: Result<UnitFile, Failure>,
}

impl File {
    fn verify(&self, named: &BTreeSet<&str>) -> Vec<Found> {
        let file = match &self.read {
            Ok(file) => file,
            Err(failure) => {
                let file = self.path(self.name.as_str());
                let (kind, message) = (Kind::Fault, failure.to_string());
                return vec![Found { file, line: 0, kind, message }];
            }
        };
        let (text, drop_ins) = (&file.text, &file.drop_ins);
        let fault = |Fault { place, message }: Fault| self.found(Kind::Fault, &place, message);
        let warning = |warning: Warning| Found {
            file: self.path(&warning.file),
            line: warning.line,
            kind: Kind::Warning,
            message: warning.message,
        };
        let (faults, warnings) = fleetd_unit::review(&self.name, text, drop_ins);
        let mut found: Vec<Found> = faults.into_iter().map(fault).collect();
        found.extend(warnings.into_iter().map(warning));
        for Named { place, key, unit } in fleetd_unit::named(&self.name, text, drop_ins) {
            if !self.knows(named, &unit) {
                let message = format!("{key}={unit}: no file of that name is here");
                found.push(self.found(Kind::Warning, &place, message));
            }
        }
        found.sort_by(|one, other| (&one.file, one.line).cmp(&(&other.file, other.line)));
        found
    }

    fn found(&self, kind: Kind, place: &Place, message: String) -> Found {
        Found { file: self.path(&place.file), line: place.line, kind, message }
    }

    fn path(&self, file: &str) -> String {
        // The reader knows it by the name of the unit; on disk an instance has its template's file.
        let own = self.read.as_ref().ok().filter(|_| file == self.name.as_str());
        own.map_or_else(|| self.dir.join(file), |own| own.path.clone()).display().to_string()
    }

    fn knows(&self, named: &BTreeSet<&str>, unit: &str) -> bool {
        let beside = |name: &UnitName| matches!(unit_files::read(&self.dir, name), Ok(Some(_)));
        named.contains(unit) || UnitName::new(unit).is_ok_and(|name| beside(&name))
    }
}

/// The files that are named, and all units of directories that are.
fn find(arguments: &[String]) -> Result<Vec<File>, Failure> {
    let mut files = Vec::new();
    for argument in arguments {
        let path = Path::new(argument);
        if path.is_dir() {
            files.extend(units_of(path)?.into_iter().map(|name| file(path, name)));
            continue;
        }
        let dir = path.parent().unwrap_or(Path::new(""));
        let name = names::resolve(argument, |name| dir.join(name).is_file())?;
        files.push(file(dir, name));
    }
    Ok(files)
}

fn file(dir: &Path, name: UnitName) -> File {
    let read = unit_files::read(dir, &name)
        .and_then(|file| file.ok_or_else(|| Failure::new(format!("read {name}: no such file"))));
    File { dir: dir.to_owned(), name, read }
}

fn units_of(dir: &Path) -> Result<Vec<UnitName>, Failure> {
    let told = |error: &std::io::Error| Failure::io(format!("read {}", dir.display()), error);
    let mut units = BTreeSet::new();
    for entry in std::fs::read_dir(dir).map_err(|error| told(&error))? {
        let entry = entry.map_err(|error| told(&error))?;
        let name = entry.file_name().into_string().ok().and_then(|name| UnitName::new(name).ok());
        units.extend(name.filter(|_| entry.path().is_file()));
    }
    match units.is_empty() {
        true => Err(Failure::new(format!("verify {}: it has no unit files", dir.display()))),
        false => Ok(units.into_iter().collect()),
    }
}
