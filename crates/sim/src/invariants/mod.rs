//! What must hold, one file each: looked at with every event, and once more when everything is over.

mod acknowledged_stays_silent;
mod directory_never_goes_back;
mod held_back_stays_silent;
mod i01_delivered;
mod i02_two_copies_survive;
mod i03_one_record_per_place;
mod i04_prefixes;
mod i05_finished_stays_finished;
mod i06_repeats_have_causes;
mod i07_once_without_faults;
mod i08_never_two_at_once;
mod i09_bounded_repeats;
mod i10_one_book_per_version;
mod i12_answers;
mod i13_join;
mod i14_retained;
mod i15_front;
mod steps_fire_on_time;

pub(crate) use crate::end::Scene;
use crate::history::Fact;
use crate::queue::Ms;
use std::fmt;

/// Something that did not hold.
#[derive(Clone, Debug)]
pub(crate) struct Broken {
    pub(crate) at: Ms,
    pub(crate) name: &'static str,
    pub(crate) what: String,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at {} ms: {}", self.name, self.at, self.what)
    }
}

/// Something that must hold.
pub(crate) trait Invariant {
    /// What it is called.
    fn name(&self) -> &'static str;

    /// Looks at what just happened. Says what is wrong with it.
    fn see(&mut self, scene: &Scene<'_>, fact: &Fact<'_>) -> Option<String>;

    /// Looks at the end. Says what is wrong with it.
    fn conclude(&mut self, scene: &Scene<'_>) -> Option<String>;
}

/// All of them. That everything converges in the end (I11) is what a run waits for; see `end`.
pub(crate) fn all() -> Vec<Box<dyn Invariant>> {
    vec![
        Box::new(i01_delivered::Delivered),
        Box::new(i02_two_copies_survive::TwoCopies::default()),
        Box::new(i03_one_record_per_place::OneRecord::default()),
        Box::new(i04_prefixes::Prefixes),
        Box::new(i05_finished_stays_finished::Finished::default()),
        Box::new(i06_repeats_have_causes::Causes),
        Box::new(i07_once_without_faults::Once),
        Box::new(i08_never_two_at_once::NeverTwo),
        Box::new(i09_bounded_repeats::Bounded),
        Box::new(i10_one_book_per_version::OneBook::default()),
        Box::new(i12_answers::Answers),
        Box::new(i13_join::Join),
        Box::new(i14_retained::Retained),
        Box::new(i15_front::Front),
        Box::new(acknowledged_stays_silent::Silent::default()),
        Box::new(held_back_stays_silent::HeldBack),
        Box::new(steps_fire_on_time::OnTime::default()),
        Box::new(directory_never_goes_back::NeverBack::default()),
    ]
}
