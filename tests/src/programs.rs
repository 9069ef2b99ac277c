//! The built programs under test.

use std::path::PathBuf;

/// The path of one of our programs, from the directory that `FLOTILLA_PROGRAMS` names (the
/// Makefile gathers them there).
pub fn path(name: &str) -> PathBuf {
    let dir = std::env::var_os("FLOTILLA_PROGRAMS")
        .map(PathBuf::from)
        .unwrap_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../target/programs"));
    let path = dir.join(name);
    assert!(path.exists(), "find {}: run `make programs` first", path.display());
    path
}
