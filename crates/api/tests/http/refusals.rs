//! Every refusal is a problem that names its place; nothing a stranger sends brings the node down.

use crate::node::{Node, SCOPES, asking};
use axum::body::Body;
use axum::http::{Method, StatusCode, header};

/// Method, path, type of the body, body; status and detail of the refusal.
type Row = (&'static str, &'static str, &'static str, &'static str, u16, &'static str);

const J: &str = "application/json";

#[rustfmt::skip]
const REFUSED: &[Row] = &[
    ("GET", "/nowhere", "", "", 404, "there is nothing at /nowhere"),
    ("DELETE", "/api/v1/notices", "", "", 405, "DELETE is not for /api/v1/notices"),
    ("POST", "/api/v1/notices", "text/plain", "x", 415, r#"the body must be application/json, not "text/plain""#),
    ("POST", "/api/v1/notices", "", "x", 415, "send the header Content-Type: application/json"),
    ("POST", "/api/v1/notices", J, r#"{"summary": "#, 400, "/summary: EOF while parsing a value, at line 1 column 12"),
    ("POST", "/api/v1/notices", J, r#"{"sumary": "x"}"#, 422, r#"/sumary: there is no field "sumary"; did you mean "summary"?, at line 1 column 9"#),
    ("POST", "/api/v1/notices", J, r#"{"summary": [1]}"#, 422, "/summary: invalid type: sequence, expected a string, at line 1 column 12"),
    ("POST", "/api/v1/notices", J, "[]", 422, "the body must be an object"),
    ("POST", "/api/v1/notices/batch", J, "{}", 422, "the body must be an array"),
    ("POST", "/api/v1/notices", J, "", 422, "missing field `summary`, at line 1 column 2"),
    ("POST", "/api/v1/notices", J, r#"{"summary": "x", "to": ["nobody"]}"#, 422, r#"/to/0: there is no recipient or group "nobody""#),
    ("POST", "/api/v1/notices", J, r#"{"summary": "x", "to": ["pump"]}"#, 422, r#"/to/0: there is no recipient or group "pump"; did you mean "pumps"?"#),
    ("POST", "/api/v1/notices", J, r#"{"summary": "x", "to": ["anna"], "policy": "defalt"}"#, 422, r#"/policy: there is no policy "defalt"; did you mean "default"?"#),
    ("POST", "/api/v1/notices", J, r#"{"summary": "x", "to": ["mial:a@x"]}"#, 422, r#"/to/0: there is no channel "mial"; there are mail"#),
    ("POST", "/api/v1/notices", J, r#"{"summary": "x"}"#, 422, "/to: the notice names nobody, no route matches it, and there are no operators to fall back to"),
    ("GET", "/api/v1/alerts?limit=x", "", "", 422, "limit: invalid digit found in string"),
    ("GET", "/api/v1/alerts?limit=501", "", "", 422, "limit: a page has 1 to 500 rows"),
    ("GET", "/api/v1/alerts?state=opne", "", "", 422, r#"state: there is no state "opne"; did you mean "open"?"#),
    ("GET", "/api/v1/alerts?cursor=x", "", "", 422, "cursor: this is not the next_cursor of an earlier page"),
    ("GET", "/api/v1/alerts?stat=open", "", "", 422, r#"stat: there is no field "stat"; did you mean "state"?"#),
    ("GET", "/api/v1/alerts/A9", "", "", 404, "no open alert has the code A9"),
    ("GET", "/api/v1/alerts/%0d%0aX", "", "", 404, r#""\r\nX" is neither a code such as A17 nor an id such as 1f3a9c02-10a3f9b21-17"#),
    ("GET", "/api/v1/alerts/%ff", "", "", 404, "Invalid UTF-8 in `alert`"),
    ("POST", "/api/v1/alerts/acknowledge", J, "{}", 422, r#"/alerts: name the alerts, or say "all": true; not both"#),
    ("POST", "/api/v1/alerts/acknowledge", J, r#"{"all": true, "recipient": "ana"}"#, 422, r#"/recipient: there is no recipient "ana"; did you mean "anna"?"#),
    ("POST", "/api/v1/alerts/A1/comment", J, r#"{"text": " "}"#, 422, "/text: there are no words in it"),
    ("GET", "/api/v1/trail?since=yesterday", "", "", 422, "since: a moment is written as 2027-01-01T00:00:00Z"),
    ("GET", "/api/v1/directory/recipient/anna", "", "", 404, r#"there is no section "recipient"; did you mean "recipients"?"#),
    ("POST", "/api/v1/providers/nope/test", J, "{}", 404, "there is no such provider"),
];

async fn refused(node: &Node, method: &str, path: &str, kind: &str, body: &str) -> (u16, String) {
    let mut request = asking(method.parse().unwrap(), path, "admin");
    if !kind.is_empty() {
        request = request.header(header::CONTENT_TYPE, kind);
    }
    let got = node.ask(request.body(Body::from(body.to_owned())).unwrap()).await;
    (got.status.as_u16(), got.problem())
}

#[tokio::test]
async fn every_refusal_is_a_problem() {
    let node = Node::start();
    let mut differing = Vec::new();
    for (method, path, kind, body, status, detail) in REFUSED {
        let said = refused(&node, method, path, kind, body).await;
        if said != (*status, (*detail).to_owned()) {
            differing.push(format!("{method} {path} {body}: {said:?}"));
        }
    }
    assert!(differing.is_empty(), "{differing:#?}");
    assert_eq!(node.get("/api/v1/alerts").await.json()["alerts"].as_array().unwrap().len(), 0);
}

#[tokio::test]
async fn what_is_too_large_or_too_deep_is_refused() {
    let node = Node::start();
    let text = |bytes: usize| format!(r#"{{"summary": "{}"}}"#, "x".repeat(bytes));
    let deep = format!(r#"{{"summary": {}1{}}}"#, "[".repeat(100_000), "]".repeat(100_000));
    let deeper = format!(r#"[{{"summary": {}1{}}}]"#, "[".repeat(100_000), "]".repeat(100_000));
    for (path, body, status, detail) in [
        ("/api/v1/notices", text(1 << 20), 413, "/summary: it has 1048576 bytes; at most 4096"),
        ("/api/v1/notices", text(5 << 20), 413, "a body may have 4194304 bytes here"),
        (
            "/api/v1/notices",
            deep,
            422,
            "/summary: invalid type: sequence, expected a string, at line 1 column 12",
        ),
        ("/api/v1/notices/batch", deeper, 400, ": recursion limit exceeded"),
    ] {
        let (code, said) = refused(&node, "POST", path, J, &body).await;
        assert_eq!(code, status, "{said:.300}");
        assert!(said.contains(detail), "{said:.300}");
    }
}

#[tokio::test]
async fn each_scope_opens_its_routes_and_no_others() {
    let node = Node::start();
    let table: &[(Method, &str, &str, &str)] = &[
        (Method::POST, "/api/v1/notices", r#"{"summary": "x", "to": ["anna"]}"#, "send"),
        (Method::POST, "/api/v1/notices/batch", "[]", "send"),
        (Method::GET, "/api/v1/alerts", "", "read"),
        (Method::GET, "/api/v1/status", "", "read"),
        (Method::GET, "/api/v1/directory", "", "read"),
        (Method::GET, "/api/v1/trail", "", "read"),
        (Method::GET, "/metrics", "", "read"),
        (Method::POST, "/api/v1/alerts/comment", r#"{"all": true, "text": "x"}"#, "operate"),
        (Method::POST, "/api/v1/pause", r#"{"reason": "x"}"#, "operate"),
        (Method::GET, "/api/v1/silences?all=true", "", "read"),
        (Method::POST, "/api/v1/silences/preview", r#"{"matchers": ["site=x"]}"#, "operate"),
        (
            Method::POST,
            "/api/v1/silences",
            r#"{"matchers": ["site=x"], "until": "2999-01-01T00:00:00Z", "comment": "works"}"#,
            "operate",
        ),
        (Method::PUT, "/api/v1/directory/departments/north", "{}", "edit"),
        (Method::GET, "/api/v1/tokens", "", "admin"),
        (Method::GET, "/api/v1/users", "", "admin"),
        (Method::POST, "/api/v1/backup", "{}", "admin"),
    ];
    for (method, path, body, needed) in table {
        for scope in SCOPES {
            let got = node.send(method.clone(), path, scope, body).await;
            if scope == *needed || scope == "admin" {
                assert!(got.status.is_success(), "{scope} {method} {path}: {}", got.text);
            } else {
                assert_eq!(got.status, StatusCode::FORBIDDEN, "{scope} {method} {path}");
                let expected = format!("this needs the scope \"{needed}\"; token:{scope} has {scope}");
                assert_eq!(got.problem(), expected);
            }
        }
        for unknown in ["", "old", "nobody"] {
            let got = node.send(method.clone(), path, unknown, body).await;
            assert_eq!(got.status, StatusCode::UNAUTHORIZED, "{unknown:?} {method} {path}");
            got.problem();
            assert!(got.headers.contains_key(header::WWW_AUTHENTICATE));
        }
    }
}

#[tokio::test]
async fn what_needs_no_token_works_without() {
    let node = Node::start();
    for path in ["/healthz", "/readyz", "/openapi.json"] {
        assert_eq!(node.send(Method::GET, path, "", "").await.status, StatusCode::OK, "{path}");
    }
}

#[tokio::test]
async fn a_node_that_has_ended_says_so() {
    let (calls, waiting) = api::Calls::new(1);
    drop(waiting);
    assert_eq!(calls.read(|_, _| ()).await, Err(api::CallError::Stopped));
}

#[test]
fn no_bytes_make_the_readers_panic() {
    let parts = [
        "{",
        "}",
        "[",
        "]",
        "\"summary\"",
        ":",
        "\"x\\u0000\"",
        ",",
        "\"to\"",
        "1e999",
        "\u{ff}",
        "null",
        "\\",
    ];
    let mut seed = 7u64;
    for _ in 0..20_000 {
        let mut text = String::new();
        for _ in 0..(seed % 12) {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            text.push_str(parts[usize::try_from(seed >> 33).unwrap() % parts.len()]);
        }
        seed = seed.wrapping_add(1);
        drop(api::parse_notice(text.as_bytes()));
        drop(api::read_token(&text));
    }
}

#[test]
fn the_document_lists_every_route_and_parses() {
    let document: serde_json::Value = serde_json::from_str(&api::openapi()).unwrap();
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"));
    let paths = document["paths"].as_object().unwrap();
    for path in [
        "/api/v1/notices",
        "/api/v1/notices/batch",
        "/api/v1/alerts",
        "/api/v1/alerts/{alert}",
        "/api/v1/alerts/{alert}/notifications",
        "/api/v1/alerts/acknowledge",
        "/api/v1/alerts/{alert}/acknowledge",
        "/api/v1/alerts/comment",
        "/api/v1/alerts/{alert}/comment",
        "/api/v1/alerts/close",
        "/api/v1/alerts/{alert}/close",
        "/api/v1/alerts/escalate",
        "/api/v1/alerts/{alert}/escalate",
        "/api/v1/pending/delete",
        "/api/v1/pause",
        "/api/v1/resume",
        "/api/v1/status",
        "/api/v1/directory",
        "/api/v1/directory/check",
        "/api/v1/directory/diff",
        "/api/v1/directory/{section}/{name}",
        "/api/v1/templates/preview",
        "/api/v1/providers/{name}/test",
        "/api/v1/trail",
        "/api/v1/trail/stream",
        "/api/v1/events",
        "/api/v1/tokens",
        "/api/v1/tokens/{name}",
        "/api/v1/users",
        "/api/v1/users/{name}",
        "/api/v1/login",
        "/api/v1/logout",
        "/api/v1/backup",
        "/healthz",
        "/readyz",
        "/metrics",
        "/openapi.json",
        "/a/{token}",
    ] {
        assert!(paths.contains_key(path), "{path}");
    }
    let mut ids = Vec::new();
    let mut references = Vec::new();
    gather(&document, &mut ids, &mut references);
    let count = ids.len();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), count, "every operation has its own name");
    for reference in references {
        let pointer = reference.strip_prefix('#').unwrap();
        assert!(document.pointer(pointer).is_some(), "{reference} leads nowhere");
    }
}

fn gather(value: &serde_json::Value, ids: &mut Vec<String>, references: &mut Vec<String>) {
    if let Some(fields) = value.as_object() {
        for (key, inner) in fields {
            match (key.as_str(), inner.as_str()) {
                ("operationId", Some(id)) => ids.push(id.to_owned()),
                ("$ref", Some(to)) => references.push(to.to_owned()),
                ("responses", None) => {
                    let each = inner.as_object().into_iter().flatten();
                    each.for_each(|(status, it)| assert!(it["description"].is_string(), "{status} {it}"));
                    gather(inner, ids, references);
                }
                _ => gather(inner, ids, references),
            }
        }
    }
    for inner in value.as_array().into_iter().flatten() {
        gather(inner, ids, references);
    }
}
