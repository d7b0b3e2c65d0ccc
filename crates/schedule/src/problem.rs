//! What is wrong with a schedule or a calendar, and where; and what may have been meant.

use std::fmt;

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// Where, such as `layers[1].rotation.length`.
    pub place: String,
    /// What, as a fragment of a sentence, with the nearest valid choice.
    pub what: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.what)
    }
}

impl std::error::Error for Problem {}

/// Collects problems on the way through a form.
#[derive(Default)]
pub(crate) struct Problems(pub(crate) Vec<Problem>);

impl Problems {
    /// Adds one.
    pub(crate) fn add(&mut self, place: impl Into<String>, what: impl Into<String>) {
        self.0.push(Problem { place: place.into(), what: what.into() });
    }

    /// Takes what there is to complain of, and gives the value if there is one.
    pub(crate) fn take<T>(&mut self, place: &str, value: Result<T, String>) -> Option<T> {
        value.map_err(|what| self.add(place, what)).ok()
    }

    /// Complains of more entries than there may be; says how many to leave.
    pub(crate) fn count(&mut self, place: &str, count: usize, max: usize) {
        if max < count {
            self.add(place, format!("has {count} entries; {max} are the most"));
        }
    }
}

/// `; did you mean "x"?`, or nothing where no choice is near.
pub(crate) fn nearest<'a>(meant: &str, choices: impl Iterator<Item = &'a str>) -> String {
    let folded = meant.to_lowercase();
    let near = choices.map(|choice| (strsim::osa_distance(&folded, &choice.to_lowercase()), choice)).min();
    match near {
        Some((distance, choice)) if distance <= meant.chars().count().div_ceil(3) => {
            format!("; did you mean {choice:?}?")
        }
        Some(_) | None => String::new(),
    }
}
