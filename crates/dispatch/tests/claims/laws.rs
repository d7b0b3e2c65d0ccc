//! What must hold in every state, judged from the rows that a node holds and not by the code that is judged.

use crate::node::Node;
use base::{AlertId, LogId, RecordId};
use dispatch::Delivery;
use dispatch::record::{Claim, Entry, Purpose, Record};

/// How an alert came to its owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Title {
    Accepted,
    Claimed,
    Released,
}

/// Whose an alert is by the claims and releases in these rows: the highest (epoch, boot) counts.
pub(crate) fn owner(node: &Node, alert: AlertId) -> (LogId, Title) {
    let covers = |claim: &Claim| claim.log == alert.0.log && (claim.from..claim.upto).contains(&alert.0.seq);
    let mut best = (0, alert.0.log, Title::Accepted);
    for (id, entry) in &node.rows {
        match &entry.record {
            Record::Claim(claim) if covers(claim) => {
                best = best.max((claim.epoch, id.log, Title::Claimed));
            }
            Record::Release { to, claims } => {
                for claim in claims.iter().filter(|claim| covers(claim)) {
                    best = best.max((claim.epoch, *to, Title::Released));
                }
            }
            _ => (),
        }
    }
    (best.1, best.2)
}

/// Laws 2 and 3: who lost an alert starts nothing new, and what was adopted is marked.
pub(crate) fn must_not_send(node: &Node, delivery: &Delivery) -> Option<String> {
    let alert = delivery.alert_id;
    let (owner, title) = owner(node, alert);
    if owner != node.me {
        return Some(format!("it sends {alert}, and knows that {owner} owns it"));
    }
    let adopted = title == Title::Claimed && alert.0.log.node != node.me.node;
    let step = matches!(delivery.purpose, Purpose::Alert(_));
    let unmarked = adopted && step && delivery.repeat.is_none();
    unmarked.then(|| format!("it sends {alert}, which it adopted, unmarked"))
}

/// Law 3 again: who lost an alert announces nothing new either.
pub(crate) fn must_not_announce(node: &Node, id: RecordId, entry: &Entry) -> Option<String> {
    let Record::Intent { alert, .. } = &entry.record else { return None };
    let owner = owner(node, *alert).0;
    (id.log == node.me && owner != node.me)
        .then(|| format!("it announces a send of {alert}, and knows that {owner} owns it"))
}

/// Law 5: epochs never go back.
pub(crate) fn epochs_went_back(before: &Node, after: &Node) -> Option<String> {
    let (before, after) = (before.core.state(), after.core.state());
    let back = before.claims.keys().find(|log| after.epoch(**log) < before.epoch(**log))?;
    Some(format!("the epoch of {back} went back"))
}

/// Law 4, at the end: those who live know the same.
pub(crate) fn disagree(one: &Node, other: &Node) -> Option<String> {
    let (mine, theirs) = (one.core.state(), other.core.state());
    let pairs = [
        ("records", mine.applied == theirs.applied),
        ("open alerts", mine.open == theirs.open),
        ("early facts", mine.early == theirs.early),
        ("claims", mine.claims == theirs.claims),
        ("duties", mine.duties == theirs.duties),
    ];
    let (what, _) = pairs.iter().find(|(_, same)| !same)?;
    Some(format!("{} and {} do not agree on {what} in the end", one.me, other.me))
}
