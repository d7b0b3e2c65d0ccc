//! How single values are spelled in JSON: ids and names as text, enumerations as their words, times in
//! milliseconds.
//!
//! Separate from `forms`, which says what a record consists of; this says how its smallest parts look.

use base::{Digest, Wall};
use dispatch::directory::{Mode, Severity, Unsent};
use dispatch::record::{Cause, Then, Via, Why};
use ownership::{Condition, Role};
use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::marker::PhantomData;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

/// A serde form of `T`, exact in both directions.
pub(crate) trait Form<T>: Sized {
    /// The form of a value.
    fn of(value: &T) -> Self;
    /// The value of a form.
    fn value(self) -> T;
}

/// Declares a struct whose fields are forms of the same fields of a core struct, and its two conversions.
/// Both name every field, so a field added to the core stops the build here.
macro_rules! mirror {
    ($(#[$doc:meta])* $form:ident of $core:ty { $($(#[$attr:meta])* $field:ident: $type:ty,)* }) => {
        $(#[$doc])*
        #[derive(serde::Serialize, serde::Deserialize)]
        pub(crate) struct $form { $($(#[$attr])* $field: $type,)* }

        impl $crate::spell::Form<$core> for $form {
            fn of(core: &$core) -> Self {
                Self { $($field: $crate::spell::Form::of(&core.$field),)* }
            }
            fn value(self) -> $core {
                type Core = $core;
                Core { $($field: $crate::spell::Form::value(self.$field),)* }
            }
        }

        impl $crate::spell::Form<std::sync::Arc<$core>> for $form {
            fn of(core: &std::sync::Arc<$core>) -> Self {
                $crate::spell::Form::<$core>::of(core.as_ref())
            }
            fn value(self) -> std::sync::Arc<$core> {
                std::sync::Arc::new($crate::spell::Form::<$core>::value(self))
            }
        }
    };
}
pub(crate) use mirror;

/// Values that are their own form.
macro_rules! plain {
    ($($type:ty),*) => { $(
        impl Form<$type> for $type {
            fn of(value: &$type) -> Self {
                value.clone()
            }
            fn value(self) -> $type {
                self
            }
        }
    )* };
}
plain!(bool, u8, u16, u32, u64, (u32, u32), Arc<str>, BTreeMap<Arc<str>, Arc<str>>);

/// Milliseconds since 1970-01-01 UTC.
impl Form<Wall> for i64 {
    fn of(value: &Wall) -> Self {
        value.0
    }
    fn value(self) -> Wall {
        Wall(self)
    }
}

/// Milliseconds.
impl Form<Duration> for u64 {
    fn of(value: &Duration) -> Self {
        base::time::millis(*value)
    }
    fn value(self) -> Duration {
        Duration::from_millis(self)
    }
}

impl<T, F: Form<T>> Form<Option<T>> for Option<F> {
    fn of(value: &Option<T>) -> Self {
        value.as_ref().map(F::of)
    }
    fn value(self) -> Option<T> {
        self.map(F::value)
    }
}

impl<T, F: Form<T>> Form<Vec<T>> for Vec<F> {
    fn of(value: &Vec<T>) -> Self {
        value.iter().map(F::of).collect()
    }
    fn value(self) -> Vec<T> {
        self.into_iter().map(F::value).collect()
    }
}

impl<T: Ord, F: Form<T>> Form<BTreeSet<T>> for Vec<F> {
    fn of(value: &BTreeSet<T>) -> Self {
        value.iter().map(F::of).collect()
    }
    fn value(self) -> BTreeSet<T> {
        self.into_iter().map(F::value).collect()
    }
}

/// Something with a text of its own: an id or a name.
pub(crate) struct Text<T>(T);

impl<T: Clone> Form<T> for Text<T> {
    fn of(value: &T) -> Self {
        Self(value.clone())
    }
    fn value(self) -> T {
        self.0
    }
}

impl<T: fmt::Display> Serialize for Text<T> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(&self.0)
    }
}

impl<'de, T: FromStr<Err: fmt::Display>> Deserialize<'de> for Text<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        read_text(from, |text| text.parse().map(Self).map_err(|error: T::Err| error.to_string()))
    }
}

/// A digest, as 64 hexadecimal digits.
pub(crate) struct Hex(Digest);

impl Form<Digest> for Hex {
    fn of(value: &Digest) -> Self {
        Self(*value)
    }
    fn value(self) -> Digest {
        self.0
    }
}

impl Serialize for Hex {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Hex {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        read_text(from, |text| {
            Digest::parse(text).map(Self).ok_or_else(|| "a digest has 64 hexadecimal digits".to_owned())
        })
    }
}

/// An enumeration whose values have words.
pub(crate) trait Words: Copy + 'static {
    /// Every value with its word.
    fn words() -> impl Iterator<Item = (Self, &'static str)>;
}

/// The word for a value of an enumeration.
pub(crate) struct Word<T>(T);

impl<T: Copy> Form<T> for Word<T> {
    fn of(value: &T) -> Self {
        Self(*value)
    }
    fn value(self) -> T {
        self.0
    }
}

impl<T: Words + PartialEq> Serialize for Word<T> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let word = T::words().find(|(value, _)| *value == self.0).map(|(_, word)| word);
        to.serialize_str(word.ok_or_else(|| serde::ser::Error::custom("a value without a word"))?)
    }
}

impl<'de, T: Words> Deserialize<'de> for Word<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        read_text(from, |text| {
            let value = T::words().find(|(_, word)| *word == text).map(|(value, _)| Self(value));
            value.ok_or_else(|| {
                let words: Vec<_> = T::words().map(|(_, word)| word).collect();
                format!("{text:?} is none of {}", words.join(", "))
            })
        })
    }
}

macro_rules! spoken {
    ($($type:ty),*) => { $(
        impl Words for $type {
            fn words() -> impl Iterator<Item = (Self, &'static str)> {
                Self::ALL.into_iter().map(|value| (value, value.word()))
            }
        }
    )* };
}
spoken!(Severity, Via, Cause, Then, Why, Role, Condition);

impl Words for Mode {
    fn words() -> impl Iterator<Item = (Self, &'static str)> {
        [(Self::None, "none"), (Self::Basic, "basic"), (Self::Recall, "recall")].into_iter()
    }
}

impl Words for Unsent {
    fn words() -> impl Iterator<Item = (Self, &'static str)> {
        [(Self::Stop, "stop"), (Self::Continue, "continue")].into_iter()
    }
}

/// Reads a text and takes it through `parse`, without a copy of it where the input allows.
fn read_text<'de, D, T, P>(from: D, parse: P) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    P: FnOnce(&str) -> Result<T, String>,
{
    struct Reader<T, P>(P, PhantomData<T>);

    impl<T, P: FnOnce(&str) -> Result<T, String>> Visitor<'_> for Reader<T, P> {
        type Value = T;
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a text")
        }
        fn visit_str<E: Error>(self, text: &str) -> Result<T, E> {
            (self.0)(text).map_err(E::custom)
        }
    }

    from.deserialize_str(Reader(parse, PhantomData))
}
