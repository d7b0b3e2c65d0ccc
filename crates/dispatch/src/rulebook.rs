//! What the core looks up in the directory in force, made ready once for each of its editions: routes by their
//! labels, filters with their people.
//!
//! Separate from the directory, which is a book: this is derived from it, and nothing here is durable. A thousand
//! routes must not make an acceptance a thousand comparisons, so that each stands under its rarest `label="value"`.

use crate::directory::{Bundle, Directory, Flapping, Route};
use crate::filter::Sieve;
use crate::record::Content;
use base::Name;
use matcher::{Matcher, Test};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Places of routes, in order.
type Places = Vec<usize>;

/// What one edition of the directory says, ready to be looked up.
#[derive(Clone, Debug, Default)]
pub(crate) struct Rulebook {
    directory: Arc<Directory>,
    /// Routes that match only alerts with this value of this label.
    by_label: BTreeMap<Box<str>, BTreeMap<Box<str>, Places>>,
    /// The others.
    rest: Places,
    bundles: BTreeMap<Name, Bundle>,
    flapping: BTreeMap<Name, Flapping>,
    pub(crate) sieves: Vec<Sieve>,
}

impl Rulebook {
    /// Makes a directory ready.
    pub(crate) fn new(directory: &Arc<Directory>) -> Self {
        let mut rules = Self {
            directory: Arc::clone(directory),
            bundles: by_route(directory, |route| route.bundle),
            flapping: by_route(directory, |route| route.flapping),
            sieves: directory.filters.iter().map(|filter| Sieve::new(directory, filter)).collect(),
            ..Self::default()
        };
        let mut routes: BTreeMap<(&str, &str), usize> = BTreeMap::new();
        for pair in directory.routes.iter().flat_map(pairs) {
            *routes.entry(pair).or_default() += 1;
        }
        for (at, route) in directory.routes.iter().enumerate() {
            match pairs(route).min_by_key(|pair| routes.get(pair)) {
                Some((label, value)) => {
                    let values = rules.by_label.entry(label.into()).or_default();
                    values.entry(value.into()).or_default().push(at);
                }
                None => rules.rest.push(at),
            }
        }
        rules
    }

    /// Follows the directory.
    pub(crate) fn follow(&mut self, directory: &Arc<Directory>) {
        if !Arc::ptr_eq(&self.directory, directory) {
            *self = Self::new(directory);
        }
    }

    /// The directory that these are of.
    pub(crate) fn directory(&self) -> &Directory {
        &self.directory
    }

    /// The routes that may match what is said, in their order.
    pub(crate) fn routes(&self, content: &Content) -> impl Iterator<Item = &Route> {
        let listed = self.by_label.iter().filter_map(|(label, values)| values.get(content.label(label)?));
        let mut listed: Places = listed.flatten().copied().collect();
        listed.sort_unstable();
        let (mut listed, mut rest) = (listed.into_iter().peekable(), self.rest.iter().copied().peekable());
        let places = std::iter::from_fn(move || match (listed.peek(), rest.peek()) {
            (Some(one), Some(other)) if other < one => rest.next(),
            (Some(_), _) => listed.next(),
            (None, _) => rest.next(),
        });
        places.filter_map(|at| self.directory.routes.get(at))
    }

    /// How messages of a route are put together.
    pub(crate) fn bundle(&self, route: &Name) -> Option<Bundle> {
        self.bundles.get(route).copied()
    }

    /// When trouble of a route flaps.
    pub(crate) fn flapping(&self, route: &Name) -> Option<Flapping> {
        self.flapping.get(route).copied()
    }
}

/// The labels that an alert must have for a route, with their values.
fn pairs(route: &Route) -> impl Iterator<Item = (&str, &str)> {
    route.matchers.iter().filter_map(|matcher: &Matcher| match matcher.test() {
        // An empty one matches where there is none.
        Test::Equal(value) => (!value.is_empty()).then(|| (matcher.label(), value.as_str())),
        Test::NotEqual(_) | Test::Match(_) | Test::NoMatch(_) => None,
    })
}

/// What some routes say, by their names.
fn by_route<T>(directory: &Directory, said: impl Fn(&Route) -> Option<T>) -> BTreeMap<Name, T> {
    directory.routes.iter().filter_map(|route| Some((route.name.clone(), said(route)?))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::directory::{Severity, Target};
    use crate::fixture::{directory, name, notice};

    fn route(number: usize, matchers: &str) -> Route {
        Route {
            name: name(&format!("r{number}")),
            sources: Vec::new(),
            severity: Severity::Info,
            matchers: matchers.parse().expect("matchers"),
            windows: Vec::new(),
            calendars: Vec::new(),
            except_calendars: Vec::new(),
            to: vec![Target::Named(name("anna"))],
            policy: None,
            templates: Vec::new(),
            ttl: None,
            also: false,
            bundle: None,
            flapping: None,
        }
    }

    #[test]
    fn the_routes_looked_at_hold_all_that_match_in_their_order() {
        let matchers = [
            "site=n",
            "site=n,unit=a",
            "site!=n",
            "unit=~\"a|b\"",
            "unit=b,site=s",
            "site=\"\"",
            "unit=a",
            "",
            "alertname=\"pump 3 stopped\"",
            "site=n,site=s",
            "site=~\".*\",unit=b",
            "alertname=x,unit=a",
        ];
        let mut book = directory(&[("anna", &["mail:anna@x"])], &[]);
        book.routes = matchers.iter().enumerate().map(|(number, text)| route(number, text)).collect();
        let rulebook = Rulebook::new(&Arc::new(book));
        for (site, unit) in ["", "n", "s"].iter().flat_map(|site| ["", "a", "b"].map(|unit| (*site, unit))) {
            let mut content = notice("pump 3 stopped", &[]).content;
            let labels = [("site", site), ("unit", unit)].into_iter().filter(|(_, value)| !value.is_empty());
            content.labels = labels.map(|(label, value)| (label.into(), value.into())).collect();
            let matching = |route: &&Route| route.matchers.matches(|label| content.label(label));
            let all: Vec<&Name> =
                rulebook.directory().routes.iter().filter(matching).map(|route| &route.name).collect();
            let looked_at: Vec<&Name> =
                rulebook.routes(&content).filter(matching).map(|route| &route.name).collect();
            assert_eq!(looked_at, all, "site {site:?} unit {unit:?}");
        }
    }

    #[test]
    fn a_thousand_routes_with_a_label_of_their_own_are_not_looked_at_one_by_one() {
        let mut book = directory(&[("anna", &["mail:anna@x"])], &[]);
        book.routes = (0..1000).map(|number| route(number, &format!("site=north,unit=u{number}"))).collect();
        let rulebook = Rulebook::new(&Arc::new(book));
        let mut content = notice("pump 3 stopped", &[]).content;
        content.labels = [("site".into(), "north".into()), ("unit".into(), "u7".into())].into();
        let looked_at: Vec<&str> = rulebook.routes(&content).map(|route| route.name.as_str()).collect();
        assert_eq!(looked_at, ["r7"]);
    }
}
