//! Reads the documents that callers hand over: `config.json`, and `process.json` of `exec`.

use std::path::Path;

use serde::de::DeserializeOwned;

use super::{Process, Spec, json_path};
use crate::error::{Doing, Error, Result};
use crate::sys::file;

/// More than any engine writes; a device or an endless file must not fill the memory.
const LARGEST: usize = 16 << 20;

/// Reads `config.json` of the bundle in the directory `bundle`.
pub fn config(bundle: &Path) -> Result<Spec> {
    document(&bundle.join("config.json"))
}

/// The same, with the text itself.
pub fn config_and_text(bundle: &Path) -> Result<(Vec<u8>, Spec)> {
    let path = bundle.join("config.json");
    let text = read(&path)?;
    let spec =
        parse(&text).map_err(|error| error.within(format_args!("parse {}", path.display())))?;
    Ok((text, spec))
}

/// Reads the document of `exec --process`.
pub fn process(path: &Path) -> Result<Process> {
    document(path)
}

fn document<T: DeserializeOwned>(path: &Path) -> Result<T> {
    let text = read(path)?;
    parse(&text).map_err(|error| error.within(format_args!("parse {}", path.display())))
}

fn read(path: &Path) -> Result<Vec<u8>> {
    file::read_whole(file::here(), path, LARGEST).doing(format_args!("read {}", path.display()))
}

/// Parses one document; an error names the path of the value at fault.
pub fn parse<T: DeserializeOwned>(text: &[u8]) -> Result<T> {
    serde_json::from_slice(text).map_err(|error| {
        let line_start: usize = text
            .split_inclusive(|&b| b == b'\n')
            .take(error.line().max(1) - 1)
            .map(<[u8]>::len)
            .sum();
        let place = json_path::at(text, line_start + error.column());
        Error::new(if place.is_empty() { error.to_string() } else { format!("{place}: {error}") })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_names_the_value_at_fault() {
        let fault = |text: &str| parse::<Spec>(text.as_bytes()).unwrap_err().to_string();
        let error =
            fault("{\"ociVersion\":\"1.0.0\",\n\"process\":{\"cwd\":\"/\",\"args\":[\"a\",7]}}");
        assert!(error.starts_with("process.args[1]: invalid type: integer `7`"), "{error}");
        let error = fault("{\"ociVersion\":\"1\",\"mounts\":[{\"type\":\"proc\"}]}");
        assert!(error.starts_with("mounts[0]"), "{error}");
        assert!(error.contains("missing field `destination`"), "{error}");
        assert!(fault("").starts_with("EOF"));
    }

    #[test]
    fn unknown_fields_and_nulls_are_passed_over() {
        let text = br#"{"ociVersion":"1.3.0","new":{},"mounts":null,"hooks":null,
            "linux":{"namespaces":null,"resources":{"devices":null,"unified":null}}}"#;
        let spec: Spec = parse(text).unwrap();
        assert!(spec.mounts.is_empty());
    }
}
