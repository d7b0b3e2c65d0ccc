//! A record as bytes and back: `{"v":1,"at":1700000000000,"accept":{…}}`.
//!
//! The version stands first, so that a reader knows what it reads before it reads on. **The next version** is
//! added by copying the forms that change into a module `previous`, giving them a conversion into the new
//! ones, and choosing between the two by `v` in [`Line`]'s visitor, where version 1 alone stands; one
//! version back stays readable, and what is older is migrated by the program in between.

use crate::forms::RecordForm;
use base::Wall;
use dispatch::record::{Content, Entry, Record};
use serde::de::value::MapAccessDeserializer;
use serde::de::{Error as _, IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use std::fmt;
use std::sync::Arc;

/// The version that is written.
pub const VERSION: u32 = 1;

/// Why bytes are not a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DecodeError {
    /// A later program wrote it. Remedy: run that program.
    Newer {
        /// The version it was written in.
        version: u32,
    },
    /// They are not a record of any version. Remedy: a backup, or a peer's copy.
    Malformed {
        /// What is wrong, and where.
        why: String,
    },
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Newer { version } => {
                write!(
                    f,
                    "the record has version {version}, and this program reads up to {VERSION}; run a newer one"
                )
            }
            Self::Malformed { why } => write!(f, "the record cannot be read: {why}"),
        }
    }
}

impl std::error::Error for DecodeError {}

/// The bytes of a record; the same for the same record, always.
///
/// # Panics
/// Never: nothing in a form can fail to be written.
pub fn encode(entry: &Entry) -> Vec<u8> {
    let mut bytes = format!("{{\"v\":{VERSION},\"at\":{}", entry.at.0).into_bytes();
    let brace = bytes.len();
    // A form is written as `{"kind":{…}}`; its brace becomes the comma behind `at`.
    serde_json::to_writer(&mut bytes, &RecordForm::of(&entry.record))
        .expect("forms have text keys and no non-finite numbers, and a vector takes all bytes");
    if let Some(slot) = bytes.get_mut(brace) {
        *slot = b',';
    }
    bytes
}

/// The record that `bytes` are.
///
/// # Errors
/// [`DecodeError`] where they are none, or one of a later version.
pub fn decode(bytes: &[u8]) -> Result<Entry, DecodeError> {
    let line: Line =
        serde_json::from_slice(bytes).map_err(|error| DecodeError::Malformed { why: error.to_string() })?;
    match line {
        Line::Newer(version) => Err(DecodeError::Newer { version }),
        Line::Read(at, form) => {
            let record = form.value().map_err(|why| DecodeError::Malformed { why })?;
            Ok(Entry { at, record })
        }
    }
}

/// A record as JSON, by its kind: what `encode` writes behind the time.
///
/// # Panics
/// Never: nothing in a form can fail to be written.
pub fn to_json(record: &Record) -> serde_json::Value {
    serde_json::to_value(RecordForm::of(record)).expect("forms have text keys and no non-finite numbers")
}

/// The labels of an alert as the text of a JSON object, in the order of their names.
pub fn labels_to_json(content: &Content) -> String {
    let value = |(name, value): (&Arc<str>, &Arc<str>)| (name.to_string(), value.as_ref().into());
    serde_json::Value::Object(content.labels.iter().map(value).collect()).to_string()
}

/// What a line turned out to be.
enum Line {
    Read(Wall, Box<RecordForm>),
    Newer(u32),
}

impl<'de> Deserialize<'de> for Line {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_map(LineVisitor)
    }
}

struct LineVisitor;

impl<'de> Visitor<'de> for LineVisitor {
    type Value = Line;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a record such as {\"v\":1,\"at\":0,\"note\":{…}}")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Line, A::Error> {
        let version: u32 = named(&mut map, "v")?;
        if version > VERSION {
            while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
            return Ok(Line::Newer(version));
        }
        if version == 0 {
            return Err(A::Error::custom("versions count from 1"));
        }
        let at: i64 = named(&mut map, "at")?;
        let form = RecordForm::deserialize(MapAccessDeserializer::new(&mut map))?;
        match map.next_key::<String>()? {
            None => Ok(Line::Read(Wall(at), Box::new(form))),
            Some(key) => Err(A::Error::custom(format!("{key:?} stands behind the record"))),
        }
    }
}

/// The next value, which must be called `name`.
fn named<'de, A: MapAccess<'de>, T: Deserialize<'de>>(map: &mut A, name: &str) -> Result<T, A::Error> {
    match map.next_key::<String>()? {
        Some(key) if key == name => map.next_value(),
        Some(key) => Err(A::Error::custom(format!("{name:?} must stand where {key:?} stands"))),
        None => Err(A::Error::custom(format!("{name:?} is missing"))),
    }
}
