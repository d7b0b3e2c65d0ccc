//! Outgoing message filters: messages that are not sent although a step is for them.
//!
//! Judged once for each step, when it fires, and written down with it: what is withheld is withheld on every node and
//! after every restart, and costs no record of its own. A step of which everything is withheld is one that has nobody
//! to tell, so the next one does not wait for it. News of an alert go to those who were told of it, past any filter.

use crate::directory::{Directory, Filter, Severity};
use crate::record::{BoundStep, Content, Roster, StepKey, Withheld};
use crate::{Dispatch, bind};
use base::Name;
use matcher::Matchers;
use std::collections::BTreeSet;

/// A filter made ready: its groups are people.
#[derive(Clone, Debug)]
pub(crate) struct Sieve {
    name: Name,
    channels: Vec<Name>,
    /// None is everybody.
    people: Option<BTreeSet<Name>>,
    below: Option<Severity>,
    matchers: Matchers,
    /// In lower case.
    contains: Vec<String>,
    calendars: Vec<Name>,
    except_calendars: Vec<Name>,
}

impl Sieve {
    pub(crate) fn new(directory: &Directory, (name, filter): (&Name, &Filter)) -> Self {
        let named = &filter.recipients;
        Self {
            name: name.clone(),
            channels: filter.channels.clone(),
            people: (!named.is_empty()).then(|| bind::members(directory, named)),
            below: filter.below,
            matchers: filter.matchers.clone(),
            contains: filter.contains.iter().map(|word| word.to_lowercase()).collect(),
            calendars: filter.calendars.clone(),
            except_calendars: filter.except_calendars.clone(),
        }
    }

    /// Whether it withholds messages that say this now, for those whom it is about.
    fn catches(&self, content: &Content, within: &BTreeSet<Name>) -> bool {
        self.below.is_none_or(|below| content.severity < below)
            && (self.calendars.is_empty() || self.calendars.iter().any(|it| within.contains(it)))
            && !self.except_calendars.iter().any(|calendar| within.contains(calendar))
            && self.matchers.matches(|label| content.label(label))
            && self.says(content)
    }

    fn says(&self, content: &Content) -> bool {
        if self.contains.is_empty() {
            return true;
        }
        let text = format!("{}\n{}", content.summary, content.details).to_lowercase();
        self.contains.iter().any(|word| text.contains(word))
    }

    /// Whom of a roster it is about, as ranges of places.
    fn places(&self, roster: &Roster) -> Vec<(u32, u32)> {
        let mut ranges: Vec<(u32, u32)> = Vec::new();
        for (place, person) in (0..).zip(&roster.people) {
            if self.people.as_ref().is_some_and(|people| !people.contains(&person.name)) {
                continue;
            }
            match ranges.last_mut() {
                Some((_, last)) if *last + 1 == place => *last = place,
                Some(_) | None => ranges.push((place, place)),
            }
        }
        ranges
    }
}

/// Something of a step is withheld, whoever is on call.
fn concerns(withheld: &Withheld, roster: &Roster, step: &BoundStep) -> bool {
    let members = step.schedules.iter().flat_map(|schedule| &schedule.members);
    let mut reach = step.reach.iter().chain(members.flat_map(|member| &member.reach));
    reach.any(|reach| {
        let at = roster.at(*reach);
        at.is_some_and(|(_, address)| withheld.holds(reach.person, address))
    })
}

impl Dispatch {
    /// What filters withhold of a step that fires now. Of our own alerts nothing is: who is told of our own troubles
    /// is the last who can be.
    pub(crate) fn withheld(
        &self,
        roster: &Roster,
        step: StepKey,
        content: &Content,
        system: bool,
    ) -> BTreeSet<Withheld> {
        let Some(bound) = roster.steps.get(usize::from(step.step)).filter(|_| !system) else {
            return BTreeSet::new();
        };
        let caught = self.rules.sieves.iter().filter(|sieve| sieve.catches(content, &self.almanac.calendars));
        let withheld = caught.map(|sieve| Withheld {
            filter: sieve.name.clone(),
            channels: sieve.channels.clone(),
            people: sieve.places(roster),
        });
        withheld.filter(|withheld| concerns(withheld, roster, bound)).collect()
    }
}
