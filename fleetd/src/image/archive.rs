//! A tar that holds an image as a set of files: an OCI layout (image-spec `image-layout.md`) or
//! what `docker save` writes. Its files come in any order, so they are first put into `tmp/`.

use super::config;
use super::digest::{Digest, Hashing};
use super::document::{self, Descriptor, Document};
use super::error::Error;
use super::import::{describe_config, descriptor};
use super::layers::{Layers, Scratch};
use super::limits;
use super::platform::Platform;
use super::reference::{Name, Reference};
use super::unpack::path::EntryPath;
use super::unpack::{self, Entry, Kind, TarReader, shown};
use serde::Deserialize;
use std::collections::{BTreeSet, HashMap};
use std::fs::File;
use std::io::{self, Read};

/// Where `docker save` and containerd write an image's name; the other is image-spec's.
const NAME_ANNOTATIONS: [&str; 2] =
    ["io.containerd.image.name", "org.opencontainers.image.ref.name"];

/// Indexes in indexes.
const DEPTH: usize = 4;

pub(super) struct Archive<'a> {
    scratch: Scratch<'a>,
    files: HashMap<String, Stored>,
    /// Old `docker save` links layers that two images share.
    links: HashMap<String, String>,
}

/// A file of the archive, put aside.
#[derive(Debug)]
struct Stored {
    number: usize,
    size: u64,
    digest: Digest,
}

/// The image that was asked for.
pub(super) struct Chosen {
    pub(super) name: Name,
    pub(super) indexes: BTreeSet<Digest>,
    pub(super) manifest: Vec<u8>,
    pub(super) config: Vec<u8>,
    /// Names of files in the archive, lowest layer first.
    pub(super) layers: Vec<String>,
}

/// One image in `manifest.json` of a docker-archive.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Saved {
    config: String,
    repo_tags: Option<Vec<String>>,
    layers: Vec<String>,
}

pub(super) fn is_root(entry: &Entry) -> bool {
    EntryPath::parse(&entry.path).is_ok_and(|path| path.is_root())
}

/// Whether an archive that begins with this entry is one of images, not a root file system.
pub(super) fn is_member(entry: &Entry) -> bool {
    let path = EntryPath::parse(&entry.path);
    path.is_ok_and(|path| path.as_path().to_str().is_some_and(is_member_name))
}

fn is_member_name(name: &str) -> bool {
    let is_id = |text: &str| text.len() == 64 && text.bytes().all(|b| b.is_ascii_hexdigit());
    let first = name.split('/').next().unwrap_or(name);
    let stem = first.strip_suffix(".json").or_else(|| first.strip_suffix(".tar"));
    ["oci-layout", "index.json", "manifest.json", "repositories", "blobs"].contains(&first)
        || is_id(stem.unwrap_or(first))
}

fn invalid(cause: impl Into<String>) -> Error {
    Error::Document { what: "the image archive".to_owned(), cause: cause.into() }
}

impl<'a> Archive<'a> {
    /// Puts `first` and all entries after it aside.
    pub(super) fn read<R: Read>(
        layers: &'a Layers,
        reader: &mut TarReader<Hashing<R>>,
        first: Entry,
    ) -> Result<Self, Error> {
        let scratch = layers.scratch()?;
        let mut archive = Self { scratch, files: HashMap::new(), links: HashMap::new() };
        let mut next = Some(first);
        let mut count = 0;
        while let Some(entry) = next {
            count += 1;
            if count > limits::ARCHIVE_ENTRIES {
                return Err(invalid(format!("more than {} files", limits::ARCHIVE_ENTRIES)));
            }
            archive.member(reader, entry)?;
            next = reader.next().map_err(|e| match e {
                unpack::Error::Io(cause) => {
                    Error::Io { action: "read the image archive".to_owned(), cause }
                }
                other => invalid(other.to_string()),
            })?;
        }
        Ok(archive)
    }

    fn member(&mut self, data: &mut impl Read, entry: Entry) -> Result<(), Error> {
        let path = EntryPath::parse(&entry.path).map_err(invalid)?;
        if path.is_root() {
            return Ok(());
        }
        let name =
            path.as_path().to_str().filter(|name| is_member_name(name)).ok_or_else(|| {
                let name = shown(&entry.path);
                invalid(format!("`{name}` belongs to neither an OCI layout nor a docker-archive"))
            })?;
        match entry.kind {
            Kind::Directory => {}
            Kind::Symlink { target } => {
                let parent = path.parent();
                let parent = parent.as_path().as_os_str().as_encoded_bytes();
                if let Some(target) = resolve(&[parent, &target].join(&b'/')) {
                    self.links.insert(name.to_owned(), target);
                }
            }
            Kind::File { segments: None, .. } => {
                let stored = self.store(data)?;
                let digest = &stored.digest;
                if let Some(hex) = name.strip_prefix("blobs/sha256/")
                    && hex != digest.hex()
                {
                    return Err(invalid(format!("the content of {name} is {digest}")));
                }
                if self.files.insert(name.to_owned(), stored).is_some() {
                    return Err(invalid(format!("{name} is there twice")));
                }
            }
            _ => return Err(invalid(format!("{name} is no plain file"))),
        }
        Ok(())
    }

    fn store(&self, data: &mut impl Read) -> Result<Stored, Error> {
        let number = self.files.len();
        let copy = || -> io::Result<Stored> {
            let mut file = File::create_new(self.scratch.path.join(number.to_string()))?;
            let mut data = Hashing::new(data, u64::MAX);
            let mut buffer = vec![0; 256 * 1024];
            loop {
                let length = data.read(&mut buffer)?;
                if length == 0 {
                    break;
                }
                io::Write::write_all(&mut file, &buffer[..length])?;
            }
            let (digest, size) = data.finish();
            Ok(Stored { number, size, digest })
        };
        copy().map_err(Error::io("unpack the image archive"))
    }

    fn stored(&self, name: &str) -> Result<&Stored, Error> {
        let name = self.links.get(name).map_or(name, String::as_str);
        self.files.get(name).ok_or_else(|| invalid(format!("{name} is missing")))
    }

    pub(super) fn open(&self, name: &str) -> Result<File, Error> {
        let path = self.scratch.path.join(self.stored(name)?.number.to_string());
        File::open(&path).map_err(Error::io(format!("read {name} of the image archive")))
    }

    /// A JSON file, bounded.
    fn document(&self, name: &str) -> Result<Vec<u8>, Error> {
        if self.stored(name)?.size > limits::DOCUMENT as u64 {
            return Err(invalid(format!("{name} has more than {} bytes", limits::DOCUMENT)));
        }
        let mut bytes = Vec::new();
        let read = self.open(name)?.read_to_end(&mut bytes);
        read.map_err(Error::io(format!("read {name} of the image archive")))?;
        Ok(bytes)
    }

    /// The image called `name`, or the only one.
    pub(super) fn choose(&self, name: Option<Name>, host: &Platform) -> Result<Chosen, Error> {
        if self.files.contains_key("index.json") {
            self.choose_from_layout(name, host)
        } else {
            self.choose_from_saved(name)
        }
    }

    fn choose_from_layout(&self, name: Option<Name>, host: &Platform) -> Result<Chosen, Error> {
        let in_index = |cause| invalid(format!("index.json: {cause}"));
        let index = document::parse(&self.document("index.json")?, None).map_err(in_index)?;
        let Document::Index(all) = index else { return Err(in_index("not an index".into())) };
        let of_name: Vec<Descriptor> =
            all.iter().filter(|d| name.is_some() && name_of(d) == name).cloned().collect();
        let names: BTreeSet<Option<Name>> = all.iter().map(name_of).collect();
        if of_name.is_empty() && names.len() > 1 {
            return Err(several(names.into_iter().flatten()));
        }
        let mut entries = if of_name.is_empty() { all } else { of_name };
        let found_name = entries.iter().find_map(name_of);
        let mut indexes = BTreeSet::new();
        for _ in 0..DEPTH {
            let chosen = document::choose(&entries, host).map_err(invalid)?;
            let bytes = self.blob(chosen)?;
            let what = |cause| invalid(format!("{}: {cause}", chosen.digest));
            match document::parse(&bytes, Some(&chosen.media_type)).map_err(what)? {
                Document::Manifest(manifest) => {
                    let name = name.or(found_name).ok_or_else(nameless)?;
                    let config = self.blob(&manifest.config)?;
                    for layer in &manifest.layers {
                        self.check_size(layer)?;
                    }
                    let layers = manifest.layers.iter().map(blob_name).collect();
                    return Ok(Chosen { name, indexes, manifest: bytes, config, layers });
                }
                Document::Index(inner) => {
                    indexes.insert(chosen.digest.clone());
                    entries = inner;
                }
            }
        }
        Err(invalid(format!("indexes more than {DEPTH} deep")))
    }

    /// Its digest was checked when it was put aside.
    fn blob(&self, descriptor: &Descriptor) -> Result<Vec<u8>, Error> {
        self.check_size(descriptor)?;
        self.document(&blob_name(descriptor))
    }

    fn check_size(&self, descriptor: &Descriptor) -> Result<(), Error> {
        let name = blob_name(descriptor);
        let size = self.stored(&name)?.size;
        if size != descriptor.size {
            let promised = descriptor.size;
            return Err(invalid(format!("{name} has {size} bytes instead of {promised}")));
        }
        Ok(())
    }

    fn choose_from_saved(&self, name: Option<Name>) -> Result<Chosen, Error> {
        let images: Vec<Saved> = serde_json::from_slice(&self.document("manifest.json")?)
            .map_err(|e| invalid(format!("manifest.json: {e}")))?;
        let names = |saved: &Saved| -> Vec<Name> {
            let tags = saved.repo_tags.iter().flatten();
            tags.filter_map(|tag| Some(Reference::parse(tag).ok()?.name)).collect()
        };
        let asked = name.as_ref();
        let saved = match &images[..] {
            [] => return Err(invalid("no image in manifest.json")),
            [one] => one,
            all => all
                .iter()
                .find(|saved| asked.is_some_and(|name| names(saved).contains(name)))
                .ok_or_else(|| several(all.iter().flat_map(names)))?,
        };
        let first = names(saved).into_iter().next();
        let config = self.document(&member_name(&saved.config)?)?;
        let mut layers = Vec::new();
        let mut descriptors = Vec::new();
        for layer in &saved.layers {
            let layer = member_name(layer)?;
            let stored = self.stored(&layer)?;
            descriptors.push(descriptor(document::OCI_LAYER, stored.digest.clone(), stored.size));
            layers.push(layer);
        }
        if layers.len() > limits::LAYERS || layers.is_empty() {
            let count = layers.len();
            return Err(invalid(format!("{count} layers, of 1 to {}", limits::LAYERS)));
        }
        // Before anything is unpacked: the config must fit.
        config::parse(&config, layers.len()).map_err(|e| invalid(format!("config: {e}")))?;
        Ok(Chosen {
            name: name.or(first).ok_or_else(nameless)?,
            indexes: BTreeSet::new(),
            manifest: document::make_manifest(describe_config(&config), descriptors),
            config,
            layers,
        })
    }
}

fn blob_name(descriptor: &Descriptor) -> String {
    format!("blobs/sha256/{}", descriptor.digest.hex())
}

/// A name as `manifest.json` writes it, in the form that our table has.
fn member_name(text: &str) -> Result<String, Error> {
    resolve(text.as_bytes()).ok_or_else(|| invalid(format!("`{text}` leads out of it")))
}

/// `a/../b/./c` is `b/c`; None if it leads out. Only a key of a table, never a path on disk.
fn resolve(text: &[u8]) -> Option<String> {
    let mut parts: Vec<&[u8]> = Vec::new();
    for part in text.split(|&b| b == b'/') {
        match part {
            b"" | b"." => {}
            b".." => drop(parts.pop()?),
            part => parts.push(part),
        }
    }
    String::from_utf8(parts.join(&b'/')).ok()
}

fn name_of(descriptor: &Descriptor) -> Option<Name> {
    let annotations = descriptor.annotations.as_ref()?;
    NAME_ANNOTATIONS
        .iter()
        .filter_map(|key| Reference::parse(annotations.get(*key)?).ok())
        .map(|reference| reference.name)
        .next()
}

fn nameless() -> Error {
    Error::Reference {
        reference: String::new(),
        cause: "the archive brings no name, give one (--name)".to_owned(),
    }
}

fn several(names: impl Iterator<Item = Name>) -> Error {
    let names: Vec<String> = names.map(|name| name.short()).collect();
    invalid(format!("it holds several images, ask for one by its name: {}", names.join(", ")))
}
