//! What each route of the API is about: what is sent and what is answered.

use fleetd_api::{
    Accepted, Backup, ChangeFleet, ChangeMachine, Changes, CreateToken, CreateUser, Desire, Event,
    Fleet, Image, Init, Join, KeyRotation, LogLine, Machine, MoveUnit, NewCertificate, NewToken,
    Plan, Pull, RELAY, Rebalance, Recover, Recovery, RenewUser, Restored, RotateKeys, Scale,
    Secret, SetSecret, Submit, Token, Unit, User, Version, Why,
};
use schemars::{JsonSchema, Schema, SchemaGenerator};

pub(super) type SchemaOf = fn(&mut SchemaGenerator) -> Schema;

pub(super) struct Operation {
    pub method: &'static str,
    /// As the router has it.
    pub route: &'static str,
    pub summary: &'static str,
    /// Name, type of JSON Schema, meaning.
    pub query: &'static [(&'static str, &'static str, &'static str)],
    pub body: Option<Body>,
    pub answer: Answer,
}

#[derive(Clone, Copy)]
pub(super) enum Body {
    Json(SchemaOf),
    /// A tar archive.
    Tar,
}

#[derive(Clone, Copy)]
pub(super) enum Answer {
    /// 200, without a body.
    Empty,
    /// By status, with what it means.
    Json(&'static [(&'static str, &'static str)], SchemaOf),
    /// JSON lines of this.
    Lines(SchemaOf),
    /// 101.
    Upgrade(&'static str),
}

const DONE: &[(&str, &str)] = &[("200", "It is so.")];

fn of<T: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    generator.subschema_for::<T>()
}

const fn ask(method: &'static str, route: &'static str, summary: &'static str) -> Operation {
    Operation { method, route, summary, query: &[], body: None, answer: Answer::Empty }
}

impl Operation {
    const fn sends<T: JsonSchema>(mut self) -> Self {
        self.body = Some(Body::Json(of::<T>));
        self
    }

    const fn gives<T: JsonSchema>(mut self) -> Self {
        self.answer = Answer::Json(DONE, of::<T>);
        self
    }

    const fn answers(mut self, answer: Answer) -> Self {
        self.answer = answer;
        self
    }

    const fn query(mut self, query: &'static [(&'static str, &'static str, &'static str)]) -> Self {
        self.query = query;
        self
    }
}

const SUBMITTED: &[(&str, &str)] =
    &[("201", "It is new."), ("200", "It took the place of another, or was there.")];

const SET: &[(&str, &str)] = &[("201", "It is new."), ("200", "It has this value.")];

pub(super) static OPERATIONS: &[Operation] = &[
    ask("GET", "/v1/version", "Version of fleetd and of its API").gives::<Version>(),
    ask("GET", "/v1/openapi.json", "This document").gives::<serde_json::Value>(),
    ask("GET", "/v1/machines", "Hosts of the fleet").gives::<Vec<Machine>>(),
    ask("PATCH", "/v1/machines/{id}", "Cordon, drain or describe a host")
        .sends::<ChangeMachine>()
        .gives::<Machine>(),
    ask("DELETE", "/v1/machines/{id}", "Put a host out of the fleet for good"),
    ask("GET", "/v1/fleet", "How the host that answers is in its fleet").gives::<Fleet>(),
    ask("PATCH", "/v1/fleet", "Change a rule of the fleet").sends::<ChangeFleet>(),
    ask("POST", "/v1/fleet/init", "Make a fleet of this host").sends::<Init>().gives::<Fleet>(),
    ask("POST", "/v1/fleet/join", "Make this host one of a fleet").sends::<Join>().gives::<Fleet>(),
    ask("GET", "/v1/fleet/recovery", "How this host would go on alone, and what is lost then")
        .gives::<Recovery>(),
    ask("POST", "/v1/fleet/recovery", "Go on alone: most of the voters are lost")
        .sends::<Recover>()
        .gives::<Recovery>(),
    ask("GET", "/v1/fleet/rotation", "How far the fleet is on its way to other keys")
        .gives::<KeyRotation>(),
    ask("POST", "/v1/fleet/rotation", "Go on to other keys")
        .sends::<RotateKeys>()
        .gives::<KeyRotation>(),
    ask("GET", "/v1/fleet/backup", "Everything that is decided").gives::<Backup>(),
    ask("POST", "/v1/fleet/restore", "Come back to what a backup has")
        .query(&[
            ("plan", "boolean", "Say only what would be done."),
            ("index", "integer", "Only if nothing was decided after this."),
            ("advertise", "string", "On a host in no fleet: where the others will reach it."),
        ])
        .sends::<Backup>()
        .gives::<Restored>(),
    ask("GET", "/v1/tokens", "Tokens, with which hosts join").gives::<Vec<Token>>(),
    ask("POST", "/v1/tokens", "Make a token").sends::<CreateToken>().gives::<NewToken>(),
    ask("DELETE", "/v1/tokens/{id}", "Revoke a token"),
    ask("GET", "/v1/secrets", "Secrets without their values").gives::<Vec<Secret>>(),
    ask("PUT", "/v1/secrets/{name}", "Give a secret its value")
        .sends::<SetSecret>()
        .answers(Answer::Json(SET, of::<Secret>)),
    ask("DELETE", "/v1/secrets/{name}", "Remove a secret").query(&[(
        "force",
        "boolean",
        "Also if units name it.",
    )]),
    ask("GET", "/v1/users", "Users with certificates").gives::<Vec<User>>(),
    ask("POST", "/v1/users", "Make a user").sends::<CreateUser>().gives::<NewCertificate>(),
    ask("DELETE", "/v1/users/{name}", "Let a user in no more"),
    ask("POST", "/v1/users/{name}/renew", "The next certificate of the user who asks")
        .sends::<RenewUser>()
        .gives::<NewCertificate>(),
    ask("POST", "/v1/relay/{id}", "A way to the port of another host")
        .answers(Answer::Upgrade(RELAY)),
    ask("GET", "/v1/events", "What happens, without end unless it is told otherwise")
        .query(&[
            ("since", "integer", "Begin after the event of this index; none: with the next one."),
            ("origin", "string", "Of that event: of another one what is missing cannot be had."),
            ("unit", "string", "Only of this unit."),
            ("follow", "boolean", "false: it ends with what has happened already."),
        ])
        .answers(Answer::Lines(of::<Event>)),
    ask("POST", "/v1/plan", "What would come of changes; nothing is decided")
        .sends::<Changes>()
        .gives::<Plan>(),
    ask("POST", "/v1/changes", "Change several units at once; with a file it takes the role admin")
        .sends::<Changes>()
        .gives::<Accepted>(),
    ask("GET", "/v1/rebalance", "Moves that would make the fleet better")
        .query(&[("moves", "integer", "At most so many; none: 10.")])
        .gives::<Rebalance>(),
    ask("POST", "/v1/rebalance", "Make one of these moves").sends::<MoveUnit>().gives::<Accepted>(),
    ask("GET", "/v1/units", "Units without their text").gives::<Vec<Unit>>(),
    ask("GET", "/v1/units/{name}", "One unit; its text for the roles operate and admin")
        .gives::<Unit>(),
    ask("PUT", "/v1/units/{name}", "Submit a unit file")
        .sends::<Submit>()
        .answers(Answer::Json(SUBMITTED, of::<Accepted>)),
    ask("DELETE", "/v1/units/{name}", "Stop a unit and forget its file").gives::<Accepted>(),
    ask("PUT", "/v1/units/{name}/desired", "Start, stop, load or unload a unit")
        .sends::<Desire>()
        .gives::<Accepted>(),
    ask("PUT", "/v1/units/{name}/replicas", "Say how many instances of a template there are")
        .sends::<Scale>()
        .gives::<Accepted>(),
    ask("POST", "/v1/units/{name}/restart", "Stop a unit and start it").gives::<Accepted>(),
    ask("GET", "/v1/units/{name}/why", "Why a unit is on its host, or on none").gives::<Why>(),
    ask("GET", "/v1/units/{name}/logs", "Output of a unit")
        .query(&[
            ("lines", "integer", "How many of the last lines; none: all that is kept."),
            ("follow", "boolean", "Go on with what comes."),
        ])
        .answers(Answer::Lines(of::<LogLine>)),
    ask("POST", "/v1/units/{name}/exec", "Run a program in a running unit")
        .query(&[("exec", "string", "What to run: a document of `Exec` as JSON.")])
        .answers(Answer::Upgrade("flotilla-exec")),
    ask("GET", "/v1/images", "Images of the host that answers").gives::<Vec<Image>>(),
    Operation { body: Some(Body::Tar), ..ask("POST", "/v1/images", "Take an image") }
        .query(&[("name", "string", "Of the image; none: what the archive says.")])
        .gives::<Image>(),
    ask("POST", "/v1/images/pull", "Fetch an image from its registry")
        .sends::<Pull>()
        .gives::<Image>(),
    ask("DELETE", "/v1/images/{*reference}", "Forget an image"),
];
