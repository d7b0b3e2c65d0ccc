//! Which part of the template language is ours: conditions, loops, filters, and nothing that builds values.
//!
//! The engine counts steps, not bytes: thirty doublings of a text are thirty steps and a terabyte. So the
//! constructs that make larger values from smaller ones are refused when a template is saved: `~`, `+`,
//! `*`, lists, maps, `set`, `with`, macros, recursion. What remains can only write, and writing is counted.

/// Words that are no values: a bracket behind one opens a list, not an element.
const OPERATORS: [&str; 8] = ["in", "if", "elif", "else", "and", "or", "not", "is"];
/// The block tags there are.
const TAGS: [&str; 6] = ["if", "elif", "else", "endif", "for", "endfor"];

/// Judges whether `text` keeps to our part of the language.
///
/// # Errors
/// The first construct that does not, with its line, as a fragment of a sentence.
pub(super) fn check(text: &str) -> Result<(), String> {
    let mut at = 0;
    while let Some(found) = text.get(at..).and_then(|rest| rest.find('{')) {
        let open = at + found;
        let body = text.get(open + 2..).unwrap_or_default();
        let judged = match text.as_bytes().get(open + 1) {
            Some(b'#') => Ok(body.find("#}").unwrap_or(body.len())),
            Some(b'{') => walk(body, "}}"),
            Some(b'%') => tag(body).and_then(|()| walk(body, "%}")),
            _ => {
                at = open + 1;
                continue;
            }
        };
        let line = text.get(..open).unwrap_or_default().matches('\n').count() + 1;
        at = open + 2 + judged.map_err(|what| format!("line {line}: {what}"))?;
    }
    Ok(())
}

fn tag(body: &str) -> Result<(), String> {
    let body = body.trim_start_matches(['-', '+']).trim_start();
    let end = body.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(body.len());
    let word = body.get(..end).unwrap_or_default();
    if TAGS.contains(&word) {
        return Ok(());
    }
    Err(format!("there is no {word:?} in templates; there are {}", TAGS.join(", ")))
}

/// Where we are within one tag.
struct Walk<'t> {
    /// The word just before, empty once anything but a word or a point has followed.
    word: &'t str,
    /// The brackets that are open; true for those of a call.
    open: Vec<bool>,
    /// Within the names of a `for`, where a comma separates them.
    naming: bool,
}

/// Walks through the inside of a tag; gives its length up to `close`.
fn walk(body: &str, close: &str) -> Result<usize, String> {
    let mut walk = Walk { word: "", open: Vec::new(), naming: false };
    let mut at = 0;
    while let Some(rest) = body.get(at..).filter(|rest| !rest.is_empty()) {
        if rest.starts_with(close) && walk.open.is_empty() {
            return Ok(at + close.len());
        }
        let Some(c) = rest.chars().next() else { break };
        at += match c {
            '"' | '\'' => string(rest, c),
            c if c.is_alphanumeric() || c == '_' => walk.word(rest)?,
            c => {
                let control = at == 0 || rest.get(1..).is_some_and(|after| after.starts_with(close));
                if !(c == '+' && control) {
                    walk.sign(c)?;
                }
                c.len_utf8()
            }
        };
    }
    Ok(body.len())
}

/// The length of a string with its quotes.
fn string(rest: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            c if c == quote => return at + 1,
            _ => (),
        }
    }
    rest.len()
}

impl<'t> Walk<'t> {
    fn word(&mut self, rest: &'t str) -> Result<usize, String> {
        let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
        self.word = rest.get(..end).unwrap_or_default();
        match self.word {
            "recursive" => return Err("loops in templates are not recursive".to_owned()),
            "for" => self.naming = true,
            "in" => self.naming = false,
            _ => (),
        }
        Ok(end)
    }

    fn sign(&mut self, c: char) -> Result<(), String> {
        let value = !self.word.is_empty() && !OPERATORS.contains(&self.word);
        match c {
            '~' | '+' | '*' => return Err(format!("{c:?} is not available; write the values side by side")),
            '{' => return Err("maps cannot be made in templates".to_owned()),
            '[' if !value => return Err("lists cannot be made in templates".to_owned()),
            '(' | '[' => self.open.push(value),
            ')' | ']' => drop(self.open.pop()),
            ',' if self.open.last() != Some(&true) && !self.naming => {
                return Err("lists cannot be made in templates".to_owned());
            }
            _ => (),
        }
        // An element of an element is a value too.
        self.word = if matches!(c, ')' | ']') { "value" } else { "" };
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_only_writes_is_let_through() {
        for text in [
            "",
            "{",
            "{ x }",
            "{{ summary }}{% if link %}{{ link|upper }}{% endif %}",
            "{%- for name, value in labels|items -%}{{ name }}: {{ value }}{%+ endfor +%}",
            "{{ labels[\"a~b\"] }} {{ labels.site|default(\"x, [y]\") }} {# a ~ b #}",
            "{% if (code or link) and not late %}a + b, [c]{% else %}*{% endif %}",
            "{{",
            "{% if 'x",
        ] {
            assert_eq!(check(text), Ok(()), "{text}");
        }
    }

    #[test]
    fn what_builds_values_is_refused() {
        for (text, part) in [
            ("a\n{{ summary ~ summary }}", "line 2: '~' is not available"),
            ("{{ 'a' * 9 }}", "'*' is not available"),
            ("{{ summary + summary }}", "'+' is not available"),
            ("{% set a = summary %}", "there is no \"set\""),
            ("{%- macro m() %}", "there is no \"macro\""),
            ("{%with a=summary%}", "there is no \"with\""),
            ("{% for a in [summary, summary] %}", "lists"),
            ("{% for a in[summary] %}", "lists"),
            ("{% for a in (summary, summary) %}", "lists"),
            ("{% for a in summary, summary %}", "lists"),
            ("{{ {'a': summary} }}", "maps"),
            ("{% for a in labels recursive %}", "recursive"),
        ] {
            let error = check(text).unwrap_err();
            assert!(error.contains(part), "{text}: {error}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "([{}%#\\[\\](),'\"~+]|for|in|é|😀| |a){0,30}") {
            let _ = check(&text);
        }
    }
}
