//! The syntax of unit files: systemd's (systemd.syntax(7)), from text to assignments.
//!
//! It knows no section and no key. A `#` or `;` as the first character that is no white space
//! makes a comment, also between the lines of a continuation; a backslash at the end continues a
//! line; the order and repetition of keys are kept, since what they mean is the key's business.
//! Stricter than systemd, which logs and goes on: a line that is neither is a fault.

use super::fault::{Fault, Place};
use std::sync::Arc;

/// `[NAME]` and what stands below it until the next one. A name may come more than once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Section {
    pub name: String,
    pub place: Place,
    pub assignments: Vec<Assignment>,
}

/// `KEY=VALUE`, white space around both taken away, continued lines joined.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assignment {
    pub key: String,
    pub value: String,
    /// Where it begins.
    pub place: Place,
}

/// Reads one file. What can be read is in the first part, whatever the faults are.
pub fn parse(file: &str, text: &str) -> (Vec<Section>, Vec<Fault>) {
    let mut reader = Reader { sections: Vec::new(), faults: Vec::new() };
    let file: Arc<str> = file.into();
    if text.len() > fleetd_api::MAX_UNIT_FILE {
        let limit = fleetd_api::MAX_UNIT_FILE;
        let place = Place { file, line: 0 };
        return (Vec::new(), vec![place.fault(format!("{} bytes are over {limit}", text.len()))]);
    }
    // A byte order mark may open a file.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut continued: Option<(u32, String)> = None;
    for (line, number) in text.split('\n').zip(1..) {
        let line = line.strip_suffix('\r').unwrap_or(line);
        if line.trim_start_matches(WHITESPACE).starts_with(['#', ';']) {
            continue;
        }
        let (start, mut joined) = continued.take().unwrap_or((number, String::new()));
        joined.push_str(line);
        if ends_in_backslash(&joined) {
            joined.pop();
            joined.push(' ');
            continued = Some((start, joined));
        } else {
            reader.line(&joined, Place { file: file.clone(), line: start });
        }
    }
    if let Some((start, joined)) = continued {
        reader.line(&joined, Place { file: file.clone(), line: start });
    }
    (reader.sections, reader.faults)
}

/// Only these: other white space of Unicode belongs to a value.
const WHITESPACE: [char; 4] = [' ', '\t', '\n', '\r'];

/// Whether the last backslash escapes the end of the line rather than being escaped itself.
fn ends_in_backslash(line: &str) -> bool {
    line.bytes().rev().take_while(|b| *b == b'\\').count() % 2 == 1
}

struct Reader {
    sections: Vec<Section>,
    faults: Vec<Fault>,
}

impl Reader {
    fn line(&mut self, line: &str, place: Place) {
        let line = line.trim_matches(WHITESPACE);
        if line.contains('\0') {
            self.faults.push(place.fault("a NUL byte"));
        } else if line.is_empty() {
        } else if let Some(rest) = line.strip_prefix('[') {
            self.header(rest, place);
        } else {
            self.assignment(line, place);
        }
    }

    fn header(&mut self, rest: &str, place: Place) {
        match rest.strip_suffix(']') {
            Some(name) if !name.is_empty() && !name.contains(['[', ']']) => {
                let name = name.to_owned();
                self.sections.push(Section { name, place, assignments: Vec::new() });
            }
            _ => self.faults.push(place.fault(format!("{:?} is no section: [NAME]", head(rest)))),
        }
    }

    fn assignment(&mut self, line: &str, place: Place) {
        let Some((key, value)) = line.split_once('=') else {
            let shown = head(line);
            self.faults.push(place.fault(format!("{shown:?} is neither KEY=VALUE nor [SECTION]")));
            return;
        };
        let key = key.trim_matches(WHITESPACE);
        if key.is_empty() {
            self.faults.push(place.fault("a key is missing before the ="));
            return;
        }
        match self.sections.last_mut() {
            Some(section) => section.assignments.push(Assignment {
                key: key.to_owned(),
                value: value.trim_matches(WHITESPACE).to_owned(),
                place,
            }),
            None => {
                let shown = head(key);
                self.faults.push(place.fault(format!("{shown}= stands before any [SECTION]")));
            }
        }
    }
}

/// The beginning of a text, short enough for a message.
pub fn head(text: &str) -> String {
    match text.char_indices().nth(60) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
#[path = "syntax_tests.rs"]
mod tests;
