//! Reading Rust: its functions with their length, what is only compiled for tests, and its words.
//!
//! Separate, because three rules need it; it follows the grammar (`syn`), so that a comment or a text
//! that looks like code is not taken for code.

use std::ops::RangeInclusive;
use std::str::FromStr as _;

use proc_macro2::{TokenStream, TokenTree};
use syn::spanned::Spanned as _;
use syn::visit::{self, Visit};

/// What the rules want to know of a source file.
pub(super) struct Source {
    /// Its functions, those for tests excluded.
    pub(super) functions: Vec<Function>,
    /// The lines of items that are compiled for tests alone.
    tests: Vec<RangeInclusive<usize>>,
    /// Its identifiers and punctuation, in order; texts and comments are left out.
    words: Vec<Word>,
}

/// One function.
pub(super) struct Function {
    /// Its name.
    pub(super) name: String,
    /// The line of its signature.
    pub(super) line: usize,
    /// Lines from the signature to the closing brace.
    pub(super) lines: usize,
}

/// An identifier or a punctuation mark.
pub(super) struct Word {
    /// The line, from 1.
    pub(super) line: usize,
    /// The text.
    pub(super) text: String,
}

impl Source {
    /// Reads a file; the error says where it is not Rust.
    pub(super) fn read(text: &str) -> Result<Self, (usize, String)> {
        let at = |why: syn::Error| (why.span().start().line, format!("is not Rust: {why}"));
        let file = syn::parse_file(text).map_err(at)?;
        let mut finder = Finder { functions: Vec::new(), tests: Vec::new() };
        finder.visit_file(&file);
        let stream = TokenStream::from_str(text).map_err(|why| (1, format!("is not Rust: {why}")))?;
        let mut words = Vec::new();
        flatten(stream, &mut words);
        Ok(Self { functions: finder.functions, tests: finder.tests, words })
    }

    /// The words outside of what is only for tests.
    pub(super) fn words(&self) -> impl Iterator<Item = &Word> {
        self.words.iter().filter(|word| !self.is_test(word.line))
    }

    /// Whether this line is compiled for tests alone.
    pub(super) fn is_test(&self, line: usize) -> bool {
        self.tests.iter().any(|lines| lines.contains(&line))
    }
}

/// Whether the file is only for tests, by its name.
pub(super) fn is_test_file(path: &str) -> bool {
    path.contains("/tests/") || path.ends_with("/tests.rs") || path.ends_with("_tests.rs")
}

struct Finder {
    functions: Vec<Function>,
    tests: Vec<RangeInclusive<usize>>,
}

impl Finder {
    fn add(&mut self, signature: &syn::Signature, block: &syn::Block) {
        let line = signature.span().start().line;
        let lines = block.span().end().line.saturating_sub(line) + 1;
        self.functions.push(Function { name: signature.ident.to_string(), line, lines });
    }
}

impl<'ast> Visit<'ast> for Finder {
    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        if is_for_tests(&item.attrs) {
            self.tests.push(item.span().start().line..=item.span().end().line);
        } else {
            visit::visit_item_mod(self, item);
        }
    }

    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        if is_for_tests(&item.attrs) {
            self.tests.push(item.span().start().line..=item.span().end().line);
        } else {
            self.add(&item.sig, &item.block);
            visit::visit_item_fn(self, item);
        }
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        if is_for_tests(&item.attrs) {
            self.tests.push(item.span().start().line..=item.span().end().line);
        } else {
            self.add(&item.sig, &item.block);
            visit::visit_impl_item_fn(self, item);
        }
    }

    fn visit_trait_item_fn(&mut self, item: &'ast syn::TraitItemFn) {
        if let Some(block) = &item.default {
            self.add(&item.sig, block);
        }
        visit::visit_trait_item_fn(self, item);
    }
}

/// Whether an item has `#[test]` or `#[cfg(test)]`.
fn is_for_tests(attributes: &[syn::Attribute]) -> bool {
    attributes.iter().any(|attribute| match &attribute.meta {
        syn::Meta::Path(path) => path.is_ident("test"),
        syn::Meta::List(list) => list.path.is_ident("cfg") && list.tokens.to_string() == "test",
        syn::Meta::NameValue(_) => false,
    })
}

fn flatten(stream: TokenStream, words: &mut Vec<Word>) {
    for token in stream {
        let line = token.span().start().line;
        match token {
            TokenTree::Ident(name) => words.push(Word { line, text: name.to_string() }),
            TokenTree::Punct(mark) => words.push(Word { line, text: mark.as_char().to_string() }),
            TokenTree::Literal(_) => (),
            TokenTree::Group(group) => {
                let brace = group.delimiter() == proc_macro2::Delimiter::Brace;
                words.extend(brace.then(|| Word { line, text: "{".to_owned() }));
                flatten(group.stream(), words);
                let line = group.span_close().start().line;
                words.extend(brace.then(|| Word { line, text: "}".to_owned() }));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_are_measured_and_those_for_tests_are_not() {
        let text = "fn one() {\n}\nimpl A {\n    fn two(\n        a: u8,\n    ) {\n        fn three() {}\n    }\n}\n\
                    #[cfg(test)]\nmod tests {\n    fn four() {}\n}\n#[test]\nfn five() {}\n";
        let source = Source::read(text).ok().unwrap();
        let seen: Vec<_> = source.functions.iter().map(|f| (f.name.as_str(), f.line, f.lines)).collect();
        assert_eq!(seen, [("one", 1, 2), ("two", 4, 5), ("three", 7, 1)]);
    }

    #[test]
    fn what_is_not_rust_is_told_with_its_line() {
        let Err((line, why)) = Source::read("fn a() {}\nfn {}\n") else { panic!("it was read") };
        assert_eq!(line, 2);
        assert!(why.starts_with("is not Rust: "), "{why}");
    }
}
