//! What a text costs as a short message: how it is encoded (3GPP TS 23.038) and in how many parts (TS 23.040).

/// The default alphabet of TS 23.038 §6.2.1, without the escape.
const DEFAULT: &str = "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà";
/// Its extension table, §6.2.1.1: each costs two septets, an escape and the character.
const EXTENSION: &str = "\u{c}^{}\\[~]|€";
/// Septets of a message that stands alone, and of a part of a longer one, whose header takes 6 octets.
const SEPTETS: (usize, usize) = (160, 153);
/// The same in the 16-bit units of UCS-2.
const UNITS: (usize, usize) = (70, 67);

/// How a short message is encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// The default alphabet with its extension table, seven bits each.
    Gsm7,
    /// UCS-2, sixteen bits each.
    Ucs2,
}

impl Encoding {
    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Gsm7 => "gsm-7",
            Self::Ucs2 => "ucs-2",
        }
    }
}

/// What a text comes to as a short message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cost {
    /// How it has to be encoded.
    pub encoding: Encoding,
    /// How many septets or 16-bit units it has.
    pub units: usize,
    /// In how many parts it goes; one for an empty text.
    pub parts: usize,
    /// The characters that the default alphabet lacks, in order of first mention; one is enough for UCS-2.
    pub lacking: Vec<char>,
}

/// Septets that a character takes; none if the alphabet lacks it.
fn septets(c: char) -> Option<usize> {
    if DEFAULT.contains(c) {
        return Some(1);
    }
    EXTENSION.contains(c).then_some(2)
}

/// What `text` comes to.
pub fn cost(text: &str) -> Cost {
    let mut lacking = Vec::new();
    for c in text.chars().filter(|c| septets(*c).is_none()) {
        if !lacking.contains(&c) {
            lacking.push(c);
        }
    }
    let (encoding, limits) =
        if lacking.is_empty() { (Encoding::Gsm7, SEPTETS) } else { (Encoding::Ucs2, UNITS) };
    let size = |c: char| if lacking.is_empty() { septets(c).unwrap_or(1) } else { c.len_utf16() };
    let units = text.chars().map(size).sum();
    let parts = if units <= limits.0 { 1 } else { split(text.chars().map(size), limits.1) };
    Cost { encoding, units, parts, lacking }
}

/// How many parts there are of what no part border may cut: an escape with its character, a surrogate pair.
fn split(sizes: impl Iterator<Item = usize>, room: usize) -> usize {
    let (mut parts, mut used) = (1, 0);
    for size in sizes {
        if used + size > room {
            (parts, used) = (parts + 1, 0);
        }
        used += size;
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, encoding: Encoding, units: usize, parts: usize) {
        let found = cost(text);
        assert_eq!((found.encoding, found.units, found.parts), (encoding, units, parts), "{text:?}");
    }

    #[test]
    fn the_default_alphabet_has_127_characters_and_an_escape() {
        assert_eq!(DEFAULT.chars().count(), 127);
        assert_eq!(EXTENSION.chars().count(), 10);
        assert!(EXTENSION.chars().all(|c| !DEFAULT.contains(c)));
    }

    #[test]
    fn a_text_of_the_default_alphabet_takes_160_septets_or_parts_of_153() {
        use Encoding::Gsm7;
        check("", Gsm7, 0, 1);
        check("Störung: Pumpe 3 @ Süd", Gsm7, 22, 1);
        check(&"x".repeat(160), Gsm7, 160, 1);
        check(&"x".repeat(161), Gsm7, 161, 2);
        check(&"x".repeat(306), Gsm7, 306, 2);
        check(&"x".repeat(307), Gsm7, 307, 3);
    }

    #[test]
    fn a_character_of_the_extension_takes_two_and_is_never_cut() {
        use Encoding::Gsm7;
        check(&"€".repeat(80), Gsm7, 160, 1);
        check(&"[]".repeat(81), Gsm7, 324, 3);
        // 152 septets and an escape: the pair goes to the next part, and the last septet stays free.
        check(&("x".repeat(152) + "€" + &"x".repeat(152)), Gsm7, 306, 3);
    }

    #[test]
    fn one_character_that_it_lacks_makes_all_of_it_ucs_2() {
        use Encoding::Ucs2;
        check(&("x".repeat(69) + "–"), Ucs2, 70, 1);
        check(&("x".repeat(70) + "–"), Ucs2, 71, 2);
        check(&"ž".repeat(134), Ucs2, 134, 2);
        check(&"ž".repeat(135), Ucs2, 135, 3);
        // A surrogate pair is not cut: 66 units and a pair are 68.
        check(&("ž".repeat(66) + "🔥" + &"ž".repeat(66)), Ucs2, 134, 3);
        assert_eq!(cost("„Größe“ ž “").lacking, ['„', '“', 'ž']);
    }
}
