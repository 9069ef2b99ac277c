use super::*;
use std::collections::BTreeSet;

type Route = (String, String);

fn routes(document: &Value) -> BTreeSet<Route> {
    let paths = document["paths"].as_object().unwrap().iter();
    let of = |(path, methods): (&String, &Value)| {
        let methods: Vec<String> = methods.as_object().unwrap().keys().cloned().collect();
        methods.into_iter().map(move |m| (m.to_uppercase(), path.clone())).collect::<Vec<_>>()
    };
    paths.flat_map(of).collect()
}

/// Every `$ref` of the document.
fn references(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(map) => {
            found.extend(map.get("$ref").and_then(Value::as_str).map(str::to_owned));
            map.values().for_each(|inner| references(inner, found));
        }
        Value::Array(list) => list.iter().for_each(|inner| references(inner, found)),
        _ => {}
    }
}

#[test]
fn every_route_of_users_is_described_with_its_role_and_no_other_is() {
    let document = document();
    let rules = TABLE.iter().filter(|rule| matches!(rule.need, Need::User(_)));
    let rules: BTreeSet<Route> =
        rules.map(|rule| (rule.method.to_owned(), rule.route.replace("{*", "{"))).collect();
    assert_eq!(routes(&document), rules);
    for (method, path) in rules {
        let role = &document["paths"][&path][method.to_lowercase()]["x-flotilla-role"];
        assert!(["view", "operate", "admin"].contains(&role.as_str().unwrap()), "{path}");
    }
    let pull = &document["paths"]["/v1/images/pull"]["post"];
    assert_eq!(pull["x-flotilla-role"], "operate");
}

#[test]
fn the_document_refers_to_nothing_that_it_does_not_hold() {
    let document = document();
    let mut found = BTreeSet::new();
    references(&document, &mut found);
    assert!(found.contains("#/components/schemas/Unit"), "{found:?}");
    for reference in found {
        let pointer = reference.strip_prefix('#').unwrap();
        assert!(document.pointer(pointer).is_some(), "{reference}");
    }
}

/// The queries of the table in `fleetd-api`: `?since=INDEX&unit=NAME`.
#[test]
fn its_parameters_are_those_of_the_routes() {
    let source = include_str!("../../../api/src/lib.rs");
    for line in source.lines().filter_map(|line| line.strip_prefix("//! | `")) {
        let (method, route) = line.split('`').next().unwrap().split_once(' ').unwrap();
        let (path, query) = route.split_once('?').unwrap_or((route, ""));
        let path = path.replace("NAME", "{name}").replace("ID", "{id}");
        let path = path.replace("REF", "{reference}");
        let described = &document()["paths"][&path][method.to_lowercase()]["parameters"];
        let names = |place: &str| -> BTreeSet<String> {
            let all = described.as_array().unwrap().iter();
            let those = all.filter(|parameter| parameter["in"] == place);
            those.map(|parameter| parameter["name"].as_str().unwrap().to_owned()).collect()
        };
        let in_query = query.split('&').filter(|pair| !pair.is_empty());
        let mut in_query: BTreeSet<String> =
            in_query.map(|pair| pair.split('=').next().unwrap().to_owned()).collect();
        // What a program is run by is told in words there.
        in_query.extend(path.ends_with("/exec").then(|| "exec".to_owned()));
        assert_eq!(names("query"), in_query, "{method} {path}");
        let in_path = path.split('/').filter_map(|step| step.strip_prefix('{'));
        let in_path: BTreeSet<String> =
            in_path.map(|step| step.trim_end_matches('}').to_owned()).collect();
        assert_eq!(names("path"), in_path, "{method} {path}");
    }
}

#[test]
fn what_has_a_default_may_be_left_out_of_what_is_sent_only() {
    let schemas = &document()["components"]["schemas"];
    assert_eq!(schemas["Submit"]["required"], json!(["text"]));
    let machine = schemas["Machine"]["required"].as_array().unwrap();
    assert!(machine.contains(&json!("cordoned")), "{machine:?}");
}
