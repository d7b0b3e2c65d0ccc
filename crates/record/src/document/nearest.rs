//! Which of the valid names somebody may have meant.

use base::limits::NAME_CHARS_MAX;

/// How many names are compared for one document. With ten thousand misspelt names the first ones get a
/// suggestion, and the answer comes as quickly as with one.
const COMPARISONS_MAX: usize = 100_000;

/// Finds the nearest names, as long as its budget lasts.
pub(super) struct Nearest {
    left: usize,
}

impl Nearest {
    pub(super) fn new() -> Self {
        Self { left: COMPARISONS_MAX }
    }

    /// The choice nearest to `meant`, if one is near.
    pub(super) fn of<'c>(&mut self, meant: &str, choices: impl Iterator<Item = &'c str>) -> Option<&'c str> {
        let chars = meant.chars().count();
        if chars > NAME_CHARS_MAX {
            return None;
        }
        let folded = meant.to_lowercase();
        let allowed = chars.div_ceil(3).max(1);
        let mut best: Option<(usize, &str)> = None;
        for choice in choices {
            if choice.len().abs_diff(meant.len()) > 4 * allowed {
                continue;
            }
            if self.left == 0 {
                break;
            }
            self.left -= 1;
            let distance = strsim::osa_distance(&folded, &choice.to_lowercase());
            if distance <= allowed && best.is_none_or(|(least, _)| distance < least) {
                best = Some((distance, choice));
            }
        }
        best.map(|(_, choice)| choice)
    }
}

/// `; did you mean "…"?`, or nothing.
pub(super) fn suggestion(choice: Option<&str>) -> String {
    choice.map_or_else(String::new, |choice| format!("; did you mean {choice:?}?"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_near_name_is_suggested_and_a_far_one_is_not() {
        let choices = ["anna", "bea", "night-shift"];
        for (meant, expect) in [
            ("ana", Some("anna")),
            ("Anna", Some("anna")),
            ("night_shift", Some("night-shift")),
            ("zoe-from-the-harbour", None),
            ("", None),
        ] {
            assert_eq!(Nearest::new().of(meant, choices.into_iter()), expect, "{meant}");
        }
    }
}
