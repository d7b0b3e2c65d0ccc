//! Which of the valid words somebody may have meant.

/// Words that are compared at most: with a directory of 200,000 names the answer still comes at once.
const COMPARED_MAX: usize = 20_000;
/// Characters past which a text is not compared.
const CHARS_MAX: usize = 64;

/// `; did you mean "…"?`, or nothing if no choice is near.
pub(crate) fn suggestion<'c>(meant: &str, choices: impl IntoIterator<Item = &'c str>) -> String {
    nearest(meant, choices).map_or_else(String::new, |choice| format!("; did you mean {choice:?}?"))
}

fn nearest<'c>(meant: &str, choices: impl IntoIterator<Item = &'c str>) -> Option<&'c str> {
    let chars = meant.chars().count();
    if chars > CHARS_MAX {
        return None;
    }
    let folded = meant.to_lowercase();
    let allowed = chars.div_ceil(3).max(1);
    choices
        .into_iter()
        .take(COMPARED_MAX)
        .map(|choice| (strsim::osa_distance(&folded, &choice.to_lowercase()), choice))
        .filter(|(distance, _)| *distance <= allowed)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, choice)| choice)
}

/// `text` in quotes, cut where it is long.
pub(crate) fn quoted(text: &str) -> String {
    let shown: String = text.chars().take(80).collect();
    if shown.len() < text.len() { format!("{shown:?}…") } else { format!("{text:?}") }
}
