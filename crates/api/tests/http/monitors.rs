//! Pings of monitors, and how monitors are.

use crate::node::{Node, asking, got};
use axum::body::Body;
use axum::http::{Method, StatusCode};
use serde_json::{Value, json};
use tower::ServiceExt as _;

/// A node with a monitor called `backup`, and whom a heartbeat is for.
async fn watching() -> Node {
    let node = Node::start();
    let monitor = r#"{"every": "1h", "to": ["anna"]}"#;
    let got = node.send(Method::PUT, "/api/v1/directory/monitors/backup", "admin", monitor).await;
    assert_eq!(got.status, StatusCode::OK, "{}", got.text);
    node
}

async fn ping(node: &Node, method: Method, path: &str, body: &str) -> (StatusCode, String) {
    let request = asking(method, path, "send").body(Body::from(body.to_owned())).unwrap();
    let got = node.ask(request).await;
    (got.status, got.text)
}

async fn state(node: &Node) -> Value {
    node.get("/api/v1/monitors").await.json()["monitors"][0].clone()
}

#[tokio::test]
async fn a_ping_is_taken_as_healthchecks_and_goalert_take_it() {
    let node = watching().await;
    assert_eq!(state(&node).await["state"], "new");
    for (method, path) in [
        (Method::GET, "/ping/backup"),
        (Method::POST, "/ping/backup"),
        (Method::GET, "/ping/backup/0"),
        (Method::POST, "/ping/backup/success"),
        (Method::POST, "/api/v2/heartbeat/backup"),
    ] {
        assert_eq!(ping(&node, method, path, "log").await, (StatusCode::OK, "OK".into()), "{path}");
    }
    let (status, body) = ping(&node, Method::HEAD, "/ping/backup", "").await;
    assert_eq!((status, body.as_str()), (StatusCode::OK, ""));
    assert_eq!(state(&node).await["state"], "up");
    let (status, body) = ping(&node, Method::GET, "/ping/bakcup", "").await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    assert!(body.contains("there is no monitor \\\"bakcup\\\"; did you mean \\\"backup\\\"?"), "{body}");
}

#[tokio::test]
async fn a_failure_raises_the_alert_at_once_and_the_next_ping_ends_it() {
    let node = watching().await;
    ping(&node, Method::POST, "/ping/backup/3", "the tape\nis full").await;
    let monitor = state(&node).await;
    assert_eq!((&monitor["state"], &monitor["alert"]), (&json!("failing"), &json!("A1")));
    assert_eq!(monitor["why"], "exit status 3: the tape is full");
    let alert = node.get("/api/v1/alerts/A1").await.json();
    assert_eq!((&alert["source"], &alert["severity"]), (&json!("monitor"), &json!("high")));
    assert_eq!(alert["labels"], json!({ "monitor": "backup" }));
    assert_eq!(alert["details"], "It says that it failed: exit status 3: the tape is full");
    ping(&node, Method::GET, "/ping/backup", "").await;
    let monitor = state(&node).await;
    assert_eq!((&monitor["state"], &monitor["alert"]), (&json!("up"), &Value::Null));
}

#[tokio::test]
async fn on_loopback_a_ping_needs_no_token_and_elsewhere_one_that_may_send() {
    let node = watching().await;
    let bare = || asking(Method::GET, "/ping/backup", "").body(Body::empty()).unwrap();
    assert_eq!(node.ask(bare()).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(got(node.ingest.clone().oneshot(bare()).await.unwrap()).await.status, StatusCode::OK);
    let read = asking(Method::GET, "/ping/backup", "read").body(Body::empty()).unwrap();
    assert_eq!(node.ask(read).await.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn a_heartbeat_says_how_all_is() {
    let node = watching().await;
    let refused = node.post("/api/v1/heartbeat/send", "").await;
    assert_eq!(refused.status, StatusCode::CONFLICT, "{}", refused.text);
    let mut book = node.get("/api/v1/directory").await.json();
    book["settings"]["heartbeat"] = json!({ "at": "08:00", "to": ["anna"] });
    let got = node.send(Method::PUT, "/api/v1/directory", "admin", &book.to_string()).await;
    assert_eq!(got.status, StatusCode::OK, "{}", got.text);
    let sent = node.post("/api/v1/heartbeat/send", "").await.json();
    assert_eq!((&sent["summary"], &sent["recipients"]), (&json!("all is well"), &json!(1)));
    node.raise("x").await;
    let sent = node.post("/api/v1/heartbeat/send", "").await.json();
    assert_eq!(sent["summary"], "not all is well: 1 alert(s) open");
    let details = sent["details"].as_str().unwrap();
    assert!(details.contains("Provider main for mail: healthy."), "{details}");
    assert!(details.contains("Monitors: 1; none is missing."), "{details}");
}
