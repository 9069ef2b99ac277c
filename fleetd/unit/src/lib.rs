//! Unit files: from text to what the agent acts on.
//!
//! ```text
//! syntax    text to sections and assignments, each with file and line
//! table     of each kind of unit: what each key does to the draft, and its documentation
//! read      from assignments to a draft, by a table
//! assign    one value on its way there: words, value, mapping, specifier, escape
//! keys      the table of `.container`
//! draft     a container while it is read, the checks of the whole, the defaults
//! rules     the same for `[X-Fleet]`
//! attachment, attached, resolver   the same for its networks, and for the names that it knows
//! container the unit as the agent gets it
//! network   `.network`: table, draft, policies, the unit as netd's document is made of it
//! socket    `.socket`: the same
//! membership the unit as the fleet's networks know it
//! verify    what is wrong with a unit of any kind
//! credential what a program gets to read and nobody else
//! difference in which keys two versions of a file differ
//! placement the unit as the scheduler gets it, in the words of asks
//! ```
//!
//! A package of its own, so that `fleetctl verify` reads files as fleetd does, without one. Pure: what depends on the host comes in as [`HostFacts`], if there is one already. Every fault of a file is told, each
//! with its line; what is known and not honoured yet, or not known at all, is a warning.

pub mod asks;
pub mod assign;
mod attached;
pub mod attachment;
pub mod cidr;
pub mod command;
pub mod container;
pub mod credential;
pub mod difference;
pub mod draft;
pub mod escape;
pub mod fault;
pub mod glob;
pub mod keys;
pub mod keys_not_yet;
pub mod mapping;
pub mod membership;
pub mod names;
pub mod network;
pub mod placement;
pub mod read;
pub mod reference;
pub mod resolver;
pub mod rules;
pub mod socket;
pub mod specifier;
pub mod syntax;
pub mod table;
pub mod value;
pub mod verify;
pub mod words;

pub use container::ContainerUnit;
pub use difference::difference;
pub use fault::{Fault, Place, problem};
pub use fleetd_api::{UnitKind, UnitName};
pub use mapping::port_text;
pub use membership::{Membership, membership};
pub use network::NetworkUnit;
pub use placement::{names_registry, placement, replicas, secrets};
pub use socket::SocketUnit;
pub use specifier::HostFacts;
pub use verify::{Named, named, review, verify};

use draft::Draft;
use fleetd_api::Warning;
use network::draft::NetworkDraft;
use sha2::{Digest, Sha256};
use socket::draft::SocketDraft;
use std::collections::BTreeMap;

/// A unit with every default filled in, and what in its file has no effect.
#[derive(Debug, Clone, PartialEq)]
pub struct Loaded<U = ContainerUnit> {
    pub unit: U,
    pub warnings: Vec<Warning>,
}

/// Reads a container: its text, then its drop-ins in the order of their names. The name has an instance
/// if its file is a template's; a bare template goes to [`check_template`].
pub fn load(
    name: &UnitName,
    text: &str,
    drop_ins: &BTreeMap<String, String>,
    host: &HostFacts,
) -> Result<Loaded, Vec<Fault>> {
    instance_is_named(name)?;
    let (draft, warnings) = container(name, text, drop_ins, Some(host))?;
    Ok(Loaded { unit: draft.finish(name), warnings })
}

/// Reads a `.network`: text and drop-ins are as for [`load`]. No host is asked, since it is the same for all.
pub fn load_network(
    name: &UnitName,
    text: &str,
    drop_ins: &BTreeMap<String, String>,
) -> Result<Loaded<NetworkUnit>, Vec<Fault>> {
    let (draft, warnings) = read::read::<NetworkDraft>(name, text, drop_ins, None).whole()?;
    Ok(Loaded { unit: draft.finish(name), warnings })
}

/// The same of a `.socket`.
pub fn load_socket(
    name: &UnitName,
    text: &str,
    drop_ins: &BTreeMap<String, String>,
) -> Result<Loaded<SocketUnit>, Vec<Fault>> {
    let (draft, warnings) = read::read::<SocketDraft>(name, text, drop_ins, None).whole()?;
    Ok(Loaded { unit: draft.finish(name), warnings })
}

/// Checks a bare template: everything but the values that wait for an instance.
pub fn check_template(
    name: &UnitName,
    text: &str,
    drop_ins: &BTreeMap<String, String>,
    host: &HostFacts,
) -> Result<Vec<Warning>, Vec<Fault>> {
    container(name, text, drop_ins, Some(host)).map(|(_, warnings)| warnings)
}

fn instance_is_named(name: &UnitName) -> Result<(), Vec<Fault>> {
    if !name.is_template() {
        return Ok(());
    }
    let example = format!("{}@1.{}", name.prefix(), name.suffix());
    let whole = Place { file: name.as_str().into(), line: 0 };
    Err(vec![whole.fault(format!("a template has no instance: name {example}"))])
}

/// SHA-256 in hex of a unit's text and drop-ins. Without drop-ins it is what `sha256sum` prints.
pub fn hash(text: &str, drop_ins: &BTreeMap<String, String>) -> String {
    let mut sha = Sha256::new();
    sha.update(text);
    for (name, text) in drop_ins {
        // No text that is accepted has a NUL byte in it, so that no two units give one stream.
        sha.update([0]);
        sha.update(name);
        sha.update([0]);
        sha.update(text);
    }
    sha.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Reads a container or a template of some.
fn container(
    name: &UnitName,
    text: &str,
    drop_ins: &BTreeMap<String, String>,
    host: Option<&HostFacts>,
) -> Result<(Draft, Vec<Warning>), Vec<Fault>> {
    read::read(name, text, drop_ins, host).whole()
}

#[cfg(test)]
mod tests;
