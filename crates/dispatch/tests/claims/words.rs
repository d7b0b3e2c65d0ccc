//! A path in words: what happened, and what each node wrote and sent because of it.

use crate::node::{Kept, Message, NODES, kind, letter};
use crate::world::{Event, Way, World};

impl World {
    /// An event in words, as seen from the state before it.
    pub(crate) fn tell(&self, kept: &Kept, event: Event) -> String {
        match event {
            Event::Deliver(from, to, lane) => {
                let way = Way { from, to, lane };
                let message =
                    self.letters.iter().find(|letter| letter.way == way).map(|letter| letter.message);
                let what = message.map_or_else(String::new, |message| describe(kept.message(message)));
                format!("{} hears from {}: {what}", letter(to), letter(from))
            }
            Event::Sync(ix) => format!("{}'s disk has all that it wrote", letter(ix)),
            Event::Report(ix, _) => format!("the provider takes what {} sent", letter(ix)),
            Event::Die => "A dies".into(),
            Event::Notice(ix) => format!("{} learns that A's process is gone", letter(ix)),
            Event::Restart => "A starts again".into(),
            Event::Link(one, other) => format!("{} and {} are connected", letter(one), letter(other)),
            Event::Cut => "the network is cut".into(),
            Event::Heal => "the network is whole again".into(),
            Event::SwitchOver => "somebody asks A to hand over".into(),
            Event::Tick => "time passes to the next deadline".into(),
        }
    }

    /// What changed between this state and the next, in words.
    pub(crate) fn tell_change(&self, kept: &Kept, next: &Self) -> String {
        let mut told = Vec::new();
        if next.at != self.at {
            told.push(format!("it is {} ms", next.at));
        }
        for ix in 0..NODES {
            let (before, after) = (kept.node(self.nodes[ix]), kept.node(next.nodes[ix]));
            for (id, entry) in after.rows.iter().filter(|(id, _)| !before.rows.contains_key(id)) {
                if id.log == after.me {
                    told.push(format!("{} writes {id} {}", letter(ix), kind(&entry.record)));
                }
            }
            for delivery in after.in_flight.iter().filter(|new| !before.in_flight.contains(new)) {
                let marked = if delivery.repeat.is_some() { ", marked" } else { "" };
                told.push(format!("{} SENDS {}{marked}", letter(ix), delivery.alert_id));
            }
        }
        told.join("; ")
    }
}

fn describe(message: &Message) -> String {
    match message {
        Message::Hello(_) => "hello".into(),
        Message::Beat(beat) => {
            let logs: Vec<String> = beat.durable.iter().map(|(log, upto)| format!("{log}<{upto}")).collect();
            format!("durable {}", logs.join(" "))
        }
        Message::Records { log, first, entries } => {
            let kinds: Vec<String> = entries.iter().map(|entry| kind(&entry.record)).collect();
            format!("{log} from {first}: {}", kinds.join(", "))
        }
    }
}
