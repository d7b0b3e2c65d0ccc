//! Webhooks of dispatchers come in.

use crate::node::{Node, asking, got, secret};
use axum::body::Body;
use axum::http::{Method, Request, StatusCode, header};
use serde_json::{Value, json};
use tower::ServiceExt as _;

/// A node whose directory has a route for everything.
async fn routed() -> Node {
    let node = Node::start();
    let text = node.get("/api/v1/directory").await.text;
    let mut document: Value = serde_json::from_str(&text).unwrap();
    document["routes"] = json!([{"name": "all", "to": ["pumps"]}]);
    let got = node.send(Method::PUT, "/api/v1/directory", "admin", &document.to_string()).await;
    assert!(got.status.is_success(), "{}", got.text);
    node
}

fn group(alerts: &Value) -> String {
    json!({"version": "4", "groupKey": "{}:{}", "status": "firing", "alerts": alerts}).to_string()
}

#[tokio::test]
async fn each_alert_of_a_group_is_one_and_one_that_is_none_keeps_no_other_out() {
    let node = routed().await;
    let one =
        json!({"status": "firing", "labels": {"alertname": "Down", "site": "north"}, "fingerprint": "1"});
    let other =
        json!({"status": "firing", "labels": {"alertname": "Down", "site": "south"}, "fingerprint": "2"});
    let post =
        async |alerts: Value| node.send(Method::POST, "/hooks/alertmanager", "send", &group(&alerts)).await;
    let got = post(json!([one, {"labels": 7}, other])).await;
    assert_eq!(got.status, StatusCode::BAD_REQUEST);
    assert!(got.problem().starts_with("/alerts/1/labels: invalid type"), "{}", got.text);
    assert_eq!(node.get("/api/v1/alerts").await.json()["alerts"].as_array().map(Vec::len), Some(2));
    let got = post(json!([one, other])).await;
    assert_eq!((got.status, &got.json()["repeated"]), (StatusCode::OK, &json!(2)));
    let mut over = one.clone();
    over["status"] = json!("resolved");
    assert_eq!(post(json!([over, other])).await.json()["resolved"], 1);
    assert_eq!(post(json!([over])).await.json()["nothing_open"], 1);
}

#[tokio::test]
async fn what_may_pass_is_a_503_and_never_a_4xx() {
    // Nobody is there to tell: somebody may write a route before it is tried again.
    let node = Node::start();
    let body = group(&json!([{"labels": {"alertname": "Down"}}, {"labels": {}}]));
    let got = node.send(Method::POST, "/hooks/alertmanager", "send", &body).await;
    assert_eq!(got.status, StatusCode::SERVICE_UNAVAILABLE, "{}", got.text);
    assert!(got.headers.contains_key(header::RETRY_AFTER));
    assert!(got.problem().contains("no route matches"), "{}", got.text);
}

#[tokio::test]
async fn a_token_may_come_in_the_path_and_a_wrong_one_is_refused_everywhere() {
    let node = routed().await;
    let body = group(&json!([{"labels": {"alertname": "Down"}}]));
    let ask = async |path: String, method: Method| {
        let request = Request::builder().method(method).uri(path).body(Body::from(body.clone())).unwrap();
        node.ask(request).await.status
    };
    for hook in ["alertmanager", "grafana"] {
        assert_eq!(ask(format!("/hooks/{hook}/{}", secret("send")), Method::POST).await, StatusCode::OK);
        assert_eq!(
            ask(format!("/hooks/{hook}/{}", secret("read")), Method::POST).await,
            StatusCode::FORBIDDEN
        );
        assert_eq!(
            ask(format!("/hooks/{hook}/{}", secret("no")), Method::POST).await,
            StatusCode::UNAUTHORIZED
        );
        assert_eq!(ask(format!("/hooks/{hook}"), Method::POST).await, StatusCode::UNAUTHORIZED);
    }
    assert_eq!(ask(format!("/hooks/grafana/{}", secret("send")), Method::PUT).await, StatusCode::OK);
    let plain =
        Request::builder().method(Method::POST).uri("/hooks/alertmanager").body(Body::from(body.clone()));
    let plain = got(node.ingest.clone().oneshot(plain.unwrap()).await.unwrap()).await;
    assert_eq!(plain.status, StatusCode::OK, "{}", plain.text);
    let path = format!("/hooks/alertmanager/{}", secret("no"));
    let wrong = Request::builder().method(Method::POST).uri(path).body(Body::from(body)).unwrap();
    assert_eq!(got(node.ingest.clone().oneshot(wrong).await.unwrap()).await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn what_a_sender_leaves_out_is_noted_once() {
    let node = routed().await;
    let body = json!({"groupKey": "g", "truncatedAlerts": 12, "alerts": [{"labels": {"alertname": "Down"}}]});
    for _ in 0..3 {
        let request =
            asking(Method::POST, "/hooks/grafana", "send").body(Body::from(body.to_string())).unwrap();
        assert_eq!(node.ask(request).await.status, StatusCode::OK);
    }
    node.settle().await;
    let trail = node.get("/api/v1/trail").await.json();
    let notes = trail["entries"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|it| it.to_string().contains("12 alerts of the group g"));
    assert_eq!(notes.count(), 1);
}
