//! The borders that `docs/design.md` draws: between packages, and between the rooms of a package.
//!
//! They are looked for in the text of the sources. What a line says is read without its comment;
//! tests (files `tests.rs`, `*_tests.rs`, folders `tests`, a `mod` at the end of a file) may do
//! what the code beside them may not.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// The packages of ours that each package may depend on.
const MAY_IMPORT: &[(&str, &[&str])] = &[
    ("runtime", &[]),
    ("netd/api", &[]),
    ("netd", &["netd-api"]),
    ("fleetd/api", &[]),
    ("fleetd/pki", &[]),
    ("fleetd/unit", &["fleetd-api", "fleetd-pki"]),
    ("fleetd", &["netd-api", "fleetd-api", "fleetd-pki", "fleetd-unit"]),
    ("fleetd/ctl", &["fleetd-api", "fleetd-pki", "fleetd-unit"]),
    ("examples/hello", &[]),
];

const OURS: &[&str] = &[
    "ocirun",
    "netd",
    "netd-api",
    "fleetd",
    "fleetd-api",
    "fleetd-pki",
    "fleetd-unit",
    "fleetctl",
    "hello-server",
    "flotilla-tests",
    "flotilla-bench",
];

/// The folders whose code decides and does nothing.
const PURE: &[&str] = &["core", "plan", "spec", "seccomp", "unit"];

/// What pure code may not mention, and why.
const IMPURE: &[(&str, &str)] = &[
    ("std::fs", "the disk"),
    ("std::process", "processes"),
    ("std::os::unix::net", "sockets"),
    ("TcpListener", "sockets"),
    ("TcpStream", "sockets"),
    ("UdpSocket", "sockets"),
    ("SystemTime::now", "the clock"),
    ("Instant::now", "the clock"),
    ("tokio", "tokio"),
    ("crate::sys", "system calls"),
];

/// Files of pure folders that may know something, with what they know.
const EXCEPTIONS: &[(&str, &str)] = &[
    // The document of a bundle is read where it is understood.
    ("runtime/src/spec/load.rs", "crate::sys"),
    // The numbers of attributes, which libc does not have; it calls nothing.
    ("runtime/src/plan/mount_options.rs", "crate::sys"),
];

/// Names that say nothing about what is in a room.
const NAMELESS: &[&str] =
    &["util", "utils", "common", "helper", "helpers", "manager", "managers", "misc"];

/// Where somebody's machine keeps sources: spelled so that this file does not hold them.
const MACHINE_PATHS: &[&str] = &[concat!("/wo", "rk/"), concat!("/ho", "me/")];

fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

/// One source file, with its path relative to the root.
struct Source {
    path: String,
    text: String,
}

impl Source {
    /// Its lines without comments, numbered from one, up to a `mod` of tests at its end.
    fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        let end = self.text.find("#[cfg(test)]\nmod tests {").unwrap_or(self.text.len());
        let code = self.text.get(..end).unwrap_or_default();
        let lines = code.lines().map(|line| line.split_once("//").map_or(line, |(code, _)| code));
        lines.enumerate().map(|(index, line)| (index + 1, line))
    }

    /// Whether it is below a folder of this name.
    fn is_in(&self, folder: &str) -> bool {
        let mut folders = self.path.split('/').collect::<Vec<_>>();
        folders.pop();
        folders.contains(&folder)
    }

    fn is_test(&self) -> bool {
        let name = self.path.rsplit('/').next().unwrap_or_default();
        self.is_in("tests") || name == "tests.rs" || name.ends_with("_tests.rs")
    }
}

/// Every file below the root with one of these endings, but for what is built.
fn sources(endings: &[&str]) -> Vec<Source> {
    let mut open = vec![PathBuf::new()];
    let mut found = Vec::new();
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(root().join(&folder)).unwrap() {
            let entry = entry.unwrap();
            let path = folder.join(entry.file_name());
            let name = entry.file_name().into_string().unwrap();
            if entry.file_type().unwrap().is_dir() {
                if !matches!(name.as_str(), "target" | ".git" | ".vm") {
                    open.push(path);
                }
            } else if endings.iter().any(|ending| name.ends_with(ending)) {
                let text = std::fs::read_to_string(root().join(&path)).unwrap();
                found.push(Source { path: path.to_str().unwrap().to_owned(), text });
            }
        }
    }
    assert!(!found.is_empty(), "find sources below {}", root().display());
    found
}

/// Whether `word` stands in a line by itself.
fn mentions(line: &str, word: &str) -> bool {
    let is_name = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(word).any(|(at, _)| {
        let before = line.get(..at).unwrap_or_default();
        let after = line.get(at + word.len()..).unwrap_or_default();
        !before.ends_with(is_name) && !after.starts_with(is_name)
    })
}

fn no_breach(rule: &str, breaches: &[String]) {
    let list = breaches.iter().fold(String::new(), |mut list, breach| {
        let _ = writeln!(list, "  {breach}");
        list
    });
    assert!(breaches.is_empty(), "{rule}:\n{list}");
}

#[test]
fn packages_import_only_what_the_design_allows() {
    for (package, allowed) in MAY_IMPORT {
        let manifest = root().join(package).join("Cargo.toml");
        let text = std::fs::read_to_string(&manifest).unwrap();
        let dependencies = text.split_once("[dependencies]").map_or("", |(_, rest)| rest);
        for line in dependencies.lines() {
            let name = line.split(['=', '.', ' ']).next().unwrap_or("");
            if OURS.contains(&name) {
                assert!(allowed.contains(&name), "{package} may not import {name}");
            }
        }
    }
}

#[test]
fn unsafe_code_is_in_sys_only() {
    let mut breaches = Vec::new();
    for source in sources(&[".rs"]) {
        if source.is_test() || source.is_in("sys") || source.path.ends_with("/sys.rs") {
            continue;
        }
        for (number, line) in source.code().filter(|(_, line)| mentions(line, "unsafe")) {
            breaches.push(format!("{}:{number}: {}", source.path, line.trim()));
        }
    }
    no_breach("unsafe code belongs into a function of the package's sys/", &breaches);
}

#[test]
fn pure_rooms_know_no_clock_disk_socket_or_process() {
    let mut breaches = Vec::new();
    for source in sources(&[".rs"]) {
        let pure = source.path.contains("/src/") && PURE.iter().any(|room| source.is_in(room));
        if !pure || source.is_test() {
            continue;
        }
        for (number, line) in source.code() {
            for (word, what) in IMPURE.iter().filter(|(word, _)| mentions(line, word)) {
                if !EXCEPTIONS.contains(&(source.path.as_str(), word)) {
                    breaches.push(format!("{}:{number}: {word} ({what})", source.path));
                }
            }
        }
    }
    no_breach("pure code gets what it decides about as arguments", &breaches);
}

#[test]
fn sys_imports_nothing_of_ours() {
    let mut breaches = Vec::new();
    for source in sources(&[".rs"]) {
        if source.is_test() || !source.is_in("sys") || source.path.starts_with("tests/") {
            continue;
        }
        for (number, line) in source.code() {
            let foreign = line
                .match_indices("crate::")
                .any(|(at, _)| !line.get(at..).unwrap_or_default().starts_with("crate::sys"));
            if foreign
                || OURS.iter().any(|name| mentions(line, &format!("{}::", name.replace('-', "_"))))
            {
                breaches.push(format!("{}:{number}: {}", source.path, line.trim()));
            }
        }
    }
    no_breach("sys/ is at the bottom and imports nothing of ours", &breaches);
}

#[test]
fn every_room_has_a_name_that_says_what_is_in_it() {
    let mut breaches = Vec::new();
    for source in sources(&[".rs"]) {
        let path = source.path.trim_end_matches(".rs");
        if path.split(['/', '_']).any(|part| NAMELESS.contains(&part)) {
            breaches.push(source.path.clone());
        }
        for (number, line) in source.text.lines().enumerate() {
            let name =
                line.trim().split_once("mod ").and_then(|(_, rest)| rest.split([' ', ';']).next());
            if name.is_some_and(|name| name.split('_').any(|part| NAMELESS.contains(&part))) {
                breaches.push(format!("{}:{}: {}", source.path, number + 1, line.trim()));
            }
        }
    }
    no_breach("name a file or module after what it holds", &breaches);
}

#[test]
fn no_source_names_a_path_of_somebodys_machine() {
    let mut breaches = Vec::new();
    for source in sources(&[".rs", ".toml", ".md", ".service", ".container", "Makefile"]) {
        for (number, line) in source.text.lines().enumerate() {
            for path in MACHINE_PATHS.iter().filter(|path| line.contains(**path)) {
                breaches.push(format!("{}:{}: {path}", source.path, number + 1));
            }
        }
    }
    no_breach("a source is the same on every machine", &breaches);
}

#[test]
fn a_word_is_found_as_code_only() {
    let text = "unsafe {}\nlet a = unsafe_b; // unsafe\n#[cfg(test)]\nmod tests {\nunsafe {}\n}\n";
    let source = Source { path: "a/src/b.rs".to_owned(), text: text.to_owned() };
    let found = source.code().filter(|(_, line)| mentions(line, "unsafe")).collect::<Vec<_>>();
    assert_eq!(found, [(1, "unsafe {}")]);
}
