//! The names of containers.

use crate::error::{Error, Result};

/// Longer names do not fit where they are used as one file's name.
const LONGEST: usize = 255;

/// Accepts `[a-zA-Z0-9_+-][a-zA-Z0-9_+.-]*`: no separator of paths, and not `.` or `..`.
pub fn check(id: &str) -> Result<()> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "_+.-".contains(c);
    if id.is_empty() || id.len() > LONGEST || id.starts_with('.') || !id.chars().all(allowed) {
        return Err(Error::new(format_args!(
            "use {id:?} as a container id: it must have 1 to {LONGEST} of the characters a-z A-Z 0-9 _ + . - and not begin with a dot"
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::check;

    #[test]
    fn an_id_is_one_plain_file_name() {
        for good in ["a", "web-1", "_x.y+z", "-", "0", &"x".repeat(255)] {
            check(good).unwrap();
        }
        for bad in ["", ".", "..", ".a", "a/b", "../x", "a b", "é", "a\0", "a\n", &"x".repeat(256)]
        {
            assert!(check(bad).is_err(), "{bad:?}");
        }
    }
}
