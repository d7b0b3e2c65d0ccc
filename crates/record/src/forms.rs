//! What each record consists of when it is written: version 1.
//!
//! Mirrors of the core's types, so that the core stays free of serde and a change of its types does not
//! silently change what is on disk. Optional parts are left out where absent. Within a version a part may be
//! added only if it is optional and an older program may pass over it; anything else is a new version.

use crate::document::{Document, Rules};
use crate::membership::{ConductForm, DutyForm, MemberForm};
use crate::roster::{AddressForm, PersonForm, RosterForm};
use crate::spell::{Form, Hex, Text, Word, mirror};
use base::{AlertId, LogId, Name, NodeId, NotificationId, RecordId, Wall};
use dispatch::directory::{Edition, Severity};
use dispatch::record::{
    Acknowledgement, Actor, Alert, Answer, Cause, Choice, Chosen, Claim, Code, Comment, Concluded, Content,
    End, Fired, Flapping, Joined, Origin, Outcome, Purpose, Record, Send, Shift, Silence, StepKey, Then, Via,
    Why, Withheld,
};
use matcher::Matchers;
use ownership::Condition;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A record, by its kind.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum RecordForm {
    Start {
        version: Arc<str>,
        because: Arc<str>,
    },
    Roster(RosterForm),
    Accept(AlertForm),
    Update {
        alert: Text<AlertId>,
        content: ContentForm,
        /// An older program takes one that is set for an update that changes nothing.
        #[serde(default, skip_serializing_if = "is_not")]
        silent: bool,
    },
    StepFired {
        alert: Text<AlertId>,
        step: StepKeyForm,
        fired: FiredForm,
    },
    Intent {
        alert: Text<AlertId>,
        sends: Vec<SendForm>,
    },
    Done {
        alert: Text<AlertId>,
        outcomes: Vec<ConcludedForm>,
    },
    Ack {
        alert: Text<AlertId>,
        ack: AcknowledgementForm,
    },
    Comment {
        alert: Text<AlertId>,
        comment: CommentForm,
    },
    End {
        alert: Text<AlertId>,
        end: EndForm,
    },
    Closed {
        alert: Text<AlertId>,
    },
    Pause {
        by: ActorForm,
        reason: Arc<str>,
    },
    Resume {
        pauses: Vec<PauseForm>,
        by: ActorForm,
    },
    Silence(SilenceForm),
    Unsilence {
        silence: Text<RecordId>,
        by: ActorForm,
    },
    Claim(ClaimForm),
    Release {
        to: Text<LogId>,
        claims: Vec<ClaimForm>,
    },
    Duty(DutyForm),
    Delegate {
        alert: Text<AlertId>,
        channel: Text<Name>,
        epoch: u64,
        to: Text<LogId>,
    },
    Merged {
        alert: Text<AlertId>,
        code: CodeForm,
        into: Text<AlertId>,
    },
    RosterDropped {
        rosters: Vec<Hex>,
    },
    PeerState {
        peer: Text<NodeId>,
        to: Word<Condition>,
        because: Arc<str>,
    },
    Member {
        node: Text<NodeId>,
        generation: u64,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        member: Option<MemberForm>,
        by: ActorForm,
    },
    Conduct {
        conduct: ConductForm,
        by: ActorForm,
    },
    Directory(Box<EditionForm>),
    Provider {
        provider: Text<Name>,
        to: Arc<str>,
        because: Arc<str>,
    },
    Note {
        by: ActorForm,
        what: Arc<str>,
    },
}

impl RecordForm {
    /// The form of a record.
    pub(crate) fn of(record: &Record) -> Self {
        match record {
            Record::Start { version, because } => {
                Self::Start { version: Form::of(version), because: Form::of(because) }
            }
            Record::Roster(roster) => Self::Roster(Form::of(roster)),
            Record::Accept(alert) => Self::Accept(Form::of(alert)),
            Record::Update { alert, content, silent } => {
                Self::Update { alert: Form::of(alert), content: Form::of(content), silent: *silent }
            }
            Record::StepFired { alert, step, fired } => {
                Self::StepFired { alert: Form::of(alert), step: Form::of(step), fired: Form::of(fired) }
            }
            Record::Intent { alert, sends } => {
                Self::Intent { alert: Form::of(alert), sends: Form::of(sends) }
            }
            Record::Done { alert, outcomes } => {
                Self::Done { alert: Form::of(alert), outcomes: Form::of(outcomes) }
            }
            Record::Ack { alert, ack } => Self::Ack { alert: Form::of(alert), ack: Form::of(ack) },
            Record::Comment { alert, comment } => {
                Self::Comment { alert: Form::of(alert), comment: Form::of(comment) }
            }
            Record::End { alert, end } => Self::End { alert: Form::of(alert), end: Form::of(end) },
            Record::Closed { alert } => Self::Closed { alert: Form::of(alert) },
            Record::Pause { by, reason } => Self::Pause { by: Form::of(by), reason: Form::of(reason) },
            Record::Resume { pauses, by } => Self::Resume { pauses: Form::of(pauses), by: Form::of(by) },
            Record::Silence(silence) => Self::Silence(Form::of(silence)),
            Record::Unsilence { silence, by } => {
                Self::Unsilence { silence: Form::of(silence), by: Form::of(by) }
            }
            Record::Claim(claim) => Self::Claim(Form::of(claim)),
            Record::Release { to, claims } => Self::Release { to: Form::of(to), claims: Form::of(claims) },
            Record::Duty(duty) => Self::Duty(Form::of(duty)),
            Record::Delegate { alert, channel, epoch, to } => Self::Delegate {
                alert: Form::of(alert),
                channel: Form::of(channel),
                epoch: *epoch,
                to: Form::of(to),
            },
            Record::Merged { alert, code, into } => {
                Self::Merged { alert: Form::of(alert), code: Form::of(code), into: Form::of(into) }
            }
            Record::RosterDropped { rosters } => Self::RosterDropped { rosters: Form::of(rosters) },
            Record::PeerState { peer, to, because } => {
                Self::PeerState { peer: Form::of(peer), to: Form::of(to), because: Form::of(because) }
            }
            Record::Member { node, generation, member, by } => Self::Member {
                node: Form::of(node),
                generation: *generation,
                member: Form::of(member),
                by: Form::of(by),
            },
            Record::Conduct { conduct, by } => Self::Conduct { conduct: Form::of(conduct), by: Form::of(by) },
            Record::Directory { edition, by, summary } => {
                Self::Directory(Box::new(EditionForm::of(edition, by, summary)))
            }
            Record::Provider { provider, to, because } => {
                Self::Provider { provider: Form::of(provider), to: Form::of(to), because: Form::of(because) }
            }
            Record::Note { by, what } => Self::Note { by: Form::of(by), what: Form::of(what) },
        }
    }

    /// The record of a form.
    ///
    /// # Errors
    /// A sentence, where a directory refers to something that it does not hold; nothing else can be wrong
    /// with a form that was read.
    pub(crate) fn value(self) -> Result<Record, String> {
        Ok(match self {
            Self::Start { version, because } => Record::Start { version, because },
            Self::Roster(roster) => Record::Roster(roster.value()),
            Self::Accept(alert) => Record::Accept(alert.value()),
            Self::Update { alert, content, silent } => {
                Record::Update { alert: alert.value(), content: content.value(), silent }
            }
            Self::StepFired { alert, step, fired } => {
                Record::StepFired { alert: alert.value(), step: step.value(), fired: fired.value() }
            }
            Self::Intent { alert, sends } => Record::Intent { alert: alert.value(), sends: sends.value() },
            Self::Done { alert, outcomes } => {
                Record::Done { alert: alert.value(), outcomes: outcomes.value() }
            }
            Self::Ack { alert, ack } => Record::Ack { alert: alert.value(), ack: ack.value() },
            Self::Comment { alert, comment } => {
                Record::Comment { alert: alert.value(), comment: comment.value() }
            }
            Self::End { alert, end } => Record::End { alert: alert.value(), end: end.value() },
            Self::Closed { alert } => Record::Closed { alert: alert.value() },
            Self::Pause { by, reason } => Record::Pause { by: by.value(), reason },
            Self::Resume { pauses, by } => Record::Resume { pauses: pauses.value(), by: by.value() },
            Self::Silence(silence) => Record::Silence(silence.value()),
            Self::Unsilence { silence, by } => Record::Unsilence { silence: silence.value(), by: by.value() },
            Self::Claim(claim) => Record::Claim(claim.value()),
            Self::Release { to, claims } => Record::Release { to: to.value(), claims: claims.value() },
            Self::Duty(duty) => Record::Duty(duty.value()),
            Self::Delegate { alert, channel, epoch, to } => {
                Record::Delegate { alert: alert.value(), channel: channel.value(), epoch, to: to.value() }
            }
            Self::Merged { alert, code, into } => {
                Record::Merged { alert: alert.value(), code: code.value(), into: into.value() }
            }
            Self::RosterDropped { rosters } => Record::RosterDropped { rosters: rosters.value() },
            Self::PeerState { peer, to, because } => {
                Record::PeerState { peer: peer.value(), to: to.value(), because }
            }
            Self::Member { node, generation, member, by } => {
                Record::Member { node: node.value(), generation, member: member.value(), by: by.value() }
            }
            Self::Conduct { conduct, by } => Record::Conduct { conduct: conduct.value(), by: by.value() },
            Self::Directory(edition) => edition.value()?,
            Self::Provider { provider, to, because } => {
                Record::Provider { provider: provider.value(), to, because }
            }
            Self::Note { by, what } => Record::Note { by: by.value(), what },
        })
    }
}

/// Left out, as it was before there was such a thing.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over a reference")]
fn is_not(value: &bool) -> bool {
    !*value
}

/// An edition of the directory, who made it, and what changed.
#[derive(Serialize, Deserialize)]
pub(crate) struct EditionForm {
    term: u64,
    version: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    writer: Option<Text<NodeId>>,
    #[serde(default, skip_serializing_if = "is_beginning")]
    follows: (u64, u64),
    by: ActorForm,
    summary: Arc<str>,
    directory: Document,
}

/// Nothing came before: left out, as it was before there were branches.
fn is_beginning(follows: &(u64, u64)) -> bool {
    *follows == (0, 0)
}

impl EditionForm {
    fn of(edition: &Edition, by: &Actor, summary: &Arc<str>) -> Self {
        Self {
            term: edition.term,
            version: edition.version,
            writer: Form::of(&edition.writer),
            follows: edition.follows,
            by: Form::of(by),
            summary: Form::of(summary),
            directory: Document::from(edition.directory.as_ref()),
        }
    }

    fn value(self) -> Result<Record, String> {
        let edition = Edition {
            term: self.term,
            version: self.version,
            writer: self.writer.value(),
            follows: self.follows,
            directory: resolve(&self.directory)?,
        };
        Ok(Record::Directory { edition, by: self.by.value(), summary: self.summary })
    }
}

fn resolve(document: &Document) -> Result<Arc<dispatch::directory::Directory>, String> {
    document.resolve(&Rules::any()).map(Arc::new).map_err(|problems| {
        let first = problems.first().map(ToString::to_string).unwrap_or_default();
        format!("the directory does not hold together in {} places, the first: {first}", problems.len())
    })
}

mirror! {
    ActorForm of Actor {
        who: Arc<str>,
        via: Word<Via>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        from: Option<Arc<str>>,
    }
}

mirror! {
    CodeForm of Code {
        letter: Letter,
        number: u32,
    }
}

mirror! {
    ContentForm of Content {
        severity: Word<Severity>,
        summary: Arc<str>,
        details: Arc<str>,
        labels: BTreeMap<Arc<str>, Arc<str>>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        origin: Option<OriginForm>,
    }
}

mirror! {
    OriginForm of Origin {
        annotations: BTreeMap<Arc<str>, Arc<str>>,
        generator: Arc<str>,
        starts: i64,
    }
}

mirror! {
    AlertForm of Alert {
        source: Text<Name>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        key: Option<KeyForm>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        fingerprint: Option<Hex>,
        content: ContentForm,
        code: CodeForm,
        route: Text<Name>,
        roster: Hex,
        ttl: u64,
        escalates: bool,
        system: bool,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        on_call: Vec<ShiftForm>,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        withheld: Vec<WithheldForm>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        flapping: Option<FlappingForm>,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        choices: Vec<ChoiceForm>,
    }
}

mirror! {
    FlappingForm of Flapping {
        times: u32,
        within: u64,
        steady: u64,
    }
}

mirror! {
    ChoiceForm of Choice {
        text: Arc<str>,
        acknowledges: bool,
    }
}

mirror! {
    ChosenForm of Chosen {
        number: u8,
        text: Arc<str>,
    }
}

mirror! {
    SilenceForm of Silence {
        matchers: Text<Matchers>,
        from: i64,
        until: i64,
        by: ActorForm,
        author: Arc<str>,
        comment: Arc<str>,
    }
}

mirror! {
    StepKeyForm of StepKey {
        round: u16,
        step: u16,
    }
}

mirror! {
    FiredForm of Fired {
        at: i64,
        late: u64,
        empty: bool,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<ActorForm>,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        on_call: Vec<ShiftForm>,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        withheld: Vec<WithheldForm>,
    }
}

mirror! {
    WithheldForm of Withheld {
        filter: Text<Name>,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        channels: Vec<Text<Name>>,
        people: Vec<(u32, u32)>,
    }
}

mirror! {
    ShiftForm of Shift {
        schedule: Text<Name>,
        who: Vec<Text<Name>>,
        because: Arc<str>,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        joined: Vec<JoinedForm>,
    }
}

mirror! {
    JoinedForm of Joined {
        name: Text<Name>,
        people: Vec<PersonForm>,
    }
}

mirror! {
    SendForm of Send {
        notification: Text<NotificationId>,
        recipient: Text<Name>,
        address: AddressForm,
        purpose: PurposeForm,
        provider: Text<Name>,
        attempt: u16,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        repeat: Option<Word<Cause>>,
    }
}

mirror! {
    ConcludedForm of Concluded {
        notification: Text<NotificationId>,
        intent: Text<RecordId>,
        outcome: OutcomeForm,
    }
}

mirror! {
    AcknowledgementForm of Acknowledgement {
        at: i64,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        recipient: Option<Text<Name>>,
        by: ActorForm,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        comment: Option<Arc<str>>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        chosen: Option<ChosenForm>,
    }
}

mirror! {
    CommentForm of Comment {
        at: i64,
        by: ActorForm,
        text: Arc<str>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        answer: Option<AnswerForm>,
    }
}

mirror! {
    AnswerForm of Answer {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        recipient: Option<Text<Name>>,
        chosen: ChosenForm,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        comment: Option<Arc<str>>,
    }
}

mirror! {
    EndForm of End {
        at: i64,
        why: Word<Why>,
        by: ActorForm,
    }
}

mirror! {
    ClaimForm of Claim {
        epoch: u64,
        log: Text<LogId>,
        from: u64,
        upto: u64,
    }
}

/// A pause that ends, and when it began.
#[derive(Serialize, Deserialize)]
pub(crate) struct PauseForm {
    pause: Text<RecordId>,
    since: i64,
}

impl Form<(RecordId, Wall)> for PauseForm {
    fn of((pause, since): &(RecordId, Wall)) -> Self {
        Self { pause: Form::of(pause), since: Form::of(since) }
    }
    fn value(self) -> (RecordId, Wall) {
        (self.pause.value(), self.since.value())
    }
}

/// The letter of a code, as a text of one character.
#[derive(Serialize, Deserialize)]
pub(crate) struct Letter(char);

impl Form<char> for Letter {
    fn of(value: &char) -> Self {
        Self(*value)
    }
    fn value(self) -> char {
        self.0
    }
}

/// A client's idempotency key with the digest of its request.
#[derive(Serialize, Deserialize)]
pub(crate) struct KeyForm {
    text: Arc<str>,
    digest: Hex,
}

impl Form<(Arc<str>, base::Digest)> for KeyForm {
    fn of((text, digest): &(Arc<str>, base::Digest)) -> Self {
        Self { text: Arc::clone(text), digest: Form::of(digest) }
    }
    fn value(self) -> (Arc<str>, base::Digest) {
        (self.text, self.digest.value())
    }
}

/// What a notification is for.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum PurposeForm {
    Alert(StepKeyForm),
    Acknowledgement(Text<RecordId>),
    Comment(Text<RecordId>),
    End,
}

impl Form<Purpose> for PurposeForm {
    fn of(value: &Purpose) -> Self {
        match value {
            Purpose::Alert(step) => Self::Alert(Form::of(step)),
            Purpose::Acknowledgement(record) => Self::Acknowledgement(Form::of(record)),
            Purpose::Comment(record) => Self::Comment(Form::of(record)),
            Purpose::End => Self::End,
        }
    }
    fn value(self) -> Purpose {
        match self {
            Self::Alert(step) => Purpose::Alert(step.value()),
            Self::Acknowledgement(record) => Purpose::Acknowledgement(record.value()),
            Self::Comment(record) => Purpose::Comment(record.value()),
            Self::End => Purpose::End,
        }
    }
}

/// What came of an attempt.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum OutcomeForm {
    Accepted { receipt: Arc<str> },
    Refused { then: Word<Then>, why: Arc<str> },
    Unknown { why: Arc<str> },
}

impl Form<Outcome> for OutcomeForm {
    fn of(value: &Outcome) -> Self {
        match value {
            Outcome::Accepted { receipt } => Self::Accepted { receipt: Form::of(receipt) },
            Outcome::Refused { then, why } => Self::Refused { then: Form::of(then), why: Form::of(why) },
            Outcome::Unknown { why } => Self::Unknown { why: Form::of(why) },
        }
    }
    fn value(self) -> Outcome {
        match self {
            Self::Accepted { receipt } => Outcome::Accepted { receipt },
            Self::Refused { then, why } => Outcome::Refused { then: then.value(), why },
            Self::Unknown { why } => Outcome::Unknown { why },
        }
    }
}
