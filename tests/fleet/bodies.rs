//! Requests whose end is in doubt, by users over the network: what is decided about is what the
//! handler reads.

use crate::access::{at, user};
use flotilla_tests::playground::{Ground, needs};
use flotilla_tests::user::User;
use flotilla_tests::{Scratch, require};

const UNIT: &str = "/v1/units/sly.container";
const TEXT: &str = r#"{"text":"[Container]\nImage=hello\n"}"#;

fn chunked(body: &str) -> String {
    format!("{:x}\r\n{body}\r\n0\r\n\r\n", body.len())
}

/// Docker's CVE-2024-41110 and CVE-2026-34040: a body that the guard sees as empty or cut off and
/// the handler as whole. Here the guard looks at no body, so each is refused to who may not, however
/// it is sent; and who may is told what is wrong with it before anything is decided.
#[test]
fn an_empty_a_long_and_a_chunked_body_are_one_to_the_guard_and_the_handler() {
    require!(needs());
    let (ground, scratch) = (Ground::fleet(1), Scratch::new());
    let (view, admin) =
        (user(&ground, "h1", &scratch, "view"), user(&ground, "h1", &scratch, "admin"));
    ground.inside("h1", move || {
        let (view, admin) = (User::of(&view), User::of(&admin));
        let at = at("h1");
        let json = "Content-Type: application/json\r\n";
        let long = format!(r#"{{"text":"{}"}}"#, "#".repeat(3 << 20));
        let length = |n: usize| format!("{json}Content-Length: {n}\r\n");
        let pieces = format!("{json}Transfer-Encoding: chunked\r\n");
        let both = format!("{pieces}Content-Length: 0\r\n");
        let twice = format!("{json}Content-Length: 0\r\nContent-Length: {}\r\n", TEXT.len());
        // Who sends on after the answer finds the connection closed, perhaps before he has read it.
        let status = |user: &User, head: &str, body: &str| {
            let head = format!("PUT {UNIT} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n{head}\r\n");
            let answer = user.send(&at, format!("{head}{body}").as_bytes()).ok()?;
            let answer = String::from_utf8(answer).unwrap();
            Some(answer.split(' ').nth(1).unwrap().to_owned())
        };
        for (what, head, body) in [
            ("none", json.to_owned(), String::new()),
            ("an empty one", length(0), String::new()),
            ("a long one", length(long.len()), long.clone()),
            ("a long one in pieces", pieces.clone(), chunked(&long)),
            ("one of no pieces", pieces.clone(), "0\r\n\r\n".to_owned()),
            ("two ends", both, chunked(TEXT)),
            ("two lengths", twice, TEXT.to_owned()),
        ] {
            let may_break = body.len() > 1 << 20;
            let admins = status(&admin, &head, &body);
            let refused = admins.as_deref().map_or(may_break, |status| status == "400");
            assert!(refused, "{what}: {admins:?}");
            let views = status(&view, &head, &body);
            let is_no = |status: &str| ["400", "403"].contains(&status);
            assert!(views.as_deref().map_or(may_break, is_no), "{what}: {views:?}");
            let there = admin.json(&at, "GET", UNIT, "");
            assert_eq!(there.status, 404, "{what} was taken");
        }
        let answer = view.ask(&at, "PUT", UNIT, &pieces, &chunked(TEXT));
        assert_eq!(answer.status, 403, "{answer:?}");
        let answer = admin.ask(&at, "PUT", UNIT, &pieces, &chunked(TEXT));
        assert_eq!(answer.status, 201, "{answer:?}");
        let answer = admin.json(&at, "PUT", UNIT, TEXT);
        assert_eq!(answer.status, 200, "{answer:?}");
    });
}
