//! Routes as they are written, with what they inherit, and what becomes of them: routes in a list, policies by how
//! often they repeat, and maintenance for times in which nothing is told.

use super::matchers::{self, Keys};
use super::tree::{Branch, rows};
use super::{Fields, Reader, SINGLY, duration};
use crate::ImportError;
use crate::book::{Maintenance, Rule};
use crate::yaml::Node;
use matcher::{Matcher, Matchers};
use std::time::Duration;

const KEYS: Keys = Keys { list: "matchers", equal: "match", expressions: "match_re" };
/// How often Alertmanager repeats where nothing is said.
const REPEAT: Duration = Duration::from_secs(4 * 3600);

/// What a route says besides its matchers.
#[derive(Clone, Debug)]
struct Leaf {
    receiver: String,
    repeat: Duration,
    /// Time intervals in which nothing is told, with their line.
    mute: Vec<(usize, String)>,
    /// Time intervals outside of which nothing is told, with their line.
    active: Vec<(usize, String)>,
}

impl Reader<'_> {
    pub(super) fn routes(&mut self, node: &Node) -> Result<(), ImportError> {
        let root = self.branch(node, None)?;
        if !root.matchers.is_empty() {
            return Err(ImportError::at(root.line, "the first route must not have matchers"));
        }
        for row in rows(&root)? {
            let Some(first) = row.to.first() else { continue };
            let mut to: Vec<String> = Vec::new();
            let mut tell_resolved = false;
            for branch in &row.to {
                let Some(receiver) = self.receivers.get(&branch.leaf.receiver) else { continue };
                tell_resolved |= receiver.tell_resolved;
                if !to.contains(&receiver.name) {
                    to.push(receiver.name.clone());
                }
            }
            let policy = Some(self.policy(first.leaf.repeat, tell_resolved));
            let name = self.names.give(&first.leaf.receiver);
            let matchers = row.matchers.into_iter().collect();
            let rule =
                Rule { name, line: first.line, matchers, sources: Vec::new(), to, policy, also: row.also };
            self.book.rules.push(rule);
        }
        // Whoever gets what nothing else matches learns of the product's own troubles, too; nobody else is known.
        let operator = self.receivers.get(&root.leaf.receiver).filter(|receiver| receiver.reached);
        self.book.document.settings.operators.extend(operator.map(|receiver| receiver.name.clone()));
        self.told_apart(&root, &[]);
        Ok(())
    }

    fn branch(&mut self, node: &Node, above: Option<&Leaf>) -> Result<Branch<Leaf>, ImportError> {
        let mut fields = Fields::of(node, "a route")?;
        let matchers = matchers::take(&mut fields, &KEYS)?;
        let own = match fields.take("receiver") {
            Some(node) => Some((node.line, node.text("receiver")?.to_owned())),
            None => None,
        };
        if let Some((line, name)) = own.as_ref().filter(|(_, name)| !self.receivers.contains_key(name)) {
            return Err(ImportError::at(*line, format!("there is no receiver {name:?}")));
        }
        let receiver = own.map(|(_, name)| name).or_else(|| above.map(|it| it.receiver.clone()));
        let receiver =
            receiver.ok_or_else(|| ImportError::at(node.line, "the first route must have a receiver"))?;
        let goes_on = fields.take("continue").map_or(Ok(false), |node| node.flag("continue"))?;
        let mut repeat = above.map_or(REPEAT, |it| it.repeat);
        if let Some(node) = fields.take("repeat_interval") {
            repeat = duration(node, "repeat_interval")?;
            if repeat.is_zero() {
                return Err(ImportError::at(node.line, "repeat_interval must be longer than nothing"));
            }
            let advice = "shape the policy that it became";
            let why = "it is repeated until somebody acknowledges, 99 times at most";
            self.report.changed(node.line, "repeat_interval", why, advice);
        }
        for key in ["group_by", "group_wait", "group_interval"] {
            if let Some(node) = fields.take(key) {
                self.report.left(node.line, key, SINGLY, "");
            }
        }
        let mute = self.named_intervals(&mut fields, "mute_time_intervals")?;
        let active = self.named_intervals(&mut fields, "active_time_intervals")?;
        let leaf = Leaf { receiver, repeat, mute, active };
        let mut below = Vec::new();
        if let Some(routes) = fields.take("routes") {
            for route in routes.list("routes")? {
                below.push(self.branch(route, Some(&leaf))?);
            }
        }
        self.unknown(&fields, "route.");
        Ok(Branch { line: fields.line, matchers, goes_on, below, leaf })
    }

    fn named_intervals(
        &mut self,
        fields: &mut Fields<'_>,
        key: &str,
    ) -> Result<Vec<(usize, String)>, ImportError> {
        let Some(node) = fields.take(key) else { return Ok(Vec::new()) };
        let mut names = Vec::new();
        for node in node.list(key)? {
            let name = node.text(key)?.to_owned();
            if !self.intervals.contains_key(&name) {
                return Err(ImportError::at(node.line, format!("{key}: there is no time interval {name:?}")));
            }
            names.push((node.line, name));
        }
        Ok(names)
    }

    /// Times at which the alerts of a route are not told become maintenance.
    fn told_apart(&mut self, branch: &Branch<Leaf>, above: &[Matcher]) {
        let matchers: Vec<Matcher> = above.iter().chain(&branch.matchers).cloned().collect();
        for below in &branch.below {
            self.told_apart(below, &matchers);
        }
        let leaf = &branch.leaf;
        let Some((line, what)) = leaf
            .mute
            .first()
            .map(|(line, _)| (*line, "mute_time_intervals"))
            .or_else(|| leaf.active.first().map(|(line, _)| (*line, "active_time_intervals")))
        else {
            return;
        };
        let matchers: Matchers = matchers.into_iter().collect();
        if !branch.below.is_empty() || matchers.matches_nothing_said() {
            let why = "maintenance goes by labels, and would hold back what goes to other routes";
            self.report.left(
                line,
                what,
                why,
                "write [maintenance.NAME] with labels that only these alerts have",
            );
            return;
        }
        let calendars = self.silent_times(leaf, line);
        if calendars.is_empty() {
            return;
        }
        let why =
            "it became maintenance: it holds back every alert with these labels, whichever route it takes";
        self.report.changed(line, what, why, "");
        let name = self.names.give(&format!("{}-times", leaf.receiver));
        self.book.maintenance.push(Maintenance { name, line, matchers, calendars });
    }

    /// The calendars in which nothing is told.
    fn silent_times(&mut self, leaf: &Leaf, line: usize) -> Vec<String> {
        let mut calendars = Vec::new();
        for (_, name) in &leaf.mute {
            calendars.extend(self.intervals.get(name).map(|it| it.within.clone()).unwrap_or_default());
        }
        match leaf.active.as_slice() {
            [] => (),
            [(_, name)] => match self.intervals.get(name).and_then(|it| it.without.clone()) {
                Some(without) => calendars.extend(without),
                None => {
                    let why = "the times outside of it cannot be written as a calendar";
                    self.report.left(
                        line,
                        format!("active_time_intervals: {name}"),
                        why,
                        "write one by hand",
                    );
                }
            },
            [_, _, ..] => {
                let why = "the times outside of several intervals cannot be written as a calendar";
                self.report.left(line, "active_time_intervals", why, "write one by hand");
            }
        }
        calendars
    }
}
