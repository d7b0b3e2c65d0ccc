//! `cluster switch-over`, `take-over` and `recover`: who is in control.
//!
//! Separate from `members`, which changes who belongs. The node in control is the one that hands over, so it is
//! the one that is asked, wherever the command was typed.

use super::forms::{Cluster, Node, seen_by};
use super::status;
use crate::args::Sure;
use crate::client::{Answer, Ask, Client};
use crate::exit::{Exit, Failure, Outcome};
use crate::output::{Output, count};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;
use std::time::Duration;
use tokio::time::Instant;

/// How often a wait is told of.
const LOOK_EVERY: Duration = Duration::from_millis(300);
/// Records by which a node may be behind while others are being written, and still be level.
const NEARLY: u64 = 64;

/// `cluster switch-over`.
pub(super) async fn switch_over(
    client: &Client,
    out: &mut Output,
    to: Option<&str>,
    because: Option<&str>,
    sure: Sure,
) -> Outcome {
    let cluster = seen_by(client).await?;
    cluster.must_be_several()?;
    let holder = cluster.holder()?;
    let to = match to {
        Some(text) => Some(cluster.named(text)?),
        None => None,
    };
    if to.is_some_and(|to| to.id == holder.id) {
        let why = format!("{} is in control already", holder.name);
        return Err(Failure::new(Exit::Conflict, why));
    }
    // Without a name it is this node that wants to be rid of its work.
    let from = if to.is_some() { holder } else { cluster.this()? };
    let target = to.map_or_else(|| "the next node".to_owned(), |to| to.name.clone());
    out.confirm(&format!("hand over from {} to {target}?", from.name), sure.yes)?;
    let answer = hand_over(client, out, (from, to), because).await?;
    let done: Done = answer.read()?;
    out.answer(&answer.body, || {
        Ok(format!("handed over to {target}, with {}", count(done.alerts, "open alert")))
    })?;
    if out.json { Ok(()) } else { status::show(client, out).await }
}

/// What an order came to.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(default)]
struct Done {
    alerts: usize,
}

/// Has `from` hand over, and tells what is waited for meanwhile.
pub(super) async fn hand_over(
    client: &Client,
    out: &Output,
    (from, to): (&Node, Option<&Node>),
    because: Option<&str>,
) -> Outcome<Answer> {
    let other = if from.this { None } else { Some(client.elsewhere(&from.api)?) };
    let asked = other.as_ref().unwrap_or(client);
    let mut body = json!({});
    if let Some(to) = to {
        body["to"] = json!(to.id);
    }
    if let Some(because) = because {
        body["because"] = json!(because);
    }
    let bar = spinner(out);
    let done = asked.ask(Ask::post(&["cluster", "switch-over"], &body));
    tokio::pin!(done);
    loop {
        tokio::select! {
            answer = &mut done => {
                bar.finish_and_clear();
                return answer.map_err(listed);
            }
            () = tokio::time::sleep(LOOK_EVERY) => {
                let under_way = seen_by(asked).await.map_or(0, |cluster| cluster.under_way);
                let messages = count(usize::try_from(under_way).unwrap_or(usize::MAX), "message");
                bar.set_message(format!("waiting for {messages} under way"));
            }
        }
    }
}

/// What blocks a switch-over, one to a line.
fn listed(mut failure: Failure) -> Failure {
    if let Some(why) = failure.text.strip_prefix("not now: ") {
        let lines: Vec<_> = why.split("; ").map(|why| format!("\n  {why}")).collect();
        failure.text = format!("nothing was handed over, because{}", lines.concat());
    }
    failure
}

fn spinner(out: &Output) -> ProgressBar {
    if !out.shows_progress() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new_spinner();
    if let Ok(style) = ProgressStyle::with_template("{spinner} {elapsed} {wide_msg}") {
        bar.set_style(style);
    }
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}

/// `cluster take-over`.
pub(super) async fn take_over(
    client: &Client,
    out: &mut Output,
    because: Option<&str>,
    sure: Sure,
) -> Outcome {
    let cluster = seen_by(client).await?;
    cluster.must_be_several()?;
    let (this, holder) = (cluster.this()?, cluster.holder()?);
    if holder.is_up() && !holder.this {
        out.say(&format!(
            "{} is in control and lives: `steadfast cluster switch-over {}` interrupts nothing; this may send \
             messages twice",
            holder.name, this.name
        ));
    }
    out.confirm(&format!("put {} in control without asking {}?", this.name, holder.name), sure.yes)?;
    let body = because.map_or_else(|| json!({}), |because| json!({ "because": because }));
    let answer = client.ask(Ask::post(&["cluster", "take-over"], &body).repeatable()).await?;
    let name = this.name.clone();
    out.answer(&answer.body, || Ok(format!("{name} is in control")))
}

/// `cluster recover`.
pub(super) async fn recover(
    client: &Client,
    out: &mut Output,
    node: Option<&str>,
    timeout: Duration,
) -> Outcome {
    let cluster = seen_by(client).await?;
    cluster.must_be_several()?;
    let returned = match node {
        Some(text) => cluster.named(text)?,
        None => match cluster.nodes.iter().find(|node| !node.is_up()) {
            Some(node) => node,
            None => preferred(&cluster)?,
        },
    };
    let (id, name) = (returned.id.clone(), returned.name.clone());
    let level = wait_until_level(client, out, (&id, &name), Instant::now() + timeout).await?;
    out.say(&format!("{name} is level: it holds what the others hold"));
    let (returned, holder) = (level.named(&id)?, level.holder()?);
    if returned.id == holder.id || returned.role == "witness" || returned.rank > holder.rank {
        out.say(&format!("{} stays in control", holder.name));
    } else {
        hand_over(client, out, (holder, Some(returned)), Some("recovered")).await?;
        out.say(&format!("{name} is in control again"));
    }
    let text = if out.json {
        client.ask(Ask::get(&["cluster"])).await?.body
    } else {
        status::described(out, &seen_by(client).await?)
    };
    out.data(&text)
}

/// The node that ought to be in control.
fn preferred(cluster: &Cluster) -> Outcome<&Node> {
    let able = cluster.nodes.iter().filter(|node| node.role != "witness");
    able.min_by_key(|node| node.rank).ok_or_else(|| Failure::failed("there is no node that could be"))
}

/// Waits, with a bar of records, until all others and the returned node hold the same.
async fn wait_until_level(
    client: &Client,
    out: &mut Output,
    (id, name): (&str, &str),
    until: Instant,
) -> Outcome<Cluster> {
    let bar = records(out);
    let mut most = 0;
    loop {
        let seen = seen_by(client).await;
        let (left, why) = match &seen {
            Ok(cluster) => lacking(cluster, id)?,
            Err(failure) => (None, failure.text.clone()), // It may be the node that is returning.
        };
        if let (Ok(cluster), Some(left)) = (seen, left) {
            most = most.max(left);
            bar.set_length(most);
            bar.set_position(most - left);
            if left <= NEARLY && why.is_empty() {
                bar.finish_and_clear();
                return Ok(cluster);
            }
        }
        bar.set_message(why.clone());
        if Instant::now() >= until {
            bar.finish_and_clear();
            let text = format!("{name} is not level yet: {why}");
            return Err(Failure::new(Exit::TimedOut, text));
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// How many records are still to be exchanged with a node, and why it is not level; none while nobody knows.
fn lacking(cluster: &Cluster, id: &str) -> Outcome<(Option<u64>, String)> {
    let node = cluster.named(id)?;
    let concerned: Vec<&Node> = if node.this {
        let others = cluster.nodes.iter().filter(|other| !other.this && other.state != "down");
        others.collect()
    } else {
        vec![node]
    };
    if concerned.is_empty() {
        return Ok((None, "no other node can be reached".into()));
    }
    let left = concerned.iter().map(|node| node.lag()).sum();
    let why = concerned.iter().find(|node| !node.is_up());
    Ok((
        Some(left),
        why.map_or_else(String::new, |node| format!("{} is {}: {}", node.name, node.state, node.because)),
    ))
}

fn records(out: &Output) -> ProgressBar {
    if !out.shows_progress() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(0);
    if let Ok(style) = ProgressStyle::with_template("{bar:40} {pos}/{len} records {elapsed} {wide_msg}") {
        bar.set_style(style);
    }
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(id: &str, state: &str, behind: u64, ahead: u64) -> Node {
        Node {
            id: id.into(),
            name: id.into(),
            state: state.into(),
            because: "so".into(),
            behind: Some(behind),
            ahead: Some(ahead),
            ..Node::default()
        }
    }

    #[test]
    fn a_returned_node_is_level_from_either_side() {
        let this = Node { this: true, ..node("a", "up", 0, 0) };
        let check = |other: Node, of: &str, expect: (Option<u64>, &str)| {
            let cluster = Cluster { nodes: vec![this.clone(), other], ..Cluster::default() };
            let (left, why) = lacking(&cluster, of).unwrap();
            assert_eq!((left, why.as_str()), expect, "{of}");
        };
        check(node("b", "up", 0, 0), "b", (Some(0), ""));
        check(node("b", "catching up", 7, 2), "b", (Some(9), "b is catching up: so"));
        check(node("b", "catching up", 7, 2), "a", (Some(9), "b is catching up: so"));
        check(node("b", "down", 0, 0), "a", (None, "no other node can be reached"));
        check(node("b", "down", 3, 0), "b", (Some(3), "b is down: so"));
    }

    #[test]
    fn what_blocks_a_switch_over_is_listed() {
        let failure = Failure::new(Exit::Conflict, "not now: south is down; this node is about to stop");
        let text = listed(failure).text;
        assert_eq!(text, "nothing was handed over, because\n  south is down\n  this node is about to stop");
    }
}
