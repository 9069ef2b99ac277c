//! The document of the API beside what the daemon answers.

use crate::WEB;
use crate::access::{at, user};
use crate::user::User;
use flotilla_tests::playground::{Ground, needs, said};
use flotilla_tests::{Scratch, require};
use serde_json::{Value, json};

struct Described(Value);

impl Described {
    /// What is wrong with an answer, by the document.
    fn faults(&self, method: &str, path: &str, status: u16, body: &Value) -> Vec<String> {
        let operation = &self.0["paths"][path][method.to_lowercase()];
        let response = match status {
            200..300 => &operation["responses"][status.to_string()],
            _ => &self.0["components"]["responses"]["Problem"],
        };
        let content = response["content"].as_object();
        let Some(content) = content else { return vec![format!("{status} is not described")] };
        let answered = &content.values().next().unwrap()["schema"];
        let mut schema = json!({ "allOf": [answered], "components": self.0["components"] });
        closed(&mut schema);
        let validator = jsonschema::validator_for(&schema).unwrap();
        validator.iter_errors(body).map(|e| format!("{}: {e}", e.instance_path())).collect()
    }

    fn check(&self, method: &str, path: &str, status: u16, body: &Value) {
        let faults = self.faults(method, path, status, body);
        assert!(faults.is_empty(), "{method} {path}: {faults:#?} in {body:#}");
    }
}

/// Takes nothing that is not described, where a schema lists what it knows.
fn closed(schema: &mut Value) {
    match schema {
        Value::Object(map) => {
            let lists = map.get("properties").is_some_and(Value::is_object);
            if lists && !map.contains_key("oneOf") && map.get("type") == Some(&json!("object")) {
                map.insert("unevaluatedProperties".to_owned(), json!(false));
            }
            map.values_mut().for_each(closed);
        }
        Value::Array(list) => list.iter_mut().for_each(closed),
        _ => {}
    }
}

#[test]
fn what_is_answered_is_what_is_described() {
    require!(needs());
    let (ground, scratch) = (Ground::fleet(1), Scratch::new());
    said(&["start"], &ground.start("h1", "web@.container", WEB));
    ground.ctl("h1", &["token", "create"]);
    let admin = user(&ground, "h1", &scratch, "admin");
    let machine = ground.machine_of("h1");
    ground.inside("h1", move || {
        let (admin, at) = (User::of(&admin), at("h1"));
        let described = Described(admin.json(&at, "GET", "/v1/openapi.json", "").json());
        let filled = |path: &str| {
            let path = path.replace("{name}", "web@1.container");
            path.replace("{id}", &machine).replace("{reference}", "hello")
        };
        let ask = |method: &str, path: &str, body: &str| {
            let answer = admin.json(&at, method, &filled(path), body);
            let value = answer.json();
            described.check(method, path, answer.status, &value);
            (answer.status, value)
        };
        for path in [
            "/v1/version",
            "/v1/openapi.json",
            "/v1/machines",
            "/v1/fleet",
            "/v1/tokens",
            "/v1/users",
            "/v1/units",
            "/v1/units/{name}",
            "/v1/units/{name}/why",
            "/v1/rebalance",
            "/v1/images",
        ] {
            let (status, value) = ask("GET", path, "");
            assert_eq!(status, 200, "{path}");
            // An empty list would show nothing.
            assert!(value.as_array().is_none_or(|list| !list.is_empty()), "{path}");
        }
        let plan = r#"{"changes":[{"unit":"new@.container","desired":"launched",
            "file":{"text":"[Container]\nImage=hello\nNoSuchKey=1\n[X-Fleet]\nReplicas=1\n"}},
            {"unit":"big.container","desired":"launched",
            "file":{"text":"[Container]\nImage=hello\n[Service]\nMemoryMax=900T\n"}}]}"#;
        let unit = r#"{"text":"[Container]\nImage=hello\nNoSuchKey=1\n"}"#;
        for (method, path, body, wanted) in [
            ("POST", "/v1/plan", plan, 200),
            ("POST", "/v1/changes", plan, 200),
            ("POST", "/v1/rebalance", r#"{"unit":"a.container","from":"","to":""}"#, 409),
            ("POST", "/v1/tokens", "{}", 200),
            ("PATCH", "/v1/machines/{id}", r#"{"metadata":{"zone":"a"}}"#, 200),
            ("POST", "/v1/units/{name}/restart", "", 200),
            ("PUT", "/v1/units/{name}/desired", r#"{"desired":"launched"}"#, 409),
            ("PUT", "/v1/units/{name}", unit, 409),
            ("PUT", "/v1/units/{name}", "{", 400),
            ("POST", "/v1/users", r#"{"name":"A","role":"view","csr":""}"#, 400),
            ("DELETE", "/v1/tokens/{id}", "", 400),
            ("POST", "/v1/fleet/init", r#"{"advertise":"10.90.0.1"}"#, 409),
        ] {
            let (status, value) = ask(method, path, body);
            assert_eq!(status, wanted, "{method} {path}: {value}");
        }
        // Lines of a stream that ends.
        let answer = admin.ask(&at, "GET", "/v1/units/web@1.container/logs", "", "");
        let lines = answer.body.lines().filter(|line| line.starts_with('{'));
        let lines: Vec<Value> = lines.map(|line| serde_json::from_str(line).unwrap()).collect();
        assert!(!lines.is_empty(), "{answer:?}");
        for line in &lines {
            described.check("GET", "/v1/units/{name}/logs", 200, line);
        }
        // It would tell of a field too many, and of one that is missing.
        let mut version = json!({ "version": "1", "api": 1, "more": 1 });
        assert!(!described.faults("GET", "/v1/version", 200, &version).is_empty());
        version = json!({ "version": "1" });
        assert!(!described.faults("GET", "/v1/version", 200, &version).is_empty());
    });
}
