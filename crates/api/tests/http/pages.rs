//! The page behind a link in a message.

use crate::node::{Got, Node};
use axum::body::Body;
use axum::http::{Method, Request, StatusCode, header};
use base::Wall;
use serde_json::json;

const FAR: Wall = Wall(4_000_000_000_000);

async fn follow(node: &Node, method: Method, path: &str, form: &str) -> Got {
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
    node.ask(request.body(Body::from(form.to_owned())).unwrap()).await
}

#[tokio::test]
async fn looking_does_not_acknowledge_and_pressing_does() {
    let node = Node::start();
    let id = node.raise("pump 3 <b>stopped</b>").await;
    let link = node.link(&id, "anna", FAR);
    for _ in 0..3 {
        let page = follow(&node, Method::GET, &link, "").await;
        assert_eq!(page.status, StatusCode::OK);
        assert!(page.text.contains("Acknowledge as Anna Berg"), "{}", page.text);
        assert!(page.text.contains("pump 3 &lt;b&gt;stopped"), "{}", page.text);
    }
    assert_eq!(node.get("/api/v1/alerts/A1").await.json()["state"], "open");
    let done = follow(&node, Method::POST, &link, "comment=on+my+way%21&action=acknowledge").await;
    assert_eq!(done.status, StatusCode::OK);
    assert!(done.text.contains("Acknowledged. Thank you, Anna Berg."), "{}", done.text);
    let alert = node.get("/api/v1/alerts/A1").await.json();
    assert_eq!(alert["state"], "acknowledged");
    assert_eq!(
        (&alert["acknowledged"]["by"], &alert["acknowledged"]["comment"]),
        (&json!("recipient:anna through the link"), &json!("on my way!"))
    );
    let after = follow(&node, Method::GET, &link, "").await;
    assert!(after.text.contains("is acknowledged") && !after.text.contains("<form"), "{}", after.text);
}

#[tokio::test]
async fn somebody_who_cannot_has_it_escalated() {
    let node = Node::start();
    let id = node.raise("x").await;
    let link = node.link(&id, "anna", FAR);
    let done = follow(&node, Method::POST, &link, "action=escalate&comment=abroad").await;
    assert_eq!(done.status, StatusCode::OK);
    let alert = node.get("/api/v1/alerts/A1").await.json();
    assert_eq!((&alert["state"], alert["steps"].as_array().unwrap().len()), (&json!("open"), 2));
    assert_eq!(alert["comments"][0]["text"], "abroad");
}

#[tokio::test]
async fn a_link_that_is_not_ours_or_over_says_so_kindly() {
    let node = Node::start();
    let id = node.raise("x").await;
    let good = node.link(&id, "anna", FAR);
    let forged = format!("{}A", &good[..good.len() - 2]);
    let expired = node.link(&id, "anna", Wall(1));
    for method in [Method::GET, Method::POST] {
        for (path, status, words) in [
            (forged.as_str(), StatusCode::FORBIDDEN, "does not work"),
            ("/a/x", StatusCode::FORBIDDEN, "does not work"),
            (expired.as_str(), StatusCode::GONE, "has expired"),
        ] {
            let page = follow(&node, method.clone(), path, "action=acknowledge").await;
            assert_eq!(page.status, status, "{method} {path}");
            assert!(page.text.contains(words), "{}", page.text);
        }
    }
    assert_eq!(node.get("/api/v1/alerts/A1").await.json()["state"], "open");
    node.post("/api/v1/alerts/A1/close", "").await;
    let page = follow(&node, Method::GET, &good, "").await;
    assert_eq!(page.status, StatusCode::GONE);
    assert!(page.text.contains("is closed"), "{}", page.text);
}

#[tokio::test]
async fn the_page_is_small_without_scripts_and_guarded() {
    let node = Node::start();
    let body = json!({
        "summary": "<&\"'".repeat(900), "details": "🔥 مرحبا <script>alert(1)</script>\n".repeat(1500),
        "to": ["anna"], "severity": "critical",
    });
    let got = node.post("/api/v1/notices", &body.to_string()).await;
    assert_eq!(got.status, StatusCode::CREATED, "{}", got.text);
    let id = got.json()["id"].as_str().unwrap().to_owned();
    let page = follow(&node, Method::GET, &node.link(&id, "anna", FAR), "").await;
    assert!(page.text.len() < 10_000, "{} bytes", page.text.len());
    assert!(!page.text.contains("<script") && !page.text.contains("http"), "{}", page.text);
    assert!(page.text.contains("◆ critical"), "severity has a shape and a word");
    let header = |name: header::HeaderName| page.headers[name].to_str().unwrap().to_owned();
    assert_eq!(header(header::CACHE_CONTROL), "no-store");
    assert_eq!(header(header::REFERRER_POLICY), "no-referrer");
    let csp = header(header::CONTENT_SECURITY_POLICY);
    assert!(csp.contains("default-src 'none'") && csp.contains("frame-ancestors 'none'"), "{csp}");
}
