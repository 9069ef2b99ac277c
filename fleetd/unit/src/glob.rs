//! Globs over unit names, as fleet took them (Go's `path.Match`), and the patterns that one name
//! matches out of very many.

use std::collections::{BTreeMap, BTreeSet};

/// Whether the whole name matches: `*` any letters, `?` one, `[a-z]` or `[^a-z]` one of a class,
/// `\` takes the next letter as it is. A pattern that cannot be read stands for itself.
pub fn matches(pattern: &str, name: &str) -> bool {
    let Some(parts) = parse(pattern) else { return pattern == name };
    let name: Vec<char> = name.chars().collect();
    let (mut part, mut letter) = (0, 0);
    // Where to go on when what follows the last `*` does not match: one letter later.
    let mut back: Option<(usize, usize)> = None;
    while letter < name.len() {
        match (parts.get(part), name.get(letter)) {
            (Some(Part::Any), _) => {
                back = Some((part + 1, letter));
                part += 1;
            }
            (Some(step), Some(found)) if step.takes(*found) => {
                part += 1;
                letter += 1;
            }
            _ => {
                let Some((after, from)) = back else { return false };
                back = Some((after, from + 1));
                (part, letter) = (after, from + 1);
            }
        }
    }
    parts.iter().skip(part).all(|part| matches!(part, Part::Any))
}

/// Whether a pattern can be read.
pub fn is_readable(pattern: &str) -> bool {
    parse(pattern).is_some()
}

/// The pattern that only this text matches.
pub fn literal(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        if matches!(letter, '*' | '?' | '[' | '\\') {
            out.push('\\');
        }
        out.push(letter);
    }
    out
}

enum Part {
    Any,
    One,
    Letter(char),
    Class { not: bool, ranges: Vec<(char, char)> },
}

impl Part {
    fn takes(&self, letter: char) -> bool {
        match self {
            Self::Any => false,
            Self::One => true,
            Self::Letter(wanted) => *wanted == letter,
            Self::Class { not, ranges } => {
                ranges.iter().any(|(low, high)| (*low..=*high).contains(&letter)) != *not
            }
        }
    }
}

fn parse(pattern: &str) -> Option<Vec<Part>> {
    let mut letters = pattern.chars().peekable();
    let mut parts = Vec::new();
    while let Some(letter) = letters.next() {
        parts.push(match letter {
            '*' => Part::Any,
            '?' => Part::One,
            '\\' => Part::Letter(letters.next()?),
            '[' => class(&mut letters)?,
            letter => Part::Letter(letter),
        });
    }
    Some(parts)
}

fn class(letters: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Option<Part> {
    let not = letters.next_if(|letter| matches!(letter, '^' | '!')).is_some();
    let mut ranges = Vec::new();
    loop {
        let low = match letters.next()? {
            ']' if !ranges.is_empty() => return Some(Part::Class { not, ranges }),
            '\\' => letters.next()?,
            letter => letter,
        };
        let high = match letters.next_if_eq(&'-') {
            Some(_) => letters.next().filter(|high| *high != ']')?,
            None => low,
        };
        ranges.push((low, high));
    }
}

/// Many patterns, found by the letters before their first wildcard.
#[derive(Default)]
pub struct Patterns<'a> {
    by_start: BTreeMap<&'a str, BTreeSet<&'a str>>,
    lengths: BTreeSet<usize>,
}

impl<'a> Patterns<'a> {
    pub fn add(&mut self, pattern: &'a str) {
        // A pattern that cannot be read may match only itself, and its start is a start of that.
        let end = pattern.find(['*', '?', '[', '\\']).unwrap_or(pattern.len());
        let start = pattern.get(..end).unwrap_or_default();
        self.by_start.entry(start).or_default().insert(pattern);
        self.lengths.insert(end);
    }

    /// In a fixed order.
    pub fn of(&self, name: &str) -> Vec<&'a str> {
        let starts = self.lengths.iter().filter_map(|length| name.get(..*length));
        let near = starts.filter_map(|start| self.by_start.get(start)).flatten();
        near.copied().filter(|pattern| matches(pattern, name)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn globs_match_as_those_of_fleet() {
        for (pattern, name, expected) in [
            ("web@*", "web@1.container", true),
            ("web@*", "web.container", false),
            ("*", "", true),
            ("web@?.container", "web@12.container", false),
            ("web@[0-9].container", "web@7.container", true),
            ("web@[^0-9].container", "web@7.container", false),
            ("*.container", "a.container.container", true),
            ("a*b*c", "a-b-b-c", true),
            ("a*b*c", "a-b-b-d", false),
            ("a\\*", "a*", true),
            ("a\\*", "ab", false),
            ("a[", "a[", true),
            ("a[", "ab", false),
            ("äö*", "äöü", true),
        ] {
            assert_eq!(matches(pattern, name), expected, "{pattern} {name}");
        }
    }

    #[test]
    fn a_pattern_that_cannot_be_read_is_told_from_one_that_can() {
        for (pattern, expected) in
            [("web@*", true), ("", true), ("a[b-]", false), ("a[", false), ("a\\", false)]
        {
            assert_eq!(is_readable(pattern), expected, "{pattern}");
        }
    }

    #[test]
    fn the_pattern_of_a_text_matches_that_text_alone() {
        for text in ["a\\x2db@1.container", "*", "a?[b]^", ""] {
            assert!(matches(&literal(text), text), "{text}");
            assert!(!matches(&literal(text), &format!("{text}b")), "{text}");
        }
        assert!(!matches(&literal("a*"), "ab"));
        assert!(!matches(&literal("a\\x"), "ax"));
    }

    #[test]
    fn a_name_finds_its_patterns_among_many() {
        let mut patterns = Patterns::default();
        for glob in ["web@*", "db*", "*", "web@1.container", "w[a-e]b@*", "a["] {
            patterns.add(glob);
        }
        let expected = ["*", "w[a-e]b@*", "web@*", "web@1.container"];
        assert_eq!(patterns.of("web@1.container"), expected);
        assert_eq!(patterns.of("a["), ["*", "a["]);
    }
}
