//! The store's face to the rest of fleetd.

use super::Error;
use std::collections::{BTreeMap, HashMap};
use std::io::Read;
use std::os::fd::OwnedFd;
use std::path::Path;

/// The images of this host. Clones share one store; only one process has it open.
#[derive(Clone)]
pub struct Store;

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
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LayerId(pub String);

/// The image's wishes for its container (image-spec `config.md`).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Config {
    pub entrypoint: Vec<String>,
    pub cmd: Vec<String>,
    /// `NAME=value`
    pub env: Vec<String>,
    /// Not checked to exist in the image.
    pub working_dir: Option<String>,
    /// As written: `user[:group]`, names or numbers, to be looked up in the image.
    pub user: Option<String>,
    /// As written: `SIGTERM`, `TERM` or a number.
    pub stop_signal: Option<String>,
    /// `80/tcp`
    pub exposed_ports: Vec<String>,
    pub volumes: Vec<String>,
    /// Without those in our own reserved name space `flotilla.`.
    pub labels: BTreeMap<String, String>,
}

/// How to talk to the registry.
#[derive(Debug, Clone)]
pub struct PullOptions {
    pub username: Option<String>,
    pub password: Option<String>,
    /// Plain HTTP. A registry on this host's loopback gets it without being asked.
    pub insecure: bool,
    /// No byte for this long is an error.
    pub stall: std::time::Duration,
    /// Before the first repetition of what a network error broke; doubles.
    pub backoff: std::time::Duration,
}

impl Default for PullOptions {
    fn default() -> Self {
        Self {
            username: None,
            password: None,
            insecure: false,
            stall: std::time::Duration::from_secs(60),
            backoff: std::time::Duration::from_millis(500),
        }
    }
}

/// How far a pull is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress {
    /// The manifest is here: what is to come.
    Manifest { digest: String, layers: usize, bytes: u64 },
    /// Compressed bytes of one layer.
    Layer { digest: String, done: u64, total: u64 },
    /// The layer is unpacked, or was already here.
    LayerDone { digest: String, shared: bool },
}

impl Store {
    /// Opens the store, makes it if there is none, and removes what an interrupted import left.
    pub fn open(dir: &Path) -> Result<Self, Error> {
        let _ = dir;
        Err(Error::NotFound("skeleton".to_owned()))
    }

    /// Reads a tar stream, plain, gzip or zstd: a root file system, an OCI layout or a
    /// docker-archive, told apart by content. `name` may be empty if the archive brings names.
    pub fn import(&self, stream: impl Read, name: &str) -> Result<ImageInfo, Error> {
        let _ = (stream, name);
        Err(Error::NotFound("skeleton".to_owned()))
    }

    /// Fetches an image from its registry. Needs a multi-thread or current-thread tokio runtime
    /// with time and I/O; unpacking goes to blocking threads.
    pub async fn pull(
        &self,
        reference: &str,
        options: PullOptions,
        progress: impl Fn(Progress) + Send + Sync,
    ) -> Result<ImageInfo, Error> {
        let _ = (reference, options, progress);
        Err(Error::NotFound("skeleton".to_owned()))
    }

    pub fn list(&self) -> Result<Vec<ImageInfo>, Error> {
        Err(Error::NotFound("skeleton".to_owned()))
    }

    /// Takes a name away; with the last name, or by digest, the image and every layer that no
    /// other image has. `in_use`: digests of images that run, each with its units.
    pub fn remove(
        &self,
        reference: &str,
        in_use: &HashMap<String, Vec<String>>,
    ) -> Result<(), Error> {
        let _ = in_use;
        Err(Error::NotFound(reference.to_owned()))
    }

    /// By name (Docker's rules: `nginx` is `docker.io/library/nginx:latest`), by digest, or by a
    /// digest prefix that only one image has.
    pub fn find(&self, reference: &str) -> Result<Option<Image>, Error> {
        Err(Error::NotFound(reference.to_owned()))
    }

    /// The image's root as a detached overlay mount, `nodev`, never attached in the host.
    ///
    /// `writable`: a directory of the caller's on a file system fit for an overlay's upper
    /// (not overlay, not 9p); `upper` and `work` are made in it. `None`: a read-only mount, in
    /// which no mount points can be made either; to have those, give a directory and let the
    /// runtime make the root read-only (`root.readonly`).
    pub fn mount(&self, image: &Image, writable: Option<&Path>) -> Result<OwnedFd, Error> {
        let _ = (image, writable);
        Err(Error::NotFound("skeleton".to_owned()))
    }
}
