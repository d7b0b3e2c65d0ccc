//! What Alertmanager 0.25 does with a text, as `amtool config routes test` of Debian's 0.25.0 shows, and what we do.

use std::collections::BTreeMap;

use matcher::{Matcher, Matchers, Test};
use proptest::prelude::{Just, Strategy, any, prop_oneof, proptest};
use proptest::{collection, prop_assert_eq};

mod table;
use table::{Answer, TABLE};

/// Where we differ, on purpose: what we answer, and why.
const DIFFERENCES: &[(&str, Answer, &str)] = &[
    (
        "foo=~\"bar)|(baz\"",
        Answer::Refused,
        "it is an expression only inside of the parentheses it is put into",
    ),
    ("\"foo\"=\"bar\"", Answer::Hit, "labels of other sources than Prometheus are called anything"),
    ("foo=~\"a{1001}\"", Answer::Miss, "the limit here is on what an expression costs, not on the count"),
];

fn answer(text: &str, labels: &[(&str, &str)]) -> Answer {
    let labels: BTreeMap<&str, &str> = labels.iter().copied().collect();
    match text.parse::<Matchers>() {
        Ok(matchers) if matchers.matches(|name| labels.get(name).copied()) => Answer::Hit,
        Ok(_) => Answer::Miss,
        Err(_) => Answer::Refused,
    }
}

#[test]
fn each_text_means_what_it_means_to_amtool() {
    for (text, labels, theirs) in TABLE {
        let ours = DIFFERENCES.iter().find(|(other, ..)| other == text).map(|(_, ours, _)| ours);
        assert_ne!(ours, Some(theirs), "{text} is no difference");
        assert_eq!(answer(text, labels), *ours.unwrap_or(theirs), "{text} on {labels:?}");
    }
}

#[test]
fn an_error_names_its_column() {
    for (text, expect) in [
        ("foo", "column 4: there is none of =, !=, =~ and !~ after foo"),
        ("", "column 1: there is no label's name, such as severity in severity=\"high\""),
        ("1a=b", "column 1: there is no label's name, such as severity in severity=\"high\""),
        ("ä=b", "column 1: there is no label's name, such as severity in severity=\"high\""),
        ("a=\"ä\"b\"", "column 5: there is a quote inside the value; write it as \\\""),
        ("a=b\"", "column 4: there is a quote inside the value; write it as \\\""),
        (" a = \"b", "column 6: the quote that begins here does not end"),
        ("\"a", "column 1: the quote that begins here does not end"),
        ("\"\"=b", "column 1: there is no label's name, such as severity in severity=\"high\""),
        ("\"a=b\"", "column 6: there is none of =, !=, =~ and !~ after a=b"),
        ("a =~ \"(\"", "column 6: \"(\" is not an expression: unclosed group"),
    ] {
        assert_eq!(text.parse::<Matcher>().unwrap_err().to_string(), expect, "{text}");
    }
    for (text, expect) in
        [("{ä=\"1\"}", 2), ("{a=\"ä,\", =1}", 10), ("{a=1,,b=2}", 6), ("{a=\"1\",b}", 9), ("{a=1}}", 7)]
    {
        let result = text.parse::<Matchers>();
        assert_eq!(result.map_err(|error| error.column).err().unwrap_or(7), expect, "{text}");
    }
}

fn matcher() -> impl Strategy<Value = Matcher> {
    let letter =
        prop_oneof![any::<char>(), Just('"'), Just('\\'), Just('\n'), Just(','), Just('}'), Just(' ')];
    let value = collection::vec(letter, 0..8).prop_map(String::from_iter);
    let expression = "[a-c|.*\\\\\"\\[\\](){},]{0,6}"
        .prop_filter_map("no expression", |text| matcher::Expression::new(&text).ok());
    let test = prop_oneof![
        value.clone().prop_map(Test::Equal),
        value.prop_map(Test::NotEqual),
        expression.clone().prop_map(Test::Match),
        expression.prop_map(Test::NoMatch),
    ];
    (prop_oneof!["[a-zA-Z_:][a-zA-Z0-9_:]{0,5}", "[a-z \\\\\"=,{}ä\n]{1,5}"], test)
        .prop_filter_map("no label", |(label, test)| Matcher::of_any(&label, test))
}

proptest! {
    #[test]
    fn a_matcher_survives_being_written(matcher in matcher()) {
        let text = matcher.to_string();
        prop_assert_eq!(text.parse::<Matcher>().unwrap(), matcher, "{}", text);
    }

    #[test]
    fn a_list_survives_being_written(matchers in collection::vec(matcher(), 0..5)) {
        let matchers: Matchers = matchers.into_iter().collect();
        let text = matchers.to_string();
        prop_assert_eq!(text.parse::<Matchers>().unwrap(), matchers, "{}", text);
    }

    #[test]
    fn no_text_makes_it_panic(text in any::<String>(), part in "[a=~!\"\\\\,{} (\\[]{0,12}") {
        drop(text.parse::<Matchers>());
        drop(part.parse::<Matchers>());
    }
}
