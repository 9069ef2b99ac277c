//! The one error of this program: what was being done, to which object, and why it failed.
//!
//! Printed as one line, `mount /proc: permission denied`. It crosses from the container's first
//! process to its parent as that text.

use std::fmt::{self, Display, Formatter};
use std::io;

/// What failed and why: `verb object: cause`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    text: String,
    /// The kernel's answer, where it was the cause.
    errno: Option<i32>,
}

pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// A fault that no system call reported.
    pub fn new(text: impl Display) -> Self {
        Self { text: text.to_string(), errno: None }
    }

    /// A refused system call, read or write.
    pub fn io(doing: impl Display, cause: &io::Error) -> Self {
        Self { text: format!("{doing}: {}", describe(cause)), errno: cause.raw_os_error() }
    }

    /// The same error with a sentence on what would help.
    #[must_use]
    pub fn hint(mut self, remedy: impl Display) -> Self {
        self.text = format!("{}; {remedy}", self.text);
        self
    }

    /// The same error inside a larger step.
    #[must_use]
    pub fn within(mut self, step: impl Display) -> Self {
        self.text = format!("{step}: {}", self.text);
        self
    }

    /// The error number of errno(3), where a system call failed.
    pub fn errno(&self) -> Option<i32> {
        self.errno
    }
}

impl Display for Error {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for Error {}

/// Says what a system call was for.
pub trait Doing<T> {
    /// `doing` is a verb and its object: `open /dev/null`.
    fn doing(self, doing: impl Display) -> Result<T>;
}

impl<T> Doing<T> for io::Result<T> {
    fn doing(self, doing: impl Display) -> Result<T> {
        self.map_err(|cause| Error::io(doing, &cause))
    }
}

/// The text of strerror(3) in lower case and without a number; engines match on it.
pub fn describe(cause: &io::Error) -> String {
    let text = cause.to_string();
    let text = text.split(" (os error").next().unwrap_or_default();
    let mut chars = text.chars();
    match (chars.next(), chars.clone().next()) {
        // An abbreviation keeps its capitals.
        (Some(first), Some(second)) if !second.is_uppercase() => {
            first.to_lowercase().collect::<String>() + chars.as_str()
        }
        _ => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_names_verb_object_and_cause_in_lower_case() {
        let cause = io::Error::from_raw_os_error(libc::EACCES);
        assert_eq!(Error::io("mount /proc", &cause).to_string(), "mount /proc: permission denied");
        let cause = io::Error::from_raw_os_error(libc::EIO);
        assert!(describe(&cause).starts_with("I/O error") || describe(&cause).starts_with("input"));
    }
}
