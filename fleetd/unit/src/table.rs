//! Tables of keys: of each kind of unit what its file may say, and what that does.

use super::assign::{Taken, Value};
use fleetd_api::UnitKind;

/// A key that is honoured. `D`: the unit while it is read.
pub struct Key<D: 'static> {
    pub section: &'static str,
    pub name: &'static str,
    pub apply: fn(&mut D, &Value) -> Taken<()>,
    /// The sentence that `docs/units.md` has for it.
    pub doc: &'static str,
}

pub const fn key<D>(
    section: &'static str,
    name: &'static str,
    apply: fn(&mut D, &Value) -> Taken<()>,
    doc: &'static str,
) -> Key<D> {
    Key { section, name, apply, doc }
}

/// A name from before a key was called as it is now.
pub struct Alias {
    pub section: &'static str,
    pub old: &'static str,
    pub name: &'static str,
}

/// Keys of one section that lack one thing.
pub struct NotYet {
    pub section: &'static str,
    /// Separated by white space.
    pub names: &'static str,
    /// The consequence, to stand after "not honoured yet: ".
    pub why: &'static str,
}

pub const fn not_yet(section: &'static str, names: &'static str, why: &'static str) -> NotYet {
    NotYet { section, names, why }
}

impl NotYet {
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        self.names.split_whitespace()
    }
}

/// A key that is never to be honoured.
pub struct Refused {
    pub section: &'static str,
    pub name: &'static str,
    /// What to write instead of a value.
    pub instead: fn(&str) -> String,
}

pub const fn refused(
    section: &'static str,
    name: &'static str,
    instead: fn(&str) -> String,
) -> Refused {
    Refused { section, name, instead }
}

/// All that is known of the keys of one kind of unit.
pub struct Table<D: 'static> {
    pub kind: UnitKind,
    /// In the order of the reference.
    pub sections: &'static [&'static str],
    pub keys: &'static [Key<D>],
    pub aliases: &'static [Alias],
    pub not_yet: &'static [&'static [NotYet]],
    pub refused: &'static [Refused],
}

/// What a name in a section is.
pub enum Found<D: 'static> {
    Honoured(&'static Key<D>),
    /// Known and without effect so far: the consequence.
    NotYet(&'static str),
    /// Never to be honoured: what to write instead.
    Refused(fn(&str) -> String),
    Unknown,
}

impl<D> Table<D> {
    pub fn find(&self, section: &str, name: &str) -> Found<D> {
        let is_old = |alias: &&Alias| alias.section == section && alias.old == name;
        let name = self.aliases.iter().find(is_old).map_or(name, |alias| alias.name);
        if let Some(key) = self.keys.iter().find(|key| key.section == section && key.name == name) {
            return Found::Honoured(key);
        }
        let is_named = |key: &&Refused| key.section == section && key.name == name;
        if let Some(key) = self.refused.iter().find(is_named) {
            return Found::Refused(key.instead);
        }
        let mut groups = self.not_yet().filter(|group| group.section == section);
        match groups.find(|group| group.names().any(|listed| listed == name)) {
            Some(group) => Found::NotYet(group.why),
            None => Found::Unknown,
        }
    }

    pub fn knows(&self, section: &str, name: &str) -> bool {
        !matches!(self.find(section, name), Found::Unknown)
    }

    fn not_yet(&self) -> impl Iterator<Item = &'static NotYet> {
        self.not_yet.iter().flat_map(|groups| groups.iter())
    }

    /// Every known key: its section and its name.
    pub fn all(&self) -> impl Iterator<Item = (&'static str, &'static str)> {
        let honoured = self.keys.iter().map(|key| (key.section, key.name));
        let refused = self.refused.iter().map(|key| (key.section, key.name));
        let not_yet = self.not_yet().flat_map(|g| g.names().map(|name| (g.section, name)));
        honoured.chain(not_yet).chain(refused)
    }

    /// Older names of a key.
    pub fn older(&self, key: &Key<D>) -> impl Iterator<Item = &'static str> {
        let (section, name) = (key.section, key.name);
        let own = move |alias: &&Alias| alias.section == section && alias.name == name;
        self.aliases.iter().filter(own).map(|alias| alias.old)
    }

    /// The known key that was probably meant, as a hint: in this section or, by its exact name, in
    /// another.
    pub fn suggestion(&self, section: &str, name: &str) -> Option<String> {
        let elsewhere = |(other, known): &(&str, &str)| *other != section && *known == name;
        if let Some((other, _)) = self.all().find(elsewhere) {
            return Some(format!("it belongs to [{other}]"));
        }
        let lower = name.to_ascii_lowercase();
        let distance =
            |known: &str| strsim::damerau_levenshtein(&lower, &known.to_ascii_lowercase());
        let candidates = self.all().filter(|(other, _)| *other == section);
        let nearest = candidates.map(|(_, known)| (distance(known), known)).min()?;
        let near = nearest.0 <= 1 + name.len() / 5;
        near.then(|| format!("{}= is the nearest known key", nearest.1))
    }
}
