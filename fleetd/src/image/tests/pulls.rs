//! Pulls from a registry on loopback: Debian's docker-registry where it is installed, and a small
//! one that lies, stalls and breaks off.

use super::archives::Layout;
use super::fixture::{Scratch, Tar, gzip, left_behind, mounted, names, needs_root};
use crate::image::digest::Digest;
use crate::image::document::{OCI_CONFIG, OCI_INDEX, OCI_LAYER, OCI_MANIFEST};
use crate::image::platform::Platform;
use crate::image::{Error, ImageInfo, Progress, PullOptions, Store, config};
use serde_json::json;
use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// What the small registry does when a path is asked for.
#[derive(Clone)]
enum Answer {
    Ok {
        media_type: &'static str,
        body: Vec<u8>,
    },
    Status(u16, &'static str),
    /// Promises the length, sends half, closes.
    Cut(Vec<u8>),
    /// Promises the length, sends half, is silent until the client goes.
    Stall(Vec<u8>),
    /// 401 with a challenge unless the header is there.
    Locked {
        header: &'static str,
        challenge: String,
        then: Box<Answer>,
    },
}

type Answers = Arc<Mutex<HashMap<String, Vec<Answer>>>>;

/// Serves until the test process ends. The last answer of a path is given again and again.
struct Fake {
    host: String,
    answers: Answers,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Fake {
    fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let host = listener.local_addr().unwrap().to_string();
        let (answers, asked) = (Answers::default(), Arc::<Mutex<Vec<String>>>::default());
        let (table, log) = (answers.clone(), asked.clone());
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (table, log) = (table.clone(), log.clone());
                std::thread::spawn(move || {
                    // A client that goes away is not this side's failure.
                    let _ = serve(stream.unwrap(), &table, &log);
                });
            }
        });
        Self { host, answers, asked }
    }

    fn on(&self, path: &str, answers: Vec<Answer>) {
        self.answers.lock().unwrap().insert(path.to_owned(), answers);
    }

    fn serve_image(&self, layout: &Layout) {
        let ok = |media_type, body: &[u8]| vec![Answer::Ok { media_type, body: body.to_vec() }];
        self.on("/v2/a/b/manifests/1", ok(OCI_MANIFEST, &layout.manifest));
        for blob in [&layout.layer, &layout.config] {
            self.on(&blob_path(blob), ok("application/octet-stream", blob));
        }
    }

    fn count(&self, path: &str) -> usize {
        self.asked.lock().unwrap().iter().filter(|asked| *asked == path).count()
    }

    fn reference(&self) -> String {
        format!("{}/a/b:1", self.host)
    }
}

fn blob_path(blob: &[u8]) -> String {
    format!("/v2/a/b/blobs/{}", Digest::of(blob))
}

fn serve(stream: TcpStream, table: &Answers, log: &Mutex<Vec<String>>) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let target = line.split(' ').nth(1).unwrap_or_default().to_owned();
    let path = target.split('?').next().unwrap_or_default().to_owned();
    let mut headers = String::new();
    while !headers.ends_with("\r\n\r\n") && reader.read_line(&mut headers)? > 2 {}
    log.lock().unwrap().push(path.clone());
    let answer = {
        let mut table = table.lock().unwrap();
        match table.get_mut(&path) {
            None => Answer::Status(404, r#"{"errors":[{"code":"X","message":"unknown"}]}"#),
            Some(answers) if answers.len() > 1 => answers.remove(0),
            Some(answers) => answers[0].clone(),
        }
    };
    reply(stream, &headers.to_lowercase(), answer)
}

fn reply(mut stream: TcpStream, headers: &str, answer: Answer) -> std::io::Result<()> {
    let head = |stream: &mut TcpStream, status: u16, extra: &str, length: usize| {
        write!(
            stream,
            "HTTP/1.1 {status} X\r\nConnection: close\r\nContent-Length: {length}\r\n{extra}\r\n"
        )
    };
    match answer {
        Answer::Ok { media_type, body } => {
            head(&mut stream, 200, &format!("Content-Type: {media_type}\r\n"), body.len())?;
            stream.write_all(&body)
        }
        Answer::Status(status, body) => {
            head(&mut stream, status, "", body.len())?;
            stream.write_all(body.as_bytes())
        }
        Answer::Cut(body) => {
            head(&mut stream, 200, "", body.len())?;
            stream.write_all(&body[..body.len() / 2])
        }
        Answer::Stall(body) => {
            head(&mut stream, 200, "", body.len())?;
            stream.write_all(&body[..body.len() / 2])?;
            stream.read(&mut [0]).map(drop)
        }
        Answer::Locked { header, challenge, then } => {
            if headers.contains(&header.to_lowercase()) {
                return reply(stream, headers, *then);
            }
            head(&mut stream, 401, &format!("WWW-Authenticate: {challenge}\r\n"), 0)
        }
    }
}

fn layout(text: &str) -> Layout {
    Layout::new(&Tar::new().file("etc/motd", text.as_bytes()).file("big", &noise()).end())
}

/// Does not compress, so that half of a blob is a good part of it.
fn noise() -> Vec<u8> {
    let mut state = 1_u64;
    (0..200_000)
        .map(|_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 56) as u8
        })
        .collect()
}

/// Does not wait long before it tries again.
fn quick() -> PullOptions {
    PullOptions { backoff: Duration::from_millis(1), ..PullOptions::default() }
}

/// Nor for a registry that is silent. Only for one that is: a busy machine is slow too.
fn impatient(stall: Duration) -> PullOptions {
    PullOptions { stall, ..quick() }
}

fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

fn pull(store: &Store, reference: &str, options: PullOptions) -> Result<ImageInfo, Error> {
    run(store.pull(reference, options, |_| {}))
}

#[test]
fn an_image_is_pulled_with_progress_and_once() {
    needs_root!();
    let scratch = Scratch::new();
    let store = scratch.store();
    let fake = Fake::new();
    let layout = layout("pulled");
    fake.serve_image(&layout);
    let seen = Mutex::new(Vec::new());
    let info =
        run(store.pull(&fake.reference(), quick(), |p| seen.lock().unwrap().push(p))).unwrap();
    assert_eq!(info.names, [fake.reference()]);
    assert_eq!(info.digest, Digest::of(&layout.manifest).to_string());
    let (_, root) = mounted(&store, &fake.reference(), &scratch.dir("c"));
    assert_eq!(root.read("etc/motd"), "pulled");
    let seen = seen.into_inner().unwrap();
    let (digest, total) = (Digest::of(&layout.layer).to_string(), layout.layer.len() as u64);
    assert!(matches!(&seen[0], Progress::Manifest { layers: 1, bytes, .. } if *bytes == total));
    assert!(seen.contains(&Progress::Layer { digest: digest.clone(), done: total, total }));
    assert_eq!(seen.last(), Some(&Progress::LayerDone { digest: digest.clone(), shared: false }));

    // What is here is not fetched again.
    pull(&store, &fake.reference(), quick()).unwrap();
    assert_eq!(fake.count(&blob_path(&layout.layer)), 1);
}

#[test]
fn pulls_at_the_same_time_fetch_a_layer_once() {
    needs_root!();
    let scratch = Scratch::new();
    let store = scratch.store();
    let fake = Fake::new();
    let layout = layout("x");
    fake.serve_image(&layout);
    let reference = fake.reference();
    std::thread::scope(|scope| {
        let pulls: Vec<_> =
            (0..4).map(|_| scope.spawn(|| pull(&store, &reference, quick()).unwrap())).collect();
        let digests: Vec<_> = pulls.into_iter().map(|p| p.join().unwrap().digest).collect();
        assert!(digests.iter().all(|digest| *digest == digests[0]));
    });
    assert_eq!(fake.count(&blob_path(&layout.layer)), 1);
    assert_eq!(names(&scratch.path().join("store/layers")).len(), 1);
}

#[test]
fn an_index_leads_to_the_image_of_this_host() {
    needs_root!();
    let scratch = Scratch::new();
    let store = scratch.store();
    let fake = Fake::new();
    let layout = layout("x");
    fake.serve_image(&layout);
    let digest = Digest::of(&layout.manifest);
    let index = json!({"schemaVersion": 2, "manifests": [
        {"mediaType": OCI_MANIFEST, "digest": Digest::of(b"absent"), "size": 1,
         "platform": {"os": "linux", "architecture": "s390x"}},
        {"mediaType": OCI_MANIFEST, "digest": digest, "size": layout.manifest.len(),
         "platform": Platform::host()},
    ]});
    let index = index.to_string().into_bytes();
    let ok = |media_type, body: &[u8]| vec![Answer::Ok { media_type, body: body.to_vec() }];
    let by_digest = Digest::of(&index);
    fake.on(&format!("/v2/a/b/manifests/{by_digest}"), ok(OCI_INDEX, &index));
    fake.on(&format!("/v2/a/b/manifests/{digest}"), ok(OCI_MANIFEST, &layout.manifest));
    let reference = format!("{}/a/b@{by_digest}", fake.host);
    let info = pull(&store, &reference, quick()).unwrap();
    assert_eq!(info.digest, digest.to_string());
    assert_eq!(info.names, [""; 0], "a digest gives no name");
    assert!(store.find(&reference).unwrap().is_some());

    // A registry that answers with another document than the digest's.
    fake.on(&format!("/v2/a/b/manifests/{by_digest}"), ok(OCI_MANIFEST, &layout.manifest));
    let error = pull(&store, &reference, quick()).unwrap_err().to_string();
    assert!(error.contains("its content is"), "{error}");
}

#[test]
fn passing_faults_are_tried_again() {
    needs_root!();
    let scratch = Scratch::new();
    let store = scratch.store();
    let fake = Fake::new();
    let layout = layout("x");
    fake.serve_image(&layout);
    let ok = Answer::Ok { media_type: OCI_MANIFEST, body: layout.manifest.clone() };
    fake.on("/v2/a/b/manifests/1", vec![Answer::Status(503, ""), Answer::Status(429, ""), ok]);
    let whole = Answer::Ok { media_type: "x/y", body: layout.layer.clone() };
    let cut = Answer::Cut(layout.layer.clone());
    let stall = Answer::Stall(layout.layer.clone());
    fake.on(&blob_path(&layout.layer), vec![cut, stall, whole]);
    pull(&store, &fake.reference(), impatient(Duration::from_secs(3))).unwrap();
    assert_eq!(fake.count(&blob_path(&layout.layer)), 3);
    let (_, root) = mounted(&store, &fake.reference(), &scratch.dir("c"));
    assert_eq!(root.read("etc/motd"), "x");
}

#[test]
fn what_goes_wrong_is_said_and_nothing_is_left() {
    needs_root!();
    let scratch = Scratch::new();
    let store = scratch.store();
    let fake = Fake::new();
    let image = layout("x");
    let manifest = "/v2/a/b/manifests/1".to_owned();
    let layer = blob_path(&image.layer);
    let ok = |body: &[u8]| Answer::Ok { media_type: OCI_MANIFEST, body: body.to_vec() };
    let mut longer = image.layer.clone();
    longer.extend_from_slice(&[0; 10]);
    let both = String::from_utf8(image.manifest.clone())
        .unwrap()
        .replacen('{', r#"{"manifests":[],"#, 1)
        .into_bytes();
    let huge = vec![b' '; 5 << 20];
    let same_length: Vec<u8> = image.layer.iter().rev().copied().collect();
    let cases = [
        (&manifest, Answer::Status(404, ""), "no manifest 1 in", 1),
        (&manifest, Answer::Status(403, ""), "give user name and password", 1),
        (&manifest, Answer::Status(500, "oops"), "answers 500 Internal Server Error (tried 3", 3),
        (&manifest, ok(&both), "manifest and index at once", 1),
        (&manifest, ok(b"{}"), "missing field", 1),
        (&manifest, ok(&huge), "more than 4194304 bytes", 1),
        (&manifest, Answer::Stall(image.manifest.clone()), "no answer for 0.3 s (tried 3", 3),
        (&layer, Answer::Status(404, ""), "no blob sha256:", 1),
        (&layer, Answer::Cut(image.layer.clone()), "(tried 3 times)", 3),
        (&layer, Answer::Stall(image.layer.clone()), "no answer for 0.3 s (tried 3", 3),
        (&layer, ok(&longer), "more than", 1),
        (&layer, ok(&same_length), "not a tar archive", 1),
        (&layer, ok(&gzip(&Tar::new().file("other", b"").end())), "bytes came", 3),
        (&blob_path(&image.config), ok(b"{}"), "its content is", 1),
    ];
    for (path, answer, expected, asked) in cases {
        fake.serve_image(&image);
        let options = match answer {
            Answer::Stall(_) => impatient(Duration::from_millis(300)),
            _ => quick(),
        };
        fake.on(path, vec![answer]);
        fake.asked.lock().unwrap().clear();
        let error = pull(&store, &fake.reference(), options).unwrap_err().to_string();
        assert!(error.contains(expected), "{expected}: {error}");
        assert_eq!(fake.count(path), asked, "{expected}");
        assert_eq!(left_behind(&scratch.path().join("store")), [""; 0], "{expected}");
    }
    assert!(store.list().unwrap().is_empty());
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let error = pull(&store, &format!("{nobody}/a:1"), quick()).unwrap_err().to_string();
    assert!(error.ends_with("connection refused (tried 3 times)"), "{error}");
}

#[test]
fn a_pull_that_is_dropped_leaves_nothing() {
    needs_root!();
    let scratch = Scratch::new();
    let store = scratch.store();
    let fake = Fake::new();
    let layout = layout("x");
    fake.serve_image(&layout);
    fake.on(&blob_path(&layout.layer), vec![Answer::Stall(layout.layer.clone())]);
    let (begun, mut stalled) = tokio::sync::mpsc::unbounded_channel();
    run(async {
        let reference = fake.reference();
        let options = PullOptions { stall: Duration::from_secs(600), ..quick() };
        let pull = store.pull(&reference, options, move |progress| {
            if matches!(progress, Progress::Layer { done: 1.., .. }) {
                let _ = begun.send(());
            }
        });
        tokio::select! {
            result = pull => panic!("it ended: {result:?}"),
            _ = stalled.recv() => {}
        }
    });
    // The runtime has waited for the blocking half to end.
    assert_eq!(left_behind(&scratch.path().join("store")), [""; 0]);
}

#[test]
fn credentials_go_to_the_server_that_asks() {
    needs_root!();
    let scratch = Scratch::new();
    let store = scratch.store();
    let fake = Fake::new();
    let image = layout("x");
    let user = PullOptions {
        username: Some("me".to_owned()),
        password: Some("secret".to_owned()),
        ..quick()
    };
    let locked = |header, challenge: &str, body: &[u8]| Answer::Locked {
        header,
        challenge: challenge.to_owned(),
        then: Box::new(Answer::Ok { media_type: OCI_MANIFEST, body: body.to_vec() }),
    };
    // me:secret in base64
    let basic = "authorization: Basic bWU6c2VjcmV0";
    let bearer = format!(r#"Bearer realm="http://{}/token",service="s""#, fake.host);
    for (header, challenge) in
        [(basic, "Basic realm=\"x\""), ("authorization: Bearer t0ken", &bearer)]
    {
        fake.serve_image(&image);
        let manifest = locked(header, challenge, &image.manifest);
        fake.on("/v2/a/b/manifests/1", vec![manifest]);
        fake.on("/token", vec![locked(basic, "Basic", br#"{"token":"t0ken"}"#)]);
        let error = pull(&store, &fake.reference(), quick()).unwrap_err().to_string();
        assert!(error.contains("give user name and password"), "{error}");
        pull(&store, &fake.reference(), user.clone()).unwrap();
        store.remove(&fake.reference(), &HashMap::new()).unwrap();
    }
    // Never in the clear to another host.
    let insecure = PullOptions { insecure: true, ..user };
    let error = pull(&store, "192.0.2.1/a:1", insecure).unwrap_err().to_string();
    assert!(error.contains("a password is not sent"), "{error}");
}

/// Debian's registry on a port of its own; ends with the value.
struct DockerRegistry {
    child: Child,
    host: String,
}

impl DockerRegistry {
    fn start(scratch: &Scratch) -> Option<Self> {
        let program = "/usr/bin/docker-registry";
        if !std::path::Path::new(program).exists() {
            println!("SKIPPED: needs docker-registry");
            return None;
        }
        let file = scratch.path().join("registry.yml");
        let storage = scratch.dir("registry");
        let text = format!(
            "version: 0.1\nlog: {{level: info}}\nstorage: {{filesystem: {{rootdirectory: {}}}}}\n\
             http: {{addr: '127.0.0.1:0'}}\n",
            storage.display()
        );
        std::fs::write(&file, text).unwrap();
        let mut child = Command::new(program)
            .arg("serve")
            .arg(&file)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let host = lines.by_ref().find_map(|line| {
            let line = line.unwrap();
            let (_, rest) = line.split_once("listening on ")?;
            Some(rest.split(['"', ' ', ',']).next().unwrap().to_owned())
        });
        // It must be able to go on writing.
        std::thread::spawn(move || lines.for_each(drop));
        Some(Self { child, host: host.expect("the registry did not start") })
    }

    async fn push(&self, layout: &Layout) {
        let base = format!("http://{}/v2/team/app", self.host);
        let client = reqwest::Client::builder().tls_certs_only([]).build().unwrap();
        for blob in [&layout.layer, &layout.config] {
            let begun = client.post(format!("{base}/blobs/uploads/")).send().await.unwrap();
            let location = begun.headers()["location"].to_str().unwrap();
            let mut url = reqwest::Url::parse(&base).unwrap().join(location).unwrap();
            url.query_pairs_mut().append_pair("digest", Digest::of(blob).as_str());
            let done = client.put(url).body(blob.clone()).send().await.unwrap();
            assert_eq!(done.status(), 201);
        }
        let manifest = client
            .put(format!("{base}/manifests/v1"))
            .header("content-type", OCI_MANIFEST)
            .body(layout.manifest.clone());
        assert_eq!(manifest.send().await.unwrap().status(), 201);
    }
}

impl Drop for DockerRegistry {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_real_registry_gives_what_was_pushed() {
    needs_root!();
    let scratch = Scratch::new();
    let Some(registry) = DockerRegistry::start(&scratch) else { return };
    let store = scratch.store();
    let layout = layout("from a real registry");
    let reference = format!("{}/team/app:v1", registry.host);
    run(async {
        // The first pull chooses the TLS library that the test's own client needs too.
        let early = store.pull(&reference, PullOptions::default(), |_| {}).await;
        let error = early.unwrap_err().to_string();
        assert!(error.contains("no manifest v1 in"), "{error}");
        registry.push(&layout).await;
        let info = store.pull(&reference, PullOptions::default(), |_| {}).await.unwrap();
        assert_eq!(info.digest, Digest::of(&layout.manifest).to_string());
        let by_digest = format!("{}/team/app@{}", registry.host, info.digest);
        store.pull(&by_digest, PullOptions::default(), |_| {}).await.unwrap();
    });
    let (_, root) = mounted(&store, &reference, &scratch.dir("c"));
    assert_eq!(root.read("etc/motd"), "from a real registry");
}

#[test]
fn an_image_of_no_layer_types_that_we_know_is_refused_before_anything_is_fetched() {
    needs_root!();
    let scratch = Scratch::new();
    let store = scratch.store();
    let fake = Fake::new();
    let config = config::make(&[Digest::of(b"x")]);
    let manifest = json!({
        "schemaVersion": 2, "mediaType": OCI_MANIFEST,
        "config": {"mediaType": OCI_CONFIG, "digest": Digest::of(&config), "size": config.len()},
        "layers": [{"mediaType": format!("{OCI_LAYER}+encrypted"),
                    "digest": Digest::of(b"y"), "size": 1}],
    });
    let body = manifest.to_string().into_bytes();
    fake.on("/v2/a/b/manifests/1", vec![Answer::Ok { media_type: OCI_MANIFEST, body }]);
    let error = pull(&store, &fake.reference(), quick()).unwrap_err().to_string();
    assert!(error.contains("+encrypted is not supported"), "{error}");
    assert_eq!(fake.asked.lock().unwrap().len(), 1);
}
