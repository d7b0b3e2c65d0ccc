//! `cluster leave`, `remove` and `force-primary`: who belongs, and who changes the directory.
//!
//! Separate from `control`, because these cannot be taken back by asking the other way round.

use super::control::hand_over;
use super::forms::{Cluster, Node, seen_by};
use crate::args::Sure;
use crate::client::{Ask, Client};
use crate::exit::{Exit, Failure, Outcome};
use crate::output::Output;
use record::document::Change;
use serde_json::json;

/// `cluster leave`.
pub(super) async fn leave(client: &Client, out: &mut Output, sure: Sure) -> Outcome {
    let cluster = seen_by(client).await?;
    cluster.must_be_several()?;
    let this = cluster.this()?;
    let heir = cluster.next().ok_or_else(|| {
        let why = "no other node is up to hand over to; take this node out from another one with `steadfast cluster \
                   remove`";
        Failure::new(Exit::Conflict, why)
    })?;
    out.confirm(&format!("hand over to {} and take {} out of the cluster?", heir.name, this.name), sure.yes)?;
    if this.role != "witness" {
        hand_over(client, out, (this, Some(heir)), Some("the node leaves the cluster")).await?;
        out.say(&format!("{} has handed over to {}", this.name, heir.name));
    }
    let other = client.elsewhere(&heir.api)?;
    if cluster.directory.node.as_ref() == Some(&this.id) {
        other.ask(Ask::post(&["cluster", "force-primary"], &json!({})).repeatable()).await?;
        out.say(&format!("the directory is changed on {} from now on", heir.name));
    }
    // The others are told by one of them: this node loses its links the moment it does not belong any more.
    let answer = other.ask(Ask::delete(&["cluster", "members", &this.id])).await?;
    let name = this.name.clone();
    out.answer(&answer.body, || Ok(format!("{name} does not belong to the cluster any more")))?;
    out.say(&format!(
        "Now stop the node on {name}, and delete its data folder: it holds the keys of the cluster, and nothing that \
         the others have not."
    ));
    Ok(())
}

/// `cluster remove`.
pub(super) async fn remove(client: &Client, out: &mut Output, node: &str, sure: Sure) -> Outcome {
    let cluster = seen_by(client).await?;
    let node = cluster.named(node)?;
    if node.this {
        let why = format!("{} is the node that was asked; `steadfast cluster leave` takes it out", node.name);
        return Err(Failure::new(Exit::Conflict, why));
    }
    out.say(&meaning(&cluster, node));
    out.confirm(&format!("take {} out of the cluster?", node.name), sure.yes)?;
    let answer = client.ask(Ask::delete(&["cluster", "members", &node.id])).await?;
    let name = node.name.clone();
    out.answer(&answer.body, || Ok(format!("{name} does not belong to the cluster any more")))
}

/// What taking a node out means, now.
fn meaning(cluster: &Cluster, node: &Node) -> String {
    let name = &node.name;
    let mut lines = Vec::new();
    if node.state == "up" || node.state == "catching up" {
        lines.push(format!(
            "{name} lives: `steadfast cluster leave` on it hands over first, and interrupts nothing"
        ));
    }
    if let Some(behind) = node.ahead.filter(|ahead| *ahead > 0) {
        lines.push(format!("{name} holds {behind} record(s) that this node has not"));
    }
    lines.push(format!("its {} open alert(s) are taken over; what {name} alone holds is lost", node.alerts));
    if cluster.directory.node.as_ref() == Some(&node.id) {
        lines.push("the directory is changed on it: `steadfast cluster force-primary` on another node is needed then".into());
    }
    lines.push(format!("{name} can come back only by `steadfast join` into a new data folder"));
    lines.join("\n")
}

/// `cluster force-primary`.
pub(super) async fn force_primary(client: &Client, out: &mut Output, sure: Sure) -> Outcome {
    let cluster = seen_by(client).await?;
    let this = cluster.this()?;
    let before = cluster.directory.node.as_deref();
    if before == Some(this.id.as_str()) || cluster.nodes.len() == 1 {
        let why = format!("{} changes the directory already", this.name);
        return Err(Failure::new(Exit::Conflict, why));
    }
    if let Some(before) = before.and_then(|id| cluster.named(id).ok()) {
        out.say(&at_stake(client, before, this).await);
    }
    out.confirm(&format!("change the directory on {} from now on?", this.name), sure.yes)?;
    let answer = client.ask(Ask::post(&["cluster", "force-primary"], &json!({})).repeatable()).await?;
    let name = this.name.clone();
    out.answer(&answer.body, || Ok(format!("the directory is changed on {name} from now on")))
}

/// What the node that changed the directory until now has, and this one would not keep.
async fn at_stake(client: &Client, before: &Node, this: &Node) -> String {
    match branch(client, before).await {
        Ok(changes) if changes.is_empty() => {
            format!("{} and {} have the same directory: nothing is lost", before.name, this.name)
        }
        Ok(changes) => {
            format!("these changes, made on {}, would be lost:\n{}", before.name, changes.join("\n"))
        }
        Err(failure) => format!(
            "{} cannot be asked ({}); changes that were made there and not heard here will be lost, and \
             `steadfast directory diff --lost` will show them once it is back",
            before.name, failure.text
        ),
    }
}

/// What stands in the directory of `other` and differs here.
async fn branch(client: &Client, other: &Node) -> Outcome<Vec<String>> {
    let theirs = client.elsewhere(&other.api)?.ask(Ask::get(&["directory"])).await?;
    let ask = Ask::post(&["directory", "diff"], &json!({})).body("application/json", theirs.body);
    let diff: crate::forms::Diff = client.ask(ask.repeatable()).await?.read()?;
    let each = diff.changes.into_iter();
    Ok(each.map(|change| crate::output::one_line(&Change::from(change).to_string())).collect())
}
