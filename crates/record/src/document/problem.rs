//! What is wrong with a document, and where: for people as a path, for programs as a JSON pointer.

use std::fmt::{self, Write as _};

/// Problems listed for one document. Past it only their number is given.
pub const PROBLEMS_MAX: usize = 1000;

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// Where, as a JSON pointer (RFC 6901), such as `/groups/pumps/members/1`.
    pub pointer: String,
    /// What, as a fragment of a sentence, with the nearest valid choice where there is one.
    pub detail: String,
}

impl Problem {
    /// Where, as people write it in TOML, such as `groups.pumps.members[1]`.
    pub fn path(&self) -> String {
        path_of(&self.pointer)
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path();
        if path.is_empty() { f.write_str(&self.detail) } else { write!(f, "{path}: {}", self.detail) }
    }
}

/// A problem with its place in a file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Located {
    /// The file's name as the user gave it.
    pub file: String,
    /// From 1; 0 where no line can be given.
    pub line: usize,
    /// In characters, from 1; 0 where no line can be given.
    pub column: usize,
    /// What is wrong, and at which key.
    pub problem: Problem,
}

impl fmt::Display for Located {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if self.line > 0 {
            write!(f, ":{}", self.line)?;
        }
        write!(f, ": {}", self.problem)
    }
}

impl std::error::Error for Located {}

/// A place in a document; a chain on the stack, because most places are never printed.
#[derive(Clone, Copy)]
pub(super) struct Place<'a> {
    parent: Option<&'a Self>,
    key: Key<'a>,
}

#[derive(Clone, Copy)]
enum Key<'a> {
    Name(&'a str),
    Index(usize),
}

impl<'a> Place<'a> {
    /// A key of the document itself.
    pub(super) fn top(name: &'a str) -> Self {
        Self { parent: None, key: Key::Name(name) }
    }

    /// A key of the table at `self`.
    pub(super) fn key(&'a self, name: &'a str) -> Self {
        Self { parent: Some(self), key: Key::Name(name) }
    }

    /// An element of the array at `self`.
    pub(super) fn at(&'a self, index: usize) -> Self {
        Self { parent: Some(self), key: Key::Index(index) }
    }

    /// The place as a JSON pointer.
    pub(super) fn pointer(&self) -> String {
        let mut chain = vec![self.key];
        let mut next = self.parent;
        while let Some(place) = next {
            chain.push(place.key);
            next = place.parent;
        }
        let mut pointer = String::new();
        for key in chain.into_iter().rev() {
            match key {
                Key::Name(name) => push_segment(&mut pointer, name),
                Key::Index(index) => push_segment(&mut pointer, &index.to_string()),
            }
        }
        pointer
    }
}

/// Adds a segment to a JSON pointer (RFC 6901 §3).
pub(super) fn push_segment(pointer: &mut String, segment: &str) {
    pointer.push('/');
    pointer.push_str(&segment.replace('~', "~0").replace('/', "~1"));
}

/// The segments of a JSON pointer.
pub(super) fn segments(pointer: &str) -> Vec<String> {
    pointer.split('/').skip(1).map(|segment| segment.replace("~1", "/").replace("~0", "~")).collect()
}

/// A JSON pointer into a document as a TOML path.
fn path_of(pointer: &str) -> String {
    let segments = segments(pointer);
    let mut path = String::new();
    for (at, segment) in segments.iter().enumerate() {
        // Only the entries of a section have free names, and such a name may be a number.
        let listed = |section: &String| matches!(section.as_str(), "routes" | "inhibitions");
        let named = at == 0 || (at == 1 && !segments.first().is_some_and(listed));
        if !named && segment.bytes().all(|b| b.is_ascii_digit()) && !segment.is_empty() {
            write!(path, "[{segment}]").unwrap_or_default();
        } else {
            push_key(&mut path, segment);
        }
    }
    path
}

/// A place such as `schedules."a.b".layers[1].turns` as a JSON pointer.
pub(super) fn pointer_of(path: &str) -> String {
    let (mut pointer, mut segment) = (String::new(), String::new());
    let (mut quoted, mut escaped) = (false, false);
    for c in path.chars() {
        match c {
            c if escaped => {
                segment.push(c);
                escaped = false;
            }
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            '.' | '[' if !quoted => push_segment(&mut pointer, &std::mem::take(&mut segment)),
            ']' if !quoted => (),
            c => segment.push(c),
        }
    }
    push_segment(&mut pointer, &segment);
    pointer
}

/// Adds a key to a TOML path, quoted where a bare key cannot hold it.
pub(super) fn push_key(path: &mut String, key: &str) {
    if !path.is_empty() {
        path.push('.');
    }
    path.push_str(&quoted_key(key));
}

/// A key as TOML writes it: bare where it can be, else as a basic string.
pub(super) fn quoted_key(key: &str) -> String {
    if !key.is_empty() && key.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_')) {
        return key.to_owned();
    }
    let mut out = String::from('"');
    for c in key.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            c if c.is_control() => write!(out, "\\u{:04X}", u32::from(c)).unwrap_or_default(),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// `text` in quotes, cut where it is longer than any name may be.
pub(super) fn quote(text: &str) -> String {
    const SHOWN: usize = 80;
    if text.chars().nth(SHOWN).is_none() {
        return format!("{text:?}");
    }
    format!("{:?}…", text.chars().take(SHOWN).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(pointer: &str, path: &str) {
        assert_eq!(path_of(pointer), path);
    }

    #[test]
    fn a_pointer_reads_as_a_toml_path() {
        check("", "");
        check("/groups/pumps/members/1", "groups.pumps.members[1]");
        check("/recipients/4711/addresses/0/value", "recipients.4711.addresses[0].value");
        check("/routes/2/to/0", "routes[2].to[0]");
        check("/recipients/night.shift", "recipients.\"night.shift\"");
        check("/recipients/a~1b~0c\n", "recipients.\"a/b~c\\u000A\"");
    }

    #[test]
    fn a_path_of_the_schedules_becomes_a_pointer() {
        let check = |path: &str, pointer: &str| assert_eq!(pointer_of(path), pointer);
        check("schedules.night.layers[1].turns[0][2]", "/schedules/night/layers/1/turns/0/2");
        check("schedules.\"a.b\".overrides[3]", "/schedules/a.b/overrides/3");
        check("schedules.\"say \\\"hi\\\"\"", "/schedules/say \"hi\"");
    }

    #[test]
    fn a_place_becomes_a_pointer() {
        let (groups, members);
        let top = Place::top("groups");
        groups = top.key("a/b");
        members = groups.key("members");
        assert_eq!(members.at(3).pointer(), "/groups/a~1b/members/3");
    }
}
