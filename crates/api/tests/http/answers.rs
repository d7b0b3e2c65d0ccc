//! Choices, answers and their tally.

use crate::node::{Node, asking};
use axum::body::Body;
use axum::http::{Method, Request, StatusCode, header};
use base::Wall;
use serde_json::{Value, json};

const FAR: Wall = Wall(4_000_000_000_000);

/// Asks the pumps whether they come; gives the alert's id.
async fn asked(node: &Node) -> String {
    let choices = json!([{ "text": "coming" }, { "text": "cannot <come>" }]);
    let body = json!({ "summary": "can you come in?", "to": ["pumps"], "choices": choices }).to_string();
    let got = node.post("/api/v1/notices", &body).await;
    assert_eq!(got.status, StatusCode::CREATED, "{}", got.text);
    got.json()["id"].as_str().unwrap().to_owned()
}

/// Presses a button of the page; what it says then.
async fn press(node: &Node, link: &str, form: &str) -> (StatusCode, String) {
    let request = Request::builder().method(Method::POST).uri(link);
    let request = request.header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
    let got = node.ask(request.body(Body::from(form.to_owned())).unwrap()).await;
    (got.status, got.text)
}

fn counts(alert: &Value) -> Vec<u64> {
    let choices = alert["answers"]["choices"].as_array().unwrap();
    choices.iter().map(|choice| choice["count"].as_u64().unwrap()).collect()
}

#[tokio::test]
async fn the_page_has_a_button_for_each_choice_and_looking_answers_nothing() {
    let node = Node::start();
    let id = asked(&node).await;
    let link = node.link(&id, "anna", FAR);
    let page = node.ask(asking(Method::GET, &link, "").body(Body::empty()).unwrap()).await;
    assert!(page.text.contains("value=\"1\">1 = coming</button>"), "{}", page.text);
    assert!(page.text.contains("2 = cannot &lt;come&gt;</button>"), "{}", page.text);
    assert!(!page.text.contains("Acknowledge as"), "{}", page.text);
    assert_eq!(counts(&node.get("/api/v1/alerts/A1").await.json()), [0, 0]);

    let (status, said) = press(&node, &link, "action=2&comment=abroad").await;
    assert_eq!(status, StatusCode::OK);
    assert!(said.contains("Your answer to A1: <strong>cannot &lt;come&gt;</strong>"), "{said}");
    let alert = node.get("/api/v1/alerts/A1").await.json();
    assert_eq!((&alert["state"], counts(&alert)), (&json!("open"), vec![0, 1]));
    let given = &alert["answers"]["choices"][1]["answers"][0];
    assert_eq!((&given["recipient"], &given["comment"]), (&json!("anna"), &json!("abroad")));

    // Whoever can come after all answers again, on the same page.
    let (status, _) = press(&node, &link, "action=1").await;
    assert_eq!(status, StatusCode::OK);
    let alert = node.get("/api/v1/alerts/A1").await.json();
    assert_eq!((&alert["state"], counts(&alert)), (&json!("acknowledged"), vec![1, 0]));
    assert_eq!(press(&node, &link, "action=3").await.0, StatusCode::UNPROCESSABLE_ENTITY);
    node.settle().await;
    let trail = node.get("/api/v1/trail?kind=comment").await;
    assert!(
        trail.text.contains("anna answered A1 through the link: 2 = cannot <come>: abroad"),
        "{}",
        trail.text
    );
}

#[tokio::test]
async fn an_answer_by_the_api_counts_for_its_recipient_and_stays_after_the_end() {
    let node = Node::start();
    asked(&node).await;
    let answer = async |body: &str| node.post("/api/v1/alerts/A1/answer", body).await;
    let got = answer(r#"{"choice": 2, "recipient": "bea"}"#).await;
    assert_eq!(got.status, StatusCode::OK, "{}", got.text);
    answer(r#"{"choice": 1, "recipient": "anna", "comment": "on my way"}"#).await;
    let wrong = answer(r#"{"choice": 3, "recipient": "anna"}"#).await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(wrong.problem(), "/choice: A1 offers no choice 3; there are 1 = coming, 2 = cannot <come>");
    let nobody = answer(r#"{"choice": 1, "recipient": "ana"}"#).await;
    assert!(nobody.problem().contains("did you mean \"anna\"?"), "{}", nobody.text);
    node.raise("without choices").await;
    let none = node.post("/api/v1/alerts/A2/answer", r#"{"choice": 1}"#).await;
    assert_eq!(none.problem(), "/choice: A2 asks for no answer");
    assert_eq!(node.get("/api/v1/alerts/A2").await.json()["answers"], Value::Null);

    let open = node.get("/api/v1/alerts/A1").await.json();
    assert_eq!(counts(&open), [1, 1]);
    node.post("/api/v1/alerts/A1/close", "").await;
    node.settle().await;
    let closed = node.get("/api/v1/alerts/A1").await.json();
    assert_eq!(closed["state"], "closed");
    assert_eq!(closed["answers"]["choices"], open["answers"]["choices"]);
    assert!(closed["comments"].as_array().unwrap().is_empty(), "{closed:#}");
}
