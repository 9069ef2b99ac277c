//! `GET /v1/openapi.json`: the API for programs, as OpenAPI 3.1.
//!
//! Made of what is there anyway: which routes there are and what they are about ([`operations`]), who
//! may use them ([`crate::peer::table`]), and the types of `fleetd-api`, whose JSON Schemas serde's
//! own attributes give.

mod operations;

use crate::peer::table::{Need, TABLE};
use axum::Json;
use operations::{Answer, OPERATIONS, Operation};
use schemars::SchemaGenerator;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};
use std::sync::OnceLock;

pub(super) async fn show() -> Json<&'static Value> {
    static DOCUMENT: OnceLock<Value> = OnceLock::new();
    Json(DOCUMENT.get_or_init(document))
}

/// What is sent may leave out what has a default; what is answered does not.
struct Schemas {
    sent: SchemaGenerator,
    answered: SchemaGenerator,
}

impl Schemas {
    fn new() -> Self {
        let settings = || {
            SchemaSettings::draft2020_12().with(|settings| {
                settings.definitions_path = "/components/schemas".into();
                settings.meta_schema = None;
            })
        };
        Self {
            sent: settings().for_deserialize().into_generator(),
            answered: settings().for_serialize().into_generator(),
        }
    }

    fn definitions(mut self) -> Map<String, Value> {
        let mut all = self.sent.take_definitions(true);
        all.extend(self.answered.take_definitions(true));
        all
    }
}

fn document() -> Value {
    let mut schemas = Schemas::new();
    let problem = schemas.answered.subschema_for::<fleetd_api::Problem>();
    let mut paths = Map::new();
    for operation in OPERATIONS {
        let path = operation.route.replace("{*", "{");
        let methods = paths.entry(path).or_insert_with(|| json!({}));
        methods[operation.method.to_lowercase()] = describe(operation, &mut schemas);
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Flotilla",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "The API of one fleetd, and through it of its fleet. A user with a \
                certificate may be sent on to another host: 307, with its id in \
                `flotilla-machine`.",
            "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
        },
        "servers": [{ "url": "https://HOST:7400", "variables": {} }],
        "security": [{ "certificate": [] }],
        "paths": paths,
        "components": {
            "schemas": schemas.definitions(),
            "responses": {
                "Problem": {
                    "description": "It was refused, or went wrong.",
                    "content": { "application/json": { "schema": problem } },
                },
                "Elsewhere": {
                    "description": "Another host has to answer.",
                    "headers": {
                        "location": { "schema": { "type": "string" } },
                        "flotilla-machine": { "schema": { "type": "string" } },
                    },
                },
            },
            "securitySchemes": {
                "certificate": {
                    "type": "mutualTLS",
                    "description": "A user's certificate of the fleet: fleetctl user add.",
                },
            },
        },
    })
}

fn describe(operation: &Operation, schemas: &mut Schemas) -> Value {
    let mut described = json!({
        "summary": operation.summary,
        "parameters": parameters(operation),
        "responses": responses(operation, schemas),
    });
    if let Some(role) = role(operation) {
        described["x-flotilla-role"] = json!(role);
    }
    match operation.body {
        Some(operations::Body::Json(schema)) => {
            let schema = schema(&mut schemas.sent);
            described["requestBody"] = json!({ "required": true, "content": { "application/json": { "schema": schema } } });
        }
        Some(operations::Body::Tar) => {
            described["requestBody"] =
                json!({ "required": true, "content": { "application/x-tar": {} } });
        }
        None => {}
    }
    described
}

/// The least role that may.
fn role(operation: &Operation) -> Option<&'static str> {
    let is_it = |rule: &&crate::peer::table::Rule| {
        rule.method == operation.method && rule.route == operation.route
    };
    match TABLE.iter().find(is_it)?.need {
        Need::User(role) => Some(role.as_str()),
        Need::Anonymous | Need::Host => None,
    }
}

fn parameters(operation: &Operation) -> Vec<Value> {
    let steps = operation.route.split('/');
    let in_path = steps.filter_map(|step| step.strip_prefix('{')?.strip_suffix('}'));
    let in_path = in_path.map(|name| {
        let name = name.trim_start_matches('*');
        json!({ "name": name, "in": "path", "required": true, "schema": { "type": "string" } })
    });
    let in_query = operation.query.iter().map(|(name, kind, description)| {
        json!({
            "name": name, "in": "query", "description": description, "schema": { "type": kind },
        })
    });
    in_path.chain(in_query).collect()
}

fn responses(operation: &Operation, schemas: &mut Schemas) -> Value {
    let mut responses = json!({
        "307": { "$ref": "#/components/responses/Elsewhere" },
        "default": { "$ref": "#/components/responses/Problem" },
    });
    let content = |media: &str, schema| json!({ media: { "schema": schema } });
    match operation.answer {
        Answer::Empty => responses["200"] = json!({ "description": "It is done." }),
        Answer::Upgrade(protocol) => {
            responses["101"] = json!({ "description": format!("Bytes follow: {protocol}.") });
        }
        Answer::Json(statuses, schema) => {
            let content = content("application/json", schema(&mut schemas.answered));
            for (status, description) in statuses {
                responses[*status] = json!({ "description": description, "content": content });
            }
        }
        // OpenAPI 3.1 knows no streams: the schema is of a line.
        Answer::Lines(schema) => {
            let content = content("application/x-ndjson", schema(&mut schemas.answered));
            let description = "A JSON document each line; empty lines mean nothing.";
            responses["200"] = json!({ "description": description, "content": content });
        }
    }
    responses
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
