//! How a roster is written: the people, addresses, steps and policy that were bound at accept.
//!
//! Separate from `forms`, because this is the part of the format that repeats words of the directory. It
//! spells them by itself (durations in milliseconds, nothing left to defaults), for a roster must read the
//! same for ever, whereas the directory's document follows what people like to write.

use crate::spell::{Form, Hex, Text, Word, mirror};
use base::Name;
use dispatch::directory::{Address, Mode, Policy, Repeat, Step, Target, Unsent};
use dispatch::record::{BoundMember, BoundSchedule, BoundStep, Person, Reach, Roster};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

mirror! {
    RosterForm of Roster {
        id: Hex,
        policy_name: Text<Name>,
        policy: PolicyForm,
        templates: Vec<Text<Name>>,
        people: Vec<PersonForm>,
        steps: Vec<BoundStepForm>,
    }
}

mirror! {
    AddressForm of Address {
        channel: Text<Name>,
        value: Arc<str>,
    }
}

mirror! {
    PersonForm of Person {
        name: Text<Name>,
        title: Arc<str>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        language: Option<Text<Name>>,
        addresses: Vec<AddressForm>,
    }
}

mirror! {
    BoundStepForm of BoundStep {
        after: u64,
        reach: Vec<ReachForm>,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        schedules: Vec<BoundScheduleForm>,
    }
}

mirror! {
    BoundScheduleForm of BoundSchedule {
        name: Text<Name>,
        members: Vec<BoundMemberForm>,
    }
}

mirror! {
    BoundMemberForm of BoundMember {
        name: Text<Name>,
        reach: Vec<ReachForm>,
    }
}

/// Person and address as a pair of numbers: there are as many as recipients times steps.
#[derive(Serialize, Deserialize)]
pub(crate) struct ReachForm(u32, u8);

impl Form<Reach> for ReachForm {
    fn of(value: &Reach) -> Self {
        Self(value.person, value.address)
    }
    fn value(self) -> Reach {
        Reach { person: self.0, address: self.1 }
    }
}

mirror! {
    PolicyForm of Policy {
        mode: Word<Mode>,
        steps: Vec<StepForm>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        repeat: Option<RepeatForm>,
        link: bool,
        reply: bool,
        acknowledges_all: bool,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        footnote: Option<Arc<str>>,
        exempt_keywords: Vec<Arc<str>>,
        tell_acknowledgement: bool,
        tell_comment: bool,
        tell_resolved: bool,
        unsent: Word<Unsent>,
        close_after: u64,
        abandon_after: u64,
    }
}

mirror! {
    StepForm of Step {
        after: u64,
        to: Vec<TargetForm>,
        again: bool,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        channel: Option<Text<Name>>,
    }
}

mirror! {
    RepeatForm of Repeat {
        times: u16,
        after: u64,
        from_step: u16,
    }
}

/// Whom a step is meant for.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum TargetForm {
    Named(Text<Name>),
    Address(AddressForm),
}

impl Form<Target> for TargetForm {
    fn of(value: &Target) -> Self {
        match value {
            Target::Named(name) => Self::Named(Form::of(name)),
            Target::Address(address) => Self::Address(Form::of(address)),
        }
    }
    fn value(self) -> Target {
        match self {
            Self::Named(name) => Target::Named(name.value()),
            Self::Address(address) => Target::Address(address.value()),
        }
    }
}
