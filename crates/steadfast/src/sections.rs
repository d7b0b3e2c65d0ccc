//! `recipients`, `groups`, `policies`, `templates`, `departments`, `routes`: one entry at a time.
//!
//! Separate from `directory`, which handles the whole document. What a field may be is known by the node
//! alone; here an entry is a table whose fields are set, removed, added to and taken from.

use crate::args::{Sample, TemplateAction};
use crate::client::{Ask, Client};
use crate::directory::read_file;
use crate::directory_args::{Section, SectionAction};
use crate::exit::{Exit, Failure, Outcome};
use crate::output::{Cell, Output, count, harmless, plain};
use reqwest::header::IF_MATCH;
use serde_json::{Map, Value, json};
use std::path::Path;

/// `SECTION …`.
pub(crate) async fn section(
    client: &Client,
    out: &mut Output,
    section: Section,
    action: &SectionAction,
) -> Outcome {
    match action {
        SectionAction::List => list(client, out, section).await,
        SectionAction::Show { name } => show(client, out, section, name).await,
        SectionAction::Set { name, fields, file } => {
            set(client, out, (section, name), fields, file.as_deref()).await
        }
        SectionAction::Remove { name, sure } => {
            out.confirm(&format!("remove {name} from the {}?", section.key()), sure.yes)?;
            let answer = client.ask(Ask::delete(&["directory", section.key(), name])).await?;
            out.answer(&answer.body, || Ok(format!("removed {name}")))
        }
    }
}

async fn list(client: &Client, out: &mut Output, section: Section) -> Outcome {
    let answer = client.ask(Ask::get(&["directory"])).await?;
    let document: Value = answer.read()?;
    let part = document.get(section.key()).cloned().unwrap_or_else(|| json!({}));
    if out.json {
        return out.data(&part.to_string());
    }
    let entries = entries(&part, section.key());
    if entries.is_empty() {
        out.say(&format!("there are no {}", section.key()));
        return Ok(());
    }
    let rows: Vec<_> = entries.iter().map(|(name, entry)| row(name, entry, section.columns())).collect();
    let headings: Vec<_> = section.columns().iter().map(|column| column.to_uppercase()).collect();
    let headings: Vec<_> = std::iter::once("NAME").chain(headings.iter().map(String::as_str)).collect();
    let text = out.table(&headings, &rows);
    out.data(&text)
}

/// Entries with their names: of a table, of an array whose elements have a `name`, or of either below `key`.
pub(crate) fn entries(part: &Value, key: &str) -> Vec<(String, Value)> {
    match part.get(key).unwrap_or(part) {
        Value::Object(table) => table.iter().map(|(name, entry)| (name.clone(), entry.clone())).collect(),
        Value::Array(list) => list
            .iter()
            .map(|entry| (entry["name"].as_str().unwrap_or_default().to_owned(), entry.clone()))
            .collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Vec::new(),
    }
}

/// An entry as a row: its name and some of its fields.
pub(crate) fn row(name: &str, entry: &Value, columns: &[&str]) -> Vec<Cell> {
    std::iter::once(plain(name)).chain(columns.iter().map(|column| plain(shown(&entry[*column])))).collect()
}

/// A value in few words.
fn shown(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Bool(_) | Value::Number(_) => value.to_string(),
        Value::Array(list) => list.iter().map(shown).collect::<Vec<_>>().join(", "),
        Value::Object(fields) => {
            // An address reads best as people write it, and a step as when and whom.
            match (fields.get("channel"), fields.get("value")) {
                (Some(channel), Some(value)) => format!("{}:{}", shown(channel), shown(value)),
                _ => fields
                    .iter()
                    .map(|(key, value)| format!("{key} {}", shown(value)))
                    .collect::<Vec<_>>()
                    .join(" "),
            }
        }
    }
}

async fn show(client: &Client, out: &mut Output, section: Section, name: &str) -> Outcome {
    let answer = client.ask(Ask::get(&["directory", section.key(), name])).await?;
    out.answer(&answer.body, || {
        let entry: toml::Table = answer.read::<toml::Table>()?;
        Ok(harmless(&entry.to_string()))
    })
}

async fn set(
    client: &Client,
    out: &mut Output,
    (section, name): (Section, &str),
    fields: &[String],
    file: Option<&Path>,
) -> Outcome {
    let path = ["directory", section.key(), name];
    let (entry, etag) = match file {
        Some(file) => (from_toml(file, &read_file(file)?)?, None),
        None => existing(client, &path).await?,
    };
    if file.is_none() && fields.is_empty() {
        return Err(Failure::new(Exit::Usage, "there is nothing to set; write field=value, or use --file"));
    }
    let mut entry = entry;
    for field in fields {
        change(&mut entry, field)?;
    }
    if section == Section::Routes {
        entry.insert("name".into(), json!(name));
    }
    let mut ask = Ask::put(&path).body("application/json", Value::Object(entry).to_string());
    if let Some(etag) = etag {
        ask = ask.header(IF_MATCH, etag);
    }
    let answer = client.ask(ask).await?;
    out.answer(&answer.body, || Ok(format!("set {name}")))
}

/// The entry and its version; an empty one if there is none yet.
async fn existing(client: &Client, path: &[&str]) -> Outcome<(Map<String, Value>, Option<String>)> {
    match client.ask(Ask::get(path)).await {
        Ok(answer) => Ok((answer.read()?, answer.etag)),
        Err(failure) if failure.exit == Exit::NotFound => Ok((Map::new(), None)),
        Err(failure) => Err(failure),
    }
}

fn from_toml(file: &Path, text: &str) -> Outcome<Map<String, Value>> {
    toml::from_str(text).map_err(|error| Failure::new(Exit::Refused, format!("{}: {error}", file.display())))
}

/// Applies `field=value`, `field=`, `field+=value` or `field-=value`.
fn change(entry: &mut Map<String, Value>, text: &str) -> Outcome {
    let usage = |why: &str| Failure::new(Exit::Usage, format!("{text:?}: {why}"));
    let Some((left, right)) = text.split_once('=') else {
        return Err(usage("write field=value, field+=value or field-=value"));
    };
    let (field, sign) = match left.as_bytes().last() {
        Some(b'+') => (&left[..left.len() - 1], '+'),
        Some(b'-') => (&left[..left.len() - 1], '-'),
        _ => (left, '='),
    };
    if field.is_empty() {
        return Err(usage("there is no field before the sign"));
    }
    match (sign, entry.get_mut(field)) {
        ('=', _) if right.is_empty() => drop(entry.shift_remove(field)),
        ('=', _) => drop(entry.insert(field.into(), value(right))),
        ('+', None) => drop(entry.insert(field.into(), json!([value(right)]))),
        ('+', Some(Value::Array(list))) => list.push(value(right)),
        ('-', Some(Value::Array(list))) if list.contains(&value(right)) => {
            let gone = value(right);
            list.retain(|element| *element != gone);
        }
        ('-', _) => return Err(usage("it is not in the list")),
        (_, Some(_)) => return Err(usage("the field is not a list")),
        (_, None) => return Err(usage("there is no such field")),
    }
    Ok(())
}

/// A value as TOML has it; a text where it is none.
fn value(text: &str) -> Value {
    let table: Option<Map<String, Value>> = toml::from_str(&format!("value = {text}")).ok();
    match table.filter(|table| table.len() == 1).and_then(|mut table| table.shift_remove("value")) {
        Some(value) => value,
        None => json!(text),
    }
}

/// `template …`.
pub(crate) async fn template(client: &Client, out: &mut Output, action: &TemplateAction) -> Outcome {
    let TemplateAction::Preview { name, body, channel, language, sample } = action;
    let mut template: Value = client.ask(Ask::get(&["directory", "templates", name])).await?.read()?;
    if let Some(file) = body {
        template["body"] = json!(read_file(file)?);
    }
    for (key, value) in [("channel", channel), ("language", language)] {
        if let Some(value) = value {
            template[key] = json!(value);
        }
    }
    let ask = Ask::post(&["templates", "preview"], &json!({ "template": template })).repeatable();
    let answer = client.ask(ask).await?;
    out.answer(&answer.body, || {
        let made: Value = answer.read()?;
        let shown = match sample {
            None => &made,
            Some(Sample::Longest) => &made["longest"],
            Some(Sample::Shortest) => &made["shortest"],
        };
        let text = |key: &str| shown[key].as_str().map(harmless);
        let subject = text("subject").map_or_else(String::new, |subject| format!("Subject: {subject}\n\n"));
        let message = subject + text("body").unwrap_or_default().trim_end();
        let sizes = [("this", shown), ("longest", &made["longest"]), ("shortest", &made["shortest"])];
        let sizes: String = sizes.iter().map(|(which, made)| format!("\n{which}: {}", size(made))).collect();
        Ok(format!("{message}\n{sizes}"))
    })
}

/// How long a message is, and what it costs where that is by the part.
fn size(made: &Value) -> String {
    let size = &made["size"];
    let number = |value: &Value| usize::try_from(value.as_u64().unwrap_or(0)).unwrap_or(usize::MAX);
    let characters = count(number(&size["characters"]), "character");
    let sms = &size["sms"];
    let Some(encoding) = sms["encoding"].as_str() else { return characters };
    let lacking = sms["because_of"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let lacking: Vec<String> = lacking.map(|c| format!("{:?}", harmless(c))).collect();
    let because =
        if lacking.is_empty() { String::new() } else { format!(" because of {}", lacking.join(" ")) };
    let parts = count(number(&sms["parts"]), "part");
    format!("{characters}, {encoding}{because}, {} units, {parts}", number(&sms["units"]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changed(before: Value, fields: &[&str]) -> Outcome<Value> {
        let Value::Object(mut entry) = before else { unreachable!() };
        for field in fields {
            change(&mut entry, field)?;
        }
        Ok(Value::Object(entry))
    }

    #[test]
    fn fields_are_set_removed_added_to_and_taken_from() {
        let check = |before: Value, fields: &[&str], expect: Value| {
            assert_eq!(changed(before, fields).unwrap(), expect, "{fields:?}");
        };
        check(json!({}), &["title=Anna Berg"], json!({ "title": "Anna Berg" }));
        check(json!({ "title": "x" }), &["title="], json!({}));
        check(json!({}), &["link=false"], json!({ "link": false }));
        check(json!({}), &["title=\"5\""], json!({ "title": "5" }));
        check(
            json!({}),
            &["addresses=[{channel=\"mail\", value=\"a@x\"}]"],
            json!({ "addresses": [{ "channel": "mail", "value": "a@x" }] }),
        );
        check(
            json!({ "members": ["a", "b"] }),
            &["members-=a", "members+=c"],
            json!({ "members": ["b", "c"] }),
        );
        check(json!({}), &["members+=a"], json!({ "members": ["a"] }));
        check(json!({}), &["close_after=1d", "title=a=b"], json!({ "close_after": "1d", "title": "a=b" }));
        check(json!({}), &["title=x\nmore = 1"], json!({ "title": "x\nmore = 1" }));
    }

    #[test]
    fn what_cannot_be_changed_so_is_refused() {
        for (field, part) in [
            ("title", "write field=value"),
            ("=x", "no field before"),
            ("members-=zoe", "not in the list"),
            ("title+=x", "not a list"),
        ] {
            let failure = changed(json!({ "members": ["a"], "title": "t" }), &[field]).unwrap_err();
            assert_eq!(failure.exit, Exit::Usage);
            assert!(failure.text.contains(part), "{failure}");
        }
    }

    #[test]
    fn entries_are_found_in_a_table_and_in_a_list() {
        let names =
            |part: Value| entries(&part, "routes").into_iter().map(|(name, _)| name).collect::<Vec<_>>();
        assert_eq!(names(json!({ "a": {}, "b": {} })), ["a", "b"]);
        assert_eq!(names(json!([{ "name": "r" }])), ["r"]);
        assert_eq!(names(json!({ "routes": [{ "name": "r" }] })), ["r"]);
    }
}
