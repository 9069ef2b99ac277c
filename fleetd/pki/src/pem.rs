//! PEM (RFC 7468): how certificates, keys and requests look in files and in JSON.

use data_encoding::BASE64;
use rustls::pki_types::pem::{self, PemObject};

/// No text of ours comes near this.
const LIMIT: usize = 64 << 10;

pub(super) fn encode(label: &str, der: &[u8]) -> String {
    let mut text = format!("-----BEGIN {label}-----\n");
    let body = BASE64.encode(der);
    let mut rest = body.as_str();
    while !rest.is_empty() {
        let (line, after) = rest.split_at(rest.len().min(64));
        text.push_str(line);
        text.push('\n');
        rest = after;
    }
    text.push_str(&format!("-----END {label}-----\n"));
    text
}

/// Every section of one kind. What is around them is ignored, as everybody does.
pub(super) fn decode_all<T: PemObject>(text: &str) -> Result<Vec<T>, String> {
    if text.len() > LIMIT {
        return Err(format!("it has more than {} KiB", LIMIT >> 10));
    }
    let sections: Vec<T> =
        T::pem_slice_iter(text.as_bytes()).collect::<Result<_, _>>().map_err(cause)?;
    if sections.is_empty() {
        return Err(cause(pem::Error::NoItemsFound));
    }
    Ok(sections)
}

/// The only section of its kind.
pub(super) fn decode_one<T: PemObject>(text: &str) -> Result<T, String> {
    let mut sections = decode_all(text)?;
    match (sections.pop(), sections.len()) {
        (Some(only), 0) => Ok(only),
        (_, others) => Err(format!("one is expected, it has {}", others + 1)),
    }
}

fn cause(error: pem::Error) -> String {
    match error {
        pem::Error::MissingSectionEnd { .. } => "it has a beginning and no end (is it cut off?)",
        pem::Error::IllegalSectionStart { .. } => "its first line is not PEM",
        pem::Error::Base64Decode(_) => "what is between its first and last line is not base64",
        pem::Error::NoItemsFound => "there is none in it (PEM is expected)",
        _ => "it is not PEM",
    }
    .to_owned()
}
