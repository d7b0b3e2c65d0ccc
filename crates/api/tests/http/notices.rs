//! Notices come in.

use crate::node::{Node, asking, got};
use axum::body::Body;
use axum::http::{Method, StatusCode, header};
use serde_json::json;
use tower::ServiceExt as _;

#[tokio::test]
async fn a_notice_becomes_an_alert_and_is_shown() {
    let node = Node::start();
    let body = json!({
        "summary": "pump 3 stopped", "details": "0 A", "severity": "high", "to": ["pumps"],
        "labels": { "site": "north" }, "dedup_key": "pump-3",
    });
    let got = node.send(Method::POST, "/api/v1/notices", "send", &body.to_string()).await;
    assert_eq!(got.status, StatusCode::CREATED, "{}", got.text);
    let taken = got.json();
    assert_eq!(
        (&taken["taken"], &taken["recipients"], &taken["copies"]),
        (&json!("new"), &json!(2), &json!(1))
    );
    assert_eq!(taken["code"], "A1");

    for path in [
        "/api/v1/alerts/A1",
        "/api/v1/alerts/a1",
        &format!("/api/v1/alerts/{}", taken["id"].as_str().unwrap()),
    ] {
        let alert = node.get(path).await.json();
        assert_eq!(
            (&alert["state"], &alert["severity"], &alert["source"]),
            (&json!("open"), &json!("high"), &json!("send"))
        );
        assert_eq!(alert["labels"], json!({ "site": "north" }));
        assert_eq!(alert["next_step"]["step"], 1);
        assert_eq!(alert["accepted_at"], "2023-11-14T22:13:20.000Z");
        assert_eq!(alert["steps"][0]["step"], 0);
    }
    let again = node.send(Method::POST, "/api/v1/notices", "send", &body.to_string()).await;
    assert_eq!((again.status, &again.json()["taken"]), (StatusCode::OK, &json!("repeated")));
    let over = json!({ "summary": "pump 3 runs", "dedup_key": "pump-3", "status": "resolved" }).to_string();
    assert_eq!(node.send(Method::POST, "/api/v1/notices", "send", &over).await.json()["taken"], "resolved");
    assert_eq!(
        node.send(Method::POST, "/api/v1/notices", "send", &over).await.json()["taken"],
        "nothing-open"
    );
}

#[tokio::test]
async fn a_key_makes_one_alert_of_many_requests() {
    let node = Node::start();
    let ask = async |key: &str, body: &str| {
        let request = asking(Method::POST, "/api/v1/notices", "send")
            .header(header::CONTENT_TYPE, "application/json")
            .header("Idempotency-Key", key);
        node.ask(request.body(Body::from(body.to_owned())).unwrap()).await
    };
    let first = ask("k1", r#"{"summary": "x", "to": ["anna"]}"#).await;
    assert_eq!(first.status, StatusCode::CREATED);
    // The same request with its fields in another order, and the key as a structured field.
    let second = ask("\"k1\"", r#"{"to": ["anna"], "summary": "x"}"#).await;
    assert_eq!((second.status, &second.json()["id"]), (StatusCode::OK, &first.json()["id"]));
    let other = ask("k1", r#"{"summary": "y", "to": ["anna"]}"#).await;
    assert_eq!(other.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(other.problem().contains("used for another request"));
    assert_eq!(node.get("/api/v1/alerts").await.json()["alerts"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn one_bad_notice_does_not_stop_a_batch() {
    let node = Node::start();
    let body = json!([
        { "summary": "one", "to": ["anna"], "idempotency_key": "a" },
        { "summary": "two", "to": ["ana"] },
        { "summary": 3 },
        { "summary": "one", "to": ["anna"], "idempotency_key": "a" },
        7,
        { "summary": "another", "to": ["anna"], "idempotency_key": "a" },
    ]);
    let got = node.send(Method::POST, "/api/v1/notices/batch", "send", &body.to_string()).await;
    assert_eq!(got.status, StatusCode::OK, "{}", got.text);
    let results = got.json()["results"].clone();
    let statuses: Vec<_> =
        results.as_array().unwrap().iter().map(|it| it["status"].as_u64().unwrap()).collect();
    assert_eq!(statuses, [201, 422, 422, 200, 422, 422], "{results:#}");
    assert_eq!(results[1]["problem"]["errors"][0]["pointer"], "/1/to/0");
    assert!(
        results[1]["problem"]["detail"].as_str().unwrap().ends_with("did you mean \"anna\"?"),
        "{results:#}"
    );
    assert_eq!(results[2]["problem"]["errors"][0]["pointer"], "/2/summary");
    assert_eq!(results[5]["problem"]["errors"][0]["pointer"], "/5/idempotency_key");
    let many = format!("[{}]", vec!["{}"; 1001].join(","));
    assert_eq!(node.post("/api/v1/notices/batch", &many).await.status, StatusCode::UNPROCESSABLE_ENTITY);
}

#[tokio::test]
async fn the_loopback_listener_takes_notices_and_nothing_else() {
    let node = Node::start();
    let ask = async |method: Method, path: &str, token: &str, body: &str| {
        let request = asking(method, path, token).header(header::CONTENT_TYPE, "application/json");
        got(node.ingest.clone().oneshot(request.body(Body::from(body.to_owned())).unwrap()).await.unwrap())
            .await
    };
    let notice = r#"{"summary": "x", "to": ["anna"]}"#;
    let taken = ask(Method::POST, "/api/v1/notices", "", notice).await;
    assert_eq!(taken.status, StatusCode::CREATED);
    let path = format!("/api/v1/alerts/{}", taken.json()["id"].as_str().unwrap());
    assert_eq!(node.get(&path).await.json()["source"], "local");
    let named = ask(Method::POST, "/api/v1/notices", "send", notice).await;
    let path = format!("/api/v1/alerts/{}", named.json()["id"].as_str().unwrap());
    assert_eq!(node.get(&path).await.json()["source"], "send");
    assert_eq!(
        ask(Method::POST, "/api/v1/notices", "unknown", notice).await.status,
        StatusCode::UNAUTHORIZED
    );
    assert_eq!(ask(Method::GET, "/api/v1/alerts", "admin", "").await.status, StatusCode::NOT_FOUND);
    for path in ["/healthz", "/readyz"] {
        assert_eq!(ask(Method::GET, path, "", "").await.status, StatusCode::OK);
    }
}

#[tokio::test]
async fn lists_are_paged_without_gaps_and_searched() {
    let node = Node::start();
    for number in 0..7 {
        node.raise(&format!("pump {number} stopped")).await;
    }
    let mut seen = Vec::new();
    let mut path = "/api/v1/alerts?limit=3".to_owned();
    loop {
        let page = node.get(&path).await.json();
        seen.extend(
            page["alerts"].as_array().unwrap().iter().map(|it| it["summary"].as_str().unwrap().to_owned()),
        );
        let Some(cursor) = page["next_cursor"].as_str() else { break };
        path = format!("/api/v1/alerts?limit=3&cursor={cursor}");
    }
    assert_eq!(seen, (0..7).rev().map(|it| format!("pump {it} stopped")).collect::<Vec<_>>());
    let found = node.get("/api/v1/alerts?q=PUMP%204").await.json();
    assert_eq!(found["alerts"].as_array().unwrap().len(), 1);
    assert_eq!(node.get("/api/v1/alerts?state=acknowledged").await.json()["alerts"], json!([]));
}

#[tokio::test]
async fn closed_alerts_are_found_in_the_history() {
    let node = Node::start();
    for number in 0..5 {
        node.raise(&format!("pump {number}")).await;
    }
    node.post("/api/v1/alerts/A2/comment", r#"{"text": "on my way"}"#).await;
    // Nothing was sent, so that deleting what is pending closes at once.
    let closed = node.post("/api/v1/alerts/close", r#"{"alerts": ["A2", "A3", "A4"]}"#).await;
    assert_eq!(closed.status, StatusCode::OK, "{}", closed.text);
    let id = closed.json()["alerts"][0]["id"].as_str().unwrap().to_owned();
    node.settle().await;
    let page = node.get("/api/v1/alerts?state=closed&limit=2").await.json();
    assert_eq!(page["alerts"].as_array().unwrap().len(), 2, "{page:#}");
    let next =
        format!("/api/v1/alerts?state=closed&limit=2&cursor={}", page["next_cursor"].as_str().unwrap());
    assert_eq!(node.get(&next).await.json()["alerts"].as_array().unwrap().len(), 1);
    let mut all = Vec::new();
    let mut path = "/api/v1/alerts?state=all&limit=2".to_owned();
    loop {
        let page = node.get(&path).await.json();
        all.extend(
            page["alerts"].as_array().unwrap().iter().map(|it| it["code"].as_str().unwrap().to_owned()),
        );
        let Some(cursor) = page["next_cursor"].as_str() else { break };
        path = format!("/api/v1/alerts?state=all&limit=2&cursor={cursor}");
    }
    all.sort_unstable();
    assert_eq!(all, ["A1", "A2", "A3", "A4", "A5"]);
    let one = node.get(&format!("/api/v1/alerts/{id}")).await.json();
    assert_eq!((&one["state"], &one["ended"]["why"]), (&json!("closed"), &json!("by-hand")), "{one:#}");
    assert_eq!(one["comments"][0]["text"], "on my way", "{one:#}");
    assert_eq!(one["comments"][0]["by"], "token:admin through the api");
    assert_eq!(node.get(&format!("/api/v1/alerts/{id}/notifications")).await.status, StatusCode::OK);
}
