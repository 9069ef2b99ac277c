//! Fetches an image from its registry, layer by layer straight into the unpacker.
//!
//! [`registry`] speaks HTTP (distribution-spec); [`stream`] hands its bytes to a blocking thread.

mod registry;
mod stream;

use super::config;
use super::digest::{Digest, Hashing};
use super::document::{self, Descriptor, Document, Manifest};
use super::error::Error;
use super::import::platform_warning;
use super::platform::Platform;
use super::reference::Reference;
use super::store::{Arrived, ImageInfo, Store};
use super::unpack;
use registry::{Failure, Registry};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

/// Layers at once.
const PARALLEL: usize = 3;

/// Indexes in indexes.
const DEPTH: usize = 4;

/// How to talk to the registry.
#[derive(Debug, Clone)]
pub struct PullOptions {
    pub username: Option<String>,
    pub password: Option<String>,
    /// Plain HTTP. A registry on this host's loopback gets it without being asked.
    pub insecure: bool,
    /// Nothing for this long, when connecting or between two pieces, is an error.
    pub stall: Duration,
    /// Before the first repetition of what a network error broke; doubles.
    pub backoff: Duration,
}

impl Default for PullOptions {
    fn default() -> Self {
        Self {
            username: None,
            password: None,
            insecure: false,
            stall: Duration::from_secs(60),
            backoff: Duration::from_millis(500),
        }
    }
}

/// How far a pull is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress {
    /// The manifest is here: what is to come, in compressed bytes.
    Manifest { digest: String, layers: usize, bytes: u64 },
    /// Compressed bytes of one layer. Goes back to 0 when it is fetched again.
    Layer { digest: String, done: u64, total: u64 },
    /// The layer is unpacked, or was already here.
    LayerDone { digest: String, shared: bool },
}

impl Store {
    /// Fetches an image from its registry. Needs a tokio runtime with time and I/O; unpacking
    /// goes to blocking threads. Dropping the future ends the pull; nothing of it is left.
    pub async fn pull(
        &self,
        reference: &str,
        options: PullOptions,
        progress: impl Fn(Progress) + Send + Sync,
    ) -> Result<ImageInfo, Error> {
        let parsed = Reference::parse(reference)
            .map_err(|cause| Error::Reference { reference: reference.to_owned(), cause })?;
        let fail = |failure: Failure| failure.of(reference);
        let registry = Registry::connect(&parsed.name, &options).map_err(fail)?;
        let (bytes, manifest, indexes) = fetch_manifest(&registry, &parsed).await.map_err(fail)?;
        progress(Progress::Manifest {
            digest: Digest::of(&bytes).into(),
            layers: manifest.layers.len(),
            bytes: manifest.layers.iter().map(|layer| layer.size).sum(),
        });
        let config_bytes = registry.blob_bytes(&manifest.config).await.map_err(fail)?;
        let parsed_config =
            config::parse(&config_bytes, manifest.layers.len()).map_err(|cause| {
                let what = format!("config {} of {reference}", manifest.config.digest);
                Error::Document { what, cause }
            })?;
        let pin = self.pin(&parsed_config.layers);
        let jobs: Vec<_> = parsed_config.layers.iter().zip(&manifest.layers).collect();
        let fetch = |(id, blob)| self.fetch_layer(&registry, id, blob, reference, &progress);
        stream::for_each(jobs, PARALLEL, fetch).await?;
        let arrived = Arrived {
            // `name@digest` fixes the content: the name's tag may long mean something else.
            name: parsed.digest.is_none().then_some(parsed.name),
            indexes,
            manifest: bytes,
            config: config_bytes,
            layers: parsed_config.layers,
            warnings: platform_warning(&parsed_config.platform),
        };
        let store = self.clone();
        blocking(move || {
            let added = store.add(arrived);
            drop(pin);
            added
        })
        .await
    }

    /// Makes sure that a layer is here. Of several pulls that want it one fetches it.
    async fn fetch_layer(
        &self,
        registry: &Registry,
        id: &Digest,
        blob: &Descriptor,
        reference: &str,
        progress: &(impl Fn(Progress) + Send + Sync),
    ) -> Result<(), Error> {
        let turn = self.turn(id);
        let alone = turn.lock().await;
        let digest = blob.digest.to_string();
        let shared = self.0.layers.meta(id)?.is_some();
        if !shared {
            let report = |done| {
                let digest = digest.clone();
                progress(Progress::Layer { digest, done, total: blob.size });
            };
            registry
                .retry(|| self.try_layer(registry, id, blob, &report))
                .await
                .map_err(|failure| failure.of(reference))?;
        }
        drop(alone);
        self.forget_turn(id, turn);
        progress(Progress::LayerDone { digest, shared });
        Ok(())
    }

    async fn try_layer(
        &self,
        registry: &Registry,
        id: &Digest,
        blob: &Descriptor,
        report: &(impl Fn(u64) + Send + Sync),
    ) -> Result<(), Failure> {
        let response = registry.blob(&blob.digest).await?;
        let (mut sender, reader) = stream::channel();
        let (store, id, expected) = (self.clone(), id.clone(), blob.clone());
        let unpacking = tokio::task::spawn_blocking(move || {
            let mut stream = Hashing::new(reader, expected.size);
            let fail = |cause| Error::Unpack { layer: id.to_string(), cause };
            store.0.layers.unpack(&id, &mut stream)?;
            stream.drain().map_err(|e| fail(unpack::Error::Io(e)))?;
            match stream.finish() {
                (digest, size) if digest == expected.digest && size == expected.size => Ok(()),
                (digest, size) => Err(fail(unpack::Error::Mismatch(format!(
                    "the registry sent {digest} ({size} bytes) instead of {} ({} bytes)",
                    expected.digest, expected.size
                )))),
            }
        });
        // If the download broke, what the unpacker says of it is not the cause.
        let sent = registry.send(response, &mut sender, blob.size, report).await;
        sender.end(sent.is_ok()).await;
        let unpacked = unpacking.await.map_err(|e| Failure::Final(e.to_string()))?;
        sent?;
        unpacked.map_err(Failure::Store)
    }

    fn turn(&self, id: &Digest) -> Arc<tokio::sync::Mutex<()>> {
        let mut pulling = self.0.pulling.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        pulling.entry(id.clone()).or_default().clone()
    }

    /// The last one that waits for a layer takes its lock out of the table.
    fn forget_turn(&self, id: &Digest, turn: Arc<tokio::sync::Mutex<()>>) {
        let mut pulling = self.0.pulling.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        drop(turn);
        if pulling.get(id).is_some_and(|turn| Arc::strong_count(turn) == 1) {
            pulling.remove(id);
        }
    }
}

/// The manifest for this host, as bytes and read, and the indexes that led to it.
async fn fetch_manifest(
    registry: &Registry,
    reference: &Reference,
) -> Result<(Vec<u8>, Manifest, BTreeSet<Digest>), Failure> {
    let mut digest = reference.digest.clone();
    let mut media_type: Option<String> = None;
    let mut indexes = BTreeSet::new();
    for _ in 0..DEPTH {
        let place = digest.as_ref().map_or(reference.name.tag.as_str(), Digest::as_str);
        let (bytes, came_as) = registry.manifest(place, digest.as_ref()).await?;
        let outside = media_type.take().or(came_as);
        let fail = |cause| Failure::Final(format!("manifest {place}: {cause}"));
        match document::parse(&bytes, outside.as_deref()).map_err(fail)? {
            Document::Manifest(manifest) => return Ok((bytes, manifest, indexes)),
            Document::Index(entries) => {
                let host = Platform::host();
                let chosen = document::choose(&entries, &host).map_err(Failure::Final)?;
                indexes.insert(Digest::of(&bytes));
                digest = Some(chosen.digest.clone());
                media_type = Some(chosen.media_type.clone());
            }
        }
    }
    Err(Failure::Final(format!("indexes more than {DEPTH} deep")))
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    let joined = tokio::task::spawn_blocking(work).await;
    joined.unwrap_or_else(|e| {
        Err(Error::Io { action: "add the image".to_owned(), cause: std::io::Error::other(e) })
    })
}
