//! Hands a request of a host's own user on to another host, with its streams, and the answer back.
//!
//! The other host hears who asks (`Flotilla-On-Behalf-Of`): what the access layer has found out, never
//! what the request said of itself. It believes that as far as it believes this host. A user with a
//! certificate is not handed on: it asks the other host itself.

use super::answer::refuse;
use super::caller::{Caller, HOPS, MOST_HOPS, ON_BEHALF_OF};
use super::client::{Client, Upgraded};
use super::error::{Error, To};
use super::upgrade::{switch, wanted};
use crate::pki::MachineId;
use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::io::copy_bidirectional;

/// Gives the other host's answer, whatever it is. `address`: `ADDRESS:PORT`.
pub async fn forward(
    client: &Client,
    machine: MachineId,
    address: &str,
    mut request: Request,
) -> Result<Response, Error> {
    let to = To { machine, address: address.to_owned() };
    let (user, hops) = on_whose_account(&to, request.extensions().get::<Caller>())?;
    let protocol = wanted(request.headers()).cloned();
    let near = protocol.is_some().then(|| hyper::upgrade::on(&mut request));
    let (mut head, body) = request.into_parts();
    let own = [ON_BEHALF_OF, HOPS, header::HOST, header::CONTENT_LENGTH];
    remove(&mut head.headers, &own);
    head.headers.insert(ON_BEHALF_OF, user);
    head.headers.insert(HOPS, u16::from(hops).into());
    if let Some(protocol) = protocol {
        head.headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
        head.headers.insert(header::UPGRADE, protocol);
    }
    // What this host's listener knows about the connection is not the other's business.
    head.extensions = Default::default();
    let mut response = client.request(machine, address, Request::from_parts(head, body)).await?;
    if response.status() == StatusCode::SWITCHING_PROTOCOLS {
        return Ok(splice(near, response));
    }
    remove(response.headers_mut(), &[]);
    Ok(response)
}

fn on_whose_account(to: &To, caller: Option<&Caller>) -> Result<(HeaderValue, u8), Error> {
    let stranger = |who: String| Error::NotOurs { to: to.clone(), who };
    let caller = caller.ok_or_else(|| stranger("somebody unknown".to_owned()))?;
    let user = caller.on_behalf_of().ok_or_else(|| stranger(caller.who.to_string()))?;
    if caller.hops >= MOST_HOPS {
        return Err(Error::Loop { to: to.clone(), hops: caller.hops });
    }
    Ok((user, caller.hops + 1))
}

/// Headers about one connection (RFC 9110, 7.6.1).
const OF_CONNECTION: [HeaderName; 7] = [
    header::CONNECTION,
    header::PROXY_AUTHENTICATE,
    header::PROXY_AUTHORIZATION,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
];

fn remove(headers: &mut HeaderMap, more: &[HeaderName]) {
    let connection = headers.get_all(header::CONNECTION).iter();
    let named = connection.filter_map(|value| value.to_str().ok()).flat_map(|v| v.split(','));
    let named = named.filter_map(|name| name.trim().parse::<HeaderName>().ok());
    let named: Vec<HeaderName> = named.collect();
    let keep_alive = HeaderName::from_static("keep-alive");
    for name in OF_CONNECTION.iter().chain(more).chain(&named).chain([&keep_alive]) {
        headers.remove(name);
    }
}

/// Both ends have left HTTP: what one sends is the other's, until one of them ends.
fn splice(near: Option<OnUpgrade>, mut response: axum::http::Response<Body>) -> Response {
    let protocol = response.headers().get(header::UPGRADE).cloned();
    let (Some(near), Some(protocol)) = (near, protocol) else {
        let text = "hand the request on: the other host has left HTTP, unasked";
        return refuse(fleetd_api::ProblemKind::Internal, text);
    };
    let far = hyper::upgrade::on(&mut response);
    tokio::spawn(async move {
        let (near, far) = match tokio::try_join!(near, far) {
            Ok(both) => both,
            Err(error) => return tracing::debug!("leave HTTP: {error}"),
        };
        let (mut near, mut far): (Upgraded, Upgraded) = (TokioIo::new(near), TokioIo::new(far));
        // How it ends is for the two to know.
        let _ = copy_bidirectional(&mut near, &mut far).await;
    });
    switch(protocol)
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        refuse(self.kind(), self.to_string())
    }
}
