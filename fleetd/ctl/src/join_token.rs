//! The token that lets a host join: where its user gives it, and that no message shows it.

use crate::failure::Failure;
use std::fmt;
use std::io::{self, BufRead, IsTerminal, Read};

/// What the fleet's tokens begin with.
const PREFIX: &str = "flt1-";
/// What stands in its place.
const HIDDEN: &str = "flt1-...";
/// No line of standard input is read further.
const LONGEST: u64 = 64 * 1024;
/// No token is shorter. A word of a message that is as short as this must not be taken for one.
const SHORTEST: usize = 8;

/// As it stands on the command line: the token, or `-`.
#[derive(Clone)]
pub(crate) struct JoinToken(String);

impl From<String> for JoinToken {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl fmt::Debug for JoinToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(HIDDEN)
    }
}

impl JoinToken {
    /// The token itself; of `-`, the first line of standard input.
    pub(crate) fn read(&self) -> Result<String, Failure> {
        let token = if self.0 == "-" { line()? } else { self.0.trim().to_owned() };
        if token.is_empty() {
            let place = if self.0 == "-" { "standard input" } else { "--token" };
            return Err(Failure::new(format!("read the token: {place} is empty"))
                .hint("fleetctl token create, on a host of the fleet, prints one"));
        }
        Ok(token)
    }
}

fn line() -> Result<String, Failure> {
    let input = io::stdin().lock();
    if input.is_terminal() {
        eprint!("token: ");
    }
    let mut line = String::new();
    let read = input.take(LONGEST).read_line(&mut line);
    read.map_err(|error| Failure::io("read the token", &error))?;
    Ok(line.trim().to_owned())
}

/// The failure without the token, whoever put it there.
pub(crate) fn hide(mut failure: Failure, token: &str) -> Failure {
    for text in
        [&mut failure.message].into_iter().chain(&mut failure.hint).chain(&mut failure.details)
    {
        if token.len() >= SHORTEST {
            *text = text.replace(token, HIDDEN);
        }
        *text = hide_tokens(text);
    }
    failure
}

/// The text with nothing of what looks like a token.
pub(crate) fn hide_tokens(text: &str) -> String {
    let mut pieces = text.split(PREFIX);
    let mut out = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let of_it = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        out.push_str(HIDDEN);
        out.push_str(piece.trim_start_matches(of_it).trim_start_matches("..."));
    }
    out
}

pub(crate) fn looks_like_token(text: &str) -> bool {
    text.starts_with(PREFIX)
}

/// The public part of a token; of anything else, that.
pub(crate) fn id(token: &str) -> &str {
    let parts = token.strip_prefix(PREFIX).map(|parts| parts.split('-').next().unwrap_or(parts));
    parts.unwrap_or(token)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_loses_every_token_and_nothing_else() {
        assert_eq!(hide_tokens("a 'flt1-x2-y-z', flt1-..."), "a 'flt1-...', flt1-...");
        assert_eq!(hide_tokens("nothing of it"), "nothing of it");
        let token = JoinToken::from("flt1-x-y".to_owned());
        assert_eq!(format!("{token:?}"), "flt1-...");
    }

    #[test]
    fn a_failure_loses_its_token_in_each_of_its_parts() {
        let mut failure = Failure::new("join: oddtoken is bad").hint("not oddtoken");
        failure.details.push("oddtoken".to_owned());
        let failure = hide(failure, "oddtoken");
        assert_eq!(failure.to_string(), "join: flt1-... is bad (not flt1-...)");
        assert_eq!(failure.details, ["flt1-..."]);
    }
}
