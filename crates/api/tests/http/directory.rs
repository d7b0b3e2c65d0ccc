//! The directory is shown, judged and changed.

use crate::node::{BOOK, Node, asking};
use axum::body::Body;
use axum::http::{Method, StatusCode, header};
use serde_json::json;

#[tokio::test]
async fn a_change_needs_the_version_it_was_made_from() {
    let node = Node::start();
    let first = node.get("/api/v1/directory").await;
    let tag = first.headers[header::ETAG].to_str().unwrap().to_owned();
    assert_eq!(tag, "\"0-1\"");
    let put = async |tag: &str, body: &str, kind: &str| {
        let request = asking(Method::PUT, "/api/v1/directory", "edit")
            .header(header::IF_MATCH, tag)
            .header(header::CONTENT_TYPE, kind);
        node.ask(request.body(Body::from(body.to_owned())).unwrap()).await
    };
    let with =
        format!("{BOOK}\n[recipients.dora]\naddresses = [{{ channel = \"mail\", value = \"d@x.test\" }}]");
    let changed = put(&tag, &with, "application/toml").await;
    assert_eq!(changed.status, StatusCode::OK, "{}", changed.text);
    assert_eq!(changed.json()["version"], 2);
    assert!(
        changed.json()["changes"][0]["what"].as_str().unwrap().starts_with("recipients.dora"),
        "{}",
        changed.text
    );
    let stale = put(&tag, BOOK, "application/toml").await;
    assert_eq!(stale.status, StatusCode::PRECONDITION_FAILED);
    assert_eq!(stale.problem(), "the directory changed meanwhile; it is at version \"0-2\"");
    let same = put("\"0-2\"", &with, "application/toml").await;
    assert_eq!(same.json()["version"], 2, "what changes nothing makes no version");
    // Tokens that were left out are still there.
    assert_eq!(node.get("/api/v1/tokens").await.json()["tokens"].as_array().unwrap().len(), 6);
}

#[tokio::test]
async fn problems_are_told_with_pointer_and_line() {
    let node = Node::start();
    let check = async |body: &str, kind: &str| {
        let request =
            asking(Method::POST, "/api/v1/directory/check", "read").header(header::CONTENT_TYPE, kind);
        node.ask(request.body(Body::from(body.to_owned())).unwrap()).await
    };
    assert_eq!(check(BOOK, "application/toml").await.json(), json!({ "valid": true }));
    let bad = check("[groups.a]\nmembers = [\"ana\"]\n[recipients.anna]\n", "application/toml").await;
    assert_eq!(bad.status, StatusCode::UNPROCESSABLE_ENTITY);
    let errors = bad.json()["errors"].clone();
    assert!(
        errors.as_array().unwrap().iter().any(|it| it["pointer"] == "/groups/a/members/0" && it["line"] == 2),
        "{errors}"
    );
    let shape = check("[groups.a]\nmember = []", "application/toml").await;
    assert!(shape.problem().contains("did you mean \"members\"?"), "{}", shape.text);
    let json = check(r#"{"groups": {"a": {"members": ["a"]}}}"#, "application/json").await;
    assert_eq!(json.status, StatusCode::UNPROCESSABLE_ENTITY, "a group in itself");
    json.problem();
}

#[tokio::test]
async fn secrets_are_for_administrators() {
    let node = Node::start();
    let read = node.send(Method::GET, "/api/v1/directory", "read", "").await;
    assert!(!read.text.contains("sha256") && !read.text.contains("argon2"), "{}", read.text);
    let whole = node.get("/api/v1/directory").await;
    assert!(whole.text.contains("sha256") && whole.text.contains("argon2"));
    // An editor may not bring tokens in.
    let mut document = whole.json();
    document["tokens"]["send"]["scopes"] = json!(["admin"]);
    let got = node.send(Method::PUT, "/api/v1/directory", "edit", &document.to_string()).await;
    assert_eq!(got.status, StatusCode::FORBIDDEN, "{}", got.text);
    let request = asking(Method::GET, "/api/v1/directory", "read").header(header::ACCEPT, "application/toml");
    let toml = node.ask(request.body(Body::empty()).unwrap()).await;
    assert!(toml.text.contains("[recipients.anna]"), "{}", toml.text);
    let diff = asking(Method::POST, "/api/v1/directory/diff", "read")
        .header(header::CONTENT_TYPE, "application/toml");
    let diff = node.ask(diff.body(Body::from(toml.text)).unwrap()).await;
    assert_eq!(diff.json()["changes"], json!([]), "what was exported is no change");
}

#[tokio::test]
async fn entries_are_changed_one_by_one() {
    let node = Node::start();
    let dora = json!({ "addresses": [{ "channel": "mail", "value": "d@x.test" }] }).to_string();
    let path = "/api/v1/directory/recipients/dora";
    assert_eq!(node.send(Method::PUT, path, "edit", &dora).await.status, StatusCode::OK);
    assert_eq!(node.get(path).await.json()["addresses"][0]["value"], "d@x.test");
    let wrong = node.send(Method::PUT, path, "edit", r#"{"adresses": []}"#).await;
    assert!(wrong.problem().contains("did you mean \"addresses\"?"), "{}", wrong.text);
    let route = json!({ "to": ["dora"], "labels": [{ "label": "site", "equals": "north" }] }).to_string();
    assert_eq!(
        node.send(Method::PUT, "/api/v1/directory/routes/north", "edit", &route).await.status,
        StatusCode::OK
    );
    let used = node.delete(path).await;
    assert_eq!(used.status, StatusCode::UNPROCESSABLE_ENTITY, "the route still names her");
    assert!(used.problem().contains("/routes/0/to/0"), "{}", used.text);
    assert_eq!(node.delete("/api/v1/directory/routes/north").await.status, StatusCode::OK);
    assert_eq!(node.delete(path).await.status, StatusCode::OK);
    assert_eq!(node.get(path).await.status, StatusCode::NOT_FOUND);
    let name = node.send(Method::PUT, "/api/v1/directory/recipients/a%0d%0ab", "edit", &dora).await;
    assert_eq!(name.status, StatusCode::UNPROCESSABLE_ENTITY);
    name.problem();
}

#[tokio::test]
async fn a_template_is_tried() {
    let node = Node::start();
    let body = json!({
        "template": { "channel": "mail", "subject": "!", "body": "{{ summary }}" }, "sample": { "summary": "x" },
    });
    let made = node.post("/api/v1/templates/preview", &body.to_string()).await;
    let made = made.json();
    assert_eq!((&made["subject"], &made["body"]), (&json!("!"), &json!("x")));
    assert_eq!(made["size"], json!({ "characters": 1, "sms": null }));
    assert_eq!(
        (&made["longest"]["size"]["characters"], &made["shortest"]["body"]),
        (&json!(26), &json!("x"))
    );

    let body = json!({ "template": { "channel": "sms", "body": "{{ summary }}" } });
    let made = node.post("/api/v1/templates/preview", &body.to_string()).await.json();
    let sms = &made["longest"]["size"]["sms"];
    assert_eq!(*sms, json!({ "encoding": "ucs-2", "units": 26, "parts": 1, "because_of": ["–"] }));
    assert_eq!(made["shortest"]["size"]["sms"]["encoding"], "gsm-7");
}
