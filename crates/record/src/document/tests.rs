//! Whole documents: what is let through, what is refused and in which words, and that nothing is lost.

use super::*;
use base::time::Wall;
use base::{Digest, Name};
use dispatch::directory as book;
use matcher::{Expression, Matcher, Test};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

const CHANNELS: [ChannelRule<'static>; 2] = [
    ChannelRule {
        name: "mail",
        check: |text| if text.contains('@') { Ok(()) } else { Err("it has no \"@\"".into()) },
    },
    ChannelRule { name: "webhook", check: |_| Ok(()) },
];

fn rules() -> Rules<'static> {
    Rules {
        channels: &CHANNELS,
        zone_known: |zone| ["UTC", "Europe/Berlin"].contains(&zone),
        schedules: |book| book.check(jiff::tz::db()),
    }
}

fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

/// A document on which every test below stands, with `more` of its own.
fn document(more: &str) -> Document {
    let text = format!(
        r#"
        [recipients.anna]
        addresses = [{{ channel = "mail", value = "anna@x.test" }}]
        [recipients.bea]
        addresses = [{{ channel = "mail", value = "bea@x.test" }}]
        [groups.pumps]
        members = ["anna", "bea"]
        [policies.standard]
        steps = [{{ after = "5m", to = ["pumps"] }}]
        {more}
        "#
    );
    toml::from_str(&text).unwrap()
}

fn check(more: &str, expect: &[&str]) {
    let problems = document(more).resolve(&rules()).err().unwrap_or_default();
    let told: Vec<_> = problems.iter().map(Problem::to_string).collect();
    assert_eq!(told, expect, "{more}");
}

#[test]
fn a_sound_document_is_let_through() {
    check("", &[]);
    check("[[routes]]\nname = \"all\"\nto = [\"pumps\", \"mail:boss@x.test\"]\npolicy = \"standard\"", &[]);
    assert_eq!(Document::default().resolve(&rules()), Ok(book::Directory::default()));
}

const NIGHTS: &str = r#"
[schedules.nights]
zone = "Europe/Berlin"
layers = [{ turns = [["anna"], ["pumps"]], rotation = { unit = "days" }, from = "2026-01-05T09:00" }]
"#;

#[test]
fn a_schedule_stands_wherever_people_are_told() {
    check(NIGHTS, &[]);
    check(&format!("{NIGHTS}[[routes]]\nname = \"all\"\nto = [\"nights\", \"bea\"]"), &[]);
    check(
        &format!("{NIGHTS}[groups.ring]\nmembers = [\"nights\"]"),
        &[
            r#"groups.ring.members[0]: "nights" is a schedule, and a group holds recipients and groups; name it beside the group instead"#,
        ],
    );
    check(
        &format!("{NIGHTS}[[routes]]\nname = \"all\"\nto = [\"night\"]"),
        &[r#"routes[0].to[0]: there is no recipient, group or schedule "night"; did you mean "nights"?"#],
    );
}

#[test]
fn a_schedule_names_people_who_are_there_and_has_a_name_of_its_own() {
    check(
        &NIGHTS.replace("[\"anna\"]", "[\"ana\"]"),
        &[
            r#"schedules.nights.layers[0].turns[0][0]: there is no recipient, group or schedule "ana"; did you mean "anna"?"#,
        ],
    );
    check(
        &NIGHTS.replace("nights", "pumps"),
        &[
            r#"schedules.pumps: there is a group "pumps" too; a name stands for one of them"#,
            r#"schedules.pumps.layers[0].turns[1][0]: names "pumps", which leads back to it: pumps → pumps; name people there"#,
        ],
    );
    check(
        &NIGHTS.replace("Berlin", "Brelin"),
        &[
            r#"schedules.nights.zone: "Europe/Brelin" is no time zone of the IANA database; did you mean "Europe/Berlin"?"#,
        ],
    );
}

#[test]
fn schedules_in_a_circle_and_overrides_that_contradict_each_other_are_refused() {
    let circle = NIGHTS.replace("pumps", "days").replace("schedules.nights", "schedules.\"n.1\"");
    let days = NIGHTS.replace("schedules.nights", "schedules.days").replace("pumps", "n.1");
    let circular = document(&format!("{circle}{days}"));
    let told: Vec<_> = circular.resolve(&rules()).unwrap_err().iter().map(Problem::to_string).collect();
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].contains("leads back to it"), "{told:?}");
    let cover = |who| {
        format!("{{ who = [\"{who}\"], from = \"2026-02-01T00:00:00Z\", until = \"2026-02-02T00:00:00Z\" }}")
    };
    let twice = format!("{NIGHTS}overrides = [{}, {}]", cover("anna"), cover("bea"));
    let told = document(&twice).resolve(&rules()).unwrap_err();
    assert_eq!(
        told.first().map(|told| told.path()),
        Some("schedules.nights.overrides[1]".into()),
        "{told:?}"
    );
}

#[test]
fn a_name_that_leads_nowhere_is_named_with_the_nearest() {
    check(
        "[groups.night]\nmembers = [\"ana\", \"pump\"]\npolicy = \"standrad\"\ndepartment = \"x\"",
        &[
            r#"groups.night.members[0]: there is no recipient or group "ana"; did you mean "anna"?"#,
            r#"groups.night.members[1]: there is no recipient or group "pump"; did you mean "pumps"?"#,
            r#"groups.night.department: there is no department "x""#,
            r#"groups.night.policy: there is no policy "standrad"; did you mean "standard"?"#,
        ],
    );
    check(
        "[[routes]]\nname = \"r\"\nto = [\"mial:a@x.test\"]\ntemplates = [\"short\"]",
        &[
            r#"routes[0].to[0]: there is no channel "mial"; did you mean "mail"?"#,
            r#"routes[0].templates[0]: there is no template "short""#,
        ],
    );
}

#[test]
fn groups_in_a_circle_are_spelled_out() {
    check(
        "[groups.a]\nmembers = [\"b\"]\n[groups.b]\nmembers = [\"anna\", \"a\"]",
        &["groups.b.members[1]: the group contains itself: a -> b -> a"],
    );
    check("[groups.a]\nmembers = [\"a\"]", &["groups.a.members[0]: the group contains itself: a -> a"]);
}

#[test]
fn groups_stand_at_most_sixteen_deep() {
    let chain = |depth: usize| {
        let link = |at: usize| format!("[groups.g{at:02}]\nmembers = [\"g{:02}\"]\n", at + 1);
        (1..depth).map(link).collect::<String>() + &format!("[groups.g{depth:02}]\nmembers = [\"anna\"]\n")
    };
    check(&chain(16), &[]);
    check(&chain(18), &["groups.g02: groups stand in it more than 16 deep"]);
}

#[test]
fn what_would_reach_nobody_is_refused() {
    check("[groups.none]\nmembers = []", &[]);
    check(
        "[groups.none]\n[groups.outer]\nmembers = [\"none\"]\n[[routes]]\nname = \"r\"\nto = [\"outer\"]",
        &["routes[0].to[0]: group \"outer\" contains nobody, so nobody would be told"],
    );
    check(
        "[[routes]]\nname = \"r\"\nto = []",
        &["routes[0].to: the route tells nobody; name at least one recipient or group"],
    );
    check(
        "[policies.p]\nsteps = [{ after = \"1m\" }, { after = \"1m\", again = true }]",
        &["policies.p.steps[0]: the step tells nobody; name somebody in \"to\", or set \"again = true\""],
    );
    check(
        "[recipients.cyd]\naddresses = []",
        &["recipients.cyd.addresses: a recipient needs at least one address"],
    );
    check(
        "[recipients.cyd]\naddresses = [{ channel = \"mail\", value = \"c@x\", default = false }]",
        &[
            "recipients.cyd.addresses: none of the addresses is a default one, so a step that names no channel would reach nobody",
        ],
    );
}

#[test]
fn addresses_are_judged_by_their_channel() {
    check(
        "[recipients.cyd]\naddresses = [{ channel = \"mail\", value = \"cyd\" }, { channel = \"mail\", value = \"c@x\" }, { channel = \"mail\", value = \"c@x\" }, { channel = \"fax\", value = \"\" }]",
        &[
            "recipients.cyd.addresses[0].value: \"cyd\" is not an address of channel \"mail\": it has no \"@\"",
            "recipients.cyd.addresses[2]: mail:\"c@x\" is listed twice",
            "recipients.cyd.addresses[3].channel: there is no channel \"fax\"; there are mail, webhook",
            "recipients.cyd.addresses[3].value: an address must not be empty",
        ],
    );
}

#[test]
fn header_injection_is_refused() {
    check(
        "[departments.d]\ntitle = \"a\\r\\nBcc: x\"\n[settings]\noperators = [\"mail:a@x\\nBcc: y\"]",
        &[
            "settings.operators[0]: it must not hold line breaks or control characters (U+000A)",
            "departments.d.title: it must not hold line breaks or control characters (U+000D)",
        ],
    );
}

#[test]
fn numbers_and_times_have_limits() {
    check(
        r#"
        [policies.p]
        close_after = "0s"
        abandon_after = "20000d"
        repeat = { times = 100, after = "x", from_step = 2 }
        steps = [{ after = "0s", again = true }]
        "#,
        &[
            "policies.p.steps[0].after: it must be longer than nothing",
            "policies.p.repeat.times: 100 further rounds; at most 99",
            "policies.p.repeat.from_step: there is no step 2; the last is 1",
            "policies.p.repeat.after: \"x\" is not a unit of time; write a duration with its unit, such as \"30s\", \"5m\", \"1h30m\" or \"2d\"",
            "policies.p.close_after: it must be longer than nothing",
            "policies.p.abandon_after: \"20000d\" is longer than 10,000 days",
        ],
    );
}

#[test]
fn two_of_what_there_may_be_one_of_are_refused() {
    check(
        "[groups.anna]\nmembers = [\"bea\"]\n[[routes]]\nname = \"r\"\nto = [\"bea\"]\n[[routes]]\nname = \"r\"\nto = [\"bea\"]",
        &[
            "groups.anna: there is a recipient \"anna\" too; a name stands for one of them",
            "routes[1].name: routes[0] is named \"r\" already",
        ],
    );
    check(
        r#"
        [templates.t1]
        channel = "mail"
        default = true
        body = ""
        [templates.t2]
        channel = "mail"
        default = true
        body = ""
        [[routes]]
        name = "r"
        to = ["bea"]
        templates = ["t1", "t2"]
        "#,
        &[
            "templates.t2.default: \"t1\" is the default for that channel and language already",
            "routes[0].templates[1]: \"t2\" is the second for its channel and language",
        ],
    );
}

#[test]
fn routes_and_their_parts_are_judged() {
    check(
        r#"
        [[routes]]
        name = "r 1"
        severity = "hihg"
        sources = ["a b"]
        labels = [{ label = "", equals = "x" }, { label = "site" }]
        matchers = ['site="north"', 'unit~"a"', 'unit=~"(a"', 'a=~"((x{1000}){1000}){1000}"']
        windows = [{ days = ["mon", "tues"], from = "8:00", until = "24:01" }]
        to = ["anna"]
        bundle = { over = 0, within = "2h" }
        "#,
        &[
            "routes[0].severity: \"hihg\" is none of info, warning, high, critical; did you mean \"high\"?",
            "routes[0].name: a name consists of letters, digits, '-', '_' and '.', and starts with a letter or digit; it must not hold ' ' there",
            "routes[0].sources[0]: a name consists of letters, digits, '-', '_' and '.', and starts with a letter or digit; it must not hold ' ' there",
            "routes[0].labels[0].label: a label's name must not be empty",
            "routes[0].labels[1]: give either \"equals\" or \"differs\"",
            "routes[0].matchers[1]: \"unit~\\\"a\\\"\": column 5: there is none of =, !=, =~ and !~ after unit",
            "routes[0].matchers[2]: \"unit=~\\\"(a\\\"\": column 7: \"(a\" is not an expression: unclosed group",
            "routes[0].matchers[3]: \"a=~\\\"((x{1000}){1000}){1000}\\\"\": column 4: the expression is too large when compiled; repeat less",
            "routes[0].windows[0].days[1]: \"tues\" is none of mon, tue, wed, thu, fri, sat, sun; did you mean \"tue\"?",
            "routes[0].windows[0].from: \"8:00\" is not a time of day from 00:00 to 23:59",
            "routes[0].windows[0].until: \"24:01\" is not a time of day from 00:01 to 24:00",
            "routes[0].bundle.over: the first message never waits for others; it is at least 1",
            "routes[0].bundle.within: \"2h\" is too long; at most 1h",
        ],
    );
}

#[test]
fn filters_and_words_for_severities_are_judged() {
    check(
        r#"
        [settings.severities]
        sev1 = "critcal"
        Sev2 = "high"
        sev2 = "info"
        " " = "info"
        [filters.all]
        [filters.quiet]
        channels = ["mial"]
        recipients = ["ana", "mail:a@x"]
        below = "info"
        contains = [" "]
        matchers = ["=x"]
        calendars = ["nights"]
        "#,
        &[
            r#"settings.severities." ": a word must not be empty"#,
            r#"settings.severities.sev1: "critcal" is none of info, warning, high, critical; did you mean "critical"?"#,
            r#"settings.severities.sev2: "sev2" stands there twice: case does not count"#,
            "filters.all: a filter without a condition would withhold every message; name one",
            "filters.quiet.below: nothing is less severe than info",
            "filters.quiet.contains[0]: an empty word is in every message",
            r#"filters.quiet.channels[0]: there is no channel "mial"; did you mean "mail"?"#,
            r#"filters.quiet.recipients[0]: there is no recipient or group "ana"; did you mean "anna"?"#,
            r#"filters.quiet.recipients[1]: there is no recipient or group "mail:a@x""#,
            r#"filters.quiet.matchers[0]: "=x": column 1: there is no label's name, such as severity in severity="high""#,
            r#"filters.quiet.calendars[0]: there is no calendar "nights""#,
        ],
    );
}

#[test]
fn labels_of_the_older_form_become_matchers() {
    let text = r#"
        [recipients.anna]
        addresses = [{ channel = "mail", value = "a@x" }]
        [[routes]]
        name = "all"
        labels = [{ label = "site", equals = "no\"rth" }, { label = "Standort Ü", differs = "test" }]
        to = ["anna"]
        "#;
    let directory = read_toml(text, "x").unwrap().resolve(&Rules::any()).unwrap();
    let written = write_toml(&Document::from(&directory));
    assert!(
        written.contains(r#"matchers = ['site="no\"rth"', '"Standort Ü"!="test"']"#)
            && !written.contains("labels"),
        "{written}"
    );
}

#[test]
fn access_and_settings_are_judged_and_secrets_not_repeated() {
    check(
        r#"
        [tokens.t]
        sha256 = "hunter2"
        scopes = ["sent"]
        expires = "tomorrow"
        [users.u]
        password = "hunter2"
        scopes = ["read"]
        [settings]
        time_zone = "Europe/Berln"
        "#,
        &[
            "settings.time_zone: there is no time zone \"Europe/Berln\"; zones are named like \"Europe/Berlin\" or \"UTC\"",
            "tokens.t.sha256: a SHA-256 has 64 hexadecimal digits",
            "tokens.t.expires: \"tomorrow\" is not a moment such as \"2027-01-01T00:00:00Z\" (RFC 3339)",
            "tokens.t.scopes[0]: \"sent\" is none of send, read, operate, edit, admin; did you mean \"send\"?",
            "users.u.password: a password is given as its Argon2id hash in PHC format, which starts with $argon2id$",
        ],
    );
}

#[test]
fn a_thousand_problems_are_listed_and_the_others_counted() {
    let mut document = Document::default();
    let group = form::Group { members: vec!["x".to_owned(); 1500], ..form::Group::default() };
    document.groups.insert("g".to_owned(), group);
    let problems = document.resolve(&rules()).unwrap_err();
    assert_eq!(problems.len(), PROBLEMS_MAX + 1);
    assert_eq!(problems.last().unwrap().detail, "there are 500 further problems, not listed");
}

#[test]
fn a_hundred_thousand_groups_in_a_row_do_not_exhaust_the_stack() {
    let mut document = Document::default();
    for at in 0..100_000 {
        let members = vec![format!("g{}", (at + 1) % 100_000)];
        document.groups.insert(format!("g{at}"), form::Group { members, ..form::Group::default() });
    }
    let problems = document.resolve(&rules()).unwrap_err();
    assert!(problems.iter().any(|it| it.detail.contains("g10 -> g11 -> … -> g0")), "{problems:?}");
}

// Any directory, with names that exist.

fn names(from: &'static [&'static str]) -> impl Strategy<Value = BTreeSet<Name>> {
    proptest::sample::subsequence(from, 0..=from.len()).prop_map(|it| it.into_iter().map(name).collect())
}

fn text() -> impl Strategy<Value = Arc<str>> {
    "[^\\p{Cc}\\x{2028}\\x{2029}]{0,12}".prop_map(|text| text.into())
}

/// Texts that try TOML's quoting: quotes, backslashes, line breaks, other scripts.
fn wild() -> impl Strategy<Value = Arc<str>> {
    "[a\"'\\\\\n\r\t #=\\]é😀\u{200f}\u{7f}\u{1}]{0,12}".prop_map(|text| text.into())
}

fn span() -> impl Strategy<Value = Duration> {
    (1u64..400_000_000).prop_map(Duration::from_millis)
}

fn address() -> impl Strategy<Value = book::Address> {
    ("[a-z]{1,4}", "[a-z:]{0,3}@[^\\p{Cc}\\x{2028}\\x{2029}]{0,6}")
        .prop_map(|(channel, value)| book::Address { channel: name(&channel), value: value.into() })
}

fn target() -> impl Strategy<Value = book::Target> {
    prop_oneof![
        proptest::sample::select(&["anna", "7"][..]).prop_map(|it| book::Target::Named(name(it))),
        address().prop_map(book::Target::Address),
    ]
}

fn targets() -> impl Strategy<Value = Vec<book::Target>> {
    proptest::collection::vec(target(), 1..3)
}

fn recipient() -> impl Strategy<Value = book::Recipient> {
    let optional = |from: &'static str| proptest::option::of(Just(name(from)));
    let others = proptest::collection::btree_map(address(), any::<bool>(), 0..3);
    (text(), optional("plant"), optional("de"), address(), others, optional("night.shift")).prop_map(
        |(title, department, language, first, mut others, policy)| {
            others.remove(&first);
            let others =
                others.into_iter().map(|(address, default)| book::ListedAddress { address, default });
            let first = book::ListedAddress { address: first, default: true };
            let addresses = std::iter::once(first).chain(others).collect();
            book::Recipient { title, department, language, addresses, policy }
        },
    )
}

fn policy() -> impl Strategy<Value = book::Policy> {
    let step = (span(), targets(), any::<bool>(), proptest::option::of(Just(name("voice"))))
        .prop_map(|(after, to, again, channel)| book::Step { after, to, again, channel });
    let mode = proptest::sample::select(vec![book::Mode::None, book::Mode::Basic, book::Mode::Recall]);
    let unsent = proptest::sample::select(vec![book::Unsent::Stop, book::Unsent::Continue]);
    let steps = proptest::collection::vec(step, 0..3);
    let repeat = proptest::option::of((1u16..100, span()));
    let word = "[a-z\"]{1,5}".prop_map(Arc::from);
    let texts = (proptest::option::of(wild()), proptest::collection::vec(word, 0..3));
    (mode, unsent, steps, repeat, texts, any::<[bool; 6]>(), span(), span()).prop_map(
        |(mode, unsent, steps, repeat, (footnote, exempt_keywords), flags, close_after, abandon_after)| {
            let from_step = u16::try_from(steps.len()).unwrap();
            let [link, reply, acknowledges_all, tell_acknowledgement, tell_comment, tell_resolved] = flags;
            book::Policy {
                mode,
                steps,
                repeat: repeat.map(|(times, after)| book::Repeat { times, after, from_step }),
                link,
                reply,
                acknowledges_all,
                footnote,
                exempt_keywords,
                tell_acknowledgement,
                tell_comment,
                tell_resolved,
                unsent,
                close_after,
                abandon_after,
            }
        },
    )
}

fn matcher() -> impl Strategy<Value = Matcher> {
    let test = prop_oneof![
        any::<String>().prop_map(Test::Equal),
        any::<String>().prop_map(Test::NotEqual),
        Just(Test::Match(Expression::new("no.*|s\\d\"").unwrap())),
        Just(Test::NoMatch(Expression::new("x+").unwrap())),
    ];
    let label = proptest::sample::select(vec!["site", "unit", "Standort Ü", "a\"b\\c"]);
    (label, test).prop_filter_map("too long", |(label, test)| Matcher::of_any(label, test))
}

fn bundle() -> impl Strategy<Value = book::Bundle> {
    (1..u32::MAX, 1..3600u64, any::<bool>()).prop_map(|(over, seconds, critical)| {
        let within = Duration::from_secs(seconds);
        book::Bundle { over, within, critical }
    })
}

fn filter() -> impl Strategy<Value = book::Filter> {
    let matchers = proptest::collection::vec(matcher(), 1..3);
    let below = proptest::sample::select(vec![None, Some(book::Severity::Critical)]);
    (matchers, below, proptest::collection::vec("[a-z]{1,5}", 0..3)).prop_map(
        |(matchers, below, contains)| book::Filter {
            channels: vec![name("mail")],
            recipients: vec![name("anna"), name("pümpe.1")],
            below,
            matchers: matchers.into_iter().collect(),
            contains: contains.iter().map(|word| word.as_str().into()).collect(),
            calendars: Vec::new(),
            except_calendars: vec![name("holidays")],
        },
    )
}

fn severities() -> BTreeMap<Arc<str>, book::Severity> {
    BTreeMap::from([("sev1".into(), book::Severity::Critical), ("größer".into(), book::Severity::High)])
}

fn route() -> impl Strategy<Value = book::Route> {
    let window = (1u8..128, 0u16..1440, 1u16..=1440).prop_map(|(days, from, until)| book::Window {
        days,
        from,
        until,
    });
    (
        names(&["scada", "prometheus"]),
        proptest::sample::select(&book::Severity::ALL[..]),
        proptest::collection::vec(matcher(), 0..3),
        proptest::collection::vec(window, 0..3),
        targets(),
        proptest::option::of(Just(name("night.shift"))),
        names(&["mail-short"]),
        proptest::option::of(span()),
        (any::<bool>(), proptest::option::of(bundle()), proptest::option::of(flapping())),
    )
        .prop_map(
            |(sources, severity, matchers, windows, to, policy, templates, ttl, (also, bundle, flapping))| {
                book::Route {
                    name: name("x"),
                    sources: sources.into_iter().collect(),
                    severity,
                    matchers: matchers.into_iter().collect(),
                    windows,
                    calendars: vec![name("holidays")],
                    except_calendars: Vec::new(),
                    to,
                    policy,
                    templates: templates.into_iter().collect(),
                    ttl,
                    also,
                    bundle,
                    flapping,
                }
            },
        )
}

fn flapping() -> impl Strategy<Value = book::Flapping> {
    let seconds = |most: u64| (0..=most).prop_map(Duration::from_secs);
    (1..=100u16, seconds(86_400), seconds(21_600)).prop_map(|(raised, within, steady)| book::Flapping {
        raised,
        within,
        steady,
    })
}

/// An inhibition and a maintenance window as they stand in a directory.
fn held_back(label: &str) -> (book::Inhibition, book::Maintenance) {
    let inhibition = book::Inhibition {
        name: name("site-down"),
        source: "severity=\"critical\",site=~\"n.*\"".parse().unwrap(),
        target: "severity!~\"critical|page\",site!=\"\"".parse().unwrap(),
        equal: vec!["site".into(), "cluster".into()],
    };
    let matchers = "site=\"north\"".parse().unwrap();
    let calendars = vec![name("holidays")];
    (inhibition, book::Maintenance { title: label.into(), matchers, calendars })
}

fn template() -> impl Strategy<Value = book::Template> {
    (proptest::option::of(Just(name("de"))), any::<bool>(), proptest::option::of(wild()), wild()).prop_map(
        |(language, default, subject, body)| book::Template {
            channel: name("mail"),
            language,
            default,
            subject,
            body,
        },
    )
}

fn access() -> impl Strategy<Value = (book::Token, book::User)> {
    let scopes = proptest::sample::subsequence(&book::Scope::ALL[..], 0..=5);
    let expires = proptest::option::of((-62_167_219_200_000..=253_402_300_799_999i64).prop_map(Wall));
    (any::<[u8; 32]>(), scopes, expires, text()).prop_map(|(digest, scopes, expires, title)| {
        let token = book::Token {
            digest: Digest(digest),
            scopes: scopes.clone(),
            expires,
            refuse_solo: false,
            severities: severities(),
        };
        (token, book::User { title, password: "$argon2id$v=19$m=1,t=1,p=1$c2FsdA$aGFzaA".into(), scopes })
    })
}

/// A schedule and a calendar as they stand in a directory.
fn on_call(label: &str) -> (book::Schedule, book::Calendar) {
    let layer = form::Layer {
        name: Some(label.to_owned()),
        turns: vec![vec!["anna".into()], vec!["7".into(), "anna".into()]],
        from: "2026-01-05T09:00".into(),
        ..form::Layer::default()
    };
    let form = form::Schedule { zone: "Europe/Berlin".into(), layers: vec![layer], overrides: Vec::new() };
    let schedule = book::Schedule { names: vec![name("anna"), name("7")], rules: schedules::rules(&form) };
    let dates = vec![form::Dates { first: "2026-12-24".into(), last: None, yearly: true }];
    let form = form::Calendar { zone: "UTC".into(), dates, ..form::Calendar::default() };
    (schedule, book::Calendar { rules: schedules::rules(&form) })
}

fn monitor() -> impl Strategy<Value = book::Monitor> {
    let to = proptest::collection::vec(target(), 0..3);
    let times =
        (1000u64..400_000_000, span()).prop_map(|(every, grace)| (Duration::from_millis(every), grace));
    let severity = proptest::sample::select(book::Severity::ALL.to_vec());
    (times, severity, proptest::option::of(Just(Arc::from("Backup \"overdue\""))), to).prop_map(
        |((every, grace), severity, summary, to)| book::Monitor {
            every,
            grace,
            severity,
            summary,
            labels: BTreeMap::from([("site".into(), "north = 1".into())]),
            to,
            policy: None,
        },
    )
}

fn daily() -> impl Strategy<Value = Option<book::Daily>> {
    let to = proptest::collection::vec(target(), 1..3);
    proptest::option::of((0u16..1440, to, 1u8..128).prop_map(|(minute, to, days)| book::Daily {
        minute,
        to,
        days,
    }))
}

fn directory() -> impl Strategy<Value = book::Directory> {
    let people = (recipient(), recipient(), text());
    let routes = proptest::collection::vec(route(), 0..3);
    let settings = (
        text(),
        proptest::collection::vec(target(), 0..3),
        [span(), span(), span(), span()],
        span(),
        daily(),
    )
        .prop_map(|(time_zone, operators, ttl, resolve_timeout, heartbeat)| book::Settings {
            time_zone,
            operators,
            ttl,
            resolve_timeout,
            severities: severities(),
            heartbeat,
        });
    let settings = prop_oneof![Just(book::Settings::default()), settings];
    let members = names(&["anna", "7"]);
    (people, policy(), template(), (routes, filter()), access(), settings, (members, monitor())).prop_map(
        |(
            (anna, number, title),
            policy,
            template,
            (mut routes, filter),
            (token, user),
            settings,
            (members, monitor),
        )| {
            for (at, route) in routes.iter_mut().enumerate() {
                route.name = name(&format!("route-{at}"));
            }
            let group = book::Group {
                title: Arc::clone(&title),
                department: None,
                members: members.into_iter().collect(),
                policy: None,
            };
            let (schedule, calendar) = on_call(&title);
            let (inhibition, window) = held_back(&title);
            book::Directory {
                settings,
                departments: BTreeMap::from([(name("plant"), book::Department { title })]),
                recipients: BTreeMap::from([(name("anna"), anna), (name("7"), number)]),
                groups: BTreeMap::from([(name("pümpe.1"), group)]),
                schedules: BTreeMap::from([(name("nights"), schedule)]),
                monitors: BTreeMap::from([(name("backup"), monitor)]),
                calendars: BTreeMap::from([(name("holidays"), calendar)]),
                policies: BTreeMap::from([(name("night.shift"), policy)]),
                templates: BTreeMap::from([(name("mail-short"), template)]),
                routes,
                filters: BTreeMap::from([(name("quiet"), filter)]),
                inhibitions: vec![inhibition],
                maintenance: BTreeMap::from([(name("nightly"), window)]),
                tokens: BTreeMap::from([(name("scada"), token)]),
                users: BTreeMap::from([(name("bea"), user)]),
            }
        },
    )
}

proptest! {
    #[test]
    fn a_directory_comes_back_as_it_was_over_json(directory in directory()) {
        let json = serde_json::to_string(&Document::from(&directory)).unwrap();
        let document: Document = serde_json::from_str(&json).unwrap();
        prop_assert_eq!(document.resolve(&Rules::any()), Ok(directory));
    }

    #[test]
    fn a_directory_comes_back_as_it_was_over_toml(directory in directory()) {
        let text = write_toml(&Document::from(&directory));
        let document = read_toml(&text, "x").map_err(|error| TestCaseError::fail(format!("{error}\n{text}")))?;
        prop_assert_eq!(&document, &Document::from(&directory));
        prop_assert_eq!(document.resolve(&Rules::any()), Ok(directory));
    }
}
