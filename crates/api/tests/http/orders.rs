//! What operators do.

use crate::node::Node;
use axum::http::StatusCode;
use serde_json::{Value, json};

fn codes(body: &Value) -> Vec<&str> {
    body["alerts"].as_array().unwrap().iter().map(|it| it["code"].as_str().unwrap_or("-")).collect()
}

#[tokio::test]
async fn an_acknowledgement_names_who_and_stops_the_escalation() {
    let node = Node::start();
    let id = node.raise("x").await;
    let body = r#"{"recipient": "anna", "comment": "on my way"}"#;
    let got = node.post("/api/v1/alerts/A1/acknowledge", body).await;
    assert_eq!(got.status, StatusCode::OK, "{}", got.text);
    assert_eq!(got.json(), json!({ "alerts": [{ "id": id, "code": "A1" }], "copies": 1 }));
    let alert = node.get("/api/v1/alerts/A1").await.json();
    assert_eq!(alert["state"], "acknowledged");
    assert_eq!(alert["next_step"], Value::Null);
    let ack = &alert["acknowledged"];
    assert_eq!(
        (&ack["by"], &ack["recipient"], &ack["comment"]),
        (&json!("token:admin through the api"), &json!("anna"), &json!("on my way"))
    );
}

#[tokio::test]
async fn alerts_that_are_over_do_not_stop_an_order_about_others() {
    let node = Node::start();
    node.raise("x").await;
    node.raise("y").await;
    let got = node.post("/api/v1/alerts/acknowledge", r#"{"alerts": ["A1", "B7", "A2"]}"#).await.json();
    assert_eq!((codes(&got), &got["not_open"]), (vec!["A1", "A2"], &json!(["B7"])));
    let none = node.post("/api/v1/alerts/acknowledge", r#"{"alerts": ["B7"]}"#).await;
    assert_eq!(
        (none.status, none.problem().as_str()),
        (StatusCode::NOT_FOUND, "no alert is open that is called B7")
    );
}

#[tokio::test]
async fn every_order_does_what_it_says() {
    let node = Node::start();
    for summary in ["a", "b", "c"] {
        node.raise(summary).await;
    }
    let all = node.post("/api/v1/alerts/comment", r#"{"all": true, "text": "seen"}"#).await.json();
    assert_eq!(codes(&all), ["A1", "A2", "A3"]);
    assert_eq!(node.get("/api/v1/alerts/A1").await.json()["comments"][0]["text"], "seen");
    assert_eq!(codes(&node.post("/api/v1/alerts/A1/escalate", "").await.json()), ["A1"]);
    let steps = node.get("/api/v1/alerts/A1").await.json()["steps"].clone();
    assert_eq!(
        (steps.as_array().unwrap().len(), &steps[1]["by"]),
        (2, &json!("token:admin through the api"))
    );
    let done = node.post("/api/v1/alerts/A1/escalate", "").await;
    assert_eq!(done.status, StatusCode::CONFLICT);
    assert_eq!(codes(&node.post("/api/v1/alerts/A2/close", "").await.json()), ["A2"]);
    assert_eq!(node.post("/api/v1/pending/delete", r#"{"alerts": ["A3"]}"#).await.status, StatusCode::OK);
    assert_eq!(node.post("/api/v1/pause", r#"{"reason": "drill"}"#).await.status, StatusCode::OK);
    let status = node.get("/api/v1/status").await.json();
    assert_eq!(status["paused"]["reason"], "drill");
    assert!(status["sentence"].as_str().unwrap().starts_with("sending is paused by token:admin"), "{status}");
    assert_eq!(node.post("/api/v1/resume", r#"{"discard": true}"#).await.status, StatusCode::OK);
    assert_eq!(node.post("/api/v1/resume", "{}").await.status, StatusCode::CONFLICT);
}

#[tokio::test]
async fn the_trail_tells_who_did_what() {
    let node = Node::start();
    node.raise("x").await;
    node.post("/api/v1/alerts/A1/acknowledge", "{}").await;
    node.settle().await;
    let all = node.get("/api/v1/trail?order=oldest").await.json();
    let kinds: Vec<_> =
        all["entries"].as_array().unwrap().iter().map(|it| it["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["start", "directory", "roster", "accept", "ack"], "{all:#}");
    assert_eq!(all["entries"][1]["record"], Value::Null, "the directory holds secrets");
    let acks = node.get("/api/v1/trail?kind=ack,comment&alert=A1").await.json();
    assert_eq!(acks["entries"][0]["who"], "token:admin");
    assert_eq!(acks["entries"][0]["text"], "token:admin acknowledged A1 for everybody through the api");
    let first = node.get("/api/v1/trail?limit=2").await.json();
    let path = format!("/api/v1/trail?limit=2&cursor={}", first["next_cursor"].as_str().unwrap());
    assert_eq!(node.get(&path).await.json()["entries"][0]["kind"], "roster");
}
