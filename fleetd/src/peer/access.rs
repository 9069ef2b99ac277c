//! The one place where it is decided whether a request is let through to its handler.
//!
//! The route is the router's own: what is decided about and what is called cannot differ.

use super::answer::{answer, refuse};
use super::body::within;
use super::caller::{By, Caller, Via, Who};
use super::limits::Limits;
use super::table::{Need, Rule, TABLE, find};
use crate::pki::{MachineId, Role};
use axum::Router;
use axum::extract::{MatchedPath, Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use fleetd_api::{Problem, ProblemKind};
use std::sync::Arc;

#[derive(Clone)]
struct Rules {
    table: &'static [Rule],
    limits: Arc<Limits>,
    hosts_may: HostsMay,
}

/// In which role a host may ask for its own users: itself (none), or one that hands a request on.
pub type HostsMay = Arc<dyn Fn(Option<MachineId>) -> Role + Send + Sync>;

/// Puts [`TABLE`] before all routes of a router, which is to be complete: later routes have
/// no guard.
pub fn guard(router: Router, limits: &Limits, hosts_may: HostsMay) -> Router {
    guard_by(TABLE, router, limits, hosts_may)
}

pub(super) fn guard_by(
    table: &'static [Rule],
    router: Router,
    limits: &Limits,
    hosts_may: HostsMay,
) -> Router {
    let rules = Rules { table, limits: Arc::new(limits.clone()), hosts_may };
    router.layer(from_fn_with_state(rules, check))
}

async fn check(State(rules): State<Rules>, mut request: Request, next: Next) -> Response {
    // Without one the fallback would answer: there is nothing to be had from it.
    let Some(route) = request.extensions().get::<MatchedPath>().map(MatchedPath::as_str) else {
        return refuse(ProblemKind::NotFound, "answer: there is no such route");
    };
    let method = request.method().as_str();
    let Some(rule) = find(rules.table, method, route) else {
        return unknown(rules.table, method, route);
    };
    let Some(via) = request.extensions().get::<Via>() else {
        let text = format!("answer {method} {route}: it is not known who asks");
        return refuse(ProblemKind::Denied, text);
    };
    let caller = match Caller::read(via, request.headers(), &rules.hosts_may) {
        Ok(caller) => caller,
        Err(error) => return refuse(ProblemKind::Denied, error.to_string()),
    };
    if !may(&caller.who, rule.need) {
        let text =
            format!("answer {method} {route}: it takes {}, and {} asks", rule.need, caller.who);
        return answer(with_hint(Problem::new(ProblemKind::Denied, text), &caller.who, rule.need));
    }
    request.extensions_mut().insert(caller);
    let (body, limits) = (rule.body, rules.limits);
    next.run(request.map(|stream| within(stream, body, &limits))).await
}

fn may(who: &Who, need: Need) -> bool {
    match (need, who) {
        (Need::Anonymous, Who::Anonymous) | (Need::Host, Who::Host(_)) => true,
        (Need::User(least), Who::User { role, .. }) => *role >= least,
        _ => false,
    }
}

/// Root of a host wonders why it may not.
fn with_hint(problem: Problem, who: &Who, need: Need) -> Problem {
    match (who, need) {
        (Who::User { by: By::Socket | By::Host(_), .. }, Need::User(_)) => {
            problem.hint("this fleet does not let its hosts; fleetctl --fleet FILE asks as a user")
        }
        _ => problem,
    }
}

fn unknown(table: &[Rule], method: &str, route: &str) -> Response {
    if table.iter().any(|rule| rule.route == route) {
        return refuse(ProblemKind::NotFound, "answer: there is no such route");
    }
    let text = format!("answer {method} {route}: no rule says who may use it");
    refuse(ProblemKind::Denied, text)
}
