//! The command line's grammar: global flags, a command, its flags and arguments.
//!
//! Written by hand: engines use the syntax of Go programs (`-flag`, `--flag=value`, a boolean with a
//! value), the start-up time counts, and the whole grammar is this file. Each command has the table
//! of its flags; a flag that is in no table is an error.

use std::ffi::OsString;
use std::path::PathBuf;

use crate::error::{Error, Result};

/// What a flag takes, and whether it is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Nothing, or `=true` or `=false`.
    Switch,
    /// A value, in the same word or the next.
    Value,
    /// A switch or value that engines may pass, and that asks for what is not there: why.
    RefusedSwitch(&'static str),
    RefusedValue(&'static str),
}

/// One flag: its name, a letter or the same name again, and what it takes.
pub type Flag = (&'static str, &'static str, Kind);

/// A parsed part of the command line.
#[derive(Debug, Default)]
pub struct Arguments {
    flags: Vec<(&'static str, String)>,
    /// What is no flag, in order.
    pub rest: Vec<String>,
}

impl Arguments {
    /// Whether a switch is on; of several the last counts.
    pub fn on(&self, name: &str) -> bool {
        self.value(name) == Some("true")
    }

    /// The value of a flag; of several the last.
    pub fn value(&self, name: &str) -> Option<&str> {
        self.flags.iter().rev().find(|(known, _)| *known == name).map(|(_, value)| value.as_str())
    }

    /// All values of a flag that may be repeated.
    pub fn values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.flags.iter().filter(move |(known, _)| *known == name).map(|(_, value)| value.as_str())
    }

    pub fn path(&self, name: &str) -> Option<PathBuf> {
        self.value(name).map(PathBuf::from)
    }

    /// A number that is 0 without the flag.
    pub fn number(&self, name: &str) -> Result<u32> {
        self.value(name).map_or(Ok(0), |value| {
            value.parse().map_err(|_| Error::new(format_args!("--{name} {value}: not a number")))
        })
    }

    /// The container's id, which must be the only argument.
    pub fn id(&self) -> Result<&str> {
        match self.rest.as_slice() {
            [id] => Ok(id),
            [] => Err(Error::new("the container's id is missing")),
            [_, more, ..] => Err(Error::new(format_args!("{more:?}: one argument too many"))),
        }
    }
}

/// How far flags may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// Before and after the arguments.
    Anywhere,
    /// Up to the first argument: the rest belongs to somebody else.
    BeforeArguments,
}

/// Parses words by a table of flags.
pub fn parse(words: &[OsString], flags: &'static [Flag], order: Order) -> Result<Arguments> {
    let mut parsed = Arguments::default();
    let mut words = words.iter().map(|word| {
        word.to_str()
            .ok_or_else(|| Error::new(format_args!("{:?}: not UTF-8", word.to_string_lossy())))
    });
    while let Some(word) = words.next() {
        let word = word?;
        let name = word.strip_prefix("--").or_else(|| word.strip_prefix('-'));
        let Some(name) = name.filter(|name| !name.is_empty()) else {
            if word != "--" {
                parsed.rest.push(word.to_owned());
            }
            if word == "--" || order == Order::BeforeArguments {
                for word in words.by_ref() {
                    parsed.rest.push(word?.to_owned());
                }
            }
            continue;
        };
        let (name, value) = match name.split_once('=') {
            Some((name, value)) => (name, Some(value.to_owned())),
            None => (name, None),
        };
        let Some(&(known, _, kind)) =
            flags.iter().find(|(long, short, _)| *long == name || *short == name)
        else {
            return Err(Error::new(format_args!("{word}: unknown flag")));
        };
        let value = match kind {
            Kind::Switch | Kind::RefusedSwitch(_) => switch(known, value)?,
            Kind::Value | Kind::RefusedValue(_) => match value {
                Some(value) => value,
                None => words
                    .next()
                    .transpose()?
                    .ok_or_else(|| Error::new(format_args!("--{known}: its value is missing")))?
                    .to_owned(),
            },
        };
        match kind {
            Kind::RefusedSwitch(why) if value == "true" => {
                return Err(Error::new(format_args!("--{known}: {why}")));
            }
            Kind::RefusedValue(why) if !value.is_empty() => {
                return Err(Error::new(format_args!("--{known}: {why}")));
            }
            _ => parsed.flags.push((known, value)),
        }
    }
    Ok(parsed)
}

/// As Go's `strconv.ParseBool`.
fn switch(name: &str, value: Option<String>) -> Result<String> {
    match value.as_deref() {
        None | Some("true" | "1" | "t" | "T" | "TRUE" | "True") => Ok("true".to_owned()),
        Some("false" | "0" | "f" | "F" | "FALSE" | "False") => Ok("false".to_owned()),
        Some(value) => Err(Error::new(format_args!("--{name}={value}: must be true or false"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FLAGS: &[Flag] = &[
        ("bundle", "b", Kind::Value),
        ("detach", "d", Kind::Switch),
        ("env", "e", Kind::Value),
        ("no-pivot", "", Kind::RefusedSwitch("no")),
        ("cgroup", "", Kind::RefusedValue("no")),
    ];

    fn parsed(text: &str, order: Order) -> Result<Arguments> {
        let words: Vec<OsString> = text.split_whitespace().map(OsString::from).collect();
        parse(&words, FLAGS, order)
    }

    #[test]
    fn flags_come_in_every_form_and_on_both_sides() {
        for text in [
            "--bundle /b -d id",
            "id --bundle=/b --detach",
            "-b /b id -detach=true",
            "-bundle=/b -d -- id",
        ] {
            let parsed = parsed(text, Order::Anywhere).unwrap();
            assert_eq!(parsed.value("bundle"), Some("/b"), "{text}");
            assert!(parsed.on("detach"), "{text}");
            assert_eq!(parsed.id().unwrap(), "id", "{text}");
        }
        assert!(!parsed("-d=false id", Order::Anywhere).unwrap().on("detach"));
    }

    #[test]
    fn behind_the_id_a_command_has_flags_of_its_own() {
        let parsed = parsed("-e A=1 -e B=2 id ls -d --bundle", Order::BeforeArguments).unwrap();
        assert_eq!(parsed.rest, ["id", "ls", "-d", "--bundle"]);
        assert_eq!(parsed.values("env").collect::<Vec<_>>(), ["A=1", "B=2"]);
    }

    #[test]
    fn what_is_unknown_or_refused_is_named() {
        let fault = |text: &str| parsed(text, Order::Anywhere).unwrap_err().to_string();
        assert_eq!(fault("--colour id"), "--colour: unknown flag");
        assert_eq!(fault("id --bundle"), "--bundle: its value is missing");
        assert_eq!(fault("--no-pivot id"), "--no-pivot: no");
        assert_eq!(fault("--cgroup x id"), "--cgroup: no");
        assert_eq!(fault("--detach=maybe id"), "--detach=maybe: must be true or false");
        parsed("--no-pivot=false --cgroup= id", Order::Anywhere).unwrap();
    }
}
