//! What messages look like, what is refused, and that a message always goes out.

use super::*;
use dispatch::directory::{Mode, Policy};
use dispatch::record::{Cause, Code, Content, Why};
use proptest::prelude::*;
use std::sync::Arc;

fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

fn template(language: Option<&str>, subject: Option<&str>, body: &str) -> Template {
    Template {
        channel: name("mail"),
        language: language.map(name),
        default: false,
        subject: subject.map(Into::into),
        body: body.into(),
    }
}

fn renderer(templates: Vec<(&str, Template)>) -> Result<Renderer, Vec<Problem>> {
    let templates = templates.into_iter().map(|(key, template)| (name(key), template)).collect();
    Renderer::new(&Directory { templates, ..Directory::default() })
}

/// An alert for Anna, by mail; `change` makes another one of it.
fn rendered(renderer: &Renderer, change: impl FnOnce(&mut Case)) -> Rendered {
    let sample = Sample::new(true);
    let mut case = Case {
        purpose: PURPOSES[0],
        language: None,
        templates: vec![name("t")],
        policy: sample.policy().clone(),
        content: sample.content().clone(),
        repeat: None,
    };
    change(&mut case);
    let (mail, source) = (name("mail"), name("scada"));
    renderer.render(&RenderInput {
        purpose: case.purpose,
        channel: &mail,
        language: case.language.as_ref(),
        templates: &case.templates,
        policy: &case.policy,
        content: &case.content,
        code: Code { letter: 'A', number: 7 },
        link: Some("https://x.test/a/1"),
        choices: &[],
        source: &source,
        recipient: &source,
        title: "Anna",
        late: std::time::Duration::ZERO,
        flapping: None,
        repeat: case.repeat,
        time: "2027-01-01 08:00",
        acknowledged_by: Some("Bea"),
        comment: Some("on my way"),
        why: Some(Why::Resolved),
    })
}

struct Case {
    purpose: Purpose,
    language: Option<Name>,
    templates: Vec<Name>,
    policy: Policy,
    content: Content,
    repeat: Option<Cause>,
}

fn refused(body: &str) -> String {
    let problems = renderer(vec![("t", template(None, None, body))]).unwrap_err();
    assert_eq!(problems.len(), 1, "{problems:?}");
    problems[0].to_string()
}

#[test]
fn our_own_messages_say_it_all() {
    let renderer = renderer(Vec::new()).unwrap();
    let alert = rendered(&renderer, |_| ());
    assert_eq!(alert.subject.as_deref(), Some("[high] Pump 3 stopped"));
    let text = "Pump 3 stopped\n\nPressure fell to 1.2 bar.\n\nSeverity: high\nSource: scada\nTime: 2027-01-01 08:00\nsite: north\n\nTo acknowledge, open https://x.test/a/1\n\nTo acknowledge, reply with A7";
    assert_eq!(alert.text, text);
    for (purpose, expect) in [
        (PURPOSES[1], "Bea acknowledged: Pump 3 stopped\n\non my way"),
        (PURPOSES[2], "About: Pump 3 stopped\n\non my way"),
        (PURPOSES[3], "Over (resolved): Pump 3 stopped"),
    ] {
        assert_eq!(rendered(&renderer, |case| case.purpose = purpose).text, expect);
    }
}

#[test]
fn link_and_code_are_absent_where_the_policy_says_so() {
    let renderer = renderer(vec![("t", template(None, None, "<{{ link }}|{{ code }}>"))]).unwrap();
    assert_eq!(rendered(&renderer, |_| ()).text, "<https://x.test/a/1|A7>");
    let silent = rendered(&renderer, |case| (case.policy.link, case.policy.reply) = (false, false));
    assert_eq!(silent.text, "<|>");
    let unasked = rendered(&renderer, |case| case.policy.mode = Mode::None);
    assert_eq!(unasked.text, "<|>");
}

#[test]
fn the_nearest_template_is_picked() {
    let default = |template: Template| Template { default: true, ..template };
    let renderer = renderer(vec![
        ("any", template(None, None, "any")),
        ("de", template(Some("de"), None, "de")),
        ("house", default(template(None, None, "house"))),
        ("house-de", default(template(Some("de"), None, "house-de"))),
    ])
    .unwrap();
    for (language, templates, expect) in [
        (Some("de"), vec!["any", "de"], "de"),
        (Some("fr"), vec!["any", "de"], "any"),
        (None, vec!["de", "any"], "any"),
        (Some("de"), vec![], "house-de"),
        (Some("fr"), vec!["de"], "house"),
        (None, vec!["de"], "house"),
    ] {
        let text = rendered(&renderer, |case| {
            case.language = language.map(name);
            case.templates = templates.iter().map(|it| name(it)).collect();
        })
        .text;
        assert_eq!(text, expect, "{language:?} {templates:?}");
    }
}

#[test]
fn a_template_serves_other_messages_only_if_it_says_what_they_are_about() {
    let renderer =
        renderer(vec![("t", template(None, None, "{{ summary }} / {{ acknowledged_by }}"))]).unwrap();
    let text = |purpose| rendered(&renderer, |case| case.purpose = purpose).text;
    assert_eq!(text(PURPOSES[1]), "Pump 3 stopped / Bea");
    assert_eq!(text(PURPOSES[3]), "Over (resolved): Pump 3 stopped");
}

#[test]
fn a_repeat_is_said_above_and_the_footnote_stands_below() {
    let renderer = renderer(vec![("t", template(None, None, "body"))]).unwrap();
    let message = rendered(&renderer, |case| {
        case.repeat = Some(Cause::Crash);
        case.policy.footnote = Some("ACK: reply {{ code }}".into());
    });
    assert_eq!(
        message.text,
        "This may be a repeat: the sending node stopped before it knew whether an earlier try arrived.\n\nbody\n\nACK: reply A7"
    );
    assert_eq!(message.problem, None);
}

#[test]
fn a_subject_is_one_line_whatever_is_in_it() {
    let renderer = renderer(vec![("t", template(None, Some("{{ summary }}\r\nBcc: x"), ""))]).unwrap();
    let message = rendered(&renderer, |case| case.content.summary = "a\r\nTo: b\u{2028}c\0 שלום 😀".into());
    assert_eq!(message.subject.as_deref(), Some("a To: b c שלום 😀 Bcc: x"));
    let long = rendered(&renderer, |case| case.content.summary = "😀".repeat(500).into());
    assert_eq!(long.subject.unwrap().chars().count(), SUBJECT_CHARS_MAX + 1);
}

#[test]
fn what_would_fail_is_refused_when_it_is_saved() {
    for (body, part) in [
        ("{{ sumary }}", "there is no variable \"sumary\"; did you mean \"summary\"?"),
        ("{% if link %}{{ nothing_like_it }}{% endif %}", "there is no variable"),
        ("a\n{% if %}", "line 2: "),
        ("{{ summary|uper }}", "filter uper is unknown"),
        (
            "{% for a in details %}{% for b in details %}{% for c in details %}{{ c }}{% endfor %}{% endfor %}{% endfor %}",
            "runs too long",
        ),
        ("{% set a = summary %}", "there is no \"set\""),
    ] {
        let told = refused(body);
        assert!(told.starts_with("templates.t.body: ") && told.contains(part), "{body}: {told}");
    }
    let footnote = Policy { footnote: Some("{{ cod }}".into()), ..Policy::default() };
    let policies = BTreeMap::from([(name("p"), footnote)]);
    let problems = Renderer::new(&Directory { policies, ..Directory::default() }).unwrap_err();
    assert_eq!(
        problems[0].to_string(),
        "policies.p.footnote: there is no variable \"cod\"; did you mean \"code\"?"
    );
}

#[test]
fn a_template_that_fails_when_it_is_used_is_replaced_and_reported() {
    let body = "{% for a in details %}{% for b in details %}{{ b }}{% endfor %}{% endfor %}";
    let renderer = renderer(vec![("t", template(None, None, body))]).unwrap();
    let message = rendered(&renderer, |case| case.content.details = "x".repeat(5000).into());
    assert!(message.text.starts_with("Pump 3 stopped\n"), "{}", message.text);
    assert!(message.problem.unwrap().contains("it runs too long"));
}

#[test]
fn what_does_not_compile_is_left_out_where_it_must_be() {
    let templates = BTreeMap::from([
        (name("bad"), template(None, None, "{{ sumary }}")),
        (name("t"), template(None, None, "fine")),
    ]);
    let (renderer, problems) = Renderer::lenient(&Directory { templates, ..Directory::default() });
    assert_eq!(problems.len(), 1);
    assert_eq!(rendered(&renderer, |_| ()).text, "fine");
    let bad = rendered(&renderer, |case| case.templates = vec![name("bad")]);
    assert!(bad.text.starts_with("Pump 3 stopped"), "{}", bad.text);
}

#[test]
fn a_long_message_is_cut_visibly_and_keeps_its_footnote() {
    let body = "{% for a in labels %}{{ details }}{% endfor %}";
    let renderer = renderer(vec![("t", template(None, None, body))]).unwrap();
    let message = rendered(&renderer, |case| {
        case.content.details = "é".repeat(20_000).into();
        case.content.labels = (0..60).map(|at| (Arc::from(format!("l{at}")), "".into())).collect();
        case.policy.footnote = Some("below".into());
    });
    assert!(message.text.len() <= MESSAGE_BYTES_MAX);
    assert!(message.text.ends_with("é… (cut)\n\nbelow"));
}

#[test]
fn every_variable_is_there_and_nothing_else() {
    let all: String = VARIABLES.iter().map(|it| format!("{{{{ {} }}}}", it.name)).collect();
    renderer(vec![("t", template(None, None, &all))]).unwrap();
    let with_loop = "{% for k, v in labels|items %}{{ loop.index }} {{ k }}{% endfor %}{{ labels.nowhere }}";
    let with_loop = renderer(vec![("t", template(None, None, with_loop))]).unwrap();
    assert_eq!(rendered(&with_loop, |_| ()).text, "1 site");
    let sample = Sample::new(true);
    let given = values(&sample.input(PURPOSES[0]));
    let given: BTreeSet<String> = given.try_iter().unwrap().map(|key| key.to_string()).collect();
    assert_eq!(given, VARIABLES.iter().map(|it| it.name.to_owned()).collect());
}

#[test]
fn a_preview_shows_made_up_data() {
    let message =
        preview(&template(Some("de"), None, "{{ title }}: {{ summary }}"), Some("-- {{ code }}"), None, true);
    assert_eq!(message.unwrap().text, "Anna Berg: Pump 3 stopped\n\n-- A123");
    let problems = preview(&template(None, Some("{{ x }}"), ""), None, None, true).unwrap_err();
    assert_eq!(problems[0].pointer, "/subject");
}

proptest! {
    #[test]
    fn no_template_makes_it_panic(text in "([{}%#\\[\\]()|.,'\"~ \n]|for|in|if|endif|endfor|labels|details|items|upper|é|😀){0,20}") {
        if let Ok(renderer) = renderer(vec![("t", template(None, Some(&text), &text))]) {
            rendered(&renderer, |case| case.content.details = "a\r\nb".into());
        }
    }

    #[test]
    fn no_alert_makes_it_panic(summary in "\\PC{0,40}", details in "(?s).{0,40}") {
        let renderer = renderer(Vec::new()).unwrap();
        let message = rendered(&renderer, |case| {
            case.content.summary = summary.as_str().into();
            case.content.details = details.as_str().into();
        });
        prop_assert_eq!(message.problem, None);
        prop_assert!(message.text.contains(summary.trim_end()));
    }
}
