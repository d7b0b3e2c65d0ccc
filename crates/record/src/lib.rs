//! How records and the directory are written: the only place below the shell that knows serde.
//!
//! Separate from the core, which must not change because a file format does, and from the ledger, which
//! stores bytes without knowing what they say.
//!
//! `codec` turns an entry into bytes and back, over the forms of `forms`, `membership` and `roster`, whose single values
//! `spell` writes; `index` says what a record is filed under, `fate` what the remaining records tell of an
//! alert; `document` is the directory as people and programs read and write it.

mod codec;
pub mod document;
mod fate;
mod forms;
mod index;
mod membership;
mod roster;
mod spell;

pub use codec::{DecodeError, VERSION, decode, encode, labels_to_json, to_json};
pub use fate::{Fate, Fates};
pub use index::{Accepted, Index, index};
