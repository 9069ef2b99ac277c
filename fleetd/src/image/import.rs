//! Images that come as one stream: a root file system's tar, an OCI layout, a docker-archive.

use super::archive::{self, Archive};
use super::compression;
use super::config;
use super::digest::{Digest, Hashing};
use super::document::{self, Descriptor};
use super::error::Error;
use super::platform::Platform;
use super::store::{Arrived, ImageInfo, Store, parse_name};
use super::unpack::{self, Entry, TarReader};
use std::collections::BTreeSet;
use std::io::Read;

/// How an error names the layer whose digest is not known before its end.
const ROOT_FS: &str = "of the root file system";

impl Store {
    /// Reads a tar stream, plain, gzip or zstd: a root file system, an OCI layout or a
    /// docker-archive, told apart by the name of the first entry. `name` may be empty if the
    /// archive brings one.
    pub fn import(&self, stream: impl Read, name: &str) -> Result<ImageInfo, Error> {
        let name = if name.is_empty() { None } else { Some(parse_name(name)?) };
        let broken = |cause: unpack::Error| match cause {
            unpack::Error::Io(cause) => Error::Io { action: "read the image".to_owned(), cause },
            cause => Error::Document { what: "the image".to_owned(), cause: cause.to_string() },
        };
        let plain = compression::decode(stream).map_err(|e| broken(unpack::Error::Io(e)))?;
        let mut reader = TarReader::new(Hashing::new(plain, self.0.layers.limits.bytes));
        let mut root = None;
        let first = loop {
            let Some(entry) = reader.next().map_err(broken)? else { break None };
            if !archive::is_root(&entry) {
                break Some(entry);
            }
            root = Some(entry);
        };
        match first {
            Some(first) if archive::is_member(&first) => {
                let archive = Archive::read(&self.0.layers, &mut reader, first)?;
                self.import_archive(&archive, name)
            }
            None if root.is_none() => Err(Error::Document {
                what: "the image".to_owned(),
                cause: "an archive with nothing in it".to_owned(),
            }),
            first => {
                let name = name.ok_or_else(|| Error::Reference {
                    reference: String::new(),
                    cause: "a root file system needs a name (--name)".to_owned(),
                })?;
                self.import_root(reader, root, first, name)
            }
        }
    }

    fn import_root<R: Read>(
        &self,
        mut reader: TarReader<Hashing<R>>,
        root: Option<Entry>,
        first: Option<Entry>,
        name: super::reference::Name,
    ) -> Result<ImageInfo, Error> {
        let head = [root, first].into_iter().flatten().collect();
        let layer = self.0.layers.fill(&mut reader, head, ROOT_FS)?;
        let (id, size) = reader.into_inner().finish();
        let pin = self.pin(std::slice::from_ref(&id));
        self.0.layers.commit(layer, &id)?;
        let config = config::make(std::slice::from_ref(&id));
        let layer = descriptor(document::OCI_LAYER, id.clone(), size);
        let manifest = document::make_manifest(describe_config(&config), vec![layer]);
        let layers = vec![id];
        let added = self.add(Arrived {
            name: Some(name),
            indexes: BTreeSet::new(),
            manifest,
            config,
            layers,
            warnings: Vec::new(),
        });
        drop(pin);
        added
    }

    fn import_archive(
        &self,
        archive: &Archive<'_>,
        name: Option<super::reference::Name>,
    ) -> Result<ImageInfo, Error> {
        let chosen = archive.choose(name, &Platform::host())?;
        let what = "the image's config".to_owned();
        let parsed = config::parse(&chosen.config, chosen.layers.len())
            .map_err(|cause| Error::Document { what, cause })?;
        let pin = self.pin(&parsed.layers);
        for (id, file) in parsed.layers.iter().zip(&chosen.layers) {
            if self.0.layers.meta(id)?.is_none() {
                self.0.layers.unpack(id, archive.open(file)?)?;
            }
        }
        let added = self.add(Arrived {
            name: Some(chosen.name),
            indexes: chosen.indexes,
            manifest: chosen.manifest,
            config: chosen.config,
            layers: parsed.layers,
            warnings: platform_warning(&parsed.platform),
        });
        drop(pin);
        added
    }
}

/// An image for another processor may still be wanted: an emulator can be registered.
pub(super) fn platform_warning(image: &Platform) -> Vec<String> {
    let host = Platform::host();
    if image.os == host.os && image.architecture == host.architecture {
        return Vec::new();
    }
    vec![format!("the image is for {image}, this host is {host}")]
}

pub(super) fn describe_config(config: &[u8]) -> Descriptor {
    descriptor(document::OCI_CONFIG, Digest::of(config), config.len() as u64)
}

pub(super) fn descriptor(media_type: &str, digest: Digest, size: u64) -> Descriptor {
    Descriptor {
        media_type: media_type.to_owned(),
        digest,
        size,
        platform: None,
        annotations: None,
    }
}
