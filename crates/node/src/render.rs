//! Makes messages from alerts: the directory's templates, and ours where there is none or it fails.
//!
//! Separate from the channels, which send texts without knowing where they come from. A template is tried
//! out when the directory is saved; one that fails all the same when a message must go out is replaced by
//! ours and reported, because an alert must not wait for somebody to mend a template.

mod builtin;
mod guard;
mod variables;

pub(crate) use variables::repeat_text;
pub use variables::{RenderInput, VARIABLES, Variable};

use base::limits::MESSAGE_BYTES_MAX;
use base::{LogId, Name, NodeId, RecordId};
use dispatch::directory::{Directory, Template};
use dispatch::record::{Content, Purpose, StepKey};
use minijinja::{Environment, Error, ErrorKind, UndefinedBehavior, Value};
use record::document::Problem;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};
use variables::{Sample, values};

/// Steps of the engine for one text. A template that needs more is refused, so that one with a loop in a
/// loop does not hold up other alerts. An alert with all its labels needs a few thousand.
const FUEL: u64 = 50_000;
/// Bytes of a footnote, of its own, so that what stands above cannot push it out of the message.
const FOOTNOTE_BYTES_MAX: usize = MESSAGE_BYTES_MAX / 8;
/// Characters of a subject. A longer one is cut; RFC 5322 §2.1.1 allows lines of 998 bytes.
const SUBJECT_CHARS_MAX: usize = 200;
/// What stands where a text was cut.
const CUT: &str = "… (cut)";

/// A message, ready for a channel.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rendered {
    /// In one line; none if there is nothing in it. For channels that have one.
    pub subject: Option<String>,
    /// The message, at most `MESSAGE_BYTES_MAX` bytes.
    pub text: String,
    /// What failed and was replaced by ours; to be told to the operators.
    pub problem: Option<String>,
}

/// The compiled templates of one edition of the directory.
#[derive(Debug)]
pub struct Renderer {
    engine: Environment<'static>,
    templates: BTreeMap<Name, Known>,
}

/// What is known of a template besides its texts.
#[derive(Debug)]
struct Known {
    channel: Name,
    language: Option<Name>,
    default: bool,
    has_subject: bool,
    mentions: BTreeSet<String>,
}

impl Renderer {
    /// Compiles and tries out all templates and footnotes of `directory`.
    ///
    /// # Errors
    /// Every text that is no template, names a variable that there is none of, or runs too long, with its
    /// place in the directory's document.
    pub fn new(directory: &Directory) -> Result<Self, Vec<Problem>> {
        let (renderer, problems) = Self::lenient(directory);
        if problems.is_empty() { Ok(renderer) } else { Err(problems) }
    }

    /// As [`Renderer::new`], but leaves out what does not compile, so that ours serves in its place: for a
    /// directory that another version of this program let through.
    pub fn lenient(directory: &Directory) -> (Self, Vec<Problem>) {
        let mut renderer = Self::built_in();
        let mut problems = Vec::new();
        for (name, template) in &directory.templates {
            renderer.add(&format!("/templates/{name}"), name, template, &mut problems);
        }
        for (name, policy) in &directory.policies {
            if let Some(text) = &policy.footnote {
                let pointer = format!("/policies/{name}/footnote");
                renderer.compile(pointer, &footnote_key(text), text, &mut problems);
            }
        }
        (renderer, problems)
    }

    /// Our own messages only.
    pub fn built_in() -> Self {
        Self { engine: builtin::engine(), templates: BTreeMap::new() }
    }

    fn add(&mut self, pointer: &str, name: &Name, template: &Template, problems: &mut Vec<Problem>) {
        let body = self.compile(format!("{pointer}/body"), &body_key(name), &template.body, problems);
        let subject = template.subject.as_deref().map_or(Some(BTreeSet::new()), |subject| {
            self.compile(format!("{pointer}/subject"), &subject_key(name), subject, problems)
        });
        let (Some(mut mentions), Some(more)) = (body, subject) else { return };
        mentions.extend(more);
        let known = Known {
            channel: template.channel.clone(),
            language: template.language.clone(),
            default: template.default,
            has_subject: template.subject.is_some(),
            mentions,
        };
        self.templates.insert(name.clone(), known);
    }

    /// Compiles one text; gives the variables that it mentions, or notes why it cannot be used.
    fn compile(
        &mut self,
        pointer: String,
        key: &str,
        text: &str,
        problems: &mut Vec<Problem>,
    ) -> Option<BTreeSet<String>> {
        let added = self.engine.add_template_owned(key.to_owned(), text.to_owned());
        let compiled = guard::check(text)
            .and_then(|()| added.map_err(|error| told(&error)))
            .and_then(|()| self.mentions(key));
        let tried = compiled.and_then(|mentions| self.try_out(key).map(|()| mentions));
        if tried.is_err() {
            self.engine.remove_template(key);
        }
        tried.map_err(|detail| problems.push(Problem { pointer, detail })).ok()
    }

    fn mentions(&self, key: &str) -> Result<BTreeSet<String>, String> {
        let template = self.engine.get_template(key).map_err(|error| told(&error))?;
        let mentions: BTreeSet<String> = template.undeclared_variables(false).into_iter().collect();
        match mentions.iter().find(|name| VARIABLES.iter().all(|it| it.name != name.as_str())) {
            Some(unknown) => Err(unknown_variable(unknown)),
            None => Ok(mentions),
        }
    }

    /// Renders a text for every purpose, with much to say and with little.
    fn try_out(&self, key: &str) -> Result<(), String> {
        for (full, purpose) in [true, false].into_iter().flat_map(|full| PURPOSES.map(|it| (full, it))) {
            let sample = Sample::new(full);
            let written = self.write(key, &values(&sample.input(purpose)), MESSAGE_BYTES_MAX)?;
            if written.cut {
                return Err(format!("the message would have more than {MESSAGE_BYTES_MAX} bytes"));
            }
        }
        Ok(())
    }

    /// Makes the message for one notification. It never fails: what cannot be rendered is replaced.
    pub fn render(&self, input: &RenderInput<'_>) -> Rendered {
        let values = values(input);
        let mut problem = None;
        let chosen = self.choose(input);
        let own = |key: String, problem: &mut Option<String>| {
            let written = self.write(&key, &values, MESSAGE_BYTES_MAX);
            written.map_err(|why| *problem = Some(format!("template {key} failed: {why}"))).ok()
        };
        let body = chosen
            .and_then(|(name, _)| own(body_key(name), &mut problem))
            .unwrap_or_else(|| self.builtin("body", input, &values));
        let subject = chosen
            .filter(|(_, known)| known.has_subject)
            .and_then(|(name, _)| own(subject_key(name), &mut problem))
            .unwrap_or_else(|| self.builtin("subject", input, &values));
        let footnote = self.footnote(input, &values, &mut problem);
        let subject = Some(one_line(&subject.text)).filter(|subject| !subject.is_empty());
        Rendered { subject, text: assemble(input, &body, &footnote), problem }
    }

    /// The template for `input`: the route's for the channel and language, the route's for the channel, then
    /// the defaults likewise. For anything but the alert itself only one that says what the message is about.
    fn choose(&self, input: &RenderInput<'_>) -> Option<(&Name, &Known)> {
        let serves = |known: &Known, language: Option<&Name>| {
            known.channel == *input.channel
                && known.language.as_ref() == language
                && subject_matter(input.purpose).is_none_or(|it| known.mentions.contains(it))
        };
        let languages = [input.language, None];
        let languages = if input.language.is_some() { &languages[..] } else { &languages[1..] };
        let named = languages.iter().find_map(|language| {
            let known = input.templates.iter().filter_map(|name| self.templates.get_key_value(name));
            known.into_iter().find(|(_, known)| serves(known, *language))
        });
        named.or_else(|| {
            languages.iter().find_map(|language| {
                self.templates.iter().find(|(_, known)| known.default && serves(known, *language))
            })
        })
    }

    /// Ours. Should even that fail, the summary alone.
    fn builtin(&self, part: &str, input: &RenderInput<'_>, values: &Value) -> Written {
        let key = builtin::key(input.purpose, part);
        self.write(key, values, MESSAGE_BYTES_MAX)
            .unwrap_or_else(|_| Written { text: input.content.summary.as_ref().to_owned(), cut: false })
    }

    /// The policy's footnote. One of an older edition is compiled on the spot, for a roster keeps its policy.
    fn footnote(&self, input: &RenderInput<'_>, values: &Value, problem: &mut Option<String>) -> String {
        let Purpose::Alert(_) = input.purpose else { return String::new() };
        let Some(text) = &input.policy.footnote else { return String::new() };
        let written = match self.engine.get_template(&footnote_key(text)) {
            Ok(template) => write(&template, values, FOOTNOTE_BYTES_MAX),
            Err(_) => guard::check(text).and_then(|()| {
                let template = self.engine.template_from_str(text).map_err(|error| told(&error))?;
                write(&template, values, FOOTNOTE_BYTES_MAX)
            }),
        };
        match written {
            Ok(written) => marked(written),
            Err(why) => {
                *problem = Some(format!("the footnote failed: {why}"));
                String::new()
            }
        }
    }

    fn write(&self, key: &str, values: &Value, bytes_max: usize) -> Result<Written, String> {
        let template = self.engine.get_template(key).map_err(|error| told(&error))?;
        write(&template, values, bytes_max)
    }
}

/// What a template and a footnote look like with made-up data, with much to say (`full`) or with little, for an alert
/// that says `content` where that is given.
///
/// # Errors
/// As for [`Renderer::new`], with pointers relative to the template: `/body`, `/subject`, `/footnote`.
pub fn preview(
    template: &Template,
    footnote: Option<&str>,
    content: Option<&Content>,
    full: bool,
) -> Result<Rendered, Vec<Problem>> {
    // Any name will do.
    let name = template.channel.clone();
    let mut renderer = Renderer::built_in();
    let mut problems = Vec::new();
    renderer.add("", &name, template, &mut problems);
    if let Some(text) = footnote {
        renderer.compile("/footnote".to_owned(), &footnote_key(text), text, &mut problems);
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    let sample = Sample::new(full);
    let mut input = sample.input(PURPOSES[0]);
    let templates = [name];
    let mut policy = input.policy.clone();
    policy.footnote = footnote.map(Into::into);
    input.content = content.unwrap_or(input.content);
    input.channel = &template.channel;
    input.language = template.language.as_ref();
    input.templates = &templates;
    input.policy = &policy;
    Ok(renderer.render(&input))
}

/// A record to speak of where none is meant.
const NOTHING: RecordId = RecordId { log: LogId { node: NodeId(0), boot: base::BootId(0) }, seq: 0 };
/// Everything that a message can be for.
const PURPOSES: [Purpose; 4] = [
    Purpose::Alert(StepKey { round: 0, step: 1 }),
    Purpose::Acknowledgement(NOTHING),
    Purpose::Comment(NOTHING),
    Purpose::End,
];

/// The variable without which a text does not say what such a message is about.
fn subject_matter(purpose: Purpose) -> Option<&'static str> {
    match purpose {
        Purpose::Alert(_) => None,
        Purpose::Acknowledgement(_) => Some("acknowledged_by"),
        Purpose::Comment(_) => Some("comment"),
        Purpose::End => Some("why"),
    }
}

fn body_key(name: &Name) -> String {
    format!("{name}/body")
}

fn subject_key(name: &Name) -> String {
    format!("{name}/subject")
}

fn footnote_key(text: &str) -> String {
    format!("footnote:{text}")
}

fn unknown_variable(name: &str) -> String {
    let distance = |it: &&Variable| strsim::osa_distance(it.name, name);
    let near = VARIABLES.iter().min_by_key(distance).filter(|it| distance(it) <= 2);
    let hint = near.map_or_else(
        || format!("there are {}", VARIABLES.iter().map(|it| it.name).collect::<Vec<_>>().join(", ")),
        |it| format!("did you mean {:?}?", it.name),
    );
    format!("there is no variable {name:?}; {hint}")
}

/// An engine's error as a fragment of a sentence.
fn told(error: &Error) -> String {
    if error.kind() == ErrorKind::OutOfFuel {
        let line = error.line().map_or_else(String::new, |line| format!("line {line}: "));
        return format!("{line}it runs too long (more than {FUEL} steps); is there a loop within a loop?");
    }
    let what = error.detail().map_or_else(|| error.kind().to_string(), str::to_owned);
    error.line().map_or_else(|| what.clone(), |line| format!("line {line}: {what}"))
}

/// What a template wrote.
#[derive(Debug, Default)]
struct Written {
    text: String,
    cut: bool,
}

fn write(template: &minijinja::Template<'_, '_>, values: &Value, max: usize) -> Result<Written, String> {
    let mut sink = Sink { bytes: Vec::new(), max, cut: false };
    let result = template.render_captured_to(values.clone(), &mut sink).map(drop);
    match result {
        Err(error) if !sink.cut => Err(told(&error)),
        Ok(()) | Err(_) => Ok(Written { text: whole_characters(sink.bytes), cut: sink.cut }),
    }
}

/// Takes so many bytes and no more; the refusal stops the engine.
struct Sink {
    bytes: Vec<u8>,
    max: usize,
    cut: bool,
}

impl Write for Sink {
    fn write(&mut self, more: &[u8]) -> io::Result<usize> {
        let room = self.max - self.bytes.len();
        self.bytes.extend(more.iter().take(room));
        if more.len() > room {
            self.cut = true;
            return Err(io::Error::other("the message is full"));
        }
        Ok(more.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn whole_characters(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap_or_else(|error| {
        let upto = error.utf8_error().valid_up_to();
        let mut bytes = error.into_bytes();
        bytes.truncate(upto);
        String::from_utf8(bytes).unwrap_or_default()
    })
}

/// The whole message: the warning of a repeat above, the footnote below, and the text cut to what is left.
fn assemble(input: &RenderInput<'_>, body: &Written, footnote: &str) -> String {
    let mut text = input
        .repeat
        .map(|cause| format!("This may be a repeat: {}.\n\n", repeat_text(cause)))
        .unwrap_or_default();
    let foot = if footnote.is_empty() { String::new() } else { format!("\n\n{footnote}") };
    let room = MESSAGE_BYTES_MAX - text.len() - foot.len();
    let cut = body.cut || body.text.len() > room;
    let body = Written { text: body.text.trim_end().to_owned(), cut };
    text.push_str(&marked_within(body, room));
    text.push_str(&foot);
    text
}

fn marked(written: Written) -> String {
    marked_within(written, FOOTNOTE_BYTES_MAX)
}

/// The text, with a mark where it was cut, within `max` bytes.
fn marked_within(written: Written, max: usize) -> String {
    let Written { mut text, cut } = written;
    if !cut && text.len() <= max {
        return text;
    }
    let upto = text.floor_char_boundary(max.saturating_sub(CUT.len()));
    text.truncate(upto);
    text + CUT
}

/// `text` in one line: header injection ends here, whatever a template or an alert says.
fn one_line(text: &str) -> String {
    let breaks = |c: char| c.is_whitespace() || c.is_control();
    let words = text.split(breaks).filter(|word| !word.is_empty());
    let line = words.collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(SUBJECT_CHARS_MAX) {
        Some((at, _)) => format!("{}…", line.get(..at).unwrap_or_default()),
        None => line,
    }
}

#[cfg(test)]
mod tests;
