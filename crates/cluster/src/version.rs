//! The versions of the protocol, and what each can do: the only place that knows their differences.
//!
//! A version is agreed upon by ALPN (RFC 7301): the dialler offers what it speaks, and the peer picks the
//! highest that it speaks too. Both always know [`REFUSAL`] besides, which carries no messages: it is picked
//! when there is nothing in common, so that the peer can say so in words instead of by an alert.

/// One version of the protocol. Two of them are spoken, so that nodes can be upgraded one by one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "a row of what a version can do is what it is")]
pub struct Version {
    /// Counts from 1.
    pub number: u8,
    /// Heartbeats carry the age of the oldest write that is not on disk.
    pub tells_unsynced: bool,
    /// Each record of an `Append` carries its CRC-32.
    pub checks_records: bool,
    /// Who hears records says how far it has read, so that no more than the way carries is under way.
    pub tells_read: bool,
    /// Heartbeats say that records are lost, and snapshots which.
    pub tells_losses: bool,
}

/// Those that are spoken, the highest first. The next one brings its row, and the last row goes.
pub const VERSIONS: &[Version] = &[
    Version { number: 2, tells_unsynced: true, checks_records: true, tells_read: true, tells_losses: true },
    Version {
        number: 1,
        tells_unsynced: false,
        checks_records: false,
        tells_read: false,
        tells_losses: false,
    },
];

/// The highest of them.
pub const PROTOCOL_MAX: u8 = 2;

/// What is picked when no version is common: only the reason follows.
const REFUSAL: &[u8] = b"steadfast/refusal";

/// What a handshake ended with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Agreed {
    /// Both speak this one.
    Version(Version),
    /// None is common.
    Refusal,
    /// The other end is not of ours.
    Nothing,
}

/// The names to offer or to choose from, by preference, up to version `max`.
pub(crate) fn offers(max: u8) -> Vec<Vec<u8>> {
    let spoken = spoken(max).map(|version| format!("steadfast/{}", version.number).into_bytes());
    spoken.chain([REFUSAL.to_vec()]).collect()
}

/// What the name that TLS agreed upon means.
pub(crate) fn agreed(name: Option<&[u8]>) -> Agreed {
    let Some(name) = name else { return Agreed::Nothing };
    if name == REFUSAL {
        return Agreed::Refusal;
    }
    let is_it = |version: &&Version| format!("steadfast/{}", version.number).as_bytes() == name;
    VERSIONS.iter().find(is_it).map_or(Agreed::Nothing, |version| Agreed::Version(*version))
}

/// The versions up to `max` in words, such as `2 and 1`.
pub(crate) fn words(max: u8) -> String {
    let numbers: Vec<String> = spoken(max).map(|version| version.number.to_string()).collect();
    numbers.join(" and ")
}

fn spoken(max: u8) -> impl Iterator<Item = &'static Version> {
    VERSIONS.iter().filter(move |version| version.number <= max)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_in_order_and_follow_each_other() {
        let numbers: Vec<u8> = VERSIONS.iter().map(|version| version.number).collect();
        assert_eq!(numbers, [PROTOCOL_MAX, 1]);
    }

    #[test]
    fn every_offer_is_understood() {
        for (max, expect) in [(2, "2 and 1"), (1, "1")] {
            assert_eq!(words(max), expect);
            let offers = offers(max);
            let (last, versions) = offers.split_last().unwrap();
            assert_eq!(agreed(Some(last)), Agreed::Refusal);
            for (name, version) in versions.iter().zip(spoken(max)) {
                assert_eq!(agreed(Some(name)), Agreed::Version(*version));
            }
        }
        assert_eq!(agreed(Some(b"h2")), Agreed::Nothing);
        assert_eq!(agreed(None), Agreed::Nothing);
    }
}
