//! Temporary.
use base::*;
use dispatch::directory::*;
use dispatch::input::*;
use dispatch::record::*;
use dispatch::state::State;
use dispatch::*;
use std::sync::Arc;
use std::time::{Duration, Instant};
fn name(t: &str) -> Name {
    Name::new(t).unwrap()
}
fn now(ms: u64) -> Now {
    Now { mono: Mono(ms), wall: Wall(ms as i64), suspect: false }
}
fn settle(core: &mut Dispatch, at: u64, input: Input) -> Duration {
    let log = LogId { node: NodeId(1), boot: BootId(1) };
    let begun = Instant::now();
    let mut out = Vec::new();
    core.handle(now(at), input, &mut out);
    let took = begun.elapsed();
    let last = out
        .iter()
        .filter_map(|e| match e {
            Effect::Append { id, .. } => Some(id.seq + 1),
            _ => None,
        })
        .max();
    if let Some(upto) = last {
        core.handle(now(at), Input::Stored { log, upto }, &mut Vec::new());
    }
    took
}
fn by() -> Actor {
    Actor { who: "user:bea".into(), via: Via::Api, from: None }
}
fn run(silences: usize, rules: usize, open: usize) {
    let log = LogId { node: NodeId(1), boot: BootId(1) };
    let identity = Identity { log, letter: 'A', version: "t".into(), because: "t".into() };
    let spec = ProviderSpec { name: name("smtp"), channel: name("mail"), per_minute: None, per_day: None };
    let mut core = Dispatch::start(
        identity,
        Settings::default(),
        (State::default(), Past::default()),
        vec![spec],
        now(0),
        &mut Vec::new(),
    );
    let mut book = Directory::default();
    let address =
        ListedAddress { address: Address { channel: name("mail"), value: "a@x".into() }, default: true };
    book.recipients.insert(
        name("anna"),
        Recipient {
            title: "anna".into(),
            department: None,
            language: None,
            addresses: vec![address],
            policy: None,
        },
    );
    for n in 0..rules {
        book.inhibitions.push(Inhibition {
            name: name(&format!("r{n}")),
            source: format!("severity=\"critical\",team=\"t{n}\"").parse().unwrap(),
            target: format!("severity=\"warning\",team=\"t{n}\"").parse().unwrap(),
            equal: vec!["site".into()],
        });
    }
    settle(
        &mut core,
        0,
        Input::Order {
            ticket: Ticket(0),
            by: by(),
            order: Order::Directory { directory: Arc::new(book), expected: None, summary: "".into() },
        },
    );
    for n in 0..silences {
        let m = if n % 2 == 0 {
            format!("site=\"s{n}\",unit=~\"x.*\"")
        } else {
            format!("unit=~\"p{n}.*|q{n}\"")
        };
        let silence = Silence {
            matchers: m.parse().unwrap(),
            from: Wall(0),
            until: Wall(1_000_000_000),
            by: by(),
            author: "".into(),
            comment: "".into(),
        };
        settle(
            &mut core,
            1,
            Input::Order { ticket: Ticket(0), by: by(), order: Order::Silence(Arc::new(silence)) },
        );
    }
    let mut last = Duration::ZERO;
    let mut total = Duration::ZERO;
    for n in 0..open {
        let labels = [
            ("severity", "warning".to_owned()),
            ("team", format!("t{}", n % rules.max(1))),
            ("site", format!("site{}", n % 100)),
            ("unit", format!("pump{n}")),
            ("alertname", "Down".to_owned()),
            ("job", "node".to_owned()),
        ];
        let content = Content {
            severity: Severity::High,
            summary: "pump stopped".into(),
            details: "".into(),
            labels: labels.iter().map(|(k, v)| ((*k).into(), v.as_str().into())).collect(),
            origin: None,
        };
        let notice = Notice {
            source: name("scada"),
            key: None,
            fingerprint: None,
            resolved: false,
            stands_for: None,
            content,
            to: vec![Target::Named(name("anna"))],
            policy: None,
            civil: Civil::default(),
        };
        let took = settle(&mut core, 2, Input::Notice { ticket: Ticket(1), notice: Box::new(notice) });
        total += took;
        if n >= open - open / 10 {
            last += took;
        }
    }
    println!(
        "{silences} silences, {rules} rules, {open} open: accept {:?} mean of the last tenth, {:?} in all",
        last / (open as u32 / 10),
        total
    );
    let silence = |m: &str, until: i64| {
        Order::Silence(Arc::new(Silence {
            matchers: m.parse().unwrap(),
            from: Wall(0),
            until: Wall(until),
            by: by(),
            author: "".into(),
            comment: "".into(),
        }))
    };
    for m in ["site=\"nowhere\"", "site=\"site7\"", "unit=~\"pump.*7\"", "severity=\"warning\""] {
        let t = settle(
            &mut core,
            3,
            Input::Order { ticket: Ticket(0), by: by(), order: silence(m, 1_000_000_000) },
        );
        let id = *core.state().silences.keys().next_back().unwrap();
        let e = settle(
            &mut core,
            3,
            Input::Order { ticket: Ticket(0), by: by(), order: Order::Unsilence { silence: id } },
        );
        let (mut turns, mut most, mut all) = (0, Duration::ZERO, Duration::ZERO);
        while core.deadline(now(3)).is_some_and(|d| d.at <= Mono(3)) && turns < 2000 {
            let t = settle(&mut core, 3, Input::Deadline);
            turns += 1;
            most = most.max(t);
            all += t;
        }
        println!(
            "  silence {m}: begins {t:?}, ends {e:?} and {turns} turns of at most {most:?}, {all:?} in all"
        );
    }
    if rules > 0 {
        let mut labels = vec![("severity", "critical"), ("team", "t0"), ("site", "site0")];
        labels.push(("alertname", "Site"));
        let content = Content {
            severity: Severity::High,
            summary: "site".into(),
            details: "".into(),
            labels: labels.iter().map(|(k, v)| ((*k).into(), (*v).into())).collect(),
            origin: None,
        };
        let notice = Notice {
            source: name("scada"),
            key: None,
            fingerprint: Some(Digest([1; 32])),
            resolved: false,
            stands_for: None,
            content,
            to: vec![Target::Named(name("anna"))],
            policy: None,
            civil: Civil::default(),
        };
        let t = settle(&mut core, 4, Input::Notice { ticket: Ticket(1), notice: Box::new(notice.clone()) });
        let held = core.open_after(None).filter(|(id, _)| !core.holds(*id).is_empty()).count();
        let e = settle(
            &mut core,
            4,
            Input::Notice { ticket: Ticket(1), notice: Box::new(Notice { resolved: true, ..notice }) },
        );
        println!("  a source of {held} targets: begins {t:?}, ends {e:?}");
    }
}
fn main() {
    run(0, 0, 20_000);
    run(200, 0, 20_000);
    run(200, 50, 20_000);
    run(200, 50, 100_000);
    run(200, 1, 100_000);
}
