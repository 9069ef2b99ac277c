//! `[X-Fleet]`: where a unit may run, while the section is read; how its values are read, and
//! which of them go together. What the scheduler gets is made of it in `placement`.

use super::assign::{Taken, Value, wrong};
use super::draft::Draft;
use super::read::Checks;
use super::specifier::Unexpanded;
use super::{syntax, words};
use crate::asks::{Preference, Spread};
use crate::glob;
use fleetd_api::UnitName;
use fleetd_pki::MachineId;

/// None and an empty list: not said.
#[derive(Debug, Default)]
pub struct Rules {
    pub machine_id: Option<String>,
    /// Full names.
    pub machine_of: Vec<String>,
    pub machine_metadata: Vec<(String, String)>,
    /// Globs.
    pub conflicts: Vec<String>,
    pub global: Option<bool>,
    /// Globs.
    pub replaces: Vec<String>,
    pub replicas: Option<u32>,
    pub spread: Vec<Spread>,
    pub prefer: Vec<Preference>,
    pub priority: Option<i32>,
    /// `Singleton=strict`
    pub strict: Option<bool>,
}

/// A typing error is not to fill the fleet: it ran no more than this either.
const MAX_REPLICAS: u32 = 10_000;

/// More words of one key are no rule that somebody wrote, and every one is compared with others.
const MAX_WORDS: usize = 256;

/// What excludes what, and why.
const EXCLUSIVE: &[(&str, &[&str], &str)] = &[
    ("MachineID", &["MachineOf", "Conflicts", "Global", "Replaces"], "the unit has its one host"),
    ("Global", &["MachineOf", "Replaces", "Replicas"], "the unit is on every host that fits"),
];

impl Value<'_> {
    /// The whole id of a machine.
    pub fn machine_id(&self) -> Taken<String> {
        match self.text()?.parse::<MachineId>() {
            Ok(id) => Ok(id.to_string()),
            Err(_) => wrong(
                "it takes a whole machine id, 32 lower-case hex digits: `fleetctl list-machines \
                 --full` prints them",
            ),
        }
    }

    fn names(&self) -> Taken<Vec<String>> {
        words::split_names(self.raw).map_err(Unexpanded::Wrong)
    }

    /// Full names of units that run somewhere.
    pub fn units(&self) -> Taken<Vec<String>> {
        let unit = |word: &String| {
            let name = UnitName::new(self.specifiers.expand(word)?)
                .map_err(|error| Unexpanded::Wrong(error.to_string()))?;
            if name.is_template() {
                return wrong(format!("{name} is a template: name an instance of it"));
            }
            Ok(name.to_string())
        };
        self.names()?.iter().map(unit).collect()
    }

    /// Globs of names of units.
    pub fn globs(&self) -> Taken<Vec<String>> {
        let one = |word: &String| {
            let pattern = self.specifiers.expand_glob(word)?;
            if pattern.is_empty() || !glob::is_readable(&pattern) {
                let shown = syntax::head(&pattern);
                return wrong(format!("{shown:?} is no glob: *, ?, [a-z], [^a-z], \\ before one"));
            }
            Ok(pattern)
        };
        self.names()?.iter().map(one).collect()
    }

    /// `KEY=VALUE` in words.
    pub fn metadata(&self) -> Taken<Vec<(String, String)>> {
        self.words()?.iter().map(|word| pair(word)).collect()
    }

    pub fn replicas(&self) -> Taken<u32> {
        match self.number() {
            Ok(number @ 0..=MAX_REPLICAS) => Ok(number),
            _ => wrong(format!("it takes a number of instances, 0 to {MAX_REPLICAS}")),
        }
    }

    /// `host`, or keys of metadata.
    pub fn spread(&self) -> Taken<Vec<Spread>> {
        let place = |word: String| match word.as_str() {
            "host" => Ok(Spread::Host),
            key if is_key(key) => Ok(Spread::Metadata(word)),
            key => {
                let shown = syntax::head(key);
                wrong(format!("{shown:?} is neither host nor a key of metadata"))
            }
        };
        self.words()?.into_iter().map(place).collect()
    }

    /// `KEY=VALUE[:WEIGHT]` in words. What follows the last colon is the weight.
    pub fn prefer(&self) -> Taken<Vec<Preference>> {
        let wish = |word: &String| {
            let (metadata, weight) = match word.rsplit_once(':') {
                Some((metadata, weight)) => (metadata, weight.parse().ok()),
                None => (word.as_str(), Some(10)),
            };
            let Some(weight) = weight.filter(|weight| (-100..=100).contains(weight)) else {
                let shown = syntax::head(word);
                return wrong(format!("{shown:?} ends in no weight: -100 to 100 after the last :"));
            };
            let (key, value) = pair(metadata)?;
            Ok(Preference { key, value, weight })
        };
        self.words()?.iter().map(wish).collect()
    }

    pub fn priority(&self) -> Taken<i32> {
        let (low, high) = (i32::MIN, i32::MAX);
        let wrong = || Unexpanded::Wrong(format!("it takes a whole number, {low} to {high}"));
        self.raw.parse().map_err(|_| wrong())
    }

    /// What happens to a unit whose host is cut off: whether it is to run nowhere else.
    pub fn singleton(&self) -> Taken<bool> {
        match self.raw {
            "available" => Ok(false),
            "strict" => {
                self.warn(
                    "not honoured yet: while its host is cut off the unit goes on there, and may \
                     run elsewhere too",
                );
                Ok(true)
            }
            _ => wrong("it takes available or strict"),
        }
    }
}

fn pair(word: &str) -> Taken<(String, String)> {
    let readable = |value: &str| !value.is_empty() && !value.contains(char::is_control);
    match word.split_once('=') {
        Some((key, value)) if is_key(key) && readable(value) => {
            Ok((key.to_owned(), value.to_owned()))
        }
        _ => wrong(format!("{:?} is not KEY=VALUE", syntax::head(word))),
    }
}

fn is_key(text: &str) -> bool {
    let no_letter = |c: char| c.is_whitespace() || c.is_control() || c == '=';
    !text.is_empty() && !text.contains(no_letter)
}

impl Draft {
    /// What no key of `[X-Fleet]` can tell alone.
    pub(super) fn check_rules(&self, name: &UnitName, checks: &mut Checks) {
        let mut fault = |key: &str, message: String| {
            checks.faults.push(self.place(name, key).fault(message));
        };
        let labels = ("Label", self.labels.len());
        for (key, words) in self.rules.lists().into_iter().chain([labels]) {
            if words > MAX_WORDS {
                return fault(key, format!("{key}= has {words} words: at most {MAX_WORDS}"));
            }
        }
        for (one, others, why) in EXCLUSIVE.iter().filter(|(one, ..)| self.says(one)) {
            for other in others.iter().filter(|other| self.says(other)) {
                fault(other, format!("{other}= does not go with {one}=: {why}"));
            }
        }
        if self.rules.replicas.is_some() && name.instance().is_none() {
            let template = format!("{}@.{}", name.prefix(), name.suffix());
            fault("Replicas", format!("Replicas= is of a template: name the file {template}"));
        }
        for (key, message) in self.rules.names_at_odds(name) {
            fault(key, message);
        }
        for (key, message) in self.rules_without_effect(name) {
            checks.warnings.push(self.place(name, key).warning(message));
        }
    }

    /// Whether a key of `[X-Fleet]` says something, be it not known yet what.
    fn says(&self, key: &str) -> bool {
        let rules = &self.rules;
        let said = match key {
            "MachineID" => rules.machine_id.is_some(),
            "Global" => rules.global == Some(true),
            "Replicas" => rules.replicas.is_some(),
            key => rules.lists().iter().any(|(list, words)| *list == key && *words > 0),
        };
        said || self.seen.is_waiting(key)
    }

    fn rules_without_effect(&self, name: &UnitName) -> Vec<(&'static str, String)> {
        let mut told = Vec::new();
        let one_of = ["Global", "MachineID"].into_iter().find(|key| self.says(key));
        for key in ["Spread", "Prefer"].into_iter().filter(|key| self.says(key)) {
            if let Some(other) = one_of {
                told.push((key, format!("{key}= has no effect with {other}=")));
            } else if key == "Spread" && name.instance().is_none() {
                told.push((key, "Spread= has no effect: the unit is not of a template".to_owned()));
            }
        }
        told
    }
}

impl Rules {
    /// The keys that take words, and how many there are.
    fn lists(&self) -> [(&'static str, usize); 6] {
        [
            ("MachineOf", self.machine_of.len()),
            ("MachineMetadata", self.machine_metadata.len()),
            ("Conflicts", self.conflicts.len()),
            ("Replaces", self.replaces.len()),
            ("Spread", self.spread.len()),
            ("Prefer", self.prefer.len()),
        ]
    }

    /// Units that cannot be where the rules together want them. That its own name matches
    /// `Conflicts=` is none of it: a rule is about other units, and `Conflicts=web@*` in
    /// `web@.container` is one instance for each host.
    fn names_at_odds(&self, name: &UnitName) -> Vec<(&'static str, String)> {
        let mut told = Vec::new();
        let own = glob::literal(name.as_str());
        if self.machine_of.iter().any(|leader| leader == name.as_str()) {
            told.push(("MachineOf", format!("MachineOf={name}: a unit cannot follow itself")));
        }
        if self.replaces.iter().any(|pattern| *pattern == own || pattern == name.as_str()) {
            told.push(("Replaces", format!("Replaces={name}: a unit cannot replace itself")));
        }
        for (key, globs) in [("Conflicts", &self.conflicts), ("Replaces", &self.replaces)] {
            for pattern in globs {
                let leader = self.machine_of.iter().find(|leader| glob::matches(pattern, leader));
                if let Some(leader) = leader {
                    let shown = syntax::head(pattern);
                    told.push((
                        key,
                        format!("{key}={shown}: {leader} is named in MachineOf=, to be beside it"),
                    ));
                }
            }
        }
        told
    }
}
