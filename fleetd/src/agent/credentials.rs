//! `LoadCredential=`, `SetCredential=`, `Secret=`: files in memory, mounted nowhere but in the container.
//!
//! They are as they were at the start: a secret that changes is seen by the next run.

use super::context::Context;
use super::prepare::{Tree, open, read_bounded};
use crate::core::oci::user::User;
use crate::core::unit::container::{ContainerUnit, Source, credentials_directory};
use crate::core::unit::credential::SECRETS;
use crate::sentence::{Sentence, cause};
use crate::sys::memory;
use std::collections::BTreeMap;
use std::os::fd::OwnedFd;

/// One file of a directory in memory.
struct Content {
    bytes: Vec<u8>,
    access: memory::Access,
}

/// What the unit's program may read, each directory as a mount.
pub(super) fn mounts(
    context: &Context,
    unit: &ContainerUnit,
    user: &User,
) -> Result<Vec<Tree>, String> {
    let mut trees = Vec::new();
    if !unit.credentials.is_empty() {
        // For the program's user only (systemd.exec(5)).
        let owner = |mode| memory::Access { uid: user.uid, gid: user.gid, mode };
        let mut files = BTreeMap::new();
        for credential in &unit.credentials {
            if let Some(bytes) = load(context, unit, &credential.id, &credential.source)? {
                let content = Content { bytes, access: owner(0o400) };
                files.entry(credential.id.as_str()).or_insert(content);
            }
        }
        trees.push(tree(credentials_directory(&unit.name), owner(0o500), &files)?);
    }
    if !unit.secrets.is_empty() {
        let mut files = BTreeMap::new();
        for file in &unit.secrets {
            let missing = || missing(&format!("Secret={}", file.secret), &file.secret);
            let bytes = context.assignments.secret(&file.secret)?.ok_or_else(missing)?;
            let access = memory::Access { uid: file.uid, gid: file.gid, mode: file.mode };
            files.insert(file.target.as_str(), Content { bytes, access });
        }
        let everyone = memory::Access { uid: 0, gid: 0, mode: 0o755 };
        trees.push(tree(SECRETS.to_owned(), everyone, &files)?);
    }
    Ok(trees)
}

/// None: there is no such secret, and the unit has a value of its own for that.
fn load(
    context: &Context,
    unit: &ContainerUnit,
    id: &str,
    source: &Source,
) -> Result<Option<Vec<u8>>, String> {
    match source {
        Source::Text(text) => Ok(Some(text.clone().into_bytes())),
        Source::File(path) => {
            let read = open(path).map_err(|e| Sentence(&e).to_string());
            let read = read.and_then(read_bounded);
            read.map(Some).map_err(|e| format!("LoadCredential={id}:{}: {e}", path.display()))
        }
        Source::Secret(secret) => {
            let is_own = |source: &Source| matches!(source, Source::Text(_));
            let mut others = unit.credentials.iter().filter(|other| other.id == id);
            match context.assignments.secret(secret)? {
                None if !others.any(|other| is_own(&other.source)) => {
                    Err(missing(&format!("LoadCredential={id}"), secret))
                }
                found => Ok(found),
            }
        }
    }
}

fn missing(key: &str, secret: &str) -> String {
    format!("{key}: the fleet has no secret {secret} (fleetctl secret set {secret})")
}

fn tree(
    destination: String,
    access: memory::Access,
    files: &BTreeMap<&str, Content>,
) -> Result<Tree, String> {
    let make = || -> std::io::Result<OwnedFd> {
        let tree = memory::mount()?;
        for (name, Content { bytes, access }) in files {
            memory::write(&tree, name, bytes, *access)?;
        }
        memory::give(&tree, access)?;
        Ok(tree)
    };
    let tree = make().map_err(|e| format!("make {destination}: {}", cause(&e)))?;
    Ok(Tree { destination, tree, ours: true })
}
