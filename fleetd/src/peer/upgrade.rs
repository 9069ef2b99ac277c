//! The answering side of a request that leaves HTTP for a stream of bytes.

use super::answer::refuse;
use super::client::Upgraded;
use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use fleetd_api::ProblemKind;
use hyper_util::rt::TokioIo;

/// Answers the request and then gives the connection to `carry`, in a task of its own. A request
/// that asks for another protocol is refused.
pub fn accept<F, C>(request: Request, protocol: &'static str, carry: F) -> Response
where
    F: FnOnce(Upgraded) -> C + Send + 'static,
    C: Future<Output = ()> + Send + 'static,
{
    if wanted(request.headers()).is_none_or(|wanted| wanted != protocol) {
        let text = format!("read request: it has no Upgrade: {protocol}");
        return refuse(ProblemKind::Invalid, text);
    }
    let upgraded = hyper::upgrade::on(request);
    tokio::spawn(async move {
        match upgraded.await {
            Ok(stream) => carry(TokioIo::new(stream)).await,
            Err(error) => tracing::debug!("leave HTTP for {protocol}: {error}"),
        }
    });
    switch(HeaderValue::from_static(protocol))
}

/// Which protocol is asked for.
pub(super) fn wanted(headers: &HeaderMap) -> Option<&HeaderValue> {
    let connection = headers.get_all(header::CONNECTION).iter();
    let mut tokens = connection.filter_map(|value| value.to_str().ok()).flat_map(|v| v.split(','));
    let asked = tokens.any(|token| token.trim().eq_ignore_ascii_case("upgrade"));
    headers.get(header::UPGRADE).filter(|_| asked)
}

pub(super) fn switch(protocol: HeaderValue) -> Response {
    let headers =
        [(header::CONNECTION, HeaderValue::from_static("upgrade")), (header::UPGRADE, protocol)];
    (StatusCode::SWITCHING_PROTOCOLS, headers, Body::empty()).into_response()
}
