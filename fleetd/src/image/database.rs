//! What images there are: `images.json`, replaced as a whole with every change.

use super::digest::Digest;
use super::disk;
use super::error::Error;
use super::reference::Reference;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

const FILE: &str = "images.json";
const VERSION: u32 = 1;

/// A digest prefix must have this many digits, so that a short name is not taken for one.
const PREFIX: usize = 4;

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Database {
    version: u32,
    /// By the digest of the manifest.
    pub(super) images: BTreeMap<Digest, Record>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Record {
    /// In full. A name belongs to one image; an image that lost its last name to a newer one
    /// stays, since containers may run from it, and is found by digest.
    pub(super) names: BTreeSet<String>,
    /// Of indexes that led to this image: `name@digest` in a unit file is mostly one of these.
    pub(super) indexes: BTreeSet<Digest>,
    pub(super) config: Digest,
    /// Lowest first.
    pub(super) layers: Vec<Digest>,
    /// Bytes unpacked.
    pub(super) size: u64,
    /// Microseconds since the Unix epoch.
    pub(super) imported: u64,
}

impl Database {
    pub(super) fn load(store: &Path) -> Result<Self, Error> {
        let Some(bytes) = disk::read(&store.join(FILE))? else {
            return Ok(Self { version: VERSION, images: BTreeMap::new() });
        };
        let fail =
            |cause: String| Error::Document { what: store.join(FILE).display().to_string(), cause };
        let database: Self = serde_json::from_slice(&bytes).map_err(|e| fail(e.to_string()))?;
        if database.version != VERSION {
            return Err(fail(format!("version {} is not {VERSION}", database.version)));
        }
        Ok(database)
    }

    pub(super) fn save(&self, store: &Path) -> Result<(), Error> {
        let bytes = serde_json::to_vec_pretty(self)
            .map_err(|e| Error::Document { what: FILE.to_owned(), cause: e.to_string() })?;
        disk::replace(store, FILE, &bytes)
    }

    /// Adds an image, or names and indexes to one that is there. Its names leave other images.
    pub(super) fn add(&mut self, digest: &Digest, record: Record) {
        for other in self.images.values_mut() {
            other.names.retain(|name| !record.names.contains(name));
        }
        match self.images.get_mut(digest) {
            Some(known) => {
                known.names.extend(record.names);
                known.indexes.extend(record.indexes);
                known.imported = record.imported;
            }
            None => {
                self.images.insert(digest.clone(), record);
            }
        }
    }

    /// What `reference` means here, and the full name if it was one.
    pub(super) fn find(&self, reference: &str) -> Result<Option<(&Digest, Option<String>)>, Error> {
        let digits = reference.strip_prefix("sha256:");
        if let Some(digits) = digits {
            return self.by_prefix(reference, digits);
        }
        let parsed = Reference::parse(reference);
        if let Ok(Reference { digest: Some(digest), .. }) = &parsed {
            let found = self
                .images
                .iter()
                .find(|(key, record)| *key == digest || record.indexes.contains(digest));
            return Ok(found.map(|(key, _)| (key, None)));
        }
        if let Ok(Reference { name, .. }) = &parsed {
            let name = name.to_string();
            if let Some((key, _)) = self.images.iter().find(|(_, r)| r.names.contains(&name)) {
                return Ok(Some((key, Some(name))));
            }
        }
        let is_prefix = reference.len() >= PREFIX
            && reference.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        match parsed {
            _ if is_prefix => self.by_prefix(reference, reference),
            Ok(_) => Ok(None),
            Err(cause) => Err(Error::Reference { reference: reference.to_owned(), cause }),
        }
    }

    fn by_prefix(
        &self,
        reference: &str,
        digits: &str,
    ) -> Result<Option<(&Digest, Option<String>)>, Error> {
        if digits.len() < PREFIX {
            let cause = format!("a digest prefix has at least {PREFIX} digits");
            return Err(Error::Reference { reference: reference.to_owned(), cause });
        }
        let found: Vec<&Digest> = self
            .images
            .iter()
            .filter(|(key, record)| {
                let mut all = record.indexes.iter().chain([*key]);
                all.any(|digest| digest.hex().starts_with(digits))
            })
            .map(|(key, _)| key)
            .collect();
        match found[..] {
            [] => Ok(None),
            [one] => Ok(Some((one, None))),
            _ => Err(Error::Ambiguous { reference: reference.to_owned(), count: found.len() }),
        }
    }

    /// Every layer that some image has.
    pub(super) fn layers(&self) -> BTreeSet<&Digest> {
        self.images.values().flat_map(|record| &record.layers).collect()
    }

    /// Every document that some image has.
    pub(super) fn blobs(&self) -> BTreeSet<&Digest> {
        self.images.iter().flat_map(|(key, record)| [key, &record.config]).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(names: &[&str]) -> Record {
        Record {
            names: names.iter().map(|n| (*n).to_owned()).collect(),
            indexes: BTreeSet::new(),
            config: Digest::of(b"c"),
            layers: vec![],
            size: 0,
            imported: 0,
        }
    }

    fn database() -> (Database, Digest, Digest) {
        let mut database = Database { version: VERSION, images: BTreeMap::new() };
        let (one, two) = (Digest::of(b"1"), Digest::of(b"2"));
        let mut first = record(&["docker.io/library/web:latest"]);
        first.indexes.insert(Digest::of(b"index"));
        database.add(&one, first);
        database.add(&two, record(&["docker.io/library/db:1"]));
        (database, one, two)
    }

    #[test]
    fn an_image_is_found_by_name_digest_and_prefix() {
        let (database, one, two) = database();
        let found = |text: &str| database.find(text).unwrap().map(|(digest, _)| digest.clone());
        assert_eq!(found("web"), Some(one.clone()));
        assert_eq!(found("docker.io/library/web:latest"), Some(one.clone()));
        assert_eq!(found("db:1"), Some(two.clone()));
        assert_eq!(found("db"), None);
        assert_eq!(found(two.as_str()), Some(two.clone()));
        assert_eq!(found(&two.hex()[..6]), Some(two.clone()));
        assert_eq!(found(&two.as_str()[..20]), Some(two.clone()));
        assert_eq!(found(&format!("web@{}", Digest::of(b"index"))), Some(one.clone()));
        assert_eq!(found(&format!("web@{}", Digest::of(b"other"))), None);
        assert_eq!(found("0000000"), None);
        assert!(database.find("Bad Name").is_err());
        assert!(database.find("sha256:1").is_err());
    }

    #[test]
    fn a_prefix_of_two_images_is_refused() {
        let (mut database, ..) = database();
        for last in ["1", "2"] {
            let digest = Digest::from_hex(&format!("abcdef{last}{}", "0".repeat(57))).unwrap();
            database.add(&digest, record(&[]));
        }
        assert!(matches!(database.find("abcdef"), Err(Error::Ambiguous { count: 2, .. })));
        assert!(database.find("abcdef1").unwrap().is_some());
    }

    #[test]
    fn a_name_moves_to_the_newer_image() {
        let (mut database, one, two) = database();
        database.add(&two, record(&["docker.io/library/web:latest"]));
        assert!(database.images[&one].names.is_empty());
        assert_eq!(database.images[&two].names.len(), 2);
    }
}
