//! JSON as other programs answer: lists alone or page by page, and texts that may be anything.

use crate::ImportError;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// Reads an object.
///
/// # Errors
/// It is none, with the line.
pub(crate) fn object(text: &str) -> Result<Value, ImportError> {
    let value: Value = serde_json::from_str(text)
        .map_err(|error| ImportError::at(error.line(), format!("no JSON: {error}")))?;
    if value.is_object() { Ok(value) } else { Err(ImportError::at(1, "it must be one JSON object")) }
}

/// The list that stands at `key`: itself, or within `results` or `nodes`. None is an empty one.
///
/// # Errors
/// One of its elements has not the form that it must have, with its place.
pub(crate) fn list<T: DeserializeOwned>(root: &Value, key: &str) -> Result<Vec<T>, ImportError> {
    let Some(value) = root.get(key) else { return Ok(Vec::new()) };
    let inner = ["results", "nodes"].into_iter().find_map(|inner| value.get(inner)).unwrap_or(value);
    let Value::Array(all) = inner else {
        return Err(ImportError::at(0, format!("{key}: it must be a list, or an object with one")));
    };
    let read = |(at, value): (usize, &Value)| {
        T::deserialize(value).map_err(|error| ImportError::at(0, format!("{key}[{at}]: {error}")))
    };
    all.iter().enumerate().map(read).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_may_be_a_page() {
        let root = object(r#"{"a": [1], "b": {"results": [2, 3]}, "c": {"nodes": []}, "d": 4, "e": ["x"]}"#)
            .unwrap();
        let of = |key: &str| list::<u8>(&root, key).map_err(|error| error.why);
        assert_eq!(of("a"), Ok(vec![1]));
        assert_eq!(of("b"), Ok(vec![2, 3]));
        assert_eq!(of("c"), Ok(vec![]));
        assert_eq!(of("none"), Ok(vec![]));
        assert_eq!(of("d"), Err("d: it must be a list, or an object with one".to_owned()));
        assert!(of("e").unwrap_err().starts_with("e[0]: "));
        assert_eq!(object("[]").unwrap_err().why, "it must be one JSON object");
    }
}
