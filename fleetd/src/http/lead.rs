//! Who answers: the leader where something is decided or all hosts are to be known, the unit's host
//! where it is about what runs. Any other host hands the request on, so that a client may ask any; who has a certificate is told whom to ask.

use super::Api;
use super::problem::Answer;
use crate::core::machine_id::MachineId;
use crate::membership::Links;
use crate::peer::caller::By;
use crate::peer::{self, Caller, Who};
use axum::body::{Body, Bytes};
use axum::extract::{RawPathParams, Request, State};
use axum::http::{HeaderName, HeaderValue, Method, StatusCode, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use fleetd_api::{MACHINE_HEADER, Problem, ProblemKind};
use futures_util::StreamExt;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// On requests to the host that a unit is on: it does not look for another one.
const HERE: HeaderName = HeaderName::from_static("flotilla-here");

/// Nobody may lead while the voters choose.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);
/// Between two attempts.
pub(super) const REST: Duration = Duration::from_millis(100);

/// The leader answers.
pub(super) async fn by_leader(
    State(api): State<Arc<Api>>,
    request: Request,
    next: Next,
) -> Response {
    let Some(links) = &api.links else { return next.run(request).await };
    let (request, body) = match whole(request).await {
        Ok(whole) => whole,
        Err(refused) => return refused,
    };
    let handed_on = request.extensions().get::<Caller>().is_some_and(|caller| caller.hops > 0);
    let certified = is_certified(&request);
    let begun = Instant::now();
    let mut asked = 0;
    loop {
        let to = match api.consensus.leads() {
            true => None,
            // Voters know as much as each other; who has handed it on asks again.
            false if handed_on => links.leader(&api.consensus),
            false => links.leader(&api.consensus).or_else(|| links.any_voter(asked)),
        };
        let copy = copy(&request, &body);
        if !api.consensus.leads()
            && links.leader(&api.consensus).is_none()
            && links.most_voters_are_dead()
        {
            return without_most_voters(&api, links, copy, next).await;
        }
        let answer = match to {
            None if api.consensus.leads() => Ok(next.clone().run(copy).await),
            None => Err("no host is known to lead the fleet".to_owned()),
            Some(leader) if certified => send_on(links, leader, request.uri(), false),
            Some(leader) => hand_on(links, leader, copy).await,
        };
        let why = match answer {
            Ok(answer) if answer.status() != StatusCode::MISDIRECTED_REQUEST => return answer,
            Ok(_) => "the voters are choosing who leads".to_owned(),
            Err(why) => why,
        };
        if handed_on {
            let text = format!("ask the leader: {why}");
            return Answer(Problem::new(ProblemKind::NotLeader, text)).into_response();
        }
        if begun.elapsed() > PATIENCE {
            let problem = Problem::new(ProblemKind::Unavailable, format!("ask the leader: {why}"));
            return Answer(problem.hint("fleetctl list-machines")).into_response();
        }
        asked += 1;
        tokio::time::sleep(REST).await;
    }
}

/// Nobody will lead until voters are back: it is not waited for. Who only asks is told what is known.
async fn without_most_voters(api: &Api, links: &Links, request: Request, next: Next) -> Response {
    if request.method() == Method::GET {
        if api.consensus.has_voter(api.id) {
            return next.run(request).await;
        }
        let handed_on = request.extensions().get::<Caller>().is_some_and(|caller| caller.hops > 0);
        let certified = is_certified(&request);
        if let Some(voter) = links.any_voter(0).filter(|_| !handed_on) {
            let answer = match certified {
                true => send_on(links, voter, request.uri(), false),
                false => hand_on(links, voter, request).await,
            };
            return answer.unwrap_or_else(|why| refuse(&why));
        }
    }
    let text = "decide: most of the voters are dead; nothing is decided until they are back";
    let hint = "fleetctl list-machines; fleetctl recover where they are lost for good";
    Answer(Problem::new(ProblemKind::Unavailable, text).hint(hint)).into_response()
}

/// The host that runs the unit answers.
pub(super) async fn by_host(
    State(api): State<Arc<Api>>,
    params: RawPathParams,
    request: Request,
    next: Next,
) -> Response {
    let Some(links) = &api.links else { return next.run(request).await };
    let unit = params.iter().find(|(key, _)| *key == "name").map(|(_, unit)| unit.to_owned());
    if request.headers().contains_key(HERE) || says_here(request.uri()) {
        return next.run(request).await;
    }
    if !api.consensus.leads() {
        let leader = links.leader(&api.consensus).or_else(|| links.any_voter(0));
        return match leader {
            Some(leader) => once(links, leader, request, false).await,
            None => refuse("no host is known to lead the fleet"),
        };
    }
    let host = unit.as_deref().and_then(|unit| host_of(&api, links, unit));
    match host.filter(|host| *host != api.id) {
        None => next.run(request).await,
        Some(host) => {
            let mut request = request;
            request.headers_mut().insert(HERE, HeaderValue::from_static("1"));
            once(links, host, request, true).await
        }
    }
}

/// Where something of the unit is, or has its place.
fn host_of(api: &Api, links: &Links, unit: &str) -> Option<MachineId> {
    if api.agent.board.run(unit).is_some() {
        return Some(api.id);
    }
    let decided = api.consensus.decided();
    let places = decided.places.get(unit).map(|places| places.as_slice()).unwrap_or_default();
    let mut placed = places.iter().map(|place| place.machine);
    let living = placed.find(|host| *host == api.id || links.may_live(*host));
    living
        .or_else(|| links.holders(unit).into_iter().next())
        .or(places.last().map(|place| place.machine))
}

pub(super) async fn once(links: &Links, to: MachineId, request: Request, here: bool) -> Response {
    let answer = match is_certified(&request) {
        true => send_on(links, to, request.uri(), here),
        false => hand_on(links, to, request).await,
    };
    match answer {
        Ok(answer) => answer,
        Err(why) => refuse(&why),
    }
}

fn refuse(why: &str) -> Response {
    Answer(Problem::new(ProblemKind::Unavailable, format!("hand the request on: {why}")))
        .into_response()
}

/// Whether a user asks who has shown a certificate: nobody else can show it for him, so he is sent
/// to the host that has to answer.
fn is_certified<B>(request: &axum::http::Request<B>) -> bool {
    let caller = request.extensions().get::<Caller>();
    caller.is_some_and(|caller| matches!(caller.who, Who::User { by: By::Certificate, .. }))
}

/// Says which host has to answer, and where it is. `here`: it is to look for no other one.
fn send_on(links: &Links, to: MachineId, uri: &Uri, here: bool) -> Result<Response, String> {
    let address = links.address_of(to);
    let address = address.ok_or_else(|| format!("it is not known where host {to} is"))?;
    let mut path = uri.path_and_query().map_or("/", |path| path.as_str()).to_owned();
    if here {
        path.push(if uri.query().is_some() { '&' } else { '?' });
        path.push_str(HERE_QUERY);
    }
    let problem = Problem::new(ProblemKind::NotLeader, format!("answer: host {to} has to"));
    let headers = [
        (header::LOCATION, format!("https://{address}{path}")),
        (HeaderName::from_static(MACHINE_HEADER), to.to_string()),
    ];
    Ok((StatusCode::TEMPORARY_REDIRECT, headers, axum::Json(problem)).into_response())
}

/// What stands for [`HERE`] where a user comes by himself: a redirect cannot say a header.
const HERE_QUERY: &str = "here=true";

fn says_here(uri: &Uri) -> bool {
    uri.query().is_some_and(|query| query.split('&').any(|pair| pair == HERE_QUERY))
}

/// Gives the other host's answer. An error: it was not asked, or it cannot have mattered. What may
/// have been done by a host that then died is an answer, too.
async fn hand_on(links: &Links, to: MachineId, request: Request) -> Result<Response, String> {
    let address = links.address_of(to);
    let address = address.ok_or_else(|| format!("it is not known where host {to} is"))?;
    let changes_nothing = matches!(*request.method(), Method::GET | Method::HEAD);
    let answer = tokio::select! {
        answer = peer::forward(&links.client, to, &address, request) => answer,
        () = links.dies(to) => {
            let why = format!("host {to} died before it answered");
            if changes_nothing {
                return Err(why);
            }
            let text = format!("hand the request on: {why}; it may have been decided all the same");
            return Ok(Answer(Problem::new(ProblemKind::Unavailable, text)).into_response());
        }
    };
    match answer {
        Ok(answer) => Ok(while_it_lives(links, to, answer)),
        Err(error @ (peer::Error::Connect { .. } | peer::Error::Busy { .. })) => {
            Err(error.to_string())
        }
        Err(error) if changes_nothing => Err(error.to_string()),
        Err(error) => Ok(error.into_response()),
    }
}

/// The body breaks off when the other host is known to be dead: it may be silent for ever.
fn while_it_lives(links: &Links, to: MachineId, answer: Response) -> Response {
    if answer.status() == StatusCode::SWITCHING_PROTOCOLS {
        return answer;
    }
    let (head, body) = answer.into_parts();
    let state = Some((body.into_data_stream(), Box::pin(links.dies(to))));
    let pieces = futures_util::stream::unfold(state, |state| async {
        let (mut pieces, mut dies) = state?;
        tokio::select! {
            piece = pieces.next() => {
                let piece = piece?.map_err(std::io::Error::other);
                Some((piece, Some((pieces, dies))))
            }
            () = &mut dies => Some((Err(std::io::Error::other("the host died")), None)),
        }
    });
    Response::from_parts(head, Body::from_stream(pieces))
}

/// The request with its body, which is to be sent again where it was not taken.
async fn whole(request: Request) -> Result<(Request<()>, Bytes), Response> {
    let (head, body) = request.into_parts();
    match axum::body::to_bytes(body, super::MAX_BODY).await {
        Ok(body) => Ok((Request::from_parts(head, ()), body)),
        Err(_) => {
            let text = format!(
                "read request: it is too long or broken off; a unit file has at most {} bytes",
                fleetd_api::MAX_UNIT_FILE
            );
            Err(Answer(Problem::new(ProblemKind::Invalid, text)).into_response())
        }
    }
}

fn copy(request: &Request<()>, body: &Bytes) -> Request {
    let mut copy = Request::new(Body::from(body.clone()));
    copy.method_mut().clone_from(request.method());
    copy.uri_mut().clone_from(request.uri());
    copy.headers_mut().clone_from(request.headers());
    copy.extensions_mut().clone_from(request.extensions());
    copy
}
