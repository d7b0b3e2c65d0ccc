//! `cluster verify` and `cluster totals`: whether all nodes hold the same, and what went through each.
//!
//! Separate, because the first asks every node itself: what one node believes of the others proves nothing.

use super::forms::{Cluster, Holdings, Node, Total, Totals, seen_by};
use crate::client::{Ask, Client};
use crate::exit::{Exit, Failure, Outcome};
use crate::output::{Cell, Output, Tone, cell, count, plain};
use crate::trail::moment;
use std::collections::BTreeMap;
use std::time::Duration;

/// How often all nodes are asked while alerts that come in meanwhile make them differ.
const ROUNDS_MAX: u32 = 5;
/// How long to wait between two rounds.
const ROUND_EVERY: Duration = Duration::from_secs(1);
/// Characters of a digest that are shown.
const DIGEST_CHARS: usize = 12;

/// What became of asking one node.
type Asked<'a> = (&'a Node, Outcome<Holdings>);

/// `cluster verify`.
pub(super) async fn verify(client: &Client, out: &mut Output) -> Outcome {
    let cluster = seen_by(client).await?;
    cluster.must_be_several()?;
    let mut round = 1;
    let (asked, verdict) = loop {
        let asked = ask_all(client, &cluster).await?;
        let verdict = judge(&asked);
        if verdict.is_ok() || round == ROUNDS_MAX || asked.iter().any(|(_, held)| held.is_err()) {
            break (asked, verdict);
        }
        round += 1;
        out.say("the nodes differ while records are on their way; asking again");
        tokio::time::sleep(ROUND_EVERY).await;
    };
    tell(out, &asked)?;
    verdict.map(|sentence| out.say(&sentence))
}

async fn ask_all<'a>(client: &Client, cluster: &'a Cluster) -> Outcome<Vec<Asked<'a>>> {
    let mut asked = Vec::new();
    for node in cluster.nodes.iter().filter(|node| node.role != "witness") {
        let other = if node.this { None } else { Some(client.elsewhere(&node.api)?) };
        let answer = other.as_ref().unwrap_or(client).ask(Ask::get(&["cluster", "verify"])).await;
        asked.push((node, answer.and_then(|answer| answer.read())));
    }
    Ok(asked)
}

/// A sentence if all hold the same; else who differs, and by how much.
fn judge(asked: &[Asked<'_>]) -> Outcome<String> {
    let mut held = Vec::new();
    for (node, answer) in asked {
        match answer {
            Ok(holdings) => held.push((node, holdings)),
            Err(failure) => {
                let text = format!("{} cannot be asked: {}", node.name, failure.text);
                return Err(Failure::new(Exit::Unreachable, text));
            }
        }
    }
    let Some(((first, pattern), rest)) = held.split_first() else {
        return Err(Failure::failed("there is no node that holds anything"));
    };
    for (node, holdings) in rest {
        let (lacks, has) =
            (lacking(&holdings.vector, &pattern.vector), lacking(&pattern.vector, &holdings.vector));
        if lacks + has > 0 {
            let text = format!(
                "{} lacks {} that {} holds, and holds {} that {} lacks",
                node.name,
                count(lacks, "record"),
                first.name,
                has,
                first.name
            );
            return Err(Failure::failed(text));
        }
        if holdings.digest != pattern.digest {
            let text = format!(
                "{} and {} have the same records and differ in what follows from them; make a backup of both folders \
                 and report it",
                first.name, node.name
            );
            return Err(Failure::failed(text));
        }
    }
    Ok(format!("all {} hold the same", count(held.len(), "node")))
}

/// How many records `held` lacks of `wanted`.
fn lacking(held: &BTreeMap<String, u64>, wanted: &BTreeMap<String, u64>) -> usize {
    let lacks = |(log, upto): (&String, &u64)| upto.saturating_sub(held.get(log).copied().unwrap_or(0));
    usize::try_from(wanted.iter().map(lacks).sum::<u64>()).unwrap_or(usize::MAX)
}

fn tell(out: &mut Output, asked: &[Asked<'_>]) -> Outcome {
    if out.json {
        let each = asked.iter().map(|(node, answer)| match answer {
            Ok(held) => serde_json::json!({ "node": node.id, "name": held.name, "vector": held.vector, "digest": held.digest }),
            Err(failure) => serde_json::json!({ "node": node.id, "name": node.name, "error": failure.text }),
        });
        return out.data(&serde_json::Value::Array(each.collect()).to_string());
    }
    let rows: Vec<_> = asked.iter().map(|(node, answer)| row(node, answer)).collect();
    let text = out.table(&["NODE", "LOGS", "RECORDS", "DIGEST"], &rows);
    out.data(&text)
}

fn row(node: &Node, answer: &Outcome<Holdings>) -> Vec<Cell> {
    match answer {
        Ok(held) => {
            let records: u64 = held.vector.values().sum();
            let digest: String = held.digest.chars().take(DIGEST_CHARS).collect();
            let logs = held.vector.len().to_string();
            vec![plain(&node.name), plain(logs), plain(records.to_string()), plain(digest)]
        }
        Err(failure) => vec![plain(&node.name), plain("-"), plain("-"), cell(&failure.text, Tone::Bad)],
    }
}

/// `cluster totals`.
pub(super) async fn totals(client: &Client, out: &mut Output, since: Option<&str>) -> Outcome {
    let since = since.map(moment).transpose()?;
    let answer = client.ask(Ask::get(&["cluster", "totals"]).maybe("since", since.as_deref())).await?;
    if out.json {
        return out.data(&answer.body);
    }
    let totals: Totals = answer.read()?;
    let rows: Vec<_> = totals.rows.iter().map(total_row).collect();
    let text =
        out.table(&["NODE", "SOURCE", "ACCEPTED", "SENT", "REFUSED", "UNKNOWN", "ACKNOWLEDGED"], &rows);
    out.data(&text)
}

fn total_row(total: &Total) -> Vec<Cell> {
    let bad = |number: u64| cell(number.to_string(), if number > 0 { Tone::Warn } else { Tone::Plain });
    vec![
        plain(total.name.as_ref().unwrap_or(&total.node)),
        plain(total.source.as_deref().unwrap_or("(forgotten)")),
        plain(total.accepted.to_string()),
        plain(total.sent.to_string()),
        bad(total.refused),
        bad(total.unknown),
        plain(total.acknowledged.to_string()),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held(records: &[(&str, u64)], digest: &str) -> Holdings {
        let vector = records.iter().map(|(log, upto)| ((*log).to_owned(), *upto)).collect();
        Holdings { vector, digest: digest.into(), ..Holdings::default() }
    }

    #[test]
    fn nodes_that_differ_are_told_apart_in_words() {
        let node = |name: &str| Node { name: name.into(), ..Node::default() };
        let (a, b) = (node("north"), node("south"));
        let check = |theirs: Outcome<Holdings>, exit: Option<Exit>, part: &str| {
            let verdict = judge(&[(&a, Ok(held(&[("x", 5), ("y", 2)], "d"))), (&b, theirs)]);
            let (found, text) = match verdict {
                Ok(text) => (None, text),
                Err(failure) => (Some(failure.exit), failure.text),
            };
            assert_eq!(found, exit, "{text}");
            assert!(text.contains(part), "{text}");
        };
        check(Ok(held(&[("x", 5), ("y", 2)], "d")), None, "all 2 nodes hold the same");
        check(
            Ok(held(&[("x", 4), ("y", 2), ("z", 3)], "d")),
            Some(Exit::Failed),
            "south lacks 1 record that north",
        );
        check(Ok(held(&[("x", 5), ("y", 2)], "e")), Some(Exit::Failed), "differ in what follows");
        check(Err(Failure::failed("no")), Some(Exit::Unreachable), "south cannot be asked");
    }
}
