//! Many lists of matchers, and which of them match a set of labels, without trying each.
//!
//! A list that asks for one value of a label (`site="north"`) can match only where the label has that value, so it is
//! filed under it. What asks for nothing so definite is tried always.

use crate::{Matcher, Matchers, Test};
use std::collections::{BTreeMap, BTreeSet};

/// Lists of matchers by their keys.
#[derive(Clone, Debug)]
pub struct Index<K> {
    lists: BTreeMap<K, Matchers>,
    /// By the label and the value that one of their matchers asks for.
    filed: BTreeMap<String, BTreeMap<String, BTreeSet<K>>>,
    others: BTreeSet<K>,
}

impl<K> Default for Index<K> {
    fn default() -> Self {
        Self { lists: BTreeMap::new(), filed: BTreeMap::new(), others: BTreeSet::new() }
    }
}

impl<K: Ord + Clone> Index<K> {
    /// Adds a list; one that has that key goes.
    pub fn insert(&mut self, key: K, matchers: Matchers) {
        self.remove(&key);
        match place(&matchers) {
            Some((label, value)) => {
                let values = self.filed.entry(label.to_owned()).or_default();
                values.entry(value.to_owned()).or_default().insert(key.clone());
            }
            None => drop(self.others.insert(key.clone())),
        }
        self.lists.insert(key, matchers);
    }

    /// Removes a list, which is handed back.
    pub fn remove(&mut self, key: &K) -> Option<Matchers> {
        let matchers = self.lists.remove(key)?;
        let Some((label, value)) = place(&matchers) else {
            self.others.remove(key);
            return Some(matchers);
        };
        if let Some(values) = self.filed.get_mut(label) {
            if let Some(keys) = values.get_mut(value) {
                keys.remove(key);
                if keys.is_empty() {
                    values.remove(value);
                }
            }
            if values.is_empty() {
                self.filed.remove(label);
            }
        }
        Some(matchers)
    }

    /// The list of that key.
    pub fn get(&self, key: &K) -> Option<&Matchers> {
        self.lists.get(key)
    }

    /// Each list with its key, in the order of the keys.
    pub fn iter(&self) -> impl Iterator<Item = (&K, &Matchers)> {
        self.lists.iter()
    }

    /// There is none.
    pub fn is_empty(&self) -> bool {
        self.lists.is_empty()
    }

    /// The keys of the lists that match a set of labels, in which `value_of` looks one up; in their order.
    pub fn matching<'a>(&self, value_of: impl Fn(&str) -> Option<&'a str>) -> BTreeSet<&K> {
        let filed = self.filed.iter().filter_map(|(label, values)| values.get(value_of(label)?));
        let candidates = filed.flatten().chain(&self.others);
        candidates
            .filter(|key| self.lists.get(key).is_some_and(|matchers| matchers.matches(&value_of)))
            .collect()
    }
}

/// The label and value that a list asks for. An empty value is that of an absent label too, and finds nothing.
fn place(matchers: &Matchers) -> Option<(&str, &str)> {
    matchers.iter().find_map(asked)
}

fn asked(matcher: &Matcher) -> Option<(&str, &str)> {
    match matcher.test() {
        Test::Equal(value) if !value.is_empty() => Some((matcher.label(), value)),
        Test::Equal(_) | Test::NotEqual(_) | Test::Match(_) | Test::NoMatch(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn list() -> impl Strategy<Value = Matchers> {
        let one = ("[abc]", prop::sample::select(vec!["=", "!=", "=~", "!~"]), "[xy]?");
        let one = one.prop_map(|(label, sign, value)| format!("{label}{sign}\"{value}\"").parse().unwrap());
        prop::collection::vec(one, 0..4).prop_map(|all: Vec<Matcher>| all.into_iter().collect())
    }

    proptest! {
        #[test]
        fn an_index_finds_what_trying_each_finds(
            lists in prop::collection::vec(list(), 0..20),
            gone in prop::collection::vec(0..20_usize, 0..10),
            labels in prop::collection::btree_map("[abc]", "[xy]?", 0..4),
        ) {
            let mut index = Index::default();
            for (key, list) in lists.iter().enumerate() {
                index.insert(key, list.clone());
            }
            gone.iter().for_each(|key| drop(index.remove(key)));
            let value_of = |name: &str| labels.get(name).map(String::as_str);
            let stays = |key: &usize| !gone.contains(key);
            let each = lists.iter().enumerate().filter(|(key, list)| stays(key) && list.matches(value_of));
            let each: Vec<usize> = each.map(|(key, _)| key).collect();
            prop_assert_eq!(index.matching(value_of).into_iter().copied().collect::<Vec<_>>(), each);
            let left = (0..lists.len()).filter(stays).count();
            prop_assert_eq!((index.iter().count(), index.is_empty()), (left, left == 0));
        }
    }

    #[test]
    fn nothing_is_left_of_lists_that_went() {
        let mut index = Index::default();
        for (key, text) in ["a=\"x\"", "a=\"x\",b=\"y\"", "a=~\"x\"", ""].into_iter().enumerate() {
            index.insert(key, text.parse().unwrap());
        }
        (0..4).for_each(|key| drop(index.remove(&key)));
        assert!(index.filed.is_empty() && index.others.is_empty() && index.is_empty());
    }
}
