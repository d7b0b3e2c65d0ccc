//! Reads what strangers send: own extractors, so that every rejection is a problem with its place.
//!
//! Separate from the routes, which can then trust what they are given. Bodies are limited before they are
//! read; JSON nests at most as deep as `serde_json` allows.

use crate::nearest::{quoted, suggestion};
use crate::problem::{Kind, Place, Rejection};
use axum::body::{Body, Bytes};
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;
use axum::http::request::Parts;
use base::limits::REQUEST_BYTES_MAX;
use base::time::Human;
use serde::de::DeserializeOwned;
use serde_path_to_error::Segment;
use std::time::Duration;

/// How long a body may take to arrive; 4 MiB over a slow line do. Nobody can hold a connection by sending drops.
const BODY_WAIT: Duration = Duration::from_secs(60);

/// A body of JSON, at most [`REQUEST_BYTES_MAX`] bytes. An absent body reads as `{}`.
pub(crate) struct Json<T>(pub(crate) T);

/// A body of a JSON array, at most [`REQUEST_BYTES_MAX`] bytes.
pub(crate) struct List<T>(pub(crate) Vec<T>);

/// Parameters behind the `?`.
pub(crate) struct Query<T>(pub(crate) T);

/// Parameters in the path.
pub(crate) struct Path<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Json<T> {
    type Rejection = Rejection;

    async fn from_request(request: Request, _: &S) -> Result<Self, Rejection> {
        let (parts, body) = request.into_parts();
        let bytes = body_bytes(body, REQUEST_BYTES_MAX).await?;
        if bytes.is_empty() {
            return read_json(b"{}").map(Json);
        }
        expect_json(&parts.headers)?;
        read_json(&bytes).map(Json)
    }
}

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for List<T> {
    type Rejection = Rejection;

    async fn from_request(request: Request, _: &S) -> Result<Self, Rejection> {
        let (parts, body) = request.into_parts();
        let bytes = body_bytes(body, REQUEST_BYTES_MAX).await?;
        expect_json(&parts.headers)?;
        read_list(&bytes).map(List)
    }
}

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Query<T> {
    type Rejection = Rejection;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Rejection> {
        let query = axum::extract::Query::<T>::try_from_uri(&parts.uri);
        query.map(|query| Self(query.0)).map_err(|rejection| {
            let text = rejection.body_text();
            let words = text.rsplit_once("query string: ").map_or(text.as_str(), |(_, words)| words);
            // `limit: invalid digit …`: the parameter's name stands first where it is known.
            let place = words.split_once(": ").filter(|(name, _)| !name.contains(' '));
            let (name, words) = place.unwrap_or(("", words));
            Rejection::at(Kind::Invalid, name, plainly(words))
        })
    }
}

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Path<T> {
    type Rejection = Rejection;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Rejection> {
        let path = axum::extract::Path::<T>::from_request_parts(parts, state).await;
        path.map(|path| Self(path.0)).map_err(|rejection| {
            let text = rejection.body_text();
            Rejection::new(Kind::NotFound, text.strip_prefix("Invalid URL: ").unwrap_or(&text))
        })
    }
}

/// All of a body, at most `limit` bytes.
pub(crate) async fn body_bytes(body: Body, limit: usize) -> Result<Bytes, Rejection> {
    let whole = tokio::time::timeout(BODY_WAIT, axum::body::to_bytes(body, limit)).await;
    let late =
        || Rejection::new(Kind::Malformed, format!("the body did not arrive within {}", Human(BODY_WAIT)));
    whole.map_err(|_| late())?.map_err(|error| {
        let mut cause: Option<&dyn std::error::Error> = Some(&error);
        while let Some(inner) = cause {
            if inner.to_string().contains("length limit exceeded") {
                return Rejection::new(Kind::TooLarge, format!("a body may have {limit} bytes here"));
            }
            cause = inner.source();
        }
        Rejection::new(Kind::Malformed, "the body did not arrive whole")
    })
}

/// Refuses a body that is said to be something else than JSON.
pub(crate) fn expect_json(headers: &HeaderMap) -> Result<(), Rejection> {
    let Some(said) = headers.get(CONTENT_TYPE) else {
        return Err(Rejection::new(Kind::UnsupportedType, "send the header Content-Type: application/json"));
    };
    let essence = String::from_utf8_lossy(said.as_bytes());
    let essence = essence.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    if essence == "application/json" || (essence.starts_with("application/") && essence.ends_with("+json")) {
        return Ok(());
    }
    let detail = format!("the body must be application/json, not {}", quoted(&essence));
    Err(Rejection::new(Kind::UnsupportedType, detail))
}

/// Reads a JSON object of a known shape. Takes any bytes.
pub(crate) fn read_json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Rejection> {
    expect_start(bytes, b'{', "an object")?;
    read_any(bytes)
}

/// Reads a JSON array. Takes any bytes.
pub(crate) fn read_list<T: DeserializeOwned>(bytes: &[u8]) -> Result<Vec<T>, Rejection> {
    expect_start(bytes, b'[', "an array")?;
    read_any(bytes)
}

/// Refuses JSON of another kind: a form would else be taken from an array, field by field.
fn expect_start(bytes: &[u8], start: u8, kind: &str) -> Result<(), Rejection> {
    match bytes.iter().find(|byte| !byte.is_ascii_whitespace()) {
        Some(first) if *first != start => {
            read_any::<serde::de::IgnoredAny>(bytes)?;
            Err(Rejection::at(Kind::Invalid, "", format!("the body must be {kind}")))
        }
        _ => Ok(()),
    }
}

fn read_any<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Rejection> {
    let mut json = serde_json::Deserializer::from_slice(bytes);
    let read = serde_path_to_error::deserialize(&mut json).map_err(|error| {
        let pointer = pointer(error.path());
        refused(pointer, &error.into_inner())
    })?;
    json.end().map_err(|error| refused(String::new(), &error))?;
    Ok(read)
}

/// Reads a part of a body that is JSON already. The pointers start at the part.
pub(crate) fn read_value<T: DeserializeOwned>(value: serde_json::Value) -> Result<T, Rejection> {
    if !value.is_object() {
        return Err(Rejection::at(Kind::Invalid, "", "it must be an object"));
    }
    serde_path_to_error::deserialize(value).map_err(|error| {
        let pointer = pointer(error.path());
        refused(pointer, &error.into_inner())
    })
}

fn refused(pointer: String, error: &serde_json::Error) -> Rejection {
    let whole = error.to_string();
    let words = whole.rsplit_once(" at line ").map_or(whole.as_str(), |(words, _)| words);
    let line = Some(error.line()).filter(|line| *line > 0);
    let detail = match line {
        Some(line) => format!("{}, at line {line} column {}", plainly(words), error.column()),
        None => plainly(words),
    };
    let kind = if error.is_data() { Kind::Invalid } else { Kind::Malformed };
    Rejection::places(kind, vec![Place { line, ..Place::new(pointer, detail) }])
}

/// Bytes of a pointer after which no more of the path is told: it is made of a stranger's text.
const POINTER_BYTES: usize = 200;

/// A path as a JSON pointer (RFC 6901).
fn pointer(path: &serde_path_to_error::Path) -> String {
    let mut pointer = String::new();
    for segment in path {
        if pointer.len() > POINTER_BYTES {
            break;
        }
        match segment {
            Segment::Seq { index } => push_segment(&mut pointer, &index.to_string()),
            Segment::Map { key } => push_segment(&mut pointer, key),
            Segment::Enum { variant } => push_segment(&mut pointer, variant),
            Segment::Unknown => break, // Of a key that is not there the place around it is told.
        }
    }
    pointer
}

fn push_segment(pointer: &mut String, segment: &str) {
    let shown: String = segment.chars().take(POINTER_BYTES).collect();
    pointer.push('/');
    pointer.push_str(&shown.replace('~', "~0").replace('/', "~1"));
}

/// A parser's message in one line, with the nearest field where it did not know one.
fn plainly(message: &str) -> String {
    let message = message.trim().replace(['\n', '\r'], " ");
    let Some(rest) = message.strip_prefix("unknown field `") else { return message };
    let Some((meant, choices)) = rest.rsplit_once("`, expected") else { return message };
    let choices: Vec<_> = choices.split('`').skip(1).step_by(2).collect();
    let hint = suggestion(meant, choices.iter().copied());
    let hint = if hint.is_empty() { format!("; there are {}", choices.join(", ")) } else { hint };
    format!("there is no field {}{hint}", quoted(meant))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only their reading is tried")]
    struct Form {
        name: String,
        #[serde(default)]
        counts: Vec<u8>,
    }

    fn check(body: &str, detail: &str) {
        assert_eq!(read_json::<Form>(body.as_bytes()).unwrap_err().detail, detail, "{body}");
    }

    #[test]
    fn a_mistake_is_told_with_its_place() {
        check(r#"{"name": 4}"#, "/name: invalid type: integer `4`, expected a string, at line 1 column 10");
        check(
            "{\"name\": \"a\",\n\"counts\": [1, \"x\"]}",
            "/counts/1: invalid type: string \"x\", expected u8, at line 2 column 17",
        );
        check(
            r#"{"nam": "a"}"#,
            "/nam: there is no field \"nam\"; did you mean \"name\"?, at line 1 column 6",
        );
        check(r#"{"name""#, "EOF while parsing an object, at line 1 column 7");
        check(r#"{"name": "a"} x"#, "trailing characters, at line 1 column 15");
        check("{}", "missing field `name`, at line 1 column 2");
    }

    #[test]
    fn deep_nesting_is_refused() {
        let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
        let error = read_list::<serde_json::Value>(deep.as_bytes()).unwrap_err();
        assert!(error.detail.contains("recursion limit exceeded"), "{}", error.detail);
        let inside = format!(r#"{{"name": "a", "counts": {deep}}}"#);
        assert_eq!(read_json::<Form>(inside.as_bytes()).unwrap_err().status, 422);
    }
}
