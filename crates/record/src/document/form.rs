//! The directory as people and programs write it: TOML and JSON with the same keys.
//!
//! Separate from `dispatch::directory`, because these types only say how things are spelt. They refuse
//! unknown keys and wrong types; everything else is text here and is judged by `resolve`, which can then
//! name every problem at once instead of the first.

pub use super::monitor_form::{Heartbeat, Monitor};
pub use schedule::form::{Book, Calendar, Dates, Layer, Schedule};
use serde::de::{Deserializer, Error as _, MapAccess, Visitor};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

/// The whole directory.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = Directory))]
#[serde(deny_unknown_fields)]
pub struct Document {
    /// What holds for all.
    #[serde(default)]
    pub settings: Settings,
    /// The parts of the organisation, by name.
    #[serde(default, deserialize_with = "unique", skip_serializing_if = "BTreeMap::is_empty")]
    pub departments: BTreeMap<String, Department>,
    /// Who can be told, by name.
    #[serde(default, deserialize_with = "unique", skip_serializing_if = "BTreeMap::is_empty")]
    pub recipients: BTreeMap<String, Recipient>,
    /// Who is told together, by name.
    #[serde(default, deserialize_with = "unique", skip_serializing_if = "BTreeMap::is_empty")]
    pub groups: BTreeMap<String, Group>,
    /// Who is on call, by name.
    #[serde(default, deserialize_with = "unique", skip_serializing_if = "BTreeMap::is_empty")]
    pub schedules: BTreeMap<String, Schedule>,
    /// What has to be heard of again and again, by name.
    #[serde(default, deserialize_with = "unique", skip_serializing_if = "BTreeMap::is_empty")]
    pub monitors: BTreeMap<String, Monitor>,
    /// Holidays, quiet hours and other times that routes refer to, by name.
    #[serde(default, deserialize_with = "unique", skip_serializing_if = "BTreeMap::is_empty")]
    pub calendars: BTreeMap<String, Calendar>,
    /// How alerts escalate, by name. The one named `default` serves where nothing else is said.
    #[serde(default, deserialize_with = "unique", skip_serializing_if = "BTreeMap::is_empty")]
    pub policies: BTreeMap<String, Policy>,
    /// How messages read, by name.
    #[serde(default, deserialize_with = "unique", skip_serializing_if = "BTreeMap::is_empty")]
    pub templates: BTreeMap<String, Template>,
    /// Which alerts are for whom; the first that matches counts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub routes: Vec<Route>,
    /// Which messages are not sent, by name: those of which all conditions of a filter hold.
    #[serde(default, deserialize_with = "unique", skip_serializing_if = "BTreeMap::is_empty")]
    pub filters: BTreeMap<String, Filter>,
    /// Which alerts hold others back while they are open.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub inhibitions: Vec<Inhibition>,
    /// Times that come again and again in which alerts are held back, by name.
    #[serde(default, deserialize_with = "unique", skip_serializing_if = "BTreeMap::is_empty")]
    pub maintenance: BTreeMap<String, Maintenance>,
    /// Keys for programs, by name.
    #[serde(default, deserialize_with = "unique", skip_serializing_if = "BTreeMap::is_empty")]
    pub tokens: BTreeMap<String, Token>,
    /// Who logs in, by name.
    #[serde(default, deserialize_with = "unique", skip_serializing_if = "BTreeMap::is_empty")]
    pub users: BTreeMap<String, User>,
}

/// What holds for all.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The zone in which times of day are meant, by its IANA name, such as `Europe/Berlin`; `UTC` if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time_zone: Option<String>,
    /// Who is told of the product's own troubles: recipients, groups, or addresses such as `mail:ops@x.test`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub operators: Vec<String>,
    /// How long an alert that nobody has been told of may still be sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ttl: Option<Ttl>,
    /// How long an alert that its source posts again and again stands after the last time, where the source does not
    /// say; a duration such as `5m`, which it is if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resolve_timeout: Option<String>,
    /// What words of sources for severities mean, such as `sev1 = "critical"`. Compared without case; before ours.
    #[serde(default, deserialize_with = "unique", skip_serializing_if = "BTreeMap::is_empty")]
    pub severities: BTreeMap<String, String>,
    /// A message each day that says that all is well, or what is not; none is sent if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub heartbeat: Option<Heartbeat>,
}

/// Times to live by severity. An alert found older than this with nobody told ends as expired.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Ttl {
    /// A duration such as `24h`; one day if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub info: Option<String>,
    /// A duration; one day if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub warning: Option<String>,
    /// A duration; one day if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub high: Option<String>,
    /// A duration; three days if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub critical: Option<String>,
}

/// A part of the organisation.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Department {
    /// The name people read; its key if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
}

/// Somebody who can be told.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Recipient {
    /// The name people read; its key if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// The department they belong to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub department: Option<String>,
    /// The language of their messages, such as `de`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
    /// The policy for alerts sent to this recipient alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy: Option<String>,
    /// Where they are reached, in the order in which that is tried; at least one.
    #[serde(default)]
    pub addresses: Vec<Address>,
}

/// Where somebody is reached.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = ListedAddress))]
#[serde(deny_unknown_fields)]
pub struct Address {
    /// The kind of channel, such as `mail` or `webhook`.
    pub channel: String,
    /// What the channel calls it: a mail address, a URL, a number.
    pub value: String,
    /// Used when a step names no channel; true if absent. With false it is reached only by a step that does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default: Option<bool>,
}

/// Recipients told together.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Group {
    /// The name people read; its key if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// The department it belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub department: Option<String>,
    /// The policy for alerts sent to this group.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy: Option<String>,
    /// Names of recipients and groups.
    #[serde(default)]
    pub members: Vec<String>,
}

/// Who is told when, and what acknowledging does.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Policy {
    /// Whose acknowledgement ends the escalation: `none` (nobody's), `basic` (anybody's, for all) or `recall`
    /// (everybody's); `basic` if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mode: Option<String>,
    /// Puts a link to acknowledge with into the message; true if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub link: Option<bool>,
    /// Puts a code to reply with into the message; true if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reply: Option<bool>,
    /// One acknowledgement acknowledges all open alerts of that recipient; false if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub acknowledges_all: Option<bool>,
    /// Template text put below the message.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub footnote: Option<String>,
    /// An alert whose text has any of these is sent but does not escalate. Compared without case.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exempt_keywords: Vec<String>,
    /// Tells everybody contacted when somebody acknowledges; false if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tell_acknowledgement: Option<bool>,
    /// Tells everybody contacted of each comment; false if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tell_comment: Option<bool>,
    /// Tells everybody contacted when the alert is resolved; false if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tell_resolved: Option<bool>,
    /// What becomes of notifications still unsent on acknowledgement: `stop` (if absent) or `continue`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unsent: Option<String>,
    /// An acknowledged alert closes by itself this long after; `1d` if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub close_after: Option<String>,
    /// An alert that nobody acknowledges closes by itself this long after its last step; `7d` if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub abandon_after: Option<String>,
    /// Going through the policy again once the last step is through.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub repeat: Option<Repeat>,
    /// After the first notification, in order; at most 50.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<Step>,
}

/// Going through a policy again.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Repeat {
    /// How many further rounds, 1 to 99.
    pub times: u16,
    /// From the last step of a round to the first of the next; a duration such as `10m`.
    pub after: String,
    /// The step that a further round starts with; 0, the notification of the first recipients, if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from_step: Option<u16>,
}

/// One step of an escalation.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// Counted from the previous step; a duration such as `5m`.
    pub after: String,
    /// Whom it tells: recipients, groups, or addresses such as `mail:boss@x.test`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub to: Vec<String>,
    /// Tells the alert's first recipients again; false if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub again: Option<bool>,
    /// Uses this channel instead of the recipients' default addresses, where they have one of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub channel: Option<String>,
}

/// How a message reads on one channel.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Template {
    /// The channel it is for.
    pub channel: String,
    /// The language it is in; one without serves all that have no template of their own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
    /// Used by routes that name no template for this channel; false if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default: Option<bool>,
    /// The subject line, where the channel has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// The message, with variables such as `{{ summary }}`.
    pub body: String,
}

/// The rule that picks recipients, templates and policy.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Route {
    /// Its name; no two routes have the same.
    pub name: String,
    /// From any of these; any source if absent.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sources: Vec<String>,
    /// At least this severe: `info` (if absent), `warning`, `high` or `critical`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub severity: Option<String>,
    /// With labels that all of these match, such as `site="north"` or `unit!~"test.*"`: Alertmanager's matchers. An
    /// alert without the label `alertname` is called by its summary.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub matchers: Vec<String>,
    /// The same in an older form: read, and written as `matchers`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub labels: Vec<Label>,
    /// At any of these times; always if absent.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub windows: Vec<Window>,
    /// Within any of these calendars, such as holidays; always if absent.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub calendars: Vec<String>,
    /// Within none of these calendars.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub except_calendars: Vec<String>,
    /// Whom to tell: recipients, groups, or addresses such as `mail:someone@x.test`.
    pub to: Vec<String>,
    /// How to escalate; absent leaves it to the target, then to the policy named `default`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy: Option<String>,
    /// Templates to use, at most one for each channel and language.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub templates: Vec<String>,
    /// Overrides the settings' time to live; a duration.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ttl: Option<String>,
    /// The routes after it are looked at too, and whom those that match tell is told as well; false if absent. The
    /// policy, the templates and everything else are those of the first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub also: Option<bool>,
    /// Puts what goes beyond a number of messages for one address into one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bundle: Option<Bundle>,
    /// When the same trouble comes and goes too often to be told each time; never if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub flapping: Option<Flapping>,
}

/// When the same trouble counts as flapping.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Flapping {
    /// It was raised so often, 1 to 100, within that time.
    pub raised: u16,
    /// A duration, at most `1d`.
    pub within: String,
    /// When it is raised once more it is told only if it stands for so long; a duration, at most `6h`.
    pub steady: String,
}

/// While an alert that `source` matches is open, those that `target` matches are held back.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Inhibition {
    /// Its name; no two inhibitions have the same.
    pub name: String,
    /// What holds others back: matchers such as `severity="critical"`, all of which match.
    pub source: Vec<String>,
    /// What is held back: matchers, all of which match.
    pub target: Vec<String>,
    /// Labels that must have the same value in both; an absent one counts as empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub equal: Vec<String>,
}

/// A time that comes again and again in which alerts are held back, as by a silence.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Maintenance {
    /// The name people read; its key if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// What is held back: matchers such as `site="north"`, all of which match.
    pub matchers: Vec<String>,
    /// While any of these calendars is on; at least one.
    pub calendars: Vec<String>,
}

/// When first notifications of a route for one address are put together into one message.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Bundle {
    /// So many go out singly; at least 1.
    pub over: u32,
    /// Counted from the first of them; at its end those beyond them go out as one. A duration of at most `1h`.
    pub within: String,
    /// Critical alerts wait with the others; false if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub critical: Option<bool>,
}

/// A rule by which messages are not sent. Give at least one condition; all that are given must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Filter {
    /// By any of these channels.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub channels: Vec<String>,
    /// For any of these recipients, or members of these groups.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub recipients: Vec<String>,
    /// Less severe than this: `warning`, `high` or `critical`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub below: Option<String>,
    /// With labels that all of these match, as in routes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub matchers: Vec<String>,
    /// With any of these words in the summary or the details. Compared without case.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub contains: Vec<String>,
    /// Within any of these calendars.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub calendars: Vec<String>,
    /// Within none of these calendars.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub except_calendars: Vec<String>,
}

/// A test on one label, in an older form: give either `equals` or `differs`. An absent label counts as empty.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Label {
    /// The label's name.
    pub label: String,
    /// The value it must have.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub equals: Option<String>,
    /// The value it must not have.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub differs: Option<String>,
}

/// A time of the week, in the directory's time zone.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Window {
    /// `mon`, `tue`, `wed`, `thu`, `fri`, `sat`, `sun`; every day if absent.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub days: Vec<String>,
    /// A time of day from `00:00` to `23:59`.
    pub from: String,
    /// A time of day from `00:01` to `24:00`; not after `from` means until that time on the next day.
    pub until: String,
}

/// A key for a program. The secret itself is shown once and kept nowhere.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Token {
    /// SHA-256 of the secret, 64 hexadecimal digits.
    pub sha256: String,
    /// What it allows: `send`, `read`, `operate`, `edit`, `admin`.
    pub scopes: Vec<String>,
    /// Until when, as in RFC 3339, such as `2027-01-01T00:00:00Z`; until removed if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires: Option<String>,
    /// Refuse what it sends (503) while no other node holds a copy, instead of accepting it on one disk alone.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub refuse_solo: bool,
    /// What its words for severities mean, before those of the settings.
    #[serde(default, deserialize_with = "unique", skip_serializing_if = "BTreeMap::is_empty")]
    pub severities: BTreeMap<String, String>,
}

/// Somebody who logs in.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct User {
    /// The name people read; its key if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// Argon2id, in PHC string format.
    pub password: String,
    /// What they may do: `send`, `read`, `operate`, `edit`, `admin`.
    pub scopes: Vec<String>,
}

/// Reads a table and refuses a name that stands in it twice: JSON parsers keep the last one silently, and
/// one of two people of the same name would never be told.
fn unique<'de, D: Deserializer<'de>, T: Deserialize<'de>>(from: D) -> Result<BTreeMap<String, T>, D::Error> {
    from.deserialize_map(Unique(PhantomData))
}

struct Unique<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for Unique<T> {
    type Value = BTreeMap<String, T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a table of named entries")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Self::Value, A::Error> {
        let mut table = BTreeMap::new();
        while let Some(name) = entries.next_key::<String>()? {
            if table.contains_key(&name) {
                return Err(A::Error::custom(format_args!("there are two entries named {name:?}")));
            }
            let entry = entries.next_value()?;
            table.insert(name, entry);
        }
        Ok(table)
    }
}
