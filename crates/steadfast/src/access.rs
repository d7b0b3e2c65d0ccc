//! `token` and `user`: who may ask the node, and for what.
//!
//! Separate from the directory's other entries, because here are secrets: a token's is printed once, a
//! password is asked for without showing it.

use crate::args::{Scope, TokenAction, UserAction, word};
use crate::client::{Ask, Client};
use crate::exit::{Exit, Failure, Outcome};
use crate::output::{Output, ask_secret};
use crate::trail::expiry;
use serde_json::{Value, json};
use std::path::Path;

/// `token …`.
pub(crate) async fn token(client: &Client, out: &mut Output, action: &TokenAction) -> Outcome {
    match action {
        TokenAction::Add { name, scopes, expires } => {
            add_token(client, out, name, scopes, expires.as_deref()).await
        }
        TokenAction::Create(args) => crate::cluster::join::invite(client, out, args).await,
        TokenAction::List => list(client, out, "tokens", &["scopes", "expires"]).await,
        TokenAction::Remove { name, sure } => {
            out.confirm(&format!("remove the token {name}? it is refused from then on."), sure.yes)?;
            remove(client, out, "tokens", name).await
        }
    }
}

async fn add_token(
    client: &Client,
    out: &mut Output,
    name: &str,
    scopes: &[Scope],
    expires: Option<&str>,
) -> Outcome {
    let mut body = json!({ "name": name, "scopes": words(scopes) });
    if let Some(text) = expires {
        body["expires"] = json!(expiry(text)?);
    }
    let answer = client.ask(Ask::post(&["tokens"], &body)).await?;
    if out.json {
        return out.data(&answer.body);
    }
    let made: Value = answer.read()?;
    let secret = made["secret"].as_str().or_else(|| made["token"].as_str());
    out.data(secret.ok_or_else(|| Failure::failed("the node's answer has no secret"))?)?;
    out.say("this is shown once and kept nowhere; put it into a file that only its user can read");
    Ok(())
}

/// `user …`.
pub(crate) async fn user(client: &Client, out: &mut Output, action: &UserAction) -> Outcome {
    match action {
        UserAction::Add { name, scopes, title, password_file } => {
            let password = password(name, password_file.as_deref())?;
            let mut body = json!({ "name": name, "scopes": words(scopes), "password": password });
            if let Some(title) = title {
                body["title"] = json!(title);
            }
            let answer = client.ask(Ask::post(&["users"], &body).repeatable()).await?;
            out.answer(&answer.body, || Ok(format!("{name} can log in")))
        }
        UserAction::List => list(client, out, "users", &["title", "scopes"]).await,
        UserAction::Remove { name, sure } => {
            out.confirm(&format!("remove the user {name}?"), sure.yes)?;
            remove(client, out, "users", name).await
        }
    }
}

fn password(name: &str, file: Option<&Path>) -> Outcome<String> {
    if let Some(file) = file {
        let text = crate::directory::read_file(file)?;
        return Ok(text.trim_end_matches(['\n', '\r']).to_owned());
    }
    let first = ask_secret(&format!("password for {name}"))?;
    if first != ask_secret("once more")? {
        return Err(Failure::new(Exit::Refused, "the two are not the same; nothing was changed"));
    }
    Ok(first)
}

fn words(scopes: &[Scope]) -> Vec<String> {
    scopes.iter().map(word).collect()
}

async fn remove(client: &Client, out: &mut Output, section: &str, name: &str) -> Outcome {
    let answer = client.ask(Ask::delete(&[section, name])).await?;
    out.answer(&answer.body, || Ok(format!("removed {name}")))
}

async fn list(client: &Client, out: &mut Output, section: &str, columns: &[&str]) -> Outcome {
    let answer = client.ask(Ask::get(&[section])).await?;
    let entries: Value = answer.read()?;
    let rows: Vec<_> = crate::sections::entries(&entries, section)
        .iter()
        .map(|(name, entry)| crate::sections::row(name, entry, columns))
        .collect();
    let headings: Vec<String> =
        std::iter::once("NAME".to_owned()).chain(columns.iter().map(|it| it.to_uppercase())).collect();
    let headings: Vec<_> = headings.iter().map(String::as_str).collect();
    let text = if rows.is_empty() { String::new() } else { out.table(&headings, &rows) };
    out.answer(&answer.body, || Ok(text))
}
