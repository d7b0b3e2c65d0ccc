//! How groups stand in groups: no cycles, not too deep, and which of them contain nobody.
//!
//! One walk with its own stack, so that a hundred thousand groups in a row cannot exhaust ours.

use super::super::form::{self, Document};
use super::super::problem::{Place, quote};
use super::{Check, Section};
use base::limits::GROUP_DEPTH_MAX;
use dispatch::directory::Group;
use std::collections::BTreeMap;

/// Members of a cycle that are spelled out.
const SPELLED_MAX: usize = 12;

/// What is known of a group: its place on the path while it is walked, then its depth and whether it reaches.
#[derive(Clone, Copy)]
enum Seen {
    OnPath(usize),
    Done { depth: usize, reaches: bool },
}

/// A group on the path, and how far its members are walked.
struct Frame<'a> {
    name: &'a str,
    members: &'a [String],
    next: usize,
    depth: usize,
    reaches: bool,
}

/// Notes cycles and groups that stand too deep; tells of each group whether it contains anybody.
pub(super) fn examine<'a>(check: &mut Check<'a>) -> BTreeMap<&'a str, bool> {
    let book = check.book;
    let mut seen = BTreeMap::new();
    for name in book.groups.keys() {
        if !seen.contains_key(name.as_str()) {
            walk(check, name, &mut seen);
        }
    }
    let reaches = |state| matches!(state, Seen::Done { reaches: true, .. });
    seen.into_iter().map(|(name, state)| (name, reaches(state))).collect()
}

fn walk<'a>(check: &mut Check<'a>, root: &'a str, seen: &mut BTreeMap<&'a str, Seen>) {
    let book = check.book;
    let mut path = Vec::new();
    enter(book, root, &mut path, seen);
    while let Some(frame) = path.last_mut() {
        let Some(member) = frame.members.get(frame.next) else {
            leave(check, &mut path, seen);
            continue;
        };
        frame.next += 1;
        match seen.get(member.as_str()) {
            Some(Seen::Done { depth, reaches }) => {
                frame.depth = frame.depth.max(depth + 1);
                frame.reaches |= reaches;
            }
            Some(Seen::OnPath(from)) => note_cycle(check, &path, *from),
            None if book.groups.contains_key(member) => enter(book, member, &mut path, seen),
            // A recipient; or nobody we know, which is noted at the member and need not be noted twice.
            None => frame.reaches = true,
        }
    }
}

fn enter<'a>(
    book: &'a Document,
    name: &'a str,
    path: &mut Vec<Frame<'a>>,
    seen: &mut BTreeMap<&'a str, Seen>,
) {
    let members = book.groups.get(name).map_or(&[][..], |group| &group.members);
    seen.insert(name, Seen::OnPath(path.len()));
    path.push(Frame { name, members, next: 0, depth: 1, reaches: false });
}

fn leave<'a>(check: &mut Check<'a>, path: &mut Vec<Frame<'a>>, seen: &mut BTreeMap<&'a str, Seen>) {
    let Some(done) = path.pop() else { return };
    seen.insert(done.name, Seen::Done { depth: done.depth, reaches: done.reaches });
    // Once: every group around this one is deeper still.
    if done.depth == GROUP_DEPTH_MAX + 1 {
        let detail = format!("groups stand in it more than {GROUP_DEPTH_MAX} deep");
        check.note(&Place::top("groups").key(done.name), detail);
    }
    if let Some(outer) = path.last_mut() {
        outer.depth = outer.depth.max(done.depth + 1);
        outer.reaches |= done.reaches;
    }
}

fn note_cycle(check: &mut Check<'_>, path: &[Frame<'_>], from: usize) {
    let Some((cycle, last)) = path.get(from..).zip(path.last()) else { return };
    let Some(first) = cycle.first() else { return };
    let mut spelled: Vec<_> = cycle.iter().take(SPELLED_MAX).map(|frame| frame.name).collect();
    if cycle.len() > SPELLED_MAX {
        spelled.push("…");
    }
    spelled.push(first.name);
    let detail = format!("the group contains itself: {}", spelled.join(" -> "));
    let (top, group);
    top = Place::top("groups");
    group = top.key(last.name);
    check.note(&group.key("members").at(last.next.saturating_sub(1)), detail);
}

impl Check<'_> {
    pub(super) fn group(&mut self, place: &Place<'_>, key: &str, form: &form::Group) -> Group {
        if self.book.recipients.contains_key(key) {
            let detail = format!("there is a recipient {} too; a name stands for one of them", quote(key));
            self.note(place, detail);
        }
        let members = place.key("members");
        let at = |(at, text): (usize, &String)| self.member(&members.at(at), text);
        let named = form.members.iter().enumerate().filter_map(at).collect();
        Group {
            title: self.title(place, key, form.title.as_deref()),
            department: self.reference_at(
                place,
                "department",
                Section::Departments,
                form.department.as_deref(),
            ),
            members: named,
            policy: self.reference_at(place, "policy", Section::Policies, form.policy.as_deref()),
        }
    }
}
