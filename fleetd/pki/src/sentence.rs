//! Errors as the end of our sentences: lower case, without Rust's `(os error 28)`.

use std::fmt::Display;
use std::io;

/// An I/O error inside another message.
#[derive(Debug)]
pub struct Sentence<'a>(pub &'a io::Error);

impl Display for Sentence<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&cause(self.0))
    }
}

/// The cause at the end of `verb object: cause`.
pub fn cause(error: impl Display) -> String {
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or(&text);
    let mut letters = text.chars();
    match letters.next() {
        // An abbreviation such as `TLS` keeps its case.
        Some(first) if !letters.as_str().starts_with(char::is_uppercase) => {
            first.to_lowercase().chain(letters).collect()
        }
        _ => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cause_is_the_end_of_a_sentence() {
        let error = io::Error::from_raw_os_error(2);
        assert_eq!(cause(&error), "no such file or directory");
        assert_eq!(Sentence(&error).to_string(), "no such file or directory");
        assert_eq!(cause("TLS is missing"), "TLS is missing");
        assert_eq!(cause(""), "");
    }
}
