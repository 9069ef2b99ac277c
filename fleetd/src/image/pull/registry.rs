//! One repository of a registry, as distribution-spec describes it: manifests, blobs, tokens.
//!
//! Every answer is bounded, which is why this is written on `reqwest`: `oci-client` 0.18 reads
//! manifests, errors and tokens of any size into memory, and follows a manifest's `urls` to
//! wherever they lead.

use super::stream::Sender;
use super::{Error, PullOptions};
use crate::image::digest::Digest;
use crate::image::document::{self, Descriptor};
use crate::image::limits;
use crate::image::reference::Name;
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, WWW_AUTHENTICATE};
use reqwest::{Client, Response, StatusCode, Url, redirect};
use std::future::Future;
use std::net::IpAddr;
use std::sync::Once;
use std::time::Duration;
use tokio::sync::Mutex;

const ATTEMPTS: u32 = 3;
const REDIRECTS: usize = 5;
/// Of a token or an error.
const SHORT_ANSWER: usize = 64 * 1024;

/// Why something did not come. Each text is a phrase.
#[derive(Debug)]
pub(super) enum Failure {
    /// The network, or a registry that is overloaded: worth another try.
    Passing(String),
    Final(String),
    /// On our side.
    Store(Error),
}

impl Failure {
    pub(super) fn of(self, reference: &str) -> Error {
        match self {
            Self::Passing(cause) | Self::Final(cause) => {
                Error::Registry { reference: reference.to_owned(), cause }
            }
            Self::Store(error) => error,
        }
    }
}

pub(super) struct Registry {
    client: Client,
    /// `https://HOST/v2/REPOSITORY/`
    base: Url,
    host: String,
    repository: String,
    credentials: Option<(String, Option<String>)>,
    stall: Duration,
    backoff: Duration,
    /// What the registry wants to see, once it said so.
    authorization: Mutex<Option<String>>,
}

impl Registry {
    /// Does not connect yet.
    pub(super) fn connect(name: &Name, options: &PullOptions) -> Result<Self, Failure> {
        let host = match name.registry.as_str() {
            "docker.io" => "registry-1.docker.io",
            other => other,
        };
        let url = |scheme: &str| {
            let text = format!("{scheme}://{host}/v2/{}/", name.repository);
            Url::parse(&text).map_err(|e| Failure::Final(format!("{}: {e}", name.registry)))
        };
        let loopback = is_loopback(&url("http")?);
        let plain = loopback || options.insecure;
        let base = url(if plain { "http" } else { "https" })?;
        if plain && !loopback && options.password.is_some() {
            return Err(Failure::Final(
                "a password is not sent over plain HTTP to another host".to_owned(),
            ));
        }
        Ok(Self {
            client: client(plain, options.stall)?,
            base,
            host: name.registry.clone(),
            repository: name.repository.clone(),
            credentials: options.username.clone().map(|user| (user, options.password.clone())),
            stall: options.stall,
            backoff: options.backoff,
            authorization: Mutex::new(None),
        })
    }

    /// Does `attempt` again after failures that may pass.
    pub(super) async fn retry<T, F>(&self, attempt: impl Fn() -> F) -> Result<T, Failure>
    where
        F: Future<Output = Result<T, Failure>>,
    {
        let mut pause = self.backoff;
        for _ in 1..ATTEMPTS {
            match attempt().await {
                Err(Failure::Passing(_)) => tokio::time::sleep(pause).await,
                other => return other,
            }
            pause *= 2;
        }
        match attempt().await {
            Err(Failure::Passing(cause)) => {
                Err(Failure::Passing(format!("{cause} (tried {ATTEMPTS} times)")))
            }
            other => other,
        }
    }

    /// The document at a tag or digest, checked if the digest is known, and its media type.
    pub(super) async fn manifest(
        &self,
        place: &str,
        digest: Option<&Digest>,
    ) -> Result<(Vec<u8>, Option<String>), Failure> {
        let what = format!("manifest {place}");
        self.retry(|| async {
            let response = self.get(&format!("manifests/{place}"), &what).await?;
            let media_type = header(response.headers(), CONTENT_TYPE.as_str());
            let bytes = self.body(response, limits::DOCUMENT, &what).await?;
            check(&bytes, digest, &what)?;
            // A server that knows no better says `application/json`.
            let media_type = media_type.filter(|t| document::ACCEPTED.contains(&t.as_str()));
            Ok((bytes, media_type))
        })
        .await
    }

    /// A small blob, checked.
    pub(super) async fn blob_bytes(&self, blob: &Descriptor) -> Result<Vec<u8>, Failure> {
        let what = format!("blob {}", blob.digest);
        self.retry(|| async {
            let response = self.blob(&blob.digest).await?;
            let bytes = self.body(response, limits::DOCUMENT, &what).await?;
            check(&bytes, Some(&blob.digest), &what)?;
            Ok(bytes)
        })
        .await
    }

    pub(super) async fn blob(&self, digest: &Digest) -> Result<Response, Failure> {
        self.get(&format!("blobs/{digest}"), &format!("blob {digest}")).await
    }

    /// Hands a blob's content on, piece by piece. Ends early, without an error, if nobody reads.
    pub(super) async fn send(
        &self,
        mut response: Response,
        sender: &mut Sender,
        total: u64,
        report: &impl Fn(u64),
    ) -> Result<(), Failure> {
        let mut done = 0;
        report(0);
        while let Some(piece) = self.piece(&mut response, "layer").await? {
            done += piece.len() as u64;
            if !sender.send(piece).await {
                return Ok(());
            }
            report(done.min(total));
        }
        if done < total {
            return Err(Failure::Passing(format!("layer: {done} of {total} bytes came")));
        }
        Ok(())
    }

    async fn get(&self, path: &str, what: &str) -> Result<Response, Failure> {
        let url = self.base.join(path).map_err(|e| Failure::Final(format!("{what}: {e}")))?;
        let response = self.request(&url).await?;
        let response = if response.status() == StatusCode::UNAUTHORIZED {
            self.authorize(response.headers()).await?;
            self.request(&url).await?
        } else {
            response
        };
        match response.status() {
            StatusCode::OK => Ok(response),
            status => Err(self.refused(status, response, what).await),
        }
    }

    async fn request(&self, url: &Url) -> Result<Response, Failure> {
        let mut request = self.client.get(url.clone());
        for media_type in document::ACCEPTED {
            request = request.header(ACCEPT, *media_type);
        }
        if let Some(value) = self.authorization.lock().await.clone() {
            request = request.header(AUTHORIZATION, value);
        }
        self.answer(request.send()).await
    }

    async fn answer<T>(
        &self,
        answer: impl Future<Output = reqwest::Result<T>>,
    ) -> Result<T, Failure> {
        match tokio::time::timeout(self.stall, answer).await {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(e)) if e.is_redirect() || e.is_builder() => Err(Failure::Final(root_cause(&e))),
            Ok(Err(e)) => Err(Failure::Passing(format!("{}: {}", self.host, root_cause(&e)))),
            Err(_) => {
                let seconds = self.stall.as_secs_f32();
                Err(Failure::Passing(format!("{}: no answer for {seconds} s", self.host)))
            }
        }
    }

    async fn piece(&self, response: &mut Response, what: &str) -> Result<Option<Vec<u8>>, Failure> {
        let piece = self.answer(response.chunk()).await.map_err(|failure| match failure {
            Failure::Passing(cause) => Failure::Passing(format!("{what}: {cause}")),
            other => other,
        })?;
        Ok(piece.map(|bytes| bytes.to_vec()))
    }

    async fn body(
        &self,
        mut response: Response,
        limit: usize,
        what: &str,
    ) -> Result<Vec<u8>, Failure> {
        let mut bytes = Vec::new();
        while let Some(piece) = self.piece(&mut response, what).await? {
            if bytes.len() + piece.len() > limit {
                return Err(Failure::Final(format!("{what}: more than {limit} bytes")));
            }
            bytes.extend_from_slice(&piece);
        }
        Ok(bytes)
    }

    async fn refused(&self, status: StatusCode, response: Response, what: &str) -> Failure {
        let said = self.body(response, SHORT_ANSWER, what).await.unwrap_or_default();
        let said = message(&said).map(|text| format!(" ({text})")).unwrap_or_default();
        let cause = match status {
            StatusCode::NOT_FOUND => {
                format!("no {what} in {}/{}{said}", self.host, self.repository)
            }
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                let hint = match self.credentials {
                    Some(_) => "check user name and password",
                    None => "give user name and password",
                };
                format!(
                    "{} refuses {}: no such repository, or it is private; {hint}{said}",
                    self.host, self.repository
                )
            }
            other => format!("{what}: {} answers {other}{said}", self.host),
        };
        let passing = status.is_server_error()
            || [StatusCode::TOO_MANY_REQUESTS, StatusCode::REQUEST_TIMEOUT].contains(&status);
        if passing { Failure::Passing(cause) } else { Failure::Final(cause) }
    }

    /// Answers the registry's challenge: Basic, or a token from the server that it names.
    async fn authorize(&self, headers: &HeaderMap) -> Result<(), Failure> {
        let challenge = header(headers, WWW_AUTHENTICATE.as_str()).unwrap_or_default();
        let (scheme, rest) = challenge.split_once(' ').unwrap_or((&challenge, ""));
        let value = if scheme.eq_ignore_ascii_case("basic") {
            let Some((user, password)) = &self.credentials else { return Ok(()) };
            let request = self.client.get(self.base.clone()).basic_auth(user, password.as_ref());
            let request = request.build().map_err(|e| Failure::Final(root_cause(&e)))?;
            header(request.headers(), AUTHORIZATION.as_str())
        } else if scheme.eq_ignore_ascii_case("bearer") {
            Some(format!("Bearer {}", self.token(rest).await?))
        } else {
            return Err(Failure::Final(format!(
                "{} asks for an authentication that is not supported: {}",
                self.host,
                scheme.escape_debug()
            )));
        };
        *self.authorization.lock().await = value;
        Ok(())
    }

    async fn token(&self, challenge: &str) -> Result<String, Failure> {
        let bad = |cause: &str| Failure::Final(format!("token of {}: {cause}", self.host));
        let realm = parameter(challenge, "realm").ok_or_else(|| bad("no realm is named"))?;
        let mut url = Url::parse(realm).map_err(|_| bad("its realm is no URL"))?;
        // Credentials go there: never in the clear, unless the registry itself is spoken to so.
        if url.scheme() != "https" && !(url.scheme() == "http" && self.base.scheme() == "http") {
            return Err(bad("its realm is not HTTPS"));
        }
        if url.scheme() == "http" && self.credentials.is_some() && !is_loopback(&url) {
            return Err(bad("its realm is on another host, in plain HTTP"));
        }
        let scope = format!("repository:{}:pull", self.repository);
        url.query_pairs_mut().append_pair("scope", &scope);
        if let Some(service) = parameter(challenge, "service") {
            url.query_pairs_mut().append_pair("service", service);
        }
        let mut request = self.client.get(url);
        if let Some((user, password)) = &self.credentials {
            request = request.basic_auth(user, password.as_ref());
        }
        let response = self.answer(request.send()).await?;
        if response.status() != StatusCode::OK {
            return Err(self.refused(response.status(), response, "token").await);
        }
        let bytes = self.body(response, SHORT_ANSWER, "token").await?;
        let json: serde_json::Value =
            serde_json::from_slice(&bytes).map_err(|_| bad("not JSON"))?;
        let token = json.get("token").or_else(|| json.get("access_token"));
        let token = token.and_then(serde_json::Value::as_str).ok_or_else(|| bad("none came"))?;
        Ok(token.to_owned())
    }
}

fn client(plain: bool, stall: Duration) -> Result<Client, Failure> {
    static PROVIDER: Once = Once::new();
    PROVIDER.call_once(|| {
        // An error means that somebody else has chosen one, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
    });
    let follow = redirect::Policy::custom(|attempt| {
        let from_https = attempt.previous().iter().any(|url| url.scheme() == "https");
        if attempt.previous().len() > REDIRECTS {
            attempt.error("too many redirects")
        } else if from_https && attempt.url().scheme() != "https" {
            attempt.error("redirected from HTTPS to plain HTTP")
        } else {
            attempt.follow()
        }
    });
    let mut builder = Client::builder()
        .user_agent(concat!("flotilla/", env!("CARGO_PKG_VERSION")))
        .redirect(follow)
        .connect_timeout(stall);
    if plain {
        // A host without certificates of authorities can still pull from itself.
        builder = builder.tls_certs_only([]);
    }
    builder.build().map_err(|e| Failure::Final(format!("prepare TLS: {}", root_cause(&e))))
}

fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let host = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || host.parse().is_ok_and(|ip: IpAddr| ip.is_loopback())
}

fn header(headers: &HeaderMap, name: &str) -> Option<String> {
    let value = headers.get(name)?.to_str().ok()?;
    let value = if name == CONTENT_TYPE.as_str() {
        value.split(';').next().unwrap_or(value).trim()
    } else {
        value
    };
    Some(value.to_owned())
}

/// `KEY="VALUE"` in a challenge (RFC 9110, 11.6.1).
fn parameter<'a>(challenge: &'a str, key: &str) -> Option<&'a str> {
    let mut rest = challenge;
    loop {
        let (name, after) = rest.split_once('=')?;
        let (value, next) = match after.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"')?,
            None => after.split_once(',').unwrap_or((after, "")),
        };
        if name.trim_matches([',', ' ']).eq_ignore_ascii_case(key) {
            return Some(value);
        }
        rest = next;
    }
}

fn check(bytes: &[u8], digest: Option<&Digest>, what: &str) -> Result<(), Failure> {
    match digest {
        Some(digest) if Digest::of(bytes) != *digest => {
            let found = Digest::of(bytes);
            Err(Failure::Final(format!("{what}: its content is {found}, not {digest}")))
        }
        _ => Ok(()),
    }
}

/// The registry's own words (distribution-spec, "Error Codes"), shortened.
fn message(body: &[u8]) -> Option<String> {
    let json: serde_json::Value = serde_json::from_slice(body).ok()?;
    let error = json.get("errors")?.get(0)?;
    let text = error.get("message").or_else(|| error.get("code"))?.as_str()?;
    Some(text.chars().take(200).flat_map(char::escape_debug).collect())
}

/// The innermost of nested errors is the one that says something.
fn root_cause(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    let text = cause.to_string();
    text.split(" (os error").next().unwrap_or(&text).to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn challenges_are_read() {
        let text = r#"realm="https://auth.docker.io/token?a=b,c",service="x",scope="y""#;
        assert_eq!(parameter(text, "realm"), Some("https://auth.docker.io/token?a=b,c"));
        assert_eq!(parameter(text, "service"), Some("x"));
        assert_eq!(parameter(text, "nothing"), None);
        assert_eq!(parameter("a=b, c=d", "c"), Some("d"));
        assert_eq!(parameter("\"\"==,\"", "x"), None);
    }

    #[test]
    fn only_this_host_is_loopback() {
        for (url, expected) in [
            ("http://localhost:5000/", true),
            ("http://127.0.0.9/", true),
            ("http://[::1]:5000/", true),
            ("http://localhost.example.org/", false),
            ("http://10.0.0.1/", false),
        ] {
            assert_eq!(is_loopback(&Url::parse(url).unwrap()), expected, "{url}");
        }
    }
}
