//! systemd's escaping inside unit names: `/` is `-`, other bytes are `\xHH` (systemd.unit(5),
//! "String escaping for inclusion in unit names").

/// The text that a part of a name stands for: `var-lib\x2ddata` is `var/lib-data`.
/// None: a broken escape, or bytes that are not UTF-8.
pub fn unescape(part: &str) -> Option<String> {
    let mut out = Vec::with_capacity(part.len());
    let mut rest = part.as_bytes();
    while let [first, tail @ ..] = rest {
        rest = tail;
        match first {
            b'-' => out.push(b'/'),
            b'\\' => {
                let [b'x', digits @ ..] = rest else { return None };
                let digits = std::str::from_utf8(digits.get(..2)?).ok()?;
                if !digits.bytes().all(|d| d.is_ascii_hexdigit()) {
                    return None;
                }
                out.push(u8::from_str_radix(digits, 16).ok().filter(|byte| *byte != 0)?);
                rest = &rest[3..];
            }
            byte => out.push(*byte),
        }
    }
    String::from_utf8(out).ok()
}

/// The part of a name that stands for a text: what `systemd-escape TEXT` prints.
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for (position, byte) in text.bytes().enumerate() {
        match byte {
            b'/' => out.push('-'),
            b'.' if position == 0 => out.push_str("\\x2e"),
            b':' | b'_' | b'.' => out.push(char::from(byte)),
            _ if byte.is_ascii_alphanumeric() => out.push(char::from(byte)),
            _ => out.push_str(&format!("\\x{byte:02x}")),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_unescape_as_systemd_escapes_them() {
        assert_eq!(escape("var/lib-data é"), "var-lib\\x2ddata\\x20\\xc3\\xa9");
        assert_eq!(escape(".a.b"), "\\x2ea.b");
        assert_eq!(unescape("var-lib\\x2ddata"), Some("var/lib-data".to_owned()));
        for bad in ["\\", "\\x", "\\x2", "\\xzz", "\\x+1", "\\n", "\\x00", "\\xff"] {
            assert_eq!(unescape(bad), None, "{bad:?} was taken");
        }
    }

    proptest! {
        #[test]
        fn what_is_escaped_comes_back(text in "[^\0]{0,20}") {
            prop_assert_eq!(unescape(&escape(&text)), Some(text));
        }

        #[test]
        fn no_text_makes_it_panic(text in ".{0,20}|[\\\\x0-9a-f-]{0,12}") {
            let _ = unescape(&text);
        }
    }
}
