//! Who may use which route: the whole of it. A route that is not here is refused.
//!
//! What lets somebody run a program of their own choice on a host needs `admin`: a unit file may
//! mount the host's root, `exec` may be in such a unit, an import may replace such a unit's image.

use crate::pki::Role;
use std::fmt;

/// What a route takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// To join: a connection of the joining protocol, and nobody else.
    Anonymous,
    /// A host of the fleet, for itself.
    Host,
    /// A user with at least this role, or a host for such a user.
    User(Role),
}

/// How long a request's body may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Body {
    /// [`super::Limits::body`] for all of it.
    Short,
    /// As long as it comes: [`super::Limits::piece`] between two pieces.
    Stream,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rule {
    pub method: &'static str,
    /// As the router has it.
    pub route: &'static str,
    pub need: Need,
    pub body: Body,
}

const fn rule(method: &'static str, route: &'static str, need: Need) -> Rule {
    Rule { method, route, need, body: Body::Short }
}

const fn stream(method: &'static str, route: &'static str, need: Need) -> Rule {
    Rule { method, route, need, body: Body::Stream }
}

const VIEW: Need = Need::User(Role::View);
const OPERATE: Need = Need::User(Role::Operate);
const ADMIN: Need = Need::User(Role::Admin);

pub static TABLE: &[Rule] = &[
    rule("GET", "/v1/version", VIEW),
    rule("GET", "/v1/openapi.json", VIEW),
    rule("GET", "/v1/machines", VIEW),
    rule("PATCH", "/v1/machines/{id}", ADMIN),
    rule("DELETE", "/v1/machines/{id}", ADMIN),
    rule("GET", "/v1/fleet", VIEW),
    rule("PATCH", "/v1/fleet", ADMIN),
    rule("POST", "/v1/fleet/init", ADMIN),
    rule("POST", "/v1/fleet/join", ADMIN),
    rule("GET", "/v1/fleet/recovery", VIEW),
    rule("POST", "/v1/fleet/recovery", ADMIN),
    rule("GET", "/v1/fleet/backup", ADMIN),
    stream("POST", "/v1/fleet/restore", ADMIN),
    rule("GET", "/v1/fleet/rotation", VIEW),
    rule("POST", "/v1/fleet/rotation", ADMIN),
    rule("GET", "/v1/tokens", ADMIN),
    rule("POST", "/v1/tokens", ADMIN),
    rule("DELETE", "/v1/tokens/{id}", ADMIN),
    // Names without values.
    rule("GET", "/v1/secrets", VIEW),
    rule("PUT", "/v1/secrets/{name}", ADMIN),
    rule("DELETE", "/v1/secrets/{name}", ADMIN),
    rule("GET", "/v1/users", ADMIN),
    rule("POST", "/v1/users", ADMIN),
    rule("DELETE", "/v1/users/{name}", ADMIN),
    // Of itself only: its handler looks.
    rule("POST", "/v1/users/{name}/renew", VIEW),
    // Whom the bytes are for looks who sends them.
    rule("POST", "/v1/relay/{id}", VIEW),
    rule("GET", "/v1/events", VIEW),
    // It tells what a unit file says, which is nothing for who may only look.
    rule("POST", "/v1/plan", OPERATE),
    // With a file it takes an admin: its handler looks.
    rule("POST", "/v1/changes", OPERATE),
    rule("GET", "/v1/rebalance", VIEW),
    rule("POST", "/v1/rebalance", OPERATE),
    rule("GET", "/v1/units", VIEW),
    rule("GET", "/v1/units/{name}", VIEW),
    rule("GET", "/v1/units/{name}/logs", VIEW),
    rule("PUT", "/v1/units/{name}", ADMIN),
    rule("DELETE", "/v1/units/{name}", ADMIN),
    rule("PUT", "/v1/units/{name}/desired", OPERATE),
    rule("PUT", "/v1/units/{name}/replicas", OPERATE),
    rule("GET", "/v1/units/{name}/why", VIEW),
    rule("POST", "/v1/units/{name}/restart", OPERATE),
    rule("POST", "/v1/units/{name}/exec", ADMIN),
    rule("GET", "/v1/images", VIEW),
    stream("POST", "/v1/images", ADMIN),
    rule("POST", "/v1/images/pull", OPERATE),
    rule("DELETE", "/v1/images/{*reference}", OPERATE),
    rule("POST", "/v1/peer/raft/append", Need::Host),
    rule("POST", "/v1/peer/raft/vote", Need::Host),
    rule("POST", "/v1/peer/raft/snapshot", Need::Host),
    rule("POST", "/v1/peer/gossip", Need::Host),
    rule("GET", "/v1/peer/set", Need::Host),
    rule("GET", "/v1/peer/position", Need::Host),
    rule("POST", "/v1/peer/join", Need::Host),
    rule("POST", "/v1/peer/renew", Need::Host),
    rule("POST", "/v1/join", Need::Anonymous),
];

/// The rule of a request. `HEAD` is what `GET` is.
pub(super) fn find<'a>(table: &'a [Rule], method: &str, route: &str) -> Option<&'a Rule> {
    let method = if method == "HEAD" { "GET" } else { method };
    table.iter().find(|rule| rule.method == method && rule.route == route)
}

impl fmt::Display for Need {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Anonymous => f.write_str("a connection to join"),
            Self::Host => f.write_str("a host's certificate"),
            Self::User(role) => write!(f, "the role {role}"),
        }
    }
}
