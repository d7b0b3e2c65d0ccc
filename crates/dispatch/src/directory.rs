//! The book: who can be told, how, by which route and policy. Valid by construction.
//!
//! Plain data without serde: how the directory is written (TOML, JSON, the ledger) is `record::document`'s
//! business, which also makes sure that every name that is referred to exists. A `Directory` is replaced
//! whole, by (term, version), never edited field by field: two half-merged address books would call people
//! that neither operator meant.

mod hush;
mod monitor;
mod schedule;

pub use hush::{Flapping, Inhibition, Maintenance};
pub use monitor::{Daily, Monitor};
pub use schedule::{Calendar, Schedule};

use base::{Digest, Name, NodeId, Wall};
use matcher::Matchers;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// How much an alert matters. Higher is sent first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Good to know.
    Info,
    /// Somebody should look, in working hours.
    #[default]
    Warning,
    /// Somebody should look now.
    High,
    /// Life, plant or business is at stake.
    Critical,
}

impl Severity {
    /// All, from the least to the most.
    pub const ALL: [Self; 4] = [Self::Info, Self::Warning, Self::High, Self::Critical];

    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }

    /// The severity that `word` names.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|severity| severity.word() == word)
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// Where somebody is reached: a channel and what that channel calls them.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address {
    /// The kind of channel, such as `mail` or `webhook`.
    pub channel: Name,
    /// What the channel calls it: a mail address, a URL, a number.
    pub value: Arc<str>,
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.channel, self.value)
    }
}

/// An address in the book.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedAddress {
    /// Where.
    pub address: Address,
    /// Used when a step names no channel. Others are reached only by a step that overrides the channel.
    pub default: bool,
}

/// Somebody who can be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recipient {
    /// The name people read.
    pub title: Arc<str>,
    /// The department they belong to.
    pub department: Option<Name>,
    /// The language of their messages, such as `de`.
    pub language: Option<Name>,
    /// In the order in which they are tried; at least one.
    pub addresses: Vec<ListedAddress>,
    /// The policy for alerts sent to this recipient alone.
    pub policy: Option<Name>,
}

/// Recipients told together; groups may stand in groups, without cycles.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// The name people read.
    pub title: Arc<str>,
    /// The department it belongs to.
    pub department: Option<Name>,
    /// Names of recipients and groups.
    pub members: Vec<Name>,
    /// The policy for alerts sent to this group.
    pub policy: Option<Name>,
}

/// A part of the organisation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Department {
    /// The name people read.
    pub title: Arc<str>,
}

/// Whose acknowledgement ends the escalation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// Nobody's: the message is sent, and that is all.
    None,
    /// Any one recipient's, for all.
    #[default]
    Basic,
    /// Everybody's: emergency recall. Escalation concerns those who have not acknowledged.
    Recall,
}

/// What becomes of notifications still unsent when an alert is acknowledged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Unsent {
    /// They are withdrawn.
    #[default]
    Stop,
    /// They are sent, so that everybody knows of the alert.
    Continue,
}

/// Whom a step, route or notice is meant for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Target {
    /// A recipient or group of the directory.
    Named(Name),
    /// An address outside it.
    Address(Address),
}

/// One step of an escalation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// Counted from the previous step's recorded firing.
    pub after: Duration,
    /// Whom it tells, besides `again`.
    pub to: Vec<Target>,
    /// Tells the alert's first recipients again.
    pub again: bool,
    /// Uses this channel instead of the recipients' default addresses, where they have one of it.
    pub channel: Option<Name>,
}

/// Going through a policy again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Repeat {
    /// How many further rounds.
    pub times: u16,
    /// From the last step of a round to the first of the next.
    pub after: Duration,
    /// The step a further round starts with; 0 is the notification of the first recipients.
    pub from_step: u16,
}

/// Who is told when, and what acknowledging does.
#[expect(clippy::struct_excessive_bools, reason = "they are the tick boxes of a form, free of each other")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Whose acknowledgement counts.
    pub mode: Mode,
    /// After the first notification, in order.
    pub steps: Vec<Step>,
    /// Once the last step is through.
    pub repeat: Option<Repeat>,
    /// A link to acknowledge with is put into the message.
    pub link: bool,
    /// A code to reply with is put into the message.
    pub reply: bool,
    /// One acknowledgement acknowledges all open alerts of that recipient.
    pub acknowledges_all: bool,
    /// Template text put below the message.
    pub footnote: Option<Arc<str>>,
    /// An alert whose text has any of these is sent, but does not escalate. Compared without case.
    pub exempt_keywords: Vec<Arc<str>>,
    /// Everybody contacted is told when somebody acknowledges.
    pub tell_acknowledgement: bool,
    /// Everybody contacted is told of each comment.
    pub tell_comment: bool,
    /// Everybody contacted is told when the alert is resolved.
    pub tell_resolved: bool,
    /// What becomes of unsent notifications on acknowledgement.
    pub unsent: Unsent,
    /// An acknowledged alert closes by itself this long after.
    pub close_after: Duration,
    /// An alert that nobody acknowledges closes by itself this long after its last step.
    pub abandon_after: Duration,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            mode: Mode::Basic,
            steps: Vec::new(),
            repeat: None,
            link: true,
            reply: true,
            acknowledges_all: false,
            footnote: None,
            exempt_keywords: Vec::new(),
            tell_acknowledgement: false,
            tell_comment: false,
            tell_resolved: false,
            unsent: Unsent::Stop,
            close_after: Duration::from_secs(24 * 3600),
            abandon_after: Duration::from_secs(7 * 24 * 3600),
        }
    }
}

/// How a message reads on one channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    /// The channel it is for.
    pub channel: Name,
    /// The language it is in; none serves all that have no template of their own.
    pub language: Option<Name>,
    /// Used by routes that name no template for this channel.
    pub default: bool,
    /// The subject line, where the channel has one.
    pub subject: Option<Arc<str>>,
    /// The message.
    pub body: Arc<str>,
}

/// A time of the week, in the directory's time zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Monday is bit 0.
    pub days: u8,
    /// Minutes from midnight, 0 to 1439.
    pub from: u16,
    /// Minutes from midnight, 1 to 1440; not after `from` means: until that time on the next day.
    pub until: u16,
}

/// A moment as people's clocks show it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Civil {
    /// Monday is 0.
    pub weekday: u8,
    /// Minutes from midnight.
    pub minute: u16,
}

impl Window {
    /// Whether `at` lies within it. A window that goes past midnight belongs to the day it starts on.
    pub fn contains(self, at: Civil) -> bool {
        let on = |weekday: u8| self.days & (1 << (weekday % 7)) != 0;
        if self.from < self.until {
            return on(at.weekday) && (self.from..self.until).contains(&at.minute);
        }
        (on(at.weekday) && at.minute >= self.from) || (on(at.weekday + 6) && at.minute < self.until)
    }
}

/// When notifications of a route for one address are put together into one message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bundle {
    /// So many go out singly; at least one.
    pub over: u32,
    /// Counted within this time, at whose end those beyond it go out as one.
    pub within: Duration,
    /// Alerts of severity `Critical` wait with the others.
    pub critical: bool,
}

/// A rule by which messages are not sent. One of which all named conditions hold is withheld.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// By any of these channels; empty means any.
    pub channels: Vec<Name>,
    /// For any of these recipients, or members of these groups; empty means anybody.
    pub recipients: Vec<Name>,
    /// Less severe than this; none means however severe.
    pub below: Option<Severity>,
    /// With labels like these.
    pub matchers: Matchers,
    /// With any of these words in summary or details, compared without case; empty means whatever it says.
    pub contains: Vec<Arc<str>>,
    /// Within any of these calendars; empty means always.
    pub calendars: Vec<Name>,
    /// Within none of these calendars.
    pub except_calendars: Vec<Name>,
}

/// The rule that picks recipients, templates and policy. The first that matches counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// Its name.
    pub name: Name,
    /// From any of these; empty means any.
    pub sources: Vec<Name>,
    /// At least this severe.
    pub severity: Severity,
    /// With labels like these.
    pub matchers: Matchers,
    /// At any of these times; empty means always.
    pub windows: Vec<Window>,
    /// Within any of these calendars; empty means always.
    pub calendars: Vec<Name>,
    /// Within none of these calendars.
    pub except_calendars: Vec<Name>,
    /// Whom to tell.
    pub to: Vec<Target>,
    /// How to escalate; none leaves it to the target, then to the policy named `default`.
    pub policy: Option<Name>,
    /// At most one for each channel and language.
    pub templates: Vec<Name>,
    /// Overrides the settings' time-to-live.
    pub ttl: Option<Duration>,
    /// The routes after it are looked at too: whom those that match tell is told as well.
    pub also: bool,
    /// What goes beyond so many messages for one address waits and goes out as one.
    pub bundle: Option<Bundle>,
    /// When the same trouble counts as flapping; never if none.
    pub flapping: Option<Flapping>,
}

/// What a token or user may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// Send notices.
    Send,
    /// See alerts, the directory, the trail.
    Read,
    /// Acknowledge, comment, close, escalate, delete pending, pause and resume.
    Operate,
    /// Change the directory, users and tokens excepted.
    Edit,
    /// Everything: users, tokens, backup.
    Admin,
}

impl Scope {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Send, Self::Read, Self::Operate, Self::Edit, Self::Admin];

    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Send => "send",
            Self::Read => "read",
            Self::Operate => "operate",
            Self::Edit => "edit",
            Self::Admin => "admin",
        }
    }

    /// The scope that `word` names.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| scope.word() == word)
    }
}

/// A key for a program. The secret itself is shown once and kept nowhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// SHA-256 of the secret (256 random bits, so a slow hash would add nothing).
    pub digest: Digest,
    /// What it allows.
    pub scopes: Vec<Scope>,
    /// Until when; none means until removed.
    pub expires: Option<Wall>,
    /// What it sends is refused while no second disk would hold it.
    pub refuse_solo: bool,
    /// What its words for severities mean, in lower case; before those of the settings.
    pub severities: BTreeMap<Arc<str>, Severity>,
}

/// Somebody who logs in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// The name people read.
    pub title: Arc<str>,
    /// Argon2id, in PHC string format.
    pub password: Arc<str>,
    /// What they may do.
    pub scopes: Vec<Scope>,
}

/// What holds for all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// IANA name of the zone in which times of day are meant, such as `Europe/Berlin`.
    pub time_zone: Arc<str>,
    /// Who is told of our own troubles.
    pub operators: Vec<Target>,
    /// How long after its acceptance an alert that nobody has been told of may still be sent, from `Info`
    /// to `Critical`. An alert found older ends as expired, and the operators get one summary.
    pub ttl: [Duration; 4],
    /// An alert that its source has to post again and again is over if it was not for so long, where the source did
    /// not say how long.
    pub resolve_timeout: Duration,
    /// What words of sources for severities mean, in lower case.
    pub severities: BTreeMap<Arc<str>, Severity>,
    /// The message that says each day how all is.
    pub heartbeat: Option<Daily>,
}

impl Default for Settings {
    fn default() -> Self {
        let day = Duration::from_secs(24 * 3600);
        Self {
            time_zone: "UTC".into(),
            operators: Vec::new(),
            ttl: [day, day, day, 3 * day],
            resolve_timeout: Duration::from_secs(300),
            severities: BTreeMap::new(),
            heartbeat: None,
        }
    }
}

/// The whole book.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Directory {
    /// What holds for all.
    pub settings: Settings,
    /// The parts of the organisation.
    pub departments: BTreeMap<Name, Department>,
    /// Who can be told.
    pub recipients: BTreeMap<Name, Recipient>,
    /// Told together. No group shares a recipient's name.
    pub groups: BTreeMap<Name, Group>,
    /// Who is on call. No schedule shares the name of a recipient or group.
    pub schedules: BTreeMap<Name, Schedule>,
    /// What has to be heard of again and again.
    pub monitors: BTreeMap<Name, Monitor>,
    /// Times that routes refer to.
    pub calendars: BTreeMap<Name, Calendar>,
    /// How alerts escalate.
    pub policies: BTreeMap<Name, Policy>,
    /// How messages read.
    pub templates: BTreeMap<Name, Template>,
    /// In order; the first that matches counts.
    pub routes: Vec<Route>,
    /// Which messages are not sent.
    pub filters: BTreeMap<Name, Filter>,
    /// Which alerts hold others back.
    pub inhibitions: Vec<Inhibition>,
    /// Times in which alerts are held back.
    pub maintenance: BTreeMap<Name, Maintenance>,
    /// Keys for programs.
    pub tokens: BTreeMap<Name, Token>,
    /// Who logs in.
    pub users: BTreeMap<Name, User>,
}

impl Directory {
    /// The severity that a source means by a word: as its token says, else as the settings say, else ours.
    pub fn severity(&self, source: &Name, word: &str) -> Option<Severity> {
        let folded = word.trim().to_lowercase();
        let token = self.tokens.get(source).and_then(|token| token.severities.get(folded.as_str()));
        let listed = token.or_else(|| self.settings.severities.get(folded.as_str()));
        listed.copied().or_else(|| Severity::parse(&folded))
    }

    /// The words for severities that a source may use.
    pub fn severity_words(&self, source: &Name) -> impl Iterator<Item = &str> {
        let token = self.tokens.get(source).into_iter().flat_map(|token| token.severities.keys());
        let listed = token.chain(self.settings.severities.keys()).map(AsRef::as_ref);
        Severity::ALL.map(Severity::word).into_iter().chain(listed)
    }
}

/// A directory and its place in history. Higher (term, version) wins whole.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Edition {
    /// Opened anew each time another node becomes the one writer.
    pub term: u64,
    /// Counts the changes within the cluster's life.
    pub version: u64,
    /// The node that may change it; none before the first change.
    pub writer: Option<NodeId>,
    /// The (term, version) that it was made from: what another node wrote beyond that is a branch that lost.
    pub follows: (u64, u64),
    /// The book itself.
    pub directory: Arc<Directory>,
}

impl Edition {
    /// Its place in history.
    pub fn place(&self) -> (u64, u64) {
        (self.term, self.version)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_past_midnight_belongs_to_the_day_it_starts_on() {
        let nights = Window { days: 0b001_1111, from: 18 * 60, until: 6 * 60 };
        let check = |weekday, hour: u16, inside| {
            assert_eq!(nights.contains(Civil { weekday, minute: hour * 60 }), inside, "{weekday} {hour}");
        };
        check(0, 17, false);
        check(0, 18, true);
        check(1, 5, true);
        check(1, 6, false);
        check(5, 5, true); // Saturday early belongs to Friday's night.
        check(5, 18, false);
        check(0, 5, false); // Monday early belongs to Sunday's.
    }
}
