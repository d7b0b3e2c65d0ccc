//! What an import makes, as a directory document: the one place that knows how the directory spells it.

use crate::book::{Book, Inhibition, Maintenance, Rule};
use matcher::Matchers;
use record::document::form;
use record::document::{Document, write_toml};
use std::fmt::Write as _;

/// The whole as TOML.
pub(crate) fn write(book: &Book, file: &str) -> String {
    let mut out = format!("# Made by `steadfast import` from {}.\n", one_line(file));
    for remark in &book.remarks {
        writeln!(out, "# {remark}").unwrap_or_default();
    }
    let document = Document {
        routes: book.rules.iter().map(route).collect(),
        inhibitions: book.inhibitions.iter().map(inhibition).collect(),
        maintenance: book.maintenance.iter().map(|it| (it.name.clone(), maintenance(it))).collect(),
        ..book.document.clone()
    };
    out.extend(["\n", &write_toml(&document)]);
    out
}

fn route(rule: &Rule) -> form::Route {
    form::Route {
        name: rule.name.clone(),
        sources: rule.sources.clone(),
        matchers: matchers(&rule.matchers),
        to: rule.to.clone(),
        policy: rule.policy.clone(),
        also: rule.also.then_some(true),
        ..form::Route::default()
    }
}

fn inhibition(it: &Inhibition) -> form::Inhibition {
    form::Inhibition {
        name: it.name.clone(),
        source: matchers(&it.source),
        target: matchers(&it.target),
        equal: it.equal.clone(),
    }
}

fn maintenance(it: &Maintenance) -> form::Maintenance {
    form::Maintenance { title: None, matchers: matchers(&it.matchers), calendars: it.calendars.clone() }
}

fn matchers(all: &Matchers) -> Vec<String> {
    all.iter().map(ToString::to_string).collect()
}

/// A text that ends no comment.
fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}
