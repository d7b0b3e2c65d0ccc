//! How many notices a second the core accepts, without routes and with a thousand of several kinds.
//!
//! `cargo run --release -p dispatch --example routerate`. The core alone, without disk and network: what a thousand
//! routes cost here is what they cost an acceptance.

#![expect(
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "it measures, and prints what it measured"
)]

use base::{BootId, LogId, Mono, Name, NodeId, Now, Wall};
use dispatch::directory::{Address, Civil, Directory, ListedAddress, Recipient, Route, Severity, Target};
use dispatch::record::{Actor, Content};
use dispatch::state::State;
use dispatch::{Dispatch, Identity, Input, Notice, Order, Past, Settings, Ticket};
use std::sync::Arc;
use std::time::Instant;

/// Notices that are taken for one figure.
const NOTICES: u64 = 20_000;

fn main() {
    let kinds: [(&str, &dyn Fn(usize) -> String); 5] = [
        ("no routes", &|_| String::new()),
        ("site=\"sN\"", &|number| format!("site=\"s{number}\"")),
        ("site=\"sN\",unit!~\"test.*\"", &|number| format!("site=\"s{number}\",unit!~\"test.*\"")),
        ("site!=\"\",unit=\"uN\"", &|number| format!("site!=\"\",unit=\"u{number}\"")),
        ("site=~\"sN|tN\"", &|number| format!("site=~\"s{number}|t{number}\"")),
    ];
    for (what, matchers) in kinds {
        let routes = if matchers(0).is_empty() { 0 } else { 1000 };
        let rate = measure((0..routes).map(|number| route(number, &matchers(number))).collect());
        println!("{routes:>5} routes {what:<28} {rate:>9.0} acceptances/s");
    }
}

fn name(text: &str) -> Name {
    Name::new(text).expect("a name")
}

fn route(number: usize, matchers: &str) -> Route {
    Route {
        name: name(&format!("r{number}")),
        sources: Vec::new(),
        severity: Severity::Info,
        matchers: matchers.parse().expect("matchers"),
        windows: Vec::new(),
        calendars: Vec::new(),
        except_calendars: Vec::new(),
        to: vec![Target::Named(name("anna"))],
        policy: None,
        templates: Vec::new(),
        ttl: None,
        also: false,
        bundle: None,
    }
}

fn measure(routes: Vec<Route>) -> f64 {
    let address = Address { channel: name("mail"), value: "anna@example.org".into() };
    let anna = Recipient {
        title: "Anna".into(),
        department: None,
        language: None,
        addresses: vec![ListedAddress { address, default: true }],
        policy: None,
    };
    let mut directory = Directory { routes, ..Directory::default() };
    directory.recipients.insert(name("anna"), anna);
    directory.settings.operators = vec![Target::Named(name("anna"))];
    let log = LogId { node: NodeId(1), boot: BootId(1) };
    let identity = Identity { log, letter: 'A', version: "bench".into(), because: "bench".into() };
    let known = (State::default(), Past::default());
    let now = Now { mono: Mono(0), wall: Wall(0), suspect: false };
    let mut effects = Vec::new();
    let mut core = Dispatch::start(identity, Settings::default(), known, Vec::new(), now, &mut effects);
    let directory = Arc::new(directory);
    let order = Order::Directory { directory, expected: None, summary: "bench".into() };
    let by = Actor::ourselves();
    core.handle(now, Input::Order { ticket: Ticket(0), by, order }, &mut effects);
    let notices: Vec<Notice> = (0..NOTICES).map(notice).collect();
    let begun = Instant::now();
    for (number, notice) in (1..).zip(notices) {
        effects.clear();
        core.handle(now, Input::Notice { ticket: Ticket(number), notice: Box::new(notice) }, &mut effects);
    }
    f64::from(u32::try_from(NOTICES).unwrap_or(u32::MAX)) / begun.elapsed().as_secs_f64()
}

/// A notice with ten labels, for one of the thousand routes.
fn notice(number: u64) -> Notice {
    let own = [("site", format!("s{}", number % 1000)), ("unit", format!("u{}", number % 1000))];
    let more = (0..8).map(|label| (format!("label{label}"), format!("value {label}")));
    let own = own.map(|(label, value)| (label.to_owned(), value));
    let labels = own.into_iter().chain(more).map(|(label, value)| (label.into(), value.into())).collect();
    let content = Content {
        severity: Severity::High,
        summary: format!("pump {number} stopped").into(),
        details: "".into(),
        labels,
        origin: None,
    };
    Notice {
        source: name("scada"),
        key: None,
        fingerprint: None,
        resolved: false,
        stands_for: None,
        content,
        to: Vec::new(),
        policy: None,
        civil: Civil::default(),
    }
}
