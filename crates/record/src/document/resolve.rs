//! Judges a document: every name leads somewhere, every limit is kept, and nothing would reach nobody.
//!
//! All problems are found, not the first, because whoever writes a directory of a thousand entries should
//! not have to ask a thousand times. Nothing here recurses over what strangers wrote.

mod filters;
mod groups;
mod hush;
mod monitors;
mod people;
mod policies;
mod routes;
mod schedules;

use super::form::{self, Document};
use super::nearest::{Nearest, suggestion};
use super::problem::{PROBLEMS_MAX, Place, Problem, quote};
use base::Name;
use base::limits::RECIPIENTS_MAX;
use base::time::parse_duration;
use dispatch::directory::{Address, Department, Directory, Scope, Settings, Target};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// Characters of a title. A longer one is refused: it stands in headers and subject lines.
pub const TITLE_CHARS_MAX: usize = 200;
/// How much later than its time a monitor may be heard, if the document does not say.
pub(super) use monitors::GRACE;

/// A channel that addresses may name.
#[derive(Clone, Copy, Debug)]
pub struct ChannelRule<'a> {
    /// Its name, such as `mail`.
    pub name: &'a str,
    /// Whether a text is an address of it; the error says why not.
    pub check: fn(&str) -> Result<(), String>,
}

/// What a document is judged by besides itself.
#[derive(Clone, Copy, Debug)]
pub struct Rules<'a> {
    /// The channels there are; with none, every channel and every address is taken.
    pub channels: &'a [ChannelRule<'a>],
    /// Whether a time zone of that name is known.
    pub zone_known: fn(&str) -> bool,
    /// What is wrong with schedules and calendars as such.
    pub schedules: fn(&form::Book) -> Vec<schedule::Problem>,
}

impl Rules<'_> {
    /// Takes every channel, address, time zone and schedule: for a directory that was judged when it was written, by
    /// a node that may have had other channels.
    pub fn any() -> Self {
        Rules { channels: &[], zone_known: |_| true, schedules: |_| Vec::new() }
    }
}

impl Document {
    /// The directory that this document describes.
    ///
    /// # Errors
    /// Everything that is wrong with it, in the order of the sections. Beyond [`PROBLEMS_MAX`] the last one
    /// says how many more there are.
    pub fn resolve(&self, rules: &Rules<'_>) -> Result<Directory, Vec<Problem>> {
        let mut check = Check::new(self, rules);
        check.reaching = groups::examine(&mut check);
        let directory = Directory {
            settings: check.settings(),
            departments: check.table("departments", &self.departments, Check::department),
            recipients: check.recipients(),
            groups: check.table("groups", &self.groups, Check::group),
            schedules: check.table("schedules", &self.schedules, Check::schedule),
            monitors: check.monitors(),
            calendars: check.table("calendars", &self.calendars, Check::calendar),
            policies: check.table("policies", &self.policies, Check::policy),
            templates: check.templates(),
            routes: check.routes(),
            filters: check.table("filters", &self.filters, Check::filter),
            inhibitions: check.inhibitions(),
            maintenance: check.maintenance_windows(),
            tokens: check.table("tokens", &self.tokens, Check::token),
            users: check.table("users", &self.users, Check::user),
        };
        check.judge_schedules();
        check.finish(directory)
    }
}

/// The judgement under way.
struct Check<'a> {
    book: &'a Document,
    rules: &'a Rules<'a>,
    found: Vec<Problem>,
    unlisted: usize,
    nearest: Nearest,
    /// Whether telling a group would tell anybody.
    reaching: BTreeMap<&'a str, bool>,
}

/// A kind of entry that others refer to.
#[derive(Clone, Copy)]
enum Section {
    Calendars,
    Departments,
    Policies,
    Templates,
}

impl<'a> Check<'a> {
    fn new(book: &'a Document, rules: &'a Rules<'a>) -> Self {
        let nearest = Nearest::new();
        Self { book, rules, found: Vec::new(), unlisted: 0, nearest, reaching: BTreeMap::new() }
    }

    fn finish(mut self, directory: Directory) -> Result<Directory, Vec<Problem>> {
        if self.found.is_empty() {
            return Ok(directory);
        }
        if self.unlisted > 0 {
            let detail = format!("there are {} further problems, not listed", self.unlisted);
            self.found.push(Problem { pointer: String::new(), detail });
        }
        Err(self.found)
    }

    fn note(&mut self, place: &Place<'_>, detail: impl Into<String>) {
        self.note_at(place.pointer(), detail);
    }

    fn note_at(&mut self, pointer: String, detail: impl Into<String>) {
        if self.found.len() < PROBLEMS_MAX {
            self.found.push(Problem { pointer, detail: detail.into() });
        } else {
            self.unlisted += 1;
        }
    }

    /// A section of named entries; an entry that has no usable name is noted and left out.
    fn table<F, T>(
        &mut self,
        section: &str,
        entries: &BTreeMap<String, F>,
        resolve: impl Fn(&mut Self, &Place<'_>, &str, &F) -> T,
    ) -> BTreeMap<Name, T> {
        let top = Place::top(section);
        let mut table = BTreeMap::new();
        for (key, entry) in entries {
            let place = top.key(key);
            let name = self.name(&place, key);
            let resolved = resolve(self, &place, key, entry);
            if let Some(name) = name {
                table.insert(name, resolved);
            }
        }
        table
    }

    fn settings(&mut self) -> Settings {
        let (form, usual, top) = (&self.book.settings, Settings::default(), Place::top("settings"));
        let zone = form.time_zone.as_deref().map_or(usual.time_zone, Arc::from);
        if !(self.rules.zone_known)(&zone) {
            let detail = format!(
                "there is no time zone {}; zones are named like \"Europe/Berlin\" or \"UTC\"",
                quote(&zone)
            );
            self.note(&top.key("time_zone"), detail);
        }
        let none = form::Ttl::default();
        let ttl = form.ttl.as_ref().unwrap_or(&none);
        let table = top.key("ttl");
        let words = [
            ("info", &ttl.info),
            ("warning", &ttl.warning),
            ("high", &ttl.high),
            ("critical", &ttl.critical),
        ];
        let mut times = usual.ttl;
        for (slot, (key, text)) in times.iter_mut().zip(words) {
            *slot = self.duration_or(&table.key(key), text.as_deref(), *slot);
        }
        let heartbeat = form.heartbeat.as_ref().map(|form| self.heartbeat(&top.key("heartbeat"), form));
        Settings {
            time_zone: zone,
            operators: self.targets(&top.key("operators"), &form.operators),
            ttl: times,
            resolve_timeout: self.duration_or(
                &top.key("resolve_timeout"),
                form.resolve_timeout.as_deref(),
                usual.resolve_timeout,
            ),
            severities: self.severities(&top.key("severities"), &form.severities),
            heartbeat,
        }
    }

    fn department(&mut self, place: &Place<'_>, key: &str, form: &form::Department) -> Department {
        Department { title: self.title(place, key, form.title.as_deref()) }
    }

    fn recipients(&mut self) -> BTreeMap<Name, dispatch::directory::Recipient> {
        let book = self.book;
        if book.recipients.len() > RECIPIENTS_MAX {
            let detail = format!("there are {} recipients; at most {RECIPIENTS_MAX}", book.recipients.len());
            self.note(&Place::top("recipients"), detail);
        }
        self.table("recipients", &book.recipients, Self::recipient)
    }

    /// A text that must be a name.
    fn name(&mut self, place: &Place<'_>, text: &str) -> Option<Name> {
        Name::new(text).map_err(|error| self.note(place, error.to_string())).ok()
    }

    /// Texts that must be names.
    fn names(&mut self, place: &Place<'_>, texts: &[String]) -> Vec<Name> {
        texts.iter().enumerate().filter_map(|(at, text)| self.name(&place.at(at), text)).collect()
    }

    /// The title, or the entry's key where it has none.
    fn title(&mut self, place: &Place<'_>, key: &str, title: Option<&str>) -> Arc<str> {
        let Some(title) = title else { return key.into() };
        let place = place.key("title");
        self.plain(&place, title);
        if title.chars().nth(TITLE_CHARS_MAX).is_some() {
            self.note(&place, format!("a title has at most {TITLE_CHARS_MAX} characters"));
        }
        title.into()
    }

    /// Notes a text that could break out of a header or a line of the log.
    fn plain(&mut self, place: &Place<'_>, text: &str) {
        let breaks = |c: &char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}');
        if let Some(bad) = text.chars().find(breaks) {
            let code = u32::from(bad);
            self.note(place, format!("it must not hold line breaks or control characters (U+{code:04X})"));
        }
    }

    /// A reference to an entry of `section`.
    fn reference(&mut self, place: &Place<'_>, section: Section, text: &str) -> Option<Name> {
        let book = self.book;
        let (word, known) = match section {
            Section::Calendars => ("calendar", book.calendars.contains_key(text)),
            Section::Departments => ("department", book.departments.contains_key(text)),
            Section::Policies => ("policy", book.policies.contains_key(text)),
            Section::Templates => ("template", book.templates.contains_key(text)),
        };
        if known {
            // A key that is no name has been noted where it stands.
            return Name::new(text).ok();
        }
        let near = match section {
            Section::Calendars => self.nearest.of(text, book.calendars.keys().map(String::as_str)),
            Section::Departments => self.nearest.of(text, book.departments.keys().map(String::as_str)),
            Section::Policies => self.nearest.of(text, book.policies.keys().map(String::as_str)),
            Section::Templates => self.nearest.of(text, book.templates.keys().map(String::as_str)),
        };
        self.note(place, format!("there is no {word} {}{}", quote(text), suggestion(near)));
        None
    }

    fn reference_at(
        &mut self,
        place: &Place<'_>,
        key: &str,
        section: Section,
        text: Option<&str>,
    ) -> Option<Name> {
        self.reference(&place.key(key), section, text?)
    }

    /// A channel by its name.
    fn channel(&mut self, place: &Place<'_>, text: &str) -> Option<Name> {
        let channels = self.rules.channels;
        if !channels.is_empty() && !channels.iter().any(|rule| rule.name == text) {
            let near = self.nearest.of(text, channels.iter().map(|rule| rule.name));
            let all = channels.iter().map(|rule| rule.name).collect::<Vec<_>>().join(", ");
            let hint = if near.is_some() { suggestion(near) } else { format!("; there are {all}") };
            self.note(place, format!("there is no channel {}{hint}", quote(text)));
            return None;
        }
        self.name(place, text)
    }

    /// An address, its parts judged at their own places.
    fn address(&mut self, at: (&Place<'_>, &Place<'_>), channel: &str, value: &str) -> Option<Address> {
        let name = self.channel(at.0, channel);
        let before = self.found.len();
        if value.is_empty() {
            self.note(at.1, "an address must not be empty");
        }
        self.plain(at.1, value);
        let rule = self.rules.channels.iter().find(|rule| rule.name == channel);
        if self.found.len() == before
            && let Some(Err(why)) = rule.map(|rule| (rule.check)(value))
        {
            self.note(at.1, format!("{} is not an address of channel {channel:?}: {why}", quote(value)));
        }
        Some(Address { channel: name?, value: value.into() })
    }

    /// Whom to tell: an address where there is a colon, which no name has, else a recipient, group or schedule.
    fn targets(&mut self, place: &Place<'_>, texts: &[String]) -> Vec<Target> {
        let mut targets = Vec::with_capacity(texts.len());
        for (at, text) in texts.iter().enumerate() {
            let place = place.at(at);
            targets.extend(match text.split_once(':') {
                Some((channel, value)) => self.address((&place, &place), channel, value).map(Target::Address),
                None => self.named(&place, text).map(Target::Named),
            });
        }
        targets
    }

    /// A recipient, group or schedule that can be told.
    fn named(&mut self, place: &Place<'_>, text: &str) -> Option<Name> {
        if self.book.schedules.contains_key(text) {
            return Name::new(text).ok();
        }
        let name = self.person_or_group(place, text, true)?;
        if !self.book.recipients.contains_key(text) && self.reaching.get(text) == Some(&false) {
            let detail = format!("group {} contains nobody, so nobody would be told", quote(text));
            self.note(place, detail);
        }
        Some(name)
    }

    /// A recipient or group, as a member of a group.
    fn member(&mut self, place: &Place<'_>, text: &str) -> Option<Name> {
        if self.book.schedules.contains_key(text) {
            let detail = format!(
                "{} is a schedule, and a group holds recipients and groups; name it beside the group instead",
                quote(text)
            );
            self.note(place, detail);
            return None;
        }
        self.person_or_group(place, text, false)
    }

    fn person_or_group(&mut self, place: &Place<'_>, text: &str, or_schedule: bool) -> Option<Name> {
        let book = self.book;
        if book.recipients.contains_key(text) || book.groups.contains_key(text) {
            return Name::new(text).ok();
        }
        let schedules = book.schedules.keys().filter(|_| or_schedule);
        let all = book.groups.keys().chain(book.recipients.keys()).chain(schedules).map(String::as_str);
        let near = self.nearest.of(text, all);
        let what = if or_schedule && !book.schedules.is_empty() {
            "recipient, group or schedule"
        } else {
            "recipient or group"
        };
        self.note(place, format!("there is no {what} {}{}", quote(text), suggestion(near)));
        None
    }

    /// A duration longer than nothing.
    fn duration(&mut self, place: &Place<'_>, text: &str) -> Duration {
        let shown: String = text.chars().take(40).collect();
        match parse_duration(&shown) {
            Ok(Duration::ZERO) => self.note(place, "it must be longer than nothing"),
            Ok(duration) => return duration,
            Err(why) => self.note(place, why),
        }
        Duration::ZERO
    }

    fn duration_or(&mut self, place: &Place<'_>, text: Option<&str>, usual: Duration) -> Duration {
        text.map_or(usual, |text| self.duration(place, text))
    }

    /// One of a few words.
    fn word<T: Copy>(&mut self, place: &Place<'_>, text: &str, choices: &[(&str, T)]) -> Option<T> {
        if let Some((_, value)) = choices.iter().find(|(word, _)| *word == text) {
            return Some(*value);
        }
        let near = self.nearest.of(text, choices.iter().map(|(word, _)| *word));
        let all = choices.iter().map(|(word, _)| *word).collect::<Vec<_>>().join(", ");
        self.note(place, format!("{} is none of {all}{}", quote(text), suggestion(near)));
        None
    }

    fn scopes(&mut self, place: &Place<'_>, texts: &[String]) -> Vec<Scope> {
        let place = place.key("scopes");
        let choices = Scope::ALL.map(|scope| (scope.word(), scope));
        let at = |(at, text): (usize, &String)| self.word(&place.at(at), text, &choices);
        texts.iter().enumerate().filter_map(at).collect()
    }
}
