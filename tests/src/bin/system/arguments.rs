//! The command line: `--name value`, each name once.

use std::collections::BTreeMap;
use std::path::PathBuf;

pub(crate) struct Arguments(BTreeMap<String, String>);

pub(crate) fn parse(words: impl Iterator<Item = String>) -> Result<Arguments, String> {
    let mut found = BTreeMap::new();
    let mut words = words;
    while let Some(word) = words.next() {
        let name = word.strip_prefix("--").ok_or(format!("{word}: expected an option"))?;
        let value = words.next().ok_or(format!("--{name}: needs a value"))?;
        found.insert(name.to_owned(), value);
    }
    Ok(Arguments(found))
}

impl Arguments {
    /// The value of an option, or the empty string.
    pub(crate) fn text(&self, name: &str) -> &str {
        self.0.get(name).map_or("", String::as_str)
    }

    pub(crate) fn path(&self, name: &str) -> Result<PathBuf, String> {
        self.0.get(name).map(PathBuf::from).ok_or(format!("--{name} is missing"))
    }

    pub(crate) fn number(&self, name: &str, default: u64) -> Result<u64, String> {
        let Some(text) = self.0.get(name) else { return Ok(default) };
        text.parse().map_err(|_| format!("--{name} {text}: not a number"))
    }

    pub(crate) fn is(&self, name: &str) -> bool {
        self.text(name) == "yes"
    }

    /// The same options, for a process that goes on with them.
    pub(crate) fn words(&self) -> Vec<String> {
        self.0.iter().flat_map(|(name, value)| [format!("--{name}"), value.clone()]).collect()
    }
}
