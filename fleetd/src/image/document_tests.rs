use super::*;
use serde_json::json;

fn digest(text: &str) -> Digest {
    Digest::of(text.as_bytes())
}

fn good() -> serde_json::Value {
    json!({
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": {"mediaType": OCI_CONFIG, "digest": digest("c"), "size": 2},
        "layers": [{"mediaType": OCI_LAYER, "digest": digest("l"), "size": 10}],
    })
}

fn reason(document: &serde_json::Value, outside: Option<&str>) -> String {
    parse(document.to_string().as_bytes(), outside).unwrap_err()
}

#[test]
fn a_manifest_is_read() {
    let Document::Manifest(manifest) = parse(good().to_string().as_bytes(), None).unwrap() else {
        panic!("an index");
    };
    assert_eq!(manifest.layers[0].digest, digest("l"));
}

#[test]
fn cve_2021_41190_a_document_that_is_manifest_and_index_is_refused() {
    let mut both = good();
    both["manifests"] = json!([]);
    assert!(reason(&both, None).contains("manifest and index at once"));
    both["mediaType"] = json!(OCI_INDEX);
    assert!(reason(&both, None).contains("manifest and index at once"));
    both.as_object_mut().unwrap().remove("layers");
    assert!(reason(&both, None).contains("manifest and index at once"));
}

#[test]
fn cve_2021_41190_media_types_inside_and_outside_must_agree() {
    assert!(reason(&good(), Some(OCI_INDEX)).contains("came as"));
    assert!(parse(good().to_string().as_bytes(), Some(OCI_MANIFEST)).is_ok());
}

#[test]
fn what_is_no_container_image_is_refused() {
    let mut chart = good();
    chart["config"]["mediaType"] = json!("application/vnd.cncf.helm.config.v1+json");
    assert!(reason(&chart, None).contains("not a container image"));

    let mut encrypted = good();
    encrypted["layers"][0]["mediaType"] = json!("application/vnd.oci.image.layer.v1.tar+encrypted");
    assert!(reason(&encrypted, None).contains("is not supported"));

    let mut old = good();
    old["schemaVersion"] = json!(1);
    assert!(reason(&old, None).contains("schema version 1"));

    let mut path = good();
    path["layers"][0]["digest"] = json!("sha256:../../etc");
    assert!(reason(&path, None).contains("is not a digest"));
}

#[test]
fn too_many_layers_and_too_large_documents_are_refused() {
    let mut tall = good();
    tall["layers"] = json!(vec![good()["layers"][0].clone(); 501]);
    assert!(reason(&tall, None).contains("at most 500"));
    let blank = vec![b' '; limits::DOCUMENT + 1];
    assert!(parse(&blank, None).unwrap_err().contains("more than"));
}

fn index(platforms: &[(&str, Option<&str>)]) -> Vec<Descriptor> {
    platforms
        .iter()
        .map(|&(architecture, variant)| Descriptor {
            media_type: OCI_MANIFEST.to_owned(),
            digest: digest(&format!("{architecture}{variant:?}")),
            size: 1,
            platform: Some(Platform {
                os: if architecture == "unknown" { "unknown" } else { "linux" }.to_owned(),
                architecture: architecture.to_owned(),
                variant: variant.map(str::to_owned),
            }),
            annotations: None,
        })
        .collect()
}

#[test]
fn the_image_of_the_hosts_platform_is_chosen() {
    let host = |architecture: &str| Platform {
        os: "linux".to_owned(),
        architecture: architecture.to_owned(),
        variant: None,
    };
    let all = index(&[
        ("unknown", None),
        ("arm64", Some("v8")),
        ("amd64", Some("v3")),
        ("amd64", None),
        ("arm", Some("v7")),
    ]);
    assert_eq!(choose(&all, &host("amd64")).unwrap().digest, all[3].digest);
    assert_eq!(choose(&all, &host("arm64")).unwrap().digest, all[1].digest);
    let reason = choose(&all, &host("riscv64")).unwrap_err();
    let expected = "no image for linux/riscv64, only for linux/arm64/v8, linux/amd64/v3, linux/amd64, linux/arm/v7";
    assert_eq!(reason, expected);
}
