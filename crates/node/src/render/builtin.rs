//! Our own messages, and the engine that ours and theirs run on.

use super::{FUEL, UndefinedBehavior};
use dispatch::record::Purpose;
use minijinja::{Environment, filters, tests};

/// One text of ours.
struct Builtin {
    key: &'static str,
    text: &'static str,
}

const ALERT_BODY: &str = "\
{{ summary }}
{% if details %}
{{ details }}
{% endif %}
Severity: {{ severity }}
Source: {{ source }}
Time: {{ time }}
{% for name, value in labels|items %}{{ name }}: {{ value }}
{% endfor %}{% if choices %}
Answers: {{ choices }}
{% endif %}{% if late %}This message comes {{ late }} late.
{% endif %}{% if flapping %}Flapping: {{ flapping }}.
{% endif %}{% if link %}
To acknowledge, open {{ link }}
{% endif %}{% if code %}
To acknowledge, reply with {{ code }}
{% endif %}";

const ACKNOWLEDGEMENT_BODY: &str = "\
{{ acknowledged_by or \"Somebody\" }} acknowledged: {{ summary }}
{% if comment %}
{{ comment }}
{% endif %}";

const COMMENT_BODY: &str = "\
About: {{ summary }}

{{ comment }}
";

const END_BODY: &str = "\
Over ({{ why }}): {{ summary }}
";

const BUILTINS: [Builtin; 8] = [
    Builtin { key: "alert:body", text: ALERT_BODY },
    Builtin { key: "alert:subject", text: "[{{ severity }}] {{ summary }}" },
    Builtin { key: "acknowledgement:body", text: ACKNOWLEDGEMENT_BODY },
    Builtin { key: "acknowledgement:subject", text: "Acknowledged: {{ summary }}" },
    Builtin { key: "comment:body", text: COMMENT_BODY },
    Builtin { key: "comment:subject", text: "Comment: {{ summary }}" },
    Builtin { key: "end:body", text: END_BODY },
    Builtin { key: "end:subject", text: "Over ({{ why }}): {{ summary }}" },
];

/// The key of our own text for a purpose; `part` is `body` or `subject`.
pub(super) fn key(purpose: Purpose, part: &str) -> &'static str {
    let [body, subject] = match purpose {
        Purpose::Alert(_) => ["alert:body", "alert:subject"],
        Purpose::Acknowledgement(_) => ["acknowledgement:body", "acknowledgement:subject"],
        Purpose::Comment(_) => ["comment:body", "comment:subject"],
        Purpose::End => ["end:body", "end:subject"],
    };
    if part == "subject" { subject } else { body }
}

/// An engine with our texts and with filters that do not make much out of little.
pub(super) fn engine() -> Environment<'static> {
    let mut engine = Environment::empty();
    engine.set_fuel(Some(FUEL));
    engine.set_undefined_behavior(UndefinedBehavior::Chainable);
    engine.add_filter("upper", filters::upper);
    engine.add_filter("lower", filters::lower);
    engine.add_filter("capitalize", filters::capitalize);
    engine.add_filter("trim", filters::trim);
    engine.add_filter("default", filters::default);
    engine.add_filter("length", filters::length);
    engine.add_filter("items", filters::items);
    engine.add_filter("truncate", truncate);
    engine.add_test("defined", tests::is_defined);
    engine.add_test("undefined", tests::is_undefined);
    for builtin in BUILTINS {
        engine.add_template(builtin.key, builtin.text).expect("our own templates are well-formed");
    }
    engine
}

/// The first `chars` characters, with a mark where there were more.
fn truncate(text: &str, chars: usize) -> String {
    text.char_indices()
        .nth(chars)
        .map_or_else(|| text.to_owned(), |(at, _)| format!("{}…", text.get(..at).unwrap_or_default()))
}
