//! `cluster status`: how every node is, in one sentence and two tables.
//!
//! Separate, because this is what somebody looks at first when a machine seems to be gone.

use super::forms::{Cluster, Node, seen_by};
use crate::client::{Answer, Ask, Client};
use crate::exit::Outcome;
use crate::output::{Cell, Output, Tone, cell, harmless, plain};
use std::time::Duration;

/// How often `--watch` looks.
const WATCH_EVERY: Duration = Duration::from_secs(1);
/// Milliseconds by which clocks may differ before it is worth a look.
const CLOCK_MS: u64 = 500;

/// `cluster status`.
pub(super) async fn status(client: &Client, out: &mut Output, watch: bool) -> Outcome {
    if !watch {
        let answer = client.ask(Ask::get(&["cluster"])).await?;
        return tell(out, &answer);
    }
    loop {
        match client.ask(Ask::get(&["cluster"])).await {
            Ok(answer) => {
                out.clear()?;
                tell(out, &answer)?;
            }
            Err(failure) => out.say(&failure.text), // It may come back, and somebody is watching.
        }
        tokio::time::sleep(WATCH_EVERY).await;
    }
}

fn tell(out: &mut Output, answer: &Answer) -> Outcome {
    if out.json {
        return out.data(&answer.body);
    }
    let text = described(out, &answer.read()?);
    out.data(&text)
}

/// The same for a command that just changed something.
pub(super) async fn show(client: &Client, out: &mut Output) -> Outcome {
    let text = described(out, &seen_by(client).await?);
    out.data(&text)
}

pub(super) fn described(out: &Output, cluster: &Cluster) -> String {
    let facts = facts(out, cluster);
    let rows: Vec<_> = cluster.nodes.iter().map(row).collect();
    let nodes = out.table(
        &["NODE", "ROLE", "STATE", "DOES", "ALERTS", "LAG", "CLOCK", "VERSION", "SINCE", "AT", "WHY"],
        &rows,
    );
    let services: Vec<_> = cluster.nodes.iter().map(service_row).collect();
    let services = out.table(&["NODE", "API", "LISTENS", "SERVES", "LAST ERROR OF ITS LINK"], &services);
    format!("{}\n\n{facts}\n{nodes}\n{services}", harmless(&cluster.sentence))
}

fn facts(out: &Output, cluster: &Cluster) -> String {
    let control = cluster
        .control
        .as_ref()
        .map_or_else(String::new, |it| format!("{} since {}: {}", it.name, it.since, it.because));
    let last = cluster
        .last_switch_over
        .as_ref()
        .map_or_else(String::new, |it| format!("{} from {} to {}: {}", it.at, it.from, it.to, it.because));
    let book = &cluster.directory;
    let version = format!("version {}.{}", book.term, book.version);
    let directory = match book.name.as_ref().or(book.node.as_ref()) {
        Some(name) => format!("changed on {name}, {version}"),
        None => version,
    };
    let lost = if book.lost.is_some() { "see `steadfast directory diff --lost`" } else { "" };
    let takeover = if cluster.takeover { "by itself" } else { "by hand only" };
    out.facts(&[
        ("mode", plain(&cluster.mode)),
        ("takeover", cell(takeover, if cluster.takeover { Tone::Plain } else { Tone::Warn })),
        ("maintenance", cell(cluster.maintenance.as_deref().unwrap_or_default(), Tone::Warn)),
        ("in control", plain(control)),
        ("last switch-over", plain(last)),
        ("directory", plain(directory)),
        ("lost changes", cell(lost, Tone::Warn)),
        ("certificates", certificates(cluster)),
    ])
}

fn certificates(cluster: &Cluster) -> Cell {
    let ending: Vec<_> = cluster
        .certificates
        .iter()
        .filter(|it| !it.renews && it.what != "ca")
        .map(|it| format!("{} ends {} and is not renewed by itself", it.file, it.expires_at))
        .collect();
    if !ending.is_empty() {
        return cell(ending.join("; "), Tone::Warn);
    }
    let first = cluster.certificates.iter().filter(|it| it.renews).map(|it| it.expires_at.as_str()).min();
    plain(first.map_or_else(String::new, |first| format!("renewed by themselves, the next before {first}")))
}

fn row(node: &Node) -> Vec<Cell> {
    let tone = match node.state.as_str() {
        "up" => Tone::Good,
        "down" => Tone::Bad,
        _ => Tone::Warn,
    };
    let clock = node.clock_ahead_ms.map_or_else(String::new, |ms| format!("{ms:+} ms"));
    let apart = node.clock_ahead_ms.is_some_and(|ms| ms.unsigned_abs() > CLOCK_MS);
    let state = if node.this { "this node" } else { &node.state };
    let because = if node.this { "" } else { &node.because };
    let since = node.connected_at.as_ref().or(node.since.as_ref());
    vec![
        plain(format!("{} ({})", node.name, node.letter)),
        plain(&node.role),
        cell(state, tone),
        plain(node.standing.as_deref().unwrap_or("-")),
        plain(node.alerts.to_string()),
        plain(if node.this { String::new() } else { lag(node) }),
        cell(clock, if apart { Tone::Warn } else { Tone::Plain }),
        plain(node.version.as_deref().unwrap_or_default()),
        plain(since.map(String::as_str).unwrap_or_default()),
        plain(node.address.as_deref().unwrap_or_default()),
        plain(because),
    ]
}

/// Records, as `it lacks` and `we lack`.
fn lag(node: &Node) -> String {
    match (node.behind, node.ahead) {
        (None, None) => "-".into(),
        (Some(0) | None, Some(0) | None) => "0".into(),
        (behind, None | Some(0)) => format!("-{}", behind.unwrap_or(0)),
        (behind, Some(ahead)) => format!("-{} +{ahead}", behind.unwrap_or(0)),
    }
}

fn service_row(node: &Node) -> Vec<Cell> {
    let listens: Vec<_> = node.listens.iter().map(|(what, at)| format!("{what} {at}")).collect();
    let error = match (&node.last_error, &node.last_error_at) {
        (Some(why), Some(at)) => format!("{why} ({at})"),
        (Some(why), None) => why.clone(),
        (None, _) => String::new(),
    };
    vec![
        plain(&node.name),
        plain(&node.api),
        plain(listens.join(", ")),
        plain(node.channels.join(", ")),
        plain(error),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::tests::heard;

    #[test]
    fn a_lag_is_told_in_both_directions() {
        let check = |behind, ahead, expect: &str| {
            assert_eq!(lag(&Node { behind, ahead, ..Node::default() }), expect);
        };
        check(None, None, "-");
        check(Some(0), Some(0), "0");
        check(Some(7), Some(0), "-7");
        check(Some(7), Some(3), "-7 +3");
        check(Some(0), Some(3), "-0 +3");
    }

    #[test]
    fn a_cluster_is_told_in_a_sentence_facts_and_rows() {
        let (out, ..) = heard(false);
        let node = |name: &str, this| Node {
            name: name.into(),
            letter: "A".into(),
            state: "up".into(),
            standing: Some("active".into()),
            this,
            ..Node::default()
        };
        let cluster = Cluster {
            sentence: "all 2 nodes are up".into(),
            mode: "active/active".into(),
            nodes: vec![node("north", true), node("south", false)],
            ..Cluster::default()
        };
        let text = described(&out, &cluster);
        assert!(text.starts_with("all 2 nodes are up\n\n"), "{text}");
        for part in ["active/active", "by hand only", "north (A)", "this node", "south (A)"] {
            assert!(text.contains(part), "{part}: {text}");
        }
    }
}
