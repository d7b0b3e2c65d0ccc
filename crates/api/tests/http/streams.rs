//! Changes as they happen.

use crate::node::{Node, asking};
use axum::body::Body;
use axum::http::Method;
use futures_util::StreamExt as _;
use tower::ServiceExt as _;

/// Reads from a stream until `enough` says so.
async fn listen(node: &Node, last: Option<&str>, enough: impl Fn(&str) -> bool) -> String {
    let mut request = asking(Method::GET, "/api/v1/events", "read");
    if let Some(last) = last {
        request = request.header("Last-Event-ID", last);
    }
    let response = node.router.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    let mut text = String::new();
    let mut chunks = response.into_body().into_data_stream();
    while !enough(&text) {
        text.push_str(&String::from_utf8_lossy(&chunks.next().await.unwrap().unwrap()));
    }
    text
}

fn ids(text: &str) -> Vec<&str> {
    text.lines().filter_map(|line| line.strip_prefix("id: ")).collect()
}

#[tokio::test]
async fn a_client_that_comes_back_misses_nothing() {
    let node = Node::start();
    node.raise("x").await;
    node.settle().await;
    let unknown = listen(&node, Some("0-0"), |text| text.contains("\n\n")).await;
    assert!(unknown.starts_with("event: resync\n"), "{unknown}");
    let foreign = listen(&node, Some("\"; drop"), |text| text.contains("\n\n")).await;
    assert!(foreign.starts_with("event: resync\n"), "{foreign}");

    // The directory is the second record of the log, the roster the third.
    let log: base::AlertId =
        node.get("/api/v1/alerts/A1").await.json()["id"].as_str().unwrap().parse().unwrap();
    let directory = format!("{:x}-1", log.0.log.boot.0);
    let seen = listen(&node, Some(&directory), |text| ids(text).len() >= 2).await;
    assert!(seen.contains("event: roster") && seen.contains("event: accept"), "{seen}");
    assert!(seen.contains("A1 accepted from admin"), "{seen}");
    let last = ids(&seen)[1].to_owned();
    node.post("/api/v1/alerts/A1/comment", r#"{"text": "later"}"#).await;
    let seen = listen(&node, Some(&last), |text| !ids(text).is_empty()).await;
    assert!(seen.contains("event: comment") && seen.contains("later"), "{seen}");
}

#[tokio::test]
async fn a_listener_hears_what_comes() {
    let node = Node::start();
    node.raise("x").await;
    let response = asking(Method::GET, "/api/v1/trail/stream", "read").body(Body::empty()).unwrap();
    let response = node.router.clone().oneshot(response).await.unwrap();
    node.post("/api/v1/alerts/A1/comment", r#"{"text": "hello\ndata: forged"}"#).await;
    let mut chunks = response.into_body().into_data_stream();
    let mut text = String::new();
    while !text.contains("event: comment") || !text.ends_with("\n\n") {
        text.push_str(&String::from_utf8_lossy(&chunks.next().await.unwrap().unwrap()));
    }
    assert!(!text.lines().any(|line| line.starts_with("data: forged")), "{text}");
}
