//! image import, pull, list, rm.

use crate::server::{Reply, Server};
use serde_json::{Value, json};

fn image() -> Value {
    json!({"names": ["web", "web:1"], "digest": format!("sha256:{}", "ab".repeat(32)),
        "size": 1_572_864, "layers": 1, "imported": 0, "used_by": ["web.container"]})
}

fn server() -> Server {
    Server::new(vec![
        ("GET /v1/images", Reply::Json(200, json!([image()]))),
        ("POST /v1/images", Reply::Json(200, image())),
        ("POST /v1/images/pull", Reply::Json(200, image())),
        ("DELETE /v1/images/docker.io%2Fweb%3A1", Reply::Json(200, Value::Null)),
    ])
}

#[test]
fn a_directory_is_sent_as_a_tar() {
    let server = server();
    server.write("root/bin/a", "program");
    server.write("root/etc/b", &"x".repeat(1_000_000));
    let ran = server.run(&["image", "import", "root"]);
    assert_eq!((ran.code, ran.out.as_str()), (0, "web is here: 1.5 MiB, 1 layer\n"), "{}", ran.err);
    let requests = server.bodies();
    let (route, body) = &requests[0];
    assert_eq!(route, "POST /v1/images?name=root");
    let mut archive = tar::Archive::new(body.as_slice());
    let names: Vec<String> = archive
        .entries()
        .unwrap()
        .map(|entry| entry.unwrap().path().unwrap().display().to_string())
        .collect();
    assert_eq!(names, ["bin", "bin/a", "etc", "etc/b"]);
}

#[test]
fn a_file_is_sent_as_it_is() {
    let server = server();
    server.write("web.tar", "bytes");
    assert_eq!(server.run(&["image", "import", "web.tar", "web"]).code, 0);
    assert_eq!(server.run(&["image", "import", "web.tar"]).code, 0);
    let requests = server.bodies();
    assert_eq!(requests[0], ("POST /v1/images?name=web".to_owned(), b"bytes".to_vec()));
    assert_eq!(requests[1].0, "POST /v1/images", "an archive may name its image itself");
}

#[test]
fn what_cannot_be_read_is_told_and_the_upload_is_cut() {
    let server = server();
    let ran = server.run(&["image", "import", "nowhere"]);
    assert_eq!(ran.err, "fleetctl: read nowhere: no such file or directory\n");
    // Reading it as a file gives an I/O error: the address 0 of a process is not mapped.
    let ran = server.run(&["image", "import", "/proc/self/mem", "mem"]);
    assert_eq!(ran.code, 1);
    assert_eq!(ran.err, "fleetctl: send /proc/self/mem: input/output error\n");
    assert!(server.bodies().iter().all(|(_, body)| body == b"cut"));
}

#[test]
fn a_refusal_is_what_is_told() {
    let problem = json!({"kind": "no_space", "message": "unpack bin/a: no space left on device",
        "hint": "fleetctl image rm"});
    let server = Server::new(vec![("POST /v1/images", Reply::Early(507, problem))]);
    server.write("root/bin/a", &"x".repeat(20_000_000));
    let ran = server.run(&["image", "import", "root"]);
    let expected = "fleetctl: unpack bin/a: no space left on device (fleetctl image rm)\n";
    assert_eq!((ran.code, ran.err.as_str()), (1, expected));
}

#[test]
fn images_are_listed_by_name() {
    let ran = server().run(&["image", "list", "--fields=image,digest,size,used"]);
    assert_eq!(
        ran.out,
        "\
IMAGE  DIGEST        SIZE     USED
web    abababababab  1.5 MiB  web.container
web:1  abababababab  1.5 MiB  web.container
"
    );
}

#[test]
fn images_are_pulled_and_removed() {
    let server = server();
    assert_eq!(server.run(&["image", "pull", "docker.io/web:1"]).code, 0);
    assert_eq!(server.run(&["image", "rm", "docker.io/web:1"]).out, "docker.io/web:1 removed\n");
    let ran = server.run(&["image", "rm", "nix"]);
    assert_eq!((ran.code, ran.err.as_str()), (1, "fleetctl: find it: there is none\n"));
}
