//! The format of records: whatever there is reads back as it was, and what version 1 wrote is read for ever.

#[cfg(test)]
mod arbitrary;

#[cfg(test)]
mod tests {
    use super::arbitrary::{entry, samples};
    use base::{BootId, LogId, NodeId, RecordId};
    use dispatch::record::{Entry, Record};
    use proptest::prelude::*;
    use proptest::test_runner::RngSeed;
    use record::{DecodeError, decode, encode, index, to_json};

    /// One line for each kind of record, as version 1 wrote it. `UPDATE=1` writes it anew,
    /// which is right only while no release has written this version.
    const GOLDEN: &str = include_str!("../../testdata/v1.jsonl");

    fn text(entry: &Entry) -> String {
        String::from_utf8(encode(entry)).unwrap()
    }

    #[test]
    fn what_version_1_wrote_is_read_and_written_the_same() {
        if std::env::var_os("UPDATE").is_some() {
            let lines: String = samples().iter().map(|entry| text(entry) + "\n").collect();
            let file = concat!(env!("CARGO_MANIFEST_DIR"), "/testdata/v1.jsonl");
            std::fs::write(file, lines).unwrap();
            return;
        }
        for line in GOLDEN.lines() {
            assert_eq!(text(&decode(line.as_bytes()).unwrap()), line);
        }
    }

    #[test]
    fn every_kind_of_record_has_its_golden_line() {
        let golden: Vec<Entry> = GOLDEN.lines().map(|line| decode(line.as_bytes()).unwrap()).collect();
        assert_eq!(golden, samples());
        let kinds: std::collections::BTreeSet<_> = golden
            .iter()
            .map(|entry| std::mem::discriminant(&entry.record))
            .map(|kind| format!("{kind:?}"))
            .collect();
        assert_eq!(kinds.len(), 27);
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, rng_seed: RngSeed::Fixed(1), ..ProptestConfig::default() })]

        #[test]
        fn a_record_reads_back_as_written(entry in entry()) {
            let bytes = encode(&entry);
            prop_assert_eq!(decode(&bytes), Ok(entry.clone()));
            prop_assert_eq!(encode(&entry), bytes);
        }

        #[test]
        fn any_bytes_are_read_or_refused_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _: Result<_, _> = decode(&bytes);
        }

        #[test]
        fn a_record_with_a_bad_byte_is_read_or_refused_without_a_panic(
            entry in entry(), at in any::<prop::sample::Index>(), byte in any::<u8>(),
        ) {
            let mut bytes = encode(&entry);
            let at = at.index(bytes.len());
            bytes[at] = byte;
            let _: Result<_, _> = decode(&bytes);
        }
    }

    fn refused(line: &str, part: &str) {
        let error = decode(line.as_bytes()).unwrap_err();
        assert!(error.to_string().contains(part), "{line}: {error}");
    }

    #[test]
    fn what_is_not_a_record_is_refused_with_the_reason() {
        refused("", "EOF");
        refused("[]", "a record such as");
        refused("{}", "\"v\" is missing");
        refused(r#"{"at":1,"v":1}"#, "\"v\" must stand");
        refused(r#"{"v":0,"at":1}"#, "count from 1");
        refused(r#"{"v":1,"at":1}"#, "expected");
        refused(r#"{"v":1,"at":1,"nonsense":{}}"#, "unknown variant `nonsense`");
        refused(r#"{"v":1,"at":1,"closed":{"alert":"A12"}}"#, "NODE-BOOT-NUMBER");
        refused(r#"{"v":1,"at":1,"closed":{"alert":"1f-2-3"},"more":1}"#, "stands behind");
        refused(r#"{"v":1,"at":1,"closed":{"alert":"1f-2-3"}} "#.repeat(2).as_str(), "trailing");
    }

    #[test]
    fn a_newer_version_is_refused_by_its_number() {
        let line = br#"{"v":2,"at":1,"something":{"new":[1,2,{}]}}"#;
        assert_eq!(decode(line), Err(DecodeError::Newer { version: 2 }));
    }

    #[test]
    fn an_older_reader_passes_over_an_optional_part_that_it_does_not_know() {
        let line = br#"{"v":1,"at":1,"closed":{"alert":"0000001f-2-3","later":true}}"#;
        assert!(matches!(decode(line).unwrap().record, Record::Closed { .. }));
    }

    #[test]
    fn json_is_told_by_kind() {
        let closed =
            samples().into_iter().find(|entry| matches!(entry.record, Record::Closed { .. })).unwrap();
        assert_eq!(to_json(&closed.record).to_string(), r#"{"closed":{"alert":"1f3a9c02-10000abcd-7"}}"#);
    }

    #[test]
    fn a_record_is_filed_under_what_it_says() {
        let id = RecordId { log: LogId { node: NodeId(1), boot: BootId(2) }, seq: 3 };
        for entry in samples() {
            let index = index(id, &entry);
            assert_eq!(index.alert, entry.record.alert(id));
            assert_eq!(index.accept.is_some(), matches!(entry.record, Record::Accept(_)));
            assert_eq!(index.closes.is_some(), matches!(entry.record, Record::Closed { .. }));
            assert_eq!(index.roster.is_some(), matches!(entry.record, Record::Roster(_)));
            let attempts: u32 = index.quota.iter().map(|(_, count)| count).sum();
            assert_eq!(attempts > 0, matches!(entry.record, Record::Intent { .. }));
        }
    }
}

#[test]
fn labels_are_a_json_object_in_the_order_of_their_names() {
    let label = |name: &str, value: &str| (name.into(), value.into());
    let content = dispatch::record::Content {
        severity: dispatch::directory::Severity::Info,
        summary: "x".into(),
        details: "".into(),
        labels: [label("b", "2"), label("a", "say \"hello\"")].into_iter().collect(),
        origin: None,
    };
    assert_eq!(record::labels_to_json(&content), r#"{"a":"say \"hello\"","b":"2"}"#);
}
