//! The borders between packages.

use std::path::Path;

/// The packages of ours that each package may depend on.
const MAY_IMPORT: &[(&str, &[&str])] = &[
    ("runtime", &[]),
    ("netd/api", &[]),
    ("netd", &["netd-api"]),
    ("fleetd/api", &[]),
    ("fleetd", &["netd-api", "fleetd-api"]),
    ("fleetd/ctl", &["fleetd-api"]),
    ("examples/hello", &[]),
];

const OURS: &[&str] = &[
    "ocirun",
    "netd",
    "netd-api",
    "fleetd",
    "fleetd-api",
    "fleetctl",
    "hello-server",
    "flotilla-tests",
    "flotilla-bench",
];

fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
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
