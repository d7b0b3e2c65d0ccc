//! A tree of routes becomes a list of which the first that matches counts.
//!
//! In the tree, an alert goes to the deepest route that matches on its way; to the next sibling, too, where a route
//! says `continue`; and to a route itself only if none below it took it. In the list, a route with `also` lets those
//! after it add to it. So:
//!
//! - routes below stand before their parent, which comes last, with the matchers of all above it;
//! - a route that continues and has none below it stands in its place with `also`, and once more, without it, right
//!   before its parent: whoever came by it must not reach the parent as well;
//! - of a route that continues and has others below it, each way through it is put before what follows, once with
//!   each: so many lines are made, that there is a limit.

use crate::ImportError;
use crate::limits::RULES_MAX;
use matcher::{Matcher, Test};

/// A route of the tree. What it inherits stands in it already.
#[derive(Clone, Debug)]
pub(super) struct Branch<T> {
    pub(super) line: usize,
    pub(super) matchers: Vec<Matcher>,
    /// `continue`.
    pub(super) goes_on: bool,
    pub(super) below: Vec<Self>,
    /// Whatever the alert finds there.
    pub(super) leaf: T,
}

/// A line of the list.
#[derive(Debug)]
pub(super) struct Row<'b, T> {
    pub(super) matchers: Vec<Matcher>,
    /// The routes that the alert comes to, in order.
    pub(super) to: Vec<&'b Branch<T>>,
    pub(super) also: bool,
}

/// What the tree from `root` on is as a list. The last line takes everything.
///
/// # Errors
/// It would have more than [`RULES_MAX`] lines.
pub(super) fn rows<T>(root: &Branch<T>) -> Result<Vec<Row<'_, T>>, ImportError> {
    let mut work = Work { left: RULES_MAX };
    work.branch(root, &[], false)
}

/// How much may still be made.
struct Work {
    left: usize,
}

impl Work {
    /// The list of a branch, all of whose lines have `above` and its own matchers.
    fn branch<'b, T>(
        &mut self,
        branch: &'b Branch<T>,
        above: &[Matcher],
        plain: bool,
    ) -> Result<Vec<Row<'b, T>>, ImportError> {
        let Some(here) = both(above, &branch.matchers) else { return Ok(Vec::new()) };
        self.below(branch, &branch.below, &here, &[], plain)
    }

    /// The list of what is left of a branch's routes, for an alert that came to `so_far` before. It ends with a
    /// line that takes all that has the matchers `here`. A plain list has no line with `also`.
    fn below<'b, T>(
        &mut self,
        own: &'b Branch<T>,
        rest: &'b [Branch<T>],
        here: &[Matcher],
        so_far: &[&'b Branch<T>],
        plain: bool,
    ) -> Result<Vec<Row<'b, T>>, ImportError> {
        self.left = self.left.checked_sub(1).ok_or_else(|| {
            ImportError::at(
                own.line,
                format!("with its `continue` this tree would become more than {RULES_MAX} routes"),
            )
        })?;
        let Some((first, rest)) = rest.split_first() else {
            let to = if so_far.is_empty() { vec![own] } else { so_far.to_vec() };
            return Ok(vec![Row { matchers: here.to_vec(), to, also: false }]);
        };
        let mut rows = Vec::new();
        if !first.goes_on {
            for row in self.branch(first, here, plain)? {
                rows.push(Row { to: joined(so_far, &row.to), ..row });
            }
            rows.extend(self.below(own, rest, here, so_far, plain)?);
        } else if first.below.is_empty() && !plain {
            let after = self.below(own, rest, here, so_far, plain)?;
            let Some(matchers) = both(here, &first.matchers) else { return Ok(after) };
            let to = joined(so_far, &[first]);
            rows.push(Row { matchers: matchers.clone(), to: to.clone(), also: true });
            rows.extend(after);
            rows.insert(rows.len().saturating_sub(1), Row { matchers, to, also: false });
        } else {
            for row in self.branch(first, here, true)? {
                rows.extend(self.below(own, rest, &row.matchers, &joined(so_far, &row.to), plain)?);
            }
            rows.extend(self.below(own, rest, here, so_far, plain)?);
        }
        Ok(rows)
    }
}

fn joined<'b, T>(one: &[&'b Branch<T>], other: &[&'b Branch<T>]) -> Vec<&'b Branch<T>> {
    one.iter().chain(other).copied().collect()
}

/// The matchers of both; nothing if no labels can have both.
fn both(one: &[Matcher], other: &[Matcher]) -> Option<Vec<Matcher>> {
    let mut all = one.to_vec();
    for matcher in other {
        if !all.contains(matcher) {
            all.push(matcher.clone());
        }
    }
    let fixed = |matcher: &Matcher| match matcher.test() {
        Test::Equal(value) => Some(value.clone()),
        Test::NotEqual(_) | Test::Match(_) | Test::NoMatch(_) => None,
    };
    let holds = |label: &str, value: &str| {
        all.iter().filter(|it| it.label() == label).all(|it| it.matches_value(value))
    };
    let possible = all.iter().all(|it| fixed(it).is_none_or(|value| holds(it.label(), &value)));
    possible.then_some(all)
}

#[cfg(test)]
mod tests {
    use super::*;
    use matcher::Matchers;
    use proptest::prelude::*;

    fn branch(number: usize, text: &str, goes_on: bool, below: Vec<Branch<usize>>) -> Branch<usize> {
        let matchers: Matchers = text.parse().unwrap();
        Branch { line: number, matchers: matchers.iter().cloned().collect(), goes_on, below, leaf: number }
    }

    type Labels = [(&'static str, &'static str); 3];

    fn matches(matchers: &[Matcher], labels: &Labels) -> bool {
        let of = |name: &str| labels.iter().find(|(label, _)| *label == name).map(|(_, value)| *value);
        matchers.iter().all(|matcher| matcher.matches(of))
    }

    /// Where Alertmanager's walk comes to.
    fn walked(branch: &Branch<usize>, labels: &Labels) -> Vec<usize> {
        if !matches(&branch.matchers, labels) {
            return Vec::new();
        }
        let mut all = Vec::new();
        for below in &branch.below {
            let found = walked(below, labels);
            let stops = !found.is_empty() && !below.goes_on;
            all.extend(found);
            if stops {
                break;
            }
        }
        if all.is_empty() { vec![branch.leaf] } else { all }
    }

    /// Where the list leads.
    fn listed(rows: &[Row<'_, usize>], labels: &Labels) -> Vec<usize> {
        let mut all = Vec::new();
        for row in rows.iter().filter(|row| matches(&row.matchers, labels)) {
            all.extend(row.to.iter().map(|branch| branch.leaf));
            if !row.also {
                break;
            }
        }
        all
    }

    fn sorted(mut all: Vec<usize>) -> Vec<usize> {
        all.sort_unstable();
        all.dedup();
        all
    }

    fn texts() -> impl Strategy<Value = String> {
        let one = (0..3usize, 0..4usize, 0..3usize).prop_map(|(label, sign, value)| {
            let (label, sign, value) =
                (["a", "b", "c"][label], ["=", "!=", "=~", "!~"][sign], ["1", "2", "1|2"][value]);
            format!("{label}{sign}\"{value}\"")
        });
        proptest::collection::vec(one, 0..3).prop_map(|all| all.join(","))
    }

    fn trees() -> impl Strategy<Value = Branch<usize>> {
        let leaf = (texts(), any::<bool>()).prop_map(|(text, on)| branch(0, &text, on, Vec::new()));
        let tree = leaf.prop_recursive(3, 24, 4, |inner| {
            (texts(), any::<bool>(), proptest::collection::vec(inner, 0..4))
                .prop_map(|(text, on, below)| branch(0, &text, on, below))
        });
        proptest::collection::vec(tree, 0..4).prop_map(|below| {
            let mut root = branch(0, "", false, below);
            number(&mut root, &mut 0);
            root
        })
    }

    fn number(branch: &mut Branch<usize>, next: &mut usize) {
        branch.leaf = *next;
        *next += 1;
        branch.below.iter_mut().for_each(|below| number(below, next));
    }

    proptest! {
        #[test]
        fn the_list_leads_wherever_the_tree_leads(root in trees()) {
            let rows = rows(&root);
            prop_assume!(rows.is_ok());
            let rows = rows.unwrap();
            for n in 0..27 {
                let value = |n: usize| ["", "1", "2"][n % 3];
                let labels = [("a", value(n)), ("b", value(n / 3)), ("c", value(n / 9))];
                prop_assert_eq!(sorted(walked(&root, &labels)), sorted(listed(&rows, &labels)), "{:?}", labels);
            }
        }
    }

    #[test]
    fn a_tree_that_would_become_too_long_is_refused() {
        let below = || branch(1, "", true, vec![branch(2, "a=1", false, Vec::new())]);
        let root = branch(0, "", false, (0..20).map(|_| below()).collect());
        assert!(rows(&root).unwrap_err().why.contains("would become more than"));
        let many = (0..200).map(|n| branch(n, &format!("a={n}"), true, Vec::new())).collect();
        let root = branch(0, "", false, many);
        assert_eq!(rows(&root).unwrap().len(), 401);
    }
}
