use super::fixture::{Scratch, Tar, gzip, left_behind, mounted, names, needs_root};
use crate::image::digest::Digest;
use crate::image::document::{OCI_CONFIG, OCI_INDEX, OCI_LAYER, OCI_MANIFEST};
use crate::image::platform::Platform;
use crate::image::{Error, config};
use serde_json::json;
use std::collections::HashMap;

fn root_fs(text: &str) -> Vec<u8> {
    Tar::new().dir("./", 0o755).dir("./etc/", 0o755).file("./etc/motd", text.as_bytes()).end()
}

/// An OCI layout of one image, in the order that `tar` of a directory may give.
pub(in crate::image) struct Layout {
    pub(in crate::image) layer: Vec<u8>,
    pub(in crate::image) config: Vec<u8>,
    pub(in crate::image) manifest: Vec<u8>,
    annotations: serde_json::Value,
}

impl Layout {
    pub(in crate::image) fn new(tar: &[u8]) -> Self {
        let config = config::make(&[Digest::of(tar)]);
        let layer = gzip(tar);
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "config": {"mediaType": OCI_CONFIG, "digest": Digest::of(&config), "size": config.len()},
            "layers": [{
                "mediaType": format!("{OCI_LAYER}+gzip"),
                "digest": Digest::of(&layer), "size": layer.len(),
            }],
        });
        let manifest = manifest.to_string().into_bytes();
        let annotations = json!({"org.opencontainers.image.ref.name": "web:1"});
        Self { layer, config, manifest, annotations }
    }

    fn members(&self) -> Tar {
        [&self.layer, &self.config, &self.manifest].iter().fold(Tar::new(), |tar, blob| {
            tar.file(&format!("blobs/sha256/{}", Digest::of(blob).hex()), blob)
        })
    }

    /// An image index around the manifest, as `docker buildx` makes.
    fn index(&self) -> Vec<u8> {
        json!({
            "schemaVersion": 2, "mediaType": OCI_INDEX,
            "manifests": [
                {"mediaType": OCI_MANIFEST, "digest": Digest::of(b"absent"), "size": 1,
                 "platform": {"os": "linux", "architecture": "s390x"}},
                {"mediaType": OCI_MANIFEST, "digest": Digest::of(&self.manifest),
                 "size": self.manifest.len(), "platform": Platform::host()},
            ],
        })
        .to_string()
        .into_bytes()
    }

    fn tar(&self) -> Vec<u8> {
        let index = self.index();
        let top = json!({"schemaVersion": 2, "manifests": [{
            "mediaType": OCI_INDEX, "digest": Digest::of(&index), "size": index.len(),
            "annotations": self.annotations,
        }]});
        self.members()
            .file(&format!("blobs/sha256/{}", Digest::of(&index).hex()), &index)
            .file("oci-layout", br#"{"imageLayoutVersion":"1.0.0"}"#)
            .file("index.json", top.to_string().as_bytes())
            .end()
    }
}

#[test]
fn a_root_file_system_becomes_an_image_that_can_be_mounted() {
    needs_root!();
    let scratch = Scratch::new();
    let store = scratch.store();
    let tar = root_fs("hello");
    let info = store.import(&tar[..], "hello").unwrap();
    assert_eq!(info.names, ["hello:latest"]);
    assert_eq!(info.layers, 1);
    assert_eq!(info.size, 5);
    assert!(info.warnings.is_empty());

    let (image, root) = mounted(&store, "hello", &scratch.dir("c1"));
    assert_eq!(root.read("etc/motd"), "hello");
    std::fs::write(root.path("etc/motd"), "changed").unwrap();
    let (_, other) = mounted(&store, &info.digest[7..20], &scratch.dir("c2"));
    assert_eq!(other.read("etc/motd"), "hello", "containers must not see each other's changes");
    assert_eq!(image.layers[0], Digest::of(&tar));

    // The same content, compressed and under another name, is the same image.
    let again = store.import(&gzip(&tar)[..], "other:2").unwrap();
    assert_eq!(again.digest, info.digest);
    assert_eq!(again.names, ["hello:latest", "other:2"]);
    assert_eq!(store.list().unwrap().len(), 1);
    assert_eq!(names(&scratch.path().join("store/layers")).len(), 1);
}

#[test]
fn an_oci_layout_is_imported_for_this_host() {
    needs_root!();
    let scratch = Scratch::new();
    let store = scratch.store();
    let layout = Layout::new(&root_fs("layout"));
    let info = store.import(&layout.tar()[..], "").unwrap();
    assert_eq!(info.names, ["web:1"]);
    assert_eq!(info.digest, Digest::of(&layout.manifest).to_string());
    let by_index = format!("web@{}", Digest::of(&layout.index()));
    assert!(store.find(&by_index).unwrap().is_some());
    let (_, root) = mounted(&store, "web:1", &scratch.dir("c"));
    assert_eq!(root.read("etc/motd"), "layout");

    let renamed = store.import(&layout.tar()[..], "mine").unwrap();
    assert_eq!(renamed.names, ["mine:latest", "web:1"]);
}

#[test]
fn what_docker_save_writes_is_imported_with_shared_layers_linked() {
    needs_root!();
    let scratch = Scratch::new();
    let store = scratch.store();
    let (one, two) = (root_fs("one"), Tar::new().file("etc/two", b"2").end());
    let config = config::make(&[Digest::of(&one), Digest::of(&two), Digest::of(&one)]);
    let id = |n: u8| format!("{n:x}").repeat(64);
    let config_name = format!("{}.json", Digest::of(&config).hex());
    let manifest = json!([{
        "Config": config_name, "RepoTags": ["saved:7"],
        "Layers": [format!("{}/layer.tar", id(1)), format!("{}/layer.tar", id(2)),
                   format!("{}/layer.tar", id(3))],
    }]);
    let archive = Tar::new()
        .dir(&format!("{}/", id(1)), 0o755)
        .file(&format!("{}/VERSION", id(1)), b"1.0")
        .file(&format!("{}/layer.tar", id(1)), &one)
        .file(&format!("{}/layer.tar", id(2)), &two)
        .symlink(&format!("{}/layer.tar", id(3)), &format!("../{}/layer.tar", id(1)))
        .file(&config_name, &config)
        .file("manifest.json", manifest.to_string().as_bytes())
        .end();
    let info = store.import(&archive[..], "").unwrap();
    assert_eq!((info.names, info.layers), (vec!["saved:7".to_owned()], 3));
    assert_eq!(names(&scratch.path().join("store/layers")).len(), 2);
    let (_, root) = mounted(&store, "saved:7", &scratch.dir("c"));
    assert_eq!(root.names("etc"), ["motd", "two"]);
}

#[test]
fn what_is_no_image_is_refused_and_nothing_is_left() {
    needs_root!();
    let scratch = Scratch::new();
    let store = scratch.store();
    let layout = Layout::new(&root_fs("x"));
    let blob = format!("blobs/sha256/{}", Digest::of(b"x").hex());
    let cut = root_fs("x");
    let cases: Vec<(&str, Vec<u8>, &str)> = vec![
        ("nothing", vec![], "nothing in it"),
        ("text", vec![b'x'; 4096], "not a tar archive"),
        ("empty tar", vec![0; 1024], "nothing in it"),
        ("cut short", cut[..cut.len() - 2000].to_vec(), "cut short"),
        ("a foreign file", layout.members().file("bin/sh", b"").end(), "neither"),
        ("no index", layout.members().end(), "manifest.json is missing"),
        ("a false blob", Tar::new().file(&blob, b"y").end(), "the content of"),
        (
            "a config of another image",
            {
                let mut other = Layout::new(&root_fs("a"));
                other.layer = Layout::new(&root_fs("b")).layer;
                other.manifest = Layout {
                    manifest: String::from_utf8(other.manifest)
                        .unwrap()
                        .replace(
                            Digest::of(&gzip(&root_fs("a"))).as_str(),
                            Digest::of(&other.layer).as_str(),
                        )
                        .into_bytes(),
                    ..Layout::new(b"")
                }
                .manifest;
                other.tar()
            },
            "its content is",
        ),
    ];
    for (what, bytes, expected) in cases {
        let error = store.import(&bytes[..], "x").unwrap_err().to_string();
        assert!(error.contains(expected), "{what}: {error}");
        assert_eq!(left_behind(&scratch.path().join("store")), [""; 0], "{what}");
    }
    assert!(matches!(store.import(&root_fs("x")[..], ""), Err(Error::Reference { .. })));
    assert!(matches!(store.import(&root_fs("x")[..], "a b"), Err(Error::Reference { .. })));
    assert!(store.list().unwrap().is_empty());
}

#[test]
fn an_image_goes_with_its_last_name_and_leaves_what_others_share() {
    needs_root!();
    let scratch = Scratch::new();
    let store = scratch.store();
    let dir = scratch.path().join("store");
    let nobody = HashMap::new();
    let layout = Layout::new(&root_fs("shared"));
    let digest = store.import(&layout.tar()[..], "a").unwrap().digest;
    store.import(&layout.tar()[..], "b").unwrap();
    store.import(&root_fs("shared")[..], "c").unwrap();
    assert_eq!(names(&dir.join("layers")).len(), 1);

    store.remove("a", &nobody).unwrap();
    assert!(store.find("a").unwrap().is_none());
    assert!(store.find(&digest).unwrap().is_some());

    let busy = HashMap::from([(digest.clone(), vec!["web.container".to_owned()])]);
    let error = store.remove("b", &busy).unwrap_err().to_string();
    assert_eq!(error, "remove image b: unit web.container runs from it; stop it first");
    assert!(matches!(store.remove(&digest, &busy), Err(Error::InUse { .. })));
    let (_, root) = mounted(&store, "b", &scratch.dir("c"));

    drop(root);
    store.remove("b", &nobody).unwrap();
    assert_eq!(names(&dir.join("layers")).len(), 1, "c still has it");
    store.remove("c", &nobody).unwrap();
    assert_eq!(left_behind(&dir), [""; 0]);
    assert!(matches!(store.remove("c", &nobody), Err(Error::NotFound(_))));
}

#[test]
fn a_store_is_open_once() {
    needs_root!();
    let scratch = Scratch::new();
    let store = scratch.store();
    let error = crate::image::Store::open(&scratch.path().join("store")).err().unwrap();
    assert!(error.to_string().ends_with("another fleetd has it open"), "{error}");
    drop(store);
    scratch.store();
}
