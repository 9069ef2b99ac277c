//! That the table has every route there is, and no other.

use crate::peer::table::{Need, TABLE};
use std::collections::BTreeSet;

type Route = (String, String);

const METHODS: [&str; 5] = ["get", "post", "put", "delete", "patch"];

/// The routes of a router's source: `.route("PATH", method(handler).method(handler))`.
fn in_source(source: &str) -> BTreeSet<Route> {
    let mut routes = BTreeSet::new();
    for call in source.split(".route(\"").skip(1) {
        let (path, rest) = call.split_once('"').unwrap();
        let mut depth = 1;
        let end = rest.find(|letter| {
            depth += i32::from(letter == '(') - i32::from(letter == ')');
            depth == 0
        });
        let handlers = &rest[..end.unwrap()];
        // The word before each parenthesis.
        let words = handlers.split('(').map(|before| {
            before.rsplit(|letter: char| !letter.is_alphanumeric()).next().unwrap_or_default()
        });
        let methods: Vec<&str> = words.filter(|word| METHODS.contains(word)).collect();
        assert!(!methods.is_empty(), "{path}: {handlers}");
        routes.extend(methods.iter().map(|method| (method.to_uppercase(), path.to_owned())));
    }
    routes
}

/// The routes of the documentation: a line each, `METHOD PATH?QUERY` in a table.
fn in_documentation(source: &str) -> BTreeSet<Route> {
    let lines = source.lines().filter_map(|line| line.strip_prefix("//! | `"));
    let routes = lines.filter_map(|line| line.split('`').next()?.split_once(' '));
    let path = |path: &str| {
        let path = path.split('?').next().unwrap_or_default();
        path.replace("NAME", "{name}").replace("ID", "{id}").replace("REF", "{*reference}")
    };
    routes.map(|(method, route)| (method.to_owned(), path(route))).collect()
}

fn in_table(wanted: impl Fn(Need) -> bool) -> BTreeSet<Route> {
    let rules = TABLE.iter().filter(|rule| wanted(rule.need));
    rules.map(|rule| (rule.method.to_owned(), rule.route.to_owned())).collect()
}

#[test]
fn every_route_of_the_api_has_a_rule_and_every_rule_a_route() {
    let rules = in_table(|need| matches!(need, Need::User(_)));
    assert_eq!(in_source(include_str!("../../http/mod.rs")), rules);
    assert_eq!(in_documentation(include_str!("../../../api/src/lib.rs")), rules);
}

#[test]
fn every_route_of_hosts_is_below_one_path_and_no_other_is() {
    for rule in TABLE {
        let below = rule.route.starts_with("/v1/peer/");
        assert_eq!(below, rule.need == Need::Host, "{} {}", rule.method, rule.route);
    }
    let all: BTreeSet<(&str, &str)> = TABLE.iter().map(|rule| (rule.method, rule.route)).collect();
    assert_eq!(all.len(), TABLE.len(), "a rule is there twice");
}

#[test]
fn a_route_that_is_new_is_found() {
    let new = ".route(\"/v1/a\", axum::routing::patch(x::get).delete(y))";
    let routes = in_source(new);
    assert!(routes.contains(&("PATCH".to_owned(), "/v1/a".to_owned())), "{routes:?}");
    assert_eq!(routes.len(), 2, "{routes:?}");
}
