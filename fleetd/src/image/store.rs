//! The store's face to the rest of fleetd: open, list, find, remove. How images come in is in
//! `import` and `pull`, how they become a root file system in `mount`.

use super::config::{self, Config};
use super::database::{Database, Record};
use super::digest::Digest;
use super::disk;
use super::error::Error;
use super::layers::Layers;
use super::reference::{Name, Reference};
use crate::sys::{beneath, inode};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};
use tokio::sync::watch;

/// The images of this host. Clones share one store; only one process has it open.
#[derive(Clone)]
pub struct Store(pub(super) Arc<Inner>);

pub(super) struct Inner {
    pub(super) dir: PathBuf,
    pub(super) layers: Layers,
    state: Mutex<State>,
    names: watch::Sender<Arc<Names>>,
    /// Layers that somebody pulls: the next one waits and finds it here.
    pub(super) pulling: Mutex<HashMap<Digest, Arc<tokio::sync::Mutex<()>>>>,
    _lock: File,
}

/// The digest of each name's manifest.
pub type Names = BTreeMap<String, String>;

struct State {
    database: Database,
    /// Layers of images that are coming in, with how many of them want it: not yet named by a
    /// record, and not to be removed.
    pins: HashMap<Digest, usize>,
}

/// One image of the store, as `fleetctl image list` shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageInfo {
    /// In Docker's short form: `nginx:latest`, `ghcr.io/someone/thing:1`.
    pub names: Vec<String>,
    /// Of the manifest: `sha256:` and 64 hex digits.
    pub digest: String,
    /// Bytes unpacked, of all layers; what several images share is counted in each.
    pub size: u64,
    pub layers: usize,
    /// Microseconds since the Unix epoch.
    pub imported: u64,
    /// What an import or pull left out or found odd; empty in `list`.
    pub warnings: Vec<String>,
}

/// What a container is made from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    /// Of the manifest.
    pub digest: String,
    pub config: Config,
    /// Lowest first.
    pub layers: Vec<LayerId>,
}

/// The digest of a layer's uncompressed tar (`diff_id`).
pub type LayerId = Digest;

/// An image whose layers are all here, ready for its record.
pub(super) struct Arrived {
    pub(super) name: Option<Name>,
    pub(super) indexes: BTreeSet<Digest>,
    pub(super) manifest: Vec<u8>,
    pub(super) config: Vec<u8>,
    pub(super) layers: Vec<Digest>,
    pub(super) warnings: Vec<String>,
}

impl Store {
    /// Opens the store, makes it if there is none, and removes what an interrupted import left.
    /// Needs `/proc` mounted. Fails if another process, or another `Store`, has it open.
    pub fn open(dir: &Path) -> Result<Self, Error> {
        disk::make_directory(dir)?;
        let lock = lock(dir)?;
        for sub in ["blobs", "blobs/sha256", "empty"] {
            disk::make_directory(&dir.join(sub))?;
        }
        let layers = Layers::open(dir)?;
        let database = Database::load(dir)?;
        let names = watch::Sender::new(Arc::new(names(&database)));
        let store = Self(Arc::new(Inner {
            dir: dir.to_owned(),
            layers,
            state: Mutex::new(State { database, pins: HashMap::new() }),
            names,
            pulling: Mutex::default(),
            _lock: lock,
        }));
        store.remove_unnamed()?;
        Ok(store)
    }

    /// Other bounds than the usual ones, before anybody shares the store.
    #[cfg(test)]
    pub(super) fn limit(&mut self, limits: super::limits::Limits) {
        Arc::get_mut(&mut self.0).unwrap().layers.limits = limits;
    }

    /// All images, by name.
    pub fn list(&self) -> Result<Vec<ImageInfo>, Error> {
        let state = self.state();
        let mut list: Vec<ImageInfo> =
            state.database.images.iter().map(|(digest, record)| info(digest, record)).collect();
        list.sort_by(|a, b| (&a.names, &a.digest).cmp(&(&b.names, &b.digest)));
        Ok(list)
    }

    /// Of all images, in Docker's short form, now and whenever there are others.
    pub fn names(&self) -> watch::Receiver<Arc<Names>> {
        self.0.names.subscribe()
    }

    /// By name (Docker's rules: `nginx` is `docker.io/library/nginx:latest`), by digest of the
    /// manifest or of the index that led to it, or by the first four or more digits of one.
    pub fn find(&self, reference: &str) -> Result<Option<Image>, Error> {
        let (digest, record) = {
            let state = self.state();
            let Some((digest, _)) = state.database.find(reference)? else { return Ok(None) };
            (digest.clone(), state.database.images[digest].clone())
        };
        let bytes = self.blob(&record.config)?;
        let config = config::parse(&bytes, record.layers.len()).map_err(|cause| {
            Error::Document { what: format!("config {}", record.config), cause }
        })?;
        let config = config.config;
        Ok(Some(Image { digest: digest.into(), config, layers: record.layers }))
    }

    /// Takes a name away; with the last name, or by digest, the image and every layer that no
    /// other image has. `in_use`: digests of images that run, each with its units; such an image
    /// may lose a name, but not its last.
    pub fn remove(
        &self,
        reference: &str,
        in_use: &HashMap<String, Vec<String>>,
    ) -> Result<(), Error> {
        {
            let mut state = self.state();
            let found = state.database.find(reference)?;
            let (digest, name) = found.ok_or_else(|| Error::NotFound(reference.to_owned()))?;
            let digest = digest.clone();
            let mut next = state.database.clone();
            let names_left = next.images.get_mut(&digest).map_or(0, |record| {
                record.names.retain(|known| name.as_ref() != Some(known));
                record.names.len()
            });
            if name.is_none() || names_left == 0 {
                if let Some(units) = in_use.get(digest.as_str()).filter(|u| !u.is_empty()) {
                    let (reference, units) = (reference.to_owned(), units.clone());
                    return Err(Error::InUse { reference, units });
                }
                next.images.remove(&digest);
            }
            self.change(&mut state, next)?;
        }
        self.empty_trash()
    }

    /// Waits for nobody: a holder only computes or writes small files.
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes `next` the truth on disk and in memory, then moves what it no longer names away.
    fn change(&self, state: &mut State, next: Database) -> Result<(), Error> {
        next.save(&self.0.dir)?;
        let old = std::mem::replace(&mut state.database, next);
        self.0.names.send_replace(Arc::new(names(&state.database)));
        let layers = state.database.layers();
        for layer in old.layers() {
            if !layers.contains(layer) && !state.pins.contains_key(layer) {
                self.0.layers.discard(layer)?;
            }
        }
        let blobs = state.database.blobs();
        for blob in old.blobs() {
            if !blobs.contains(blob) {
                self.remove_blob(blob)?;
            }
        }
        Ok(())
    }

    pub(super) fn empty_trash(&self) -> Result<(), Error> {
        let trash = &self.0.layers.trash;
        trash.empty().map_err(Error::io(format!("empty {}", self.0.dir.join("trash").display())))
    }

    /// At open: layers and blobs of imports that never got a record.
    fn remove_unnamed(&self) -> Result<(), Error> {
        {
            let state = self.state();
            let named = state.database.layers();
            for layer in self.0.layers.all()? {
                if !named.contains(&layer) {
                    self.0.layers.discard(&layer)?;
                }
            }
            let named = state.database.blobs();
            let blobs = self.0.dir.join("blobs/sha256");
            let names = beneath::directory(&blobs).and_then(|fd| beneath::names(fd, usize::MAX));
            for name in names.map_err(Error::io(format!("read {}", blobs.display())))? {
                let digest = name.to_str().and_then(|name| Digest::from_hex(name).ok());
                if !digest.is_some_and(|digest| named.contains(&digest)) {
                    remove_file(&blobs.join(name))?;
                }
            }
        }
        self.empty_trash()
    }

    fn blob_path(&self, digest: &Digest) -> PathBuf {
        self.0.dir.join("blobs/sha256").join(digest.hex())
    }

    fn blob(&self, digest: &Digest) -> Result<Vec<u8>, Error> {
        let fail = |cause: &str| Error::Document {
            what: self.blob_path(digest).display().to_string(),
            cause: format!("{cause}; remove the image and pull or import it again"),
        };
        let bytes =
            disk::read(&self.blob_path(digest))?.ok_or_else(|| fail("the file is missing"))?;
        if Digest::of(&bytes) != *digest {
            return Err(fail("the file was changed"));
        }
        Ok(bytes)
    }

    fn remove_blob(&self, digest: &Digest) -> Result<(), Error> {
        remove_file(&self.blob_path(digest))
    }

    /// Keeps these layers from being removed until the pin is dropped; those that no image got
    /// by then go.
    pub(super) fn pin(&self, layers: &[Digest]) -> Pin {
        let mut state = self.state();
        for layer in layers {
            *state.pins.entry(layer.clone()).or_default() += 1;
        }
        Pin { store: self.clone(), layers: layers.to_vec() }
    }

    /// Writes the record of an image whose layers are here and pinned.
    pub(super) fn add(&self, arrived: Arrived) -> Result<ImageInfo, Error> {
        let digest = Digest::of(&arrived.manifest);
        let config = Digest::of(&arrived.config);
        let mut size = 0;
        let mut warnings = arrived.warnings;
        for layer in &arrived.layers {
            let meta = self.0.layers.meta(layer)?;
            let meta = meta.ok_or_else(|| Error::NotFound(format!("layer {layer}")))?;
            size += meta.size;
            if meta.dropped_xattrs > 0 {
                warnings.push(format!(
                    "layer {layer}: {} extended attributes user.* were left out, since {} has none",
                    meta.dropped_xattrs,
                    self.0.dir.display(),
                ));
            }
        }
        self.0.layers.sync()?;
        let record = Record {
            names: arrived.name.iter().map(ToString::to_string).collect(),
            indexes: arrived.indexes,
            config: config.clone(),
            layers: arrived.layers,
            size,
            imported: now(),
        };
        let mut state = self.state();
        let blobs = self.0.dir.join("blobs/sha256");
        disk::replace(&blobs, digest.hex(), &arrived.manifest)?;
        disk::replace(&blobs, config.hex(), &arrived.config)?;
        let mut next = state.database.clone();
        next.add(&digest, record);
        let info = ImageInfo { warnings, ..info(&digest, &next.images[&digest]) };
        self.change(&mut state, next)?;
        Ok(info)
    }
}

/// See [`Store::pin`].
pub(super) struct Pin {
    store: Store,
    layers: Vec<Digest>,
}

impl Drop for Pin {
    fn drop(&mut self) {
        let mut discarded = false;
        {
            let mut state = self.store.state();
            for layer in &self.layers {
                let Some(count) = state.pins.get_mut(layer) else { continue };
                *count -= 1;
                if *count > 0 {
                    continue;
                }
                state.pins.remove(layer);
                if !state.database.layers().contains(layer) {
                    // What cannot be removed now is removed at the next open.
                    discarded |= self.store.0.layers.discard(layer).is_ok();
                }
            }
        }
        if discarded {
            let _ = self.store.empty_trash();
        }
    }
}

/// The name for an import or pull, which must not carry a digest.
pub(super) fn parse_name(text: &str) -> Result<Name, Error> {
    let fail = |cause| Error::Reference { reference: text.to_owned(), cause };
    match Reference::parse(text).map_err(fail)? {
        Reference { name, digest: None } => Ok(name),
        Reference { .. } => Err(fail("a digest cannot be given, it follows from content".into())),
    }
}

fn lock(dir: &Path) -> Result<File, Error> {
    let path = dir.join("lock");
    let action = format!("open image store {}", dir.display());
    let file = File::create(&path).map_err(Error::io(format!("create {}", path.display())))?;
    inode::lock(&file).map_err(|cause| match cause.kind() {
        io::ErrorKind::WouldBlock => {
            Error::Io { action, cause: io::Error::other("another fleetd has it open") }
        }
        _ => Error::Io { action, cause },
    })?;
    Ok(file)
}

fn remove_file(path: &Path) -> Result<(), Error> {
    match std::fs::remove_file(path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other.map_err(Error::io(format!("remove {}", path.display()))),
    }
}

fn short(name: &str) -> String {
    Reference::parse(name).map_or_else(|_| name.to_owned(), |reference| reference.name.short())
}

fn names(database: &Database) -> Names {
    let images = database.images.iter();
    images
        .flat_map(|(digest, record)| {
            record.names.iter().map(|name| (short(name), digest.to_string()))
        })
        .collect()
}

fn info(digest: &Digest, record: &Record) -> ImageInfo {
    ImageInfo {
        names: record.names.iter().map(|name| short(name)).collect(),
        digest: digest.to_string(),
        size: record.size,
        layers: record.layers.len(),
        imported: record.imported,
        warnings: Vec::new(),
    }
}

fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
}
