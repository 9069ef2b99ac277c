//! Unit files beside the caller, with their drop-ins.

use crate::failure::Failure;
use fleetd_api::{MAX_UNIT_FILE, Submit, Unit, UnitName};
use std::collections::BTreeMap;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct UnitFile {
    pub path: PathBuf,
    pub text: String,
    pub drop_ins: BTreeMap<String, String>,
}

impl UnitFile {
    /// Whether the unit was submitted with the same content.
    pub(crate) fn is_same(&self, unit: &Unit) -> bool {
        unit.text.as_ref() == Some(&self.text) && unit.drop_ins == self.drop_ins
    }

    pub(crate) fn submit(self, replace: bool) -> Submit {
        Submit { text: self.text, drop_ins: self.drop_ins, replace, desired: None }
    }
}

/// The file of a unit in a directory, or that of its template. None: neither is there.
pub(crate) fn read(dir: &Path, name: &UnitName) -> Result<Option<UnitFile>, Failure> {
    let own = Some(name.clone());
    for candidate in own.into_iter().chain(name.template()) {
        let path = dir.join(candidate.as_str());
        if let Some(text) = text(&path)? {
            let drop_ins = drop_ins(dir, name)?;
            return Ok(Some(UnitFile { path, text, drop_ins }));
        }
    }
    Ok(None)
}

/// By file name: that of the more specific directory hides the other.
fn drop_ins(dir: &Path, name: &UnitName) -> Result<BTreeMap<String, String>, Failure> {
    let mut found = BTreeMap::new();
    for drop_in_dir in name.drop_in_dirs() {
        let dir = dir.join(drop_in_dir);
        let told = |error: &io::Error| Failure::io(format!("read {}", dir.display()), error);
        let entries = match std::fs::read_dir(&dir) {
            Ok(entries) => entries,
            Err(error) if is_absent(&error) => continue,
            Err(error) => return Err(told(&error)),
        };
        for entry in entries {
            let entry = entry.map_err(|error| told(&error))?;
            let Ok(file) = entry.file_name().into_string() else {
                continue;
            };
            if file.ends_with(".conf")
                && !file.starts_with('.')
                && let Some(text) = text(&entry.path())?
            {
                found.insert(file, text);
            }
        }
    }
    Ok(found)
}

fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

fn text(path: &Path) -> Result<Option<String>, Failure> {
    let told = |error: &io::Error| Failure::io(format!("read {}", path.display()), error);
    let file = match std::fs::File::open(path) {
        Ok(file) => file,
        Err(error) if is_absent(&error) => return Ok(None),
        Err(error) => return Err(told(&error)),
    };
    let mut bytes = Vec::new();
    let limit = MAX_UNIT_FILE as u64 + 1;
    file.take(limit).read_to_end(&mut bytes).map_err(|error| told(&error))?;
    if bytes.len() > MAX_UNIT_FILE {
        let message = format!("read {}: it is over {MAX_UNIT_FILE} bytes", path.display());
        return Err(Failure::new(message).hint("is it a unit file?"));
    }
    let text = String::from_utf8(bytes);
    text.map(Some).map_err(|_| Failure::new(format!("read {}: it is not UTF-8", path.display())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> UnitName {
        UnitName::new(text).unwrap()
    }

    #[test]
    fn an_instance_finds_its_template_and_both_kinds_of_drop_ins() {
        let dir = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = dir.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        write("web@.container", "T");
        write("web@.container.d/10-a.conf", "template's");
        write("web@.container.d/20-b.conf", "b");
        write("web@1.container.d/10-a.conf", "own");
        write("web@1.container.d/README", "no drop-in");
        let file = read(dir.path(), &name("web@1.container")).unwrap().unwrap();
        assert_eq!(file.text, "T");
        let drop_ins: Vec<_> =
            file.drop_ins.iter().map(|(n, t)| (n.as_str(), t.as_str())).collect();
        assert_eq!(drop_ins, [("10-a.conf", "own"), ("20-b.conf", "b")]);
        assert_eq!(read(dir.path(), &name("db.container")).unwrap(), None);
    }

    #[test]
    fn what_is_no_unit_file_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("a.container")).unwrap();
        std::fs::write(dir.path().join("b.container"), [0xff]).unwrap();
        std::fs::write(dir.path().join("c.container"), vec![b'#'; MAX_UNIT_FILE + 1]).unwrap();
        for (unit, part) in [
            ("a.container", "is a directory"),
            ("b.container", "not UTF-8"),
            ("c.container", "262144 bytes"),
        ] {
            let failure = read(dir.path(), &name(unit)).unwrap_err();
            assert!(failure.message.contains(part), "{failure}");
        }
    }
}
