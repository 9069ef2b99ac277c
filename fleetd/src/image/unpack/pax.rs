//! Extended headers of tar, as POSIX defines them (pax, "Extended Header"). Pure.

/// What one `x` header says about the entry after it.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Records {
    pub(super) path: Option<Vec<u8>>,
    pub(super) link: Option<Vec<u8>>,
    pub(super) size: Option<u64>,
    pub(super) uid: Option<u64>,
    pub(super) gid: Option<u64>,
    /// Seconds since the epoch, and nanoseconds.
    pub(super) mtime: Option<(i64, u32)>,
    /// `user.color` and its value.
    pub(super) xattrs: Vec<(Vec<u8>, Vec<u8>)>,
}

/// Reads `LENGTH KEY=VALUE\n` until the end. The error is a phrase.
pub(super) fn parse(mut bytes: &[u8]) -> Result<Records, String> {
    let mut records = Records::default();
    while !bytes.is_empty() {
        let (key, value, rest) = record(bytes).ok_or("a broken pax header")?;
        bytes = rest;
        let text = || std::str::from_utf8(value).map_err(|_| "a number in a pax header is no text");
        match key {
            b"path" => records.path = Some(value.to_vec()),
            b"linkpath" => records.link = Some(value.to_vec()),
            b"size" => records.size = Some(number(text()?)?),
            b"uid" => records.uid = Some(number(text()?)?),
            b"gid" => records.gid = Some(number(text()?)?),
            b"mtime" => records.mtime = Some(time(text()?)?),
            _ if key.starts_with(b"GNU.sparse.") => {
                return Err(
                    "sparse in pax form, which is not supported (tar --format=gnu is)".to_owned()
                );
            }
            _ => {
                if let Some(name) = key.strip_prefix(b"SCHILY.xattr.") {
                    records.xattrs.push((name.to_vec(), value.to_vec()));
                }
            }
        }
    }
    Ok(records)
}

/// Key, value and what follows of the first record; its length counts its own digits.
fn record(bytes: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let space = bytes.iter().take(20).position(|&b| b == b' ')?;
    let digits = &bytes[..space];
    if !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let length: usize = std::str::from_utf8(digits).ok()?.parse().ok()?;
    let body = bytes.get(space + 1..length)?.strip_suffix(b"\n")?;
    let equals = body.iter().position(|&b| b == b'=')?;
    Some((&body[..equals], &body[equals + 1..], &bytes[length..]))
}

fn number(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| format!("`{}` in a pax header is no number", text.escape_debug()))
}

fn time(text: &str) -> Result<(i64, u32), String> {
    let bad = || format!("`{}` in a pax header is no time", text.escape_debug());
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let seconds: i64 = whole.parse().map_err(|_| bad())?;
    if !fraction.bytes().all(|b| b.is_ascii_digit()) {
        return Err(bad());
    }
    let nanos = fraction.bytes().chain(std::iter::repeat(b'0')).take(9);
    let nanos = nanos.fold(0, |sum, digit| sum * 10 + u32::from(digit - b'0'));
    // -1.25 is a quarter second before -1.
    if whole.starts_with('-') && nanos > 0 {
        return Ok((seconds.checked_sub(1).ok_or_else(bad)?, 1_000_000_000 - nanos));
    }
    Ok((seconds, nanos))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(records: &[(&str, &[u8])]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for (key, value) in records {
            let rest = key.len() + value.len() + 3;
            let mut length = rest + 1;
            while length != rest + length.to_string().len() {
                length += 1;
            }
            bytes.extend_from_slice(format!("{length} {key}=").as_bytes());
            bytes.extend_from_slice(value);
            bytes.push(b'\n');
        }
        bytes
    }

    #[test]
    fn records_are_read() {
        let bytes = header(&[
            ("path", b"a/\xff=b\nc"),
            ("size", b"8589934592"),
            ("mtime", b"-1.25"),
            ("SCHILY.xattr.user.x", b"\0\n1"),
            ("comment", b"nothing"),
        ]);
        let records = parse(&bytes).unwrap();
        assert_eq!(records.path.unwrap(), b"a/\xff=b\nc");
        assert_eq!(records.size, Some(1 << 33));
        assert_eq!(records.mtime, Some((-2, 750_000_000)));
        assert_eq!(records.xattrs, [(b"user.x".to_vec(), b"\0\n1".to_vec())]);
    }

    #[test]
    fn broken_headers_are_refused() {
        for bad in [
            &b"5 a=b"[..],
            b"99 a=b\n",
            b"x a=b\n",
            b"3 a\n",
            b"0 a=b\n",
            b"-6 a=b\n",
            b"6 ab\n\n",
            b"18446744073709551616 a=b\n",
        ] {
            assert!(parse(bad).is_err(), "{}", bad.escape_ascii());
        }
        assert!(parse(&header(&[("size", b"-1")])).is_err());
        assert!(parse(&header(&[("mtime", b"1.x")])).is_err());
        assert!(parse(&header(&[("GNU.sparse.major", b"1")])).is_err());
    }
}
