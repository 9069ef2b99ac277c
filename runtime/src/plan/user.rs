//! `--user UID[:GID]`, numbers only.
//!
//! One strict parser: what is no plain number is an error and never another user (CVE-2026-30892).

use crate::error::{Error, Result};

/// One id: decimal digits without a sign, blank or leading zero. 4294967295 is no id: system calls
/// take it for "leave as it is".
pub fn id(text: &str) -> Result<u32> {
    let plain = text.bytes().all(|b| b.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    match text.parse() {
        Ok(number) if plain && number != u32::MAX => Ok(number),
        _ => Err(Error::new(format_args!("{text:?}: must be a number from 0 to 4294967294"))),
    }
}

/// A user, and the group if one is given.
pub fn parse(text: &str) -> Result<(u32, Option<u32>)> {
    let (uid, gid) = match text.split_once(':') {
        Some((uid, gid)) => (uid, Some(gid)),
        None => (text, None),
    };
    let read = || Ok((id(uid)?, gid.map(id).transpose()?));
    read().map_err(|error: Error| error.within(format_args!("--user {text:?}")))
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn a_user_is_exactly_the_one_that_is_written() {
        assert_eq!(parse("1").unwrap(), (1, None));
        assert_eq!(parse("0").unwrap(), (0, None));
        assert_eq!(parse("1:7").unwrap(), (1, Some(7)));
        assert_eq!(parse("4294967294").unwrap(), (4_294_967_294, None));
        for bad in [
            "",
            ":",
            "1:",
            ":1",
            "-1",
            "+1",
            "01",
            "1 ",
            " 1",
            "4294967295",
            "4294967296",
            "root",
            "1:2:3",
            "0x1",
            "1\0",
        ] {
            assert!(parse(bad).is_err(), "{bad:?}");
        }
    }
}
