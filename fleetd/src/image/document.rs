//! Manifests and indexes of image-spec and of Docker's schema 2: read, checked, chosen from. Pure.

use super::digest::Digest;
use super::limits;
use super::platform::Platform;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

pub(super) const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
pub(super) const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
pub(super) const OCI_CONFIG: &str = "application/vnd.oci.image.config.v1+json";
pub(super) const OCI_LAYER: &str = "application/vnd.oci.image.layer.v1.tar";
pub(super) const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
pub(super) const DOCKER_INDEX: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
const DOCKER_CONFIG: &str = "application/vnd.docker.container.image.v1+json";

const LAYER_TYPES: &[&str] = &[
    OCI_LAYER,
    "application/vnd.oci.image.layer.v1.tar+gzip",
    "application/vnd.oci.image.layer.v1.tar+zstd",
    "application/vnd.docker.image.rootfs.diff.tar",
    "application/vnd.docker.image.rootfs.diff.tar.gzip",
    "application/vnd.docker.image.rootfs.diff.tar.zstd",
];

/// What a registry may be asked for.
pub(super) const ACCEPTED: &[&str] = &[OCI_INDEX, DOCKER_INDEX, OCI_MANIFEST, DOCKER_MANIFEST];

/// image-spec `descriptor.md`. `urls` is ignored: layers come from the registry that was named.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Descriptor {
    #[serde(rename = "mediaType")]
    pub(super) media_type: String,
    pub(super) digest: Digest,
    pub(super) size: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) platform: Option<Platform>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) annotations: Option<BTreeMap<String, String>>,
}

#[derive(Debug)]
pub(super) enum Document {
    Manifest(Manifest),
    Index(Vec<Descriptor>),
}

#[derive(Debug)]
pub(super) struct Manifest {
    pub(super) config: Descriptor,
    /// Lowest first, as blobs.
    pub(super) layers: Vec<Descriptor>,
}

/// Both kinds at once, so that a document that is both can be told and refused.
#[derive(Deserialize)]
struct Raw {
    #[serde(rename = "schemaVersion")]
    schema_version: u32,
    #[serde(rename = "mediaType")]
    media_type: Option<String>,
    config: Option<Descriptor>,
    layers: Option<Vec<Descriptor>>,
    manifests: Option<Vec<Descriptor>>,
    #[serde(rename = "fsLayers")]
    fs_layers: Option<serde::de::IgnoredAny>,
}

/// Reads a manifest or index. `outside`: the media type that the descriptor or the registry's
/// header gave; it must agree with the one inside (CVE-2021-41190). The error is a phrase.
pub(super) fn parse(bytes: &[u8], outside: Option<&str>) -> Result<Document, String> {
    if bytes.len() > limits::DOCUMENT {
        return Err(format!("more than {} bytes", limits::DOCUMENT));
    }
    let raw: Raw = serde_json::from_slice(bytes).map_err(|e| e.to_string())?;
    if raw.schema_version != 2 || raw.fs_layers.is_some() {
        return Err(format!(
            "schema version {} is not supported, only 2",
            if raw.fs_layers.is_some() { 1 } else { raw.schema_version }
        ));
    }
    if let (Some(inside), Some(outside)) = (&raw.media_type, outside)
        && inside != outside
    {
        return Err(format!("it calls itself {inside}, but came as {outside}"));
    }
    let named = raw.media_type.as_deref().or(outside);
    let is_index = match (named, &raw.manifests) {
        (Some(OCI_INDEX | DOCKER_INDEX), _) => true,
        (Some(OCI_MANIFEST | DOCKER_MANIFEST), _) => false,
        (Some(other), _) => return Err(format!("media type {other} is not an image's")),
        (None, manifests) => manifests.is_some(),
    };
    match (is_index, raw.manifests, raw.config, raw.layers) {
        (_, Some(_), _, Some(_)) | (_, Some(_), Some(_), _) => {
            Err("it has both `manifests` and `layers` or `config`: manifest and index at once"
                .to_owned())
        }
        (true, Some(manifests), None, None) => Ok(Document::Index(manifests)),
        (false, None, Some(config), Some(layers)) => manifest(config, layers),
        (true, ..) => Err("an index without `manifests`".to_owned()),
        (false, ..) => Err("a manifest without `config` or `layers`".to_owned()),
    }
}

fn manifest(config: Descriptor, layers: Vec<Descriptor>) -> Result<Document, String> {
    if ![OCI_CONFIG, DOCKER_CONFIG].contains(&config.media_type.as_str()) {
        return Err(format!("not a container image: its config is {}", config.media_type));
    }
    if config.size > limits::DOCUMENT as u64 {
        return Err(format!("config of more than {} bytes", limits::DOCUMENT));
    }
    if layers.len() > limits::LAYERS {
        return Err(format!("{} layers, at most {} can be stacked", layers.len(), limits::LAYERS));
    }
    if layers.is_empty() {
        return Err("no layers".to_owned());
    }
    for layer in &layers {
        if !LAYER_TYPES.contains(&layer.media_type.as_str()) {
            return Err(format!("layer of media type {} is not supported", layer.media_type));
        }
    }
    Ok(Document::Manifest(Manifest { config, layers }))
}

/// The entry of an index for this host. The error is a phrase that lists what there is.
pub(super) fn choose<'a>(
    index: &'a [Descriptor],
    host: &Platform,
) -> Result<&'a Descriptor, String> {
    let known = [OCI_MANIFEST, DOCKER_MANIFEST, OCI_INDEX, DOCKER_INDEX];
    index
        .iter()
        .filter(|entry| known.contains(&entry.media_type.as_str()))
        .filter_map(|entry| {
            let rank = match &entry.platform {
                Some(platform) => host.rank(platform)?,
                None => 1,
            };
            Some((rank, entry))
        })
        // The first of the best: max_by_key would take the last.
        .fold(None, |best: Option<(u8, &Descriptor)>, (rank, entry)| match best {
            Some((other, _)) if other >= rank => best,
            _ => Some((rank, entry)),
        })
        .map(|(_, entry)| entry)
        .ok_or_else(|| {
            let offered: Vec<String> = index
                .iter()
                .filter_map(|entry| entry.platform.as_ref())
                .filter(|platform| platform.os != "unknown")
                .map(ToString::to_string)
                .collect();
            format!("no image for {host}, only for {}", offered.join(", "))
        })
}

/// A manifest of our own for what came without one, always the same for the same content.
pub(super) fn make_manifest(config: Descriptor, layers: Vec<Descriptor>) -> Vec<u8> {
    let document = serde_json::json!({
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": config,
        "layers": layers,
    });
    document.to_string().into_bytes()
}

#[cfg(test)]
#[path = "document_tests.rs"]
mod tests;
