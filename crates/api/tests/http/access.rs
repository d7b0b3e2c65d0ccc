//! Tokens, users and sessions.

use crate::node::Node;
use axum::body::Body;
use axum::http::{Method, Request, StatusCode, header};
use serde_json::json;

async fn with(node: &Node, secret: &str, method: Method, path: &str) -> StatusCode {
    let request =
        Request::builder().method(method).uri(path).header(header::AUTHORIZATION, format!("Bearer {secret}"));
    node.ask(request.body(Body::empty()).unwrap()).await.status
}

#[tokio::test]
async fn a_token_is_made_shown_once_and_taken_back() {
    let node = Node::start();
    let body = json!({ "name": "scada", "scopes": ["read"] }).to_string();
    let made = node.post("/api/v1/tokens", &body).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.text);
    let secret = made.json()["token"].as_str().unwrap().to_owned();
    assert_eq!(with(&node, &secret, Method::GET, "/api/v1/alerts").await, StatusCode::OK);
    assert_eq!(
        with(&node, &format!("{}B", &secret[..secret.len() - 1]), Method::GET, "/api/v1/alerts").await,
        StatusCode::UNAUTHORIZED
    );
    let list = node.get("/api/v1/tokens").await;
    assert!(list.text.contains("scada") && !list.text.contains(&secret) && !list.text.contains("sha256"));
    assert_eq!(node.post("/api/v1/tokens", &body).await.status, StatusCode::CONFLICT);
    assert_eq!(node.delete("/api/v1/tokens/scada").await.status, StatusCode::NO_CONTENT);
    assert_eq!(with(&node, &secret, Method::GET, "/api/v1/alerts").await, StatusCode::UNAUTHORIZED);
    assert_eq!(node.delete("/api/v1/tokens/scada").await.status, StatusCode::NOT_FOUND);
    let last = node.delete("/api/v1/tokens/admin").await;
    assert_eq!(last.status, StatusCode::CONFLICT, "nobody locks themselves out");
    last.problem();
    let scope = node.post("/api/v1/tokens", r#"{"name": "x", "scopes": ["reed"]}"#).await;
    assert_eq!(scope.problem(), "/scopes/0: there is no scope \"reed\"; did you mean \"read\"?");
}

#[tokio::test]
async fn somebody_logs_in_and_out_and_is_locked_out_by_guessing() {
    let node = Node::start();
    let login = async |password: &str| {
        let body = json!({ "user": "carl", "password": password }).to_string();
        node.send(Method::POST, "/api/v1/login", "", &body).await
    };
    let session = login("correct horse").await;
    assert_eq!(session.status, StatusCode::OK, "{}", session.text);
    let secret = session.json()["token"].as_str().unwrap().to_owned();
    assert_eq!(with(&node, &secret, Method::GET, "/api/v1/alerts").await, StatusCode::OK);
    assert_eq!(with(&node, &secret, Method::GET, "/api/v1/tokens").await, StatusCode::FORBIDDEN);
    assert_eq!(with(&node, &secret, Method::POST, "/api/v1/logout").await, StatusCode::NO_CONTENT);
    assert_eq!(with(&node, &secret, Method::GET, "/api/v1/alerts").await, StatusCode::UNAUTHORIZED);
    for _ in 0..5 {
        assert_eq!(login("wrong").await.status, StatusCode::UNAUTHORIZED);
    }
    let locked = login("correct horse").await;
    assert_eq!(locked.status, StatusCode::TOO_MANY_REQUESTS);
    assert!(
        locked.headers.contains_key(header::RETRY_AFTER)
            && locked.problem().contains("too many wrong passwords")
    );
    node.settle().await;
    let notes = node.get("/api/v1/trail?kind=note").await.json();
    assert_eq!(notes["entries"][0]["who"], "user:carl", "{notes:#}");
}

#[tokio::test]
async fn users_are_added_changed_and_removed() {
    let node = Node::start();
    let add = r#"{"name": "dora", "password": "long enough", "scopes": ["operate"]}"#;
    assert_eq!(node.post("/api/v1/users", add).await.status, StatusCode::OK);
    let short =
        node.post("/api/v1/users", r#"{"name": "eve", "password": "short", "scopes": ["read"]}"#).await;
    assert_eq!(short.problem(), "/password: a password has 8 to 1000 characters; this one has 5");
    let none = node.post("/api/v1/users", r#"{"name": "eve", "scopes": ["read"]}"#).await;
    assert_eq!(none.problem(), "/password: a new user needs a password");
    assert_eq!(
        node.post("/api/v1/users", r#"{"name": "dora", "scopes": ["read"]}"#).await.status,
        StatusCode::OK
    );
    let login =
        node.send(Method::POST, "/api/v1/login", "", r#"{"user": "dora", "password": "long enough"}"#).await;
    let secret = login.json()["token"].as_str().unwrap().to_owned();
    assert_eq!(with(&node, &secret, Method::GET, "/api/v1/alerts").await, StatusCode::OK);
    assert_eq!(node.delete("/api/v1/users/dora").await.status, StatusCode::NO_CONTENT);
    assert_eq!(with(&node, &secret, Method::GET, "/api/v1/alerts").await, StatusCode::UNAUTHORIZED);
    assert!(!node.get("/api/v1/users").await.text.contains("argon2"));
}
