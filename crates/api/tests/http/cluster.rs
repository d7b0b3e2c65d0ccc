//! A node alone becomes the first of several: invitations, newcomers, and what is told of them.

use crate::node::{Node, asking};
use axum::body::Body;
use axum::http::{Method, StatusCode, header};
use serde_json::{Value, json};

async fn asked(node: &Node, method: Method, path: &str, body: Value) -> (StatusCode, Value) {
    let request = asking(method, path, "admin").header(header::CONTENT_TYPE, "application/json");
    let got = node.ask(request.body(Body::from(body.to_string())).unwrap()).await;
    (got.status, got.json())
}

/// A machine that joins with that secret.
async fn joins(node: &Node, token: &str, id: &str, name: &str) -> (StatusCode, Value) {
    let body = json!({
        "secret": token,
        "node": id,
        "name": name,
        "addresses": [format!("10.1.0.{}:8444", id.trim_start_matches('0'))],
        "api": format!("https://{name}.test:8443"),
        "reached": "10.1.0.1:8443",
    });
    asked(node, Method::POST, "/api/v1/cluster/join", body).await
}

#[tokio::test]
async fn a_node_alone_says_so() {
    let node = Node::start();
    let (status, cluster) = asked(&node, Method::GET, "/api/v1/cluster", json!({})).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(cluster["mode"], "active/active");
    assert_eq!(cluster["nodes"].as_array().unwrap().len(), 1);
    assert_eq!(cluster["nodes"][0]["this"], true);
    assert_eq!(cluster["copies"], 1);
    assert!(cluster["sentence"].as_str().unwrap().contains("this node stands alone"), "{cluster}");
    assert_eq!(cluster["certificates"][0]["expires_at"], "2100-01-01T00:00:00.000Z");
}

#[tokio::test]
async fn a_newcomer_gets_what_it_needs_and_the_node_enrols_itself_first() {
    let node = Node::start();
    let (status, given) = joins(&node, "come", "00000002", "south").await;
    assert_eq!(status, StatusCode::OK, "{given}");
    assert_eq!(
        (&given["letter"], &given["rank"], &given["role"]),
        (&json!("B"), &json!(1), &json!("member"))
    );
    assert_eq!((&given["ca"], &given["ca_key"]), (&json!("the ca"), &json!("its key")));
    let members = given["members"].as_array().unwrap();
    let first = members.iter().find(|member| member["letter"] == "A").unwrap();
    // Nobody said how the first node is reached, so it is what the newcomer found.
    assert_eq!(first["addresses"], json!(["10.1.0.1:8444"]));
    assert_eq!(first["api"], "https://10.1.0.1:8443");
    let (_, cluster) = asked(&node, Method::GET, "/api/v1/cluster", json!({})).await;
    let nodes = cluster["nodes"].as_array().unwrap();
    let south = nodes.iter().find(|it| it["name"] == "south").unwrap();
    assert_eq!((&south["id"], &south["this"]), (&json!("00000002"), &json!(false)));
    assert!(cluster["directory"]["node"].is_string(), "the directory has one writer from now on");
    let (status, given) = joins(&node, "watch", "00000003", "watcher").await;
    assert_eq!((status, &given["letter"], &given["role"]), (StatusCode::OK, &json!("C"), &json!("witness")));
}

#[tokio::test]
async fn who_must_not_join_is_told_why() {
    let node = Node::start();
    let (status, said) = joins(&node, "guessed", "00000002", "south").await;
    assert_eq!(
        (status, said["detail"].as_str().unwrap()),
        (StatusCode::FORBIDDEN, "this join token is unknown here")
    );
    joins(&node, "come", "00000002", "south").await;
    let check = async |id: &str, name: &str, expect: StatusCode, part: &str| {
        let (status, said) = joins(&node, "come", id, name).await;
        let detail = said["detail"].as_str().unwrap_or_default();
        assert!(status == expect && detail.contains(part), "{status}: {said}");
    };
    check("00000009", "south", StatusCode::CONFLICT, "there is a node south already").await;
    check("00000002", "other", StatusCode::CONFLICT, "there is a node other already").await;
    check("2", "third", StatusCode::UNPROCESSABLE_ENTITY, "an id has 8 hexadecimal digits").await;
    check("00000009", "a b", StatusCode::UNPROCESSABLE_ENTITY, "/name").await;
    for (id, name) in [("00000003", "c"), ("00000004", "d"), ("00000005", "e")] {
        assert_eq!(joins(&node, "come", id, name).await.0, StatusCode::OK);
    }
    check("00000006", "f", StatusCode::CONFLICT, "the cluster has 5 nodes").await;
    let (status, said) = asked(&node, Method::POST, "/api/v1/cluster/tokens", json!({})).await;
    assert_eq!((status, &said["status"]), (StatusCode::CONFLICT, &json!(409)));
}

#[tokio::test]
async fn only_administrators_invite_and_what_they_say_is_judged() {
    let node = Node::start();
    let path = "/api/v1/cluster/tokens";
    let request = asking(Method::POST, path, "operate").header(header::CONTENT_TYPE, "application/json");
    let got = node.ask(request.body(Body::from("{}")).unwrap()).await;
    assert_eq!(got.status, StatusCode::FORBIDDEN);
    for (body, part) in [
        (json!({ "role": "witnes" }), "did you mean \"witness\""),
        (json!({ "valid": "8d" }), "at most 7d"),
        (json!({ "valid": "1" }), "without a unit"),
    ] {
        let (status, said) = asked(&node, Method::POST, path, body).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
        assert!(said["detail"].as_str().unwrap().contains(part), "{said}");
    }
    let body = json!({ "role": "backup", "valid": "2h", "hosts": ["north.test:8443"] });
    let (status, invited) = asked(&node, Method::POST, path, body).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!((&invited["token"], &invited["role"]), (&json!("sfjoin_x"), &json!("backup")));
    let (_, trail) = asked(&node, Method::GET, "/api/v1/trail?kind=note", json!({})).await;
    assert!(trail["entries"][0]["text"].as_str().unwrap().contains("invited a machine"), "{trail}");
}

#[tokio::test]
async fn a_removed_node_is_gone_and_an_unknown_one_named() {
    let node = Node::start();
    joins(&node, "come", "00000002", "south").await;
    let (status, said) = asked(&node, Method::DELETE, "/api/v1/cluster/members/sout", json!({})).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    assert_eq!(said["detail"], r#"there is no node "sout"; did you mean "south"?"#);
    let (status, _) = asked(&node, Method::DELETE, "/api/v1/cluster/members/south", json!({})).await;
    assert_eq!(status, StatusCode::OK);
    let (_, cluster) = asked(&node, Method::GET, "/api/v1/cluster", json!({})).await;
    assert_eq!(cluster["nodes"].as_array().unwrap().len(), 1, "{cluster}");
}

#[tokio::test]
async fn how_the_cluster_behaves_is_set_and_shown() {
    let node = Node::start();
    joins(&node, "come", "00000002", "south").await;
    let path = "/api/v1/cluster/conduct";
    for (body, status) in [
        (json!({}), 422),
        (json!({ "mode": "active" }), 422),
        (json!({ "mode": "active/passive", "takeover": false, "maintenance": "new rack" }), 200),
    ] {
        assert_eq!(asked(&node, Method::POST, path, body.clone()).await.0.as_u16(), status, "{body}");
    }
    let (_, cluster) = asked(&node, Method::GET, "/api/v1/cluster", json!({})).await;
    assert_eq!((&cluster["mode"], &cluster["takeover"]), (&json!("active/passive"), &json!(false)));
    assert_eq!(cluster["maintenance"], "new rack");
    asked(&node, Method::POST, path, json!({ "maintenance": "" })).await;
    let (_, cluster) = asked(&node, Method::GET, "/api/v1/cluster", json!({})).await;
    assert_eq!(cluster["maintenance"], Value::Null);
}

#[tokio::test]
async fn a_switch_over_that_is_blocked_says_by_what() {
    let node = Node::start();
    let (status, said) = asked(&node, Method::POST, "/api/v1/cluster/switch-over", json!({})).await;
    assert_eq!(status, StatusCode::CONFLICT);
    assert_eq!(said["detail"], "not now: there is no other node");
}

#[tokio::test]
async fn what_a_node_holds_and_what_went_through_it_can_be_asked() {
    let node = Node::start();
    let (status, held) = asked(&node, Method::GET, "/api/v1/cluster/verify", json!({})).await;
    assert_eq!(status, StatusCode::OK, "{held}");
    assert_eq!(held["digest"].as_str().unwrap().len(), 64);
    let (status, totals) = asked(&node, Method::GET, "/api/v1/cluster/totals", json!({})).await;
    assert_eq!((status, &totals["rows"]), (StatusCode::OK, &json!([])));
    let (status, _) = asked(&node, Method::GET, "/api/v1/directory/lost", json!({})).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
}
