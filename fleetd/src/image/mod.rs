//! The images of one host: names, manifests, and layers unpacked once and shared.
//!
//! The store is a directory, 0700, that one fleetd at a time has open:
//!
//! | Path | What |
//! |---|---|
//! | `lock` | locked (`flock`) while the store is open |
//! | `images.json` | which images there are: names, config, layers ([`database`]); replaced whole |
//! | `blobs/sha256/HEX` | manifests and configs, as they came; checked against HEX when read |
//! | `layers/HEX/root` | a layer unpacked, HEX being the digest of its uncompressed tar (`diff_id`) |
//! | `layers/HEX/layer.json` | its size and what else the tree cannot say |
//! | `tmp/` | what is being made |
//! | `trash/` | what is being removed |
//! | `empty/` | a directory with nothing in it, the lower layer where overlayfs wants two |
//!
//! Everything is made in `tmp/` and renamed into place, layers before the record that names them,
//! with a sync of the file system between. So at every moment, also after SIGKILL, a full disk
//! or a loss of power, what `images.json` names is whole; `tmp/`, `trash/`, and layers and blobs
//! that no image has are removed at the next open. Compressed layers are not kept.
//!
//! Nothing here trusts what it reads. Sizes are bounded ([`limits`]), digests are checked while
//! streaming, names are resolved below descriptors ([`unpack`]). Which unit runs from which image
//! is the caller's knowledge.

mod archive;
mod compression;
mod config;
mod database;
mod digest;
mod disk;
mod document;
pub mod error;
mod import;
mod layers;
mod limits;
mod mount;
mod platform;
mod pull;
mod reference;
mod store;
mod trash;
mod unpack;

#[cfg(test)]
mod tests;

pub use config::Config;
pub use digest::Digest;
pub use error::Error;
pub use pull::{Progress, PullOptions};
pub use reference::{Name, Reference};
pub use store::{Image, ImageInfo, LayerId, Names, Store};
pub use unpack::Error as UnpackError;
