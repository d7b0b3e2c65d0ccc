//! Schedules and calendars: whom they name. What their times say is judged by the `schedule` crate.

use super::super::form;
use super::super::problem::{Place, pointer_of, quote};
use super::super::schedules;
use super::Check;
use base::Name;
use dispatch::directory::{Calendar, Schedule};

impl Check<'_> {
    /// Notes what is wrong with the times, zones, turns and overrides, and with what schedules say together.
    pub(super) fn judge_schedules(&mut self) {
        let book = self.book;
        if book.schedules.is_empty() && book.calendars.is_empty() {
            return;
        }
        let form = form::Book { schedules: book.schedules.clone(), calendars: book.calendars.clone() };
        for problem in (self.rules.schedules)(&form) {
            let pointer = pointer_of(&problem.place);
            // What is no name at all is said once.
            if !self.found.iter().any(|known| known.pointer == pointer) {
                self.note_at(pointer, problem.what);
            }
        }
    }

    pub(super) fn schedule(&mut self, place: &Place<'_>, key: &str, form: &form::Schedule) -> Schedule {
        self.refuse_homonym(place, key);
        let mut names: Vec<Name> = Vec::new();
        let mut add = |name: Option<Name>| {
            names.extend(name.filter(|name| !names.contains(name)));
        };
        let layers = place.key("layers");
        for (at, layer) in form.layers.iter().enumerate() {
            let layer_place = layers.at(at);
            let turns = layer_place.key("turns");
            for (at, turn) in layer.turns.iter().enumerate() {
                let turn_place = turns.at(at);
                turn.iter().enumerate().for_each(|(at, text)| add(self.named(&turn_place.at(at), text)));
            }
        }
        let overrides = place.key("overrides");
        for (at, entry) in form.overrides.iter().enumerate() {
            let entry_place = overrides.at(at);
            let who = entry_place.key("who");
            entry.who.iter().enumerate().for_each(|(at, text)| add(self.named(&who.at(at), text)));
        }
        Schedule { names, rules: schedules::rules(form) }
    }

    /// A name stands for one of a recipient, a group and a schedule.
    fn refuse_homonym(&mut self, place: &Place<'_>, key: &str) {
        let book = self.book;
        let other = if book.recipients.contains_key(key) {
            "recipient"
        } else if book.groups.contains_key(key) {
            "group"
        } else {
            return;
        };
        self.note(place, format!("there is a {other} {} too; a name stands for one of them", quote(key)));
    }

    pub(super) fn calendar(&mut self, _: &Place<'_>, _: &str, form: &form::Calendar) -> Calendar {
        Calendar { rules: schedules::rules(form) }
    }
}
