//! The node file with every key, explained: what `config/reference.toml` is made from.
//!
//! Separate from the reading, and held to it by the tests below: each key that the reader knows stands here,
//! with the default that the reader takes.

use channel::CHANNELS;
use std::fmt::Write as _;

/// A table of the node file.
struct Section {
    /// Its header; empty for the keys above all tables.
    name: &'static str,
    /// What it is for.
    about: &'static str,
    keys: &'static [Key],
}

/// A key of the node file.
struct Key {
    name: &'static str,
    /// What it means, with its unit and range.
    meaning: &'static str,
    /// As it is written; for an optional key, the default where there is one.
    value: &'static str,
    default: Default,
}

/// What holds where a key is absent.
enum Default {
    /// There is none: the key must be given.
    Required,
    /// The value that the example shows.
    AsShown,
    /// Something else, in words.
    Otherwise(&'static str),
}

use Default::{AsShown, Otherwise, Required};

const fn key(name: &'static str, value: &'static str, default: Default, meaning: &'static str) -> Key {
    Key { name, meaning, value, default }
}

const SECTIONS: &[Section] = &[
    Section {
        name: "",
        about: "",
        keys: &[
            key(
                "name",
                "\"north\"",
                Required,
                "The name that people know this machine by: 1 to 64 letters, digits, \".\", \"_\" or \"-\".",
            ),
            key(
                "letter",
                "\"A\"",
                AsShown,
                "The letter, A to Z, that the codes of this node begin with; another on each node of a cluster.",
            ),
            key(
                "public_url",
                "\"https://alerts.example.org\"",
                Otherwise("the API's own address"),
                "What the links in messages begin with, as recipients reach this node; https:// or http://.",
            ),
        ],
    },
    Section {
        name: "listen",
        about: "Where the node listens; each is ADDRESS:PORT. Port 0 takes any free one.",
        keys: &[
            key(
                "api",
                "\"127.0.0.1:8443\"",
                AsShown,
                "HTTPS: the API, and the pages behind the links in messages.",
            ),
            key(
                "ingest",
                "\"127.0.0.1:8080\"",
                Otherwise("off"),
                "Plain HTTP for tools that cannot do otherwise: notices only, and without a token. Keep it on loopback.",
            ),
            key(
                "ingest_source",
                "\"local\"",
                AsShown,
                "The source that notices without a token count as, on the plain listener.",
            ),
        ],
    },
    Section {
        name: "tls",
        about: "The certificate that the API shows; `steadfast init` makes one. Paths are relative to the data folder.",
        keys: &[
            key(
                "certificate",
                "\"tls/cert.pem\"",
                AsShown,
                "The certificate and those that vouch for it, in PEM.",
            ),
            key("key", "\"tls/key.pem\"", AsShown, "Its private key, in PEM."),
        ],
    },
    Section {
        name: "cluster",
        about: "How peers reach this machine, and the times of the protocol: see the manual's page on clusters. \
                Without `listen` there are no peers.",
        keys: CLUSTER,
    },
    Section {
        name: "log",
        about: "What the program says of itself, on standard error.",
        keys: &[
            key(
                "level",
                "\"info\"",
                AsShown,
                "The least that is said: error, warn, info, debug or trace. The environment variable STEADFAST_LOG overrides it.",
            ),
            key("format", "\"text\"", AsShown, "text, for people; or json, for collectors."),
        ],
    },
    Section {
        name: "history",
        about: "How long finished alerts can be looked up.",
        keys: &[key(
            "keep",
            "\"400d\"",
            AsShown,
            "A duration: numbers with units s, m, h, d, w, such as \"400d\".",
        )],
    },
    Section {
        name: "trail",
        about: "Where the trail goes besides the ledger.",
        keys: &[key(
            "syslog",
            "\"/dev/log\"",
            Otherwise("off"),
            "A local datagram socket that speaks syslog (RFC 3164), facility local0.",
        )],
    },
    Section {
        name: "selection",
        about: "How long a provider that failed is left alone, if there is another.",
        keys: &[
            key("cool_down_min", "\"5s\"", AsShown, "A duration: after the first failure; more than 0s."),
            key(
                "cool_down_max",
                "\"5m\"",
                AsShown,
                "A duration: at most; it doubles with each failure in a row.",
            ),
        ],
    },
];

/// The section `[cluster]`.
const CLUSTER: &[Key] = &[
    key(
        "listen",
        "\"0.0.0.0:8444\"",
        Otherwise("off"),
        "Where peers are let in: ADDRESS:PORT. Only holders of a certificate of this cluster get past it.",
    ),
    key(
        "addresses",
        "[\"10.1.0.7:8444\", \"10.2.0.7:8444\"]",
        Otherwise("what is known since this node joined"),
        "What peers dial to reach this machine, HOST:PORT each, tried in this order: one for each network.",
    ),
    key(
        "allow",
        "[\"10.1.0.0/16\", \"south.example.org\"]",
        Otherwise("from anywhere"),
        "From where peers may connect: addresses, networks or names of hosts.",
    ),
    key(
        "heartbeat",
        "\"100ms\"",
        AsShown,
        "A duration: how often peers hear from this node although nothing happened; 10ms to 10s.",
    ),
    key(
        "down_after",
        "\"1s\"",
        AsShown,
        "A duration: a peer that is silent this long is down; 100ms to 1m, and at least 3 heartbeats.",
    ),
    key(
        "gate",
        "\"250ms\"",
        AsShown,
        "A duration: how long the first message of an alert waits at most for the peers to hold the alert; up to 10s.",
    ),
    key(
        "claim_wait",
        "\"600ms\"",
        AsShown,
        "A duration: how long a takeover waits at most for living peers to have seen it; 50ms to 30s, and at least 2 heartbeats.",
    ),
    key(
        "disk_hangs",
        "\"2s\"",
        AsShown,
        "A duration: a peer whose disk has owed a write this long is not waited for; 500ms to 1m.",
    ),
    key(
        "certificate_life",
        "\"365d\"",
        AsShown,
        "A duration: how long the certificates are valid that this node makes for itself; 1h to 3650d. They are \
         renewed when a third of it is left.",
    ),
    key(
        "protocol_max",
        "2",
        AsShown,
        "The highest version of the peers' protocol to speak. Lower it only while nodes are upgraded one by one.",
    ),
];

const PROVIDER: &[Key] = &[
    key(
        "per_minute",
        "60",
        Otherwise("no limit"),
        "Messages it may take in a minute, from 1. Further ones wait, visibly.",
    ),
    key(
        "per_day",
        "2000",
        Otherwise("no limit"),
        "Messages it may take in a day, from 1. Further ones wait, visibly.",
    ),
];

/// A node file in which every key stands: required ones as they are, the others behind `#`.
pub fn reference() -> String {
    let mut text = String::from(
        "# Every key of the node file, `node.toml` in the data folder. Written by `steadfast codegen reference`.\n\
         # Lines that begin with \"# \" explain; a key behind \"#\" is optional. `steadfast check` judges your file.\n\n",
    );
    for Section { name, about, keys } in SECTIONS {
        if !name.is_empty() {
            comment(&mut text, about);
            line(&mut text, &format!("[{name}]"));
        }
        keys.iter().for_each(|key| describe(&mut text, key));
        text.push('\n');
    }
    for kind in CHANNELS {
        comment(
            &mut text,
            &format!(
                "A way out by {}. Of several for one channel, the first is used while it works.",
                kind.name
            ),
        );
        line(&mut text, "[[providers]]");
        comment(&mut text, "Its name, as status, trail and logs show it. Required.");
        line(&mut text, &format!("name = \"{}-1\"", kind.name));
        comment(&mut text, "The channel it speaks. Required.");
        line(&mut text, &format!("channel = \"{}\"", kind.name));
        PROVIDER.iter().for_each(|key| describe(&mut text, key));
        text.push_str(kind.reference);
        text.push('\n');
    }
    text.truncate(text.trim_end().len());
    text + "\n"
}

fn describe(text: &mut String, key: &Key) {
    let Key { name, meaning, value, default } = key;
    let (mark, default) = match default {
        Required => ("", "Required.".to_owned()),
        AsShown => ("#", format!("Default: {value}.")),
        Otherwise(what) => ("#", format!("Default: {what}.")),
    };
    comment(text, &format!("{meaning} {default}"));
    line(text, &format!("{mark}{name} = {value}"));
}

/// Columns of a line of explanation.
const WIDTH: usize = 110;

/// Writes an explanation, broken into lines.
fn comment(text: &mut String, words: &str) {
    let mut column = 0;
    for word in words.split(' ') {
        let length = word.chars().count() + 1;
        if column == 0 || column + length > WIDTH {
            text.push_str(if column == 0 { "#" } else { "\n#" });
            column = 1;
        }
        write!(text, " {word}").unwrap_or_default();
        column += length;
    }
    text.push('\n');
}

fn line(text: &mut String, line: &str) {
    text.push_str(line);
    text.push('\n');
}

#[cfg(test)]
mod tests {
    use super::super::{File, parse};
    use super::*;
    use std::collections::BTreeSet;
    use std::path::Path;

    /// The reference with its optional keys set too.
    fn uncommented() -> String {
        let text = reference();
        let lines = text.lines().filter(|line| !line.starts_with("# "));
        lines.map(|line| line.strip_prefix('#').unwrap_or(line)).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn the_reference_is_a_node_file_with_and_without_its_optional_keys() {
        let path = Path::new("reference.toml");
        let short = parse(path, &reference()).unwrap();
        let full = parse(path, &uncommented()).unwrap();
        assert_eq!(short.providers.len(), CHANNELS.len());
        assert_eq!(
            (short.public_url, full.public_url.as_deref()),
            (None, Some("https://alerts.example.org"))
        );
        for (short, full) in short.providers.iter().zip(&full.providers) {
            assert!(short.table.keys().all(|key| full.table.contains_key(key)), "{short:?}");
            assert_eq!(full.spec.per_day, Some(2000));
        }
    }

    #[test]
    fn a_default_that_is_shown_is_the_one_that_is_taken() {
        let mut given = String::new();
        for Section { name, keys, about: _ } in SECTIONS {
            let shown = keys.iter().filter(|key| matches!(key.default, Required | AsShown));
            let lines: String = shown.map(|key| format!("{} = {}\n", key.name, key.value)).collect();
            let header = if name.is_empty() { String::new() } else { format!("[{name}]\n") };
            given += &(header + &lines);
        }
        let parsed = |text: &str| format!("{:?}", parse(Path::new("x"), text).unwrap());
        assert_eq!(parsed(&given), parsed("name = \"north\"\n"));
    }

    #[test]
    fn every_key_that_the_reader_knows_is_in_the_reference() {
        for Section { name, keys, about: _ } in SECTIONS {
            let header = if name.is_empty() { String::new() } else { format!("[{name}]\n") };
            let error = toml::from_str::<File>(&format!("{header}no-such-key = 1\n")).unwrap_err();
            let expected = error.message().split_once("expected ").unwrap().1;
            let known: BTreeSet<&str> = expected.split('`').skip(1).step_by(2).collect();
            let told: BTreeSet<&str> = keys.iter().map(|key| key.name).collect();
            let tables: BTreeSet<&str> =
                SECTIONS.iter().map(|section| section.name).chain(["providers"]).collect();
            let known: BTreeSet<&str> =
                known.into_iter().filter(|key| !(name.is_empty() && tables.contains(key))).collect();
            assert_eq!(told, known, "[{name}]");
        }
    }
}
