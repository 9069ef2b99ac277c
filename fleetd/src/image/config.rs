//! An image's configuration (image-spec `config.md`): read, checked, made. Pure.

use super::digest::Digest;
use super::limits;
use super::platform::Platform;
use serde::Deserialize;
use std::collections::BTreeMap;

/// Labels below this are ours to give: an image that brings them would speak for us
/// (CVE-2026-53488).
const RESERVED_LABELS: &str = "flotilla.";

/// The image's wishes for its container.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Config {
    pub entrypoint: Vec<String>,
    pub cmd: Vec<String>,
    /// `NAME=value`
    pub env: Vec<String>,
    /// Not checked to exist in the image, nor to be a directory there.
    pub working_dir: Option<String>,
    /// As written: `user[:group]`, names or numbers, to be looked up in the image.
    pub user: Option<String>,
    /// As written: `SIGTERM`, `TERM` or a number.
    pub stop_signal: Option<String>,
    /// `80/tcp`
    pub exposed_ports: Vec<String>,
    pub volumes: Vec<String>,
    /// Without those in the name space that is reserved for us, `flotilla.`.
    pub labels: BTreeMap<String, String>,
}

/// The document with all that we use of it.
#[derive(Debug)]
pub(super) struct Document {
    pub(super) config: Config,
    pub(super) platform: Platform,
    /// Digests of the layers' uncompressed tars, lowest first.
    pub(super) layers: Vec<Digest>,
}

#[derive(Deserialize)]
struct Raw {
    os: Option<String>,
    architecture: Option<String>,
    variant: Option<String>,
    config: Option<RawConfig>,
    rootfs: RootFs,
}

#[derive(Deserialize)]
struct RootFs {
    #[serde(rename = "type")]
    kind: String,
    diff_ids: Option<Vec<Digest>>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase")]
struct RawConfig {
    user: Option<String>,
    exposed_ports: Option<BTreeMap<String, serde::de::IgnoredAny>>,
    env: Option<Vec<String>>,
    entrypoint: Option<Vec<String>>,
    cmd: Option<Vec<String>>,
    volumes: Option<BTreeMap<String, serde::de::IgnoredAny>>,
    working_dir: Option<String>,
    labels: Option<BTreeMap<String, String>>,
    stop_signal: Option<String>,
}

/// Reads a config that goes with a manifest of `layers` layers. The error is a phrase.
pub(super) fn parse(bytes: &[u8], layers: usize) -> Result<Document, String> {
    if bytes.len() > limits::DOCUMENT {
        return Err(format!("more than {} bytes", limits::DOCUMENT));
    }
    let raw: Raw = serde_json::from_slice(bytes).map_err(|e| e.to_string())?;
    if raw.rootfs.kind != "layers" {
        return Err(format!("rootfs type {} is not `layers`", raw.rootfs.kind));
    }
    let diff_ids = raw.rootfs.diff_ids.unwrap_or_default();
    if diff_ids.len() != layers {
        return Err(format!("{} diff_ids for {layers} layers", diff_ids.len()));
    }
    let host = Platform::host();
    Ok(Document {
        config: config(raw.config.unwrap_or_default())?,
        platform: Platform {
            os: raw.os.unwrap_or(host.os),
            architecture: raw.architecture.unwrap_or(host.architecture),
            variant: raw.variant,
        },
        layers: diff_ids,
    })
}

fn config(raw: RawConfig) -> Result<Config, String> {
    let given = |text: Option<String>| text.filter(|t| !t.is_empty());
    let config = Config {
        entrypoint: raw.entrypoint.unwrap_or_default(),
        cmd: raw.cmd.unwrap_or_default(),
        env: raw.env.unwrap_or_default(),
        working_dir: given(raw.working_dir),
        user: given(raw.user),
        stop_signal: given(raw.stop_signal),
        exposed_ports: raw.exposed_ports.unwrap_or_default().into_keys().collect(),
        volumes: raw.volumes.unwrap_or_default().into_keys().collect(),
        labels: raw
            .labels
            .unwrap_or_default()
            .into_iter()
            .filter(|(key, _)| !key.starts_with(RESERVED_LABELS))
            .collect(),
    };
    let strings = [&config.entrypoint, &config.cmd, &config.env];
    if strings.into_iter().flatten().any(|text| text.contains('\0')) {
        return Err("a NUL in Entrypoint, Cmd or Env".to_owned());
    }
    if let Some(odd) = config.env.iter().find(|e| e.find('=').is_none_or(|at| at == 0)) {
        return Err(format!("Env `{odd}` is not NAME=value"));
    }
    Ok(config)
}

/// For a root file system that came without one.
pub(super) fn make(layers: &[Digest]) -> Vec<u8> {
    let host = Platform::host();
    let document = serde_json::json!({
        "architecture": host.architecture,
        "os": host.os,
        "config": {},
        "rootfs": {"type": "layers", "diff_ids": layers},
    });
    document.to_string().into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_config_is_read_and_nulls_are_nothing() {
        let id = Digest::of(b"layer");
        let document = json!({
            "architecture": "arm64", "os": "linux",
            "config": {
                "Entrypoint": ["/bin/x"], "Cmd": null, "Env": ["PATH=/bin"], "User": "",
                "WorkingDir": "/srv", "ExposedPorts": {"80/tcp": {}}, "Volumes": {"/data": {}},
                "Labels": {"a": "b", "flotilla.run-as": "root"}, "StopSignal": "SIGQUIT",
            },
            "rootfs": {"type": "layers", "diff_ids": [id]},
        });
        let read = parse(document.to_string().as_bytes(), 1).unwrap();
        assert_eq!(read.layers, [id]);
        assert_eq!(read.platform.architecture, "arm64");
        let config = read.config;
        assert_eq!(config.entrypoint, ["/bin/x"]);
        assert!(config.cmd.is_empty());
        assert_eq!(config.user, None);
        assert_eq!(config.exposed_ports, ["80/tcp"]);
        assert_eq!(config.volumes, ["/data"]);
        assert_eq!(config.stop_signal.as_deref(), Some("SIGQUIT"));
        // CVE-2026-53488: an image's label must not pass for one of ours.
        assert_eq!(config.labels.into_keys().collect::<Vec<_>>(), ["a"]);
    }

    #[test]
    fn diff_ids_must_match_the_layers() {
        let text = json!({"rootfs": {"type": "layers", "diff_ids": []}}).to_string();
        assert_eq!(parse(text.as_bytes(), 1).unwrap_err(), "0 diff_ids for 1 layers");
    }

    #[test]
    fn an_odd_environment_is_refused() {
        for env in ["NOVALUE", "=x", "A=\0"] {
            let text = json!({
                "config": {"Env": [env]}, "rootfs": {"type": "layers", "diff_ids": []},
            });
            assert!(parse(text.to_string().as_bytes(), 0).is_err(), "{env:?}");
        }
    }
}
