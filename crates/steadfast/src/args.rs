//! The command line: every command, option and example.
//!
//! Separate, because help texts, completions, manual pages and `docs/manual/cli.md` are all made from these
//! types; what the commands do stands in the file of their concern.

use crate::cluster_args::{ClusterAction, Invite, Join};
use crate::directory_args::SectionAction;
use crate::import_args::ImportAction;
use crate::monitor_args::{HeartbeatAction, Ping};
use crate::schedule_args::{OnCall, ScheduleAction};
use crate::silence_args::SilenceAction;
use clap::{Args, Parser, Subcommand, ValueEnum, ValueHint};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// Takes alerts, tells people, and escalates until somebody acknowledges.
#[derive(Debug, Parser)]
#[command(name = "steadfast", version, max_term_width = 100, after_help = crate::exit::help())]
#[command(propagate_version = true, disable_help_subcommand = true)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Where the node is, and how to talk.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Global options")]
pub(crate) struct Global {
    /// Data folder of the node on this machine [default: /var/lib/steadfast, else ~/.local/share/steadfast]
    #[arg(long, global = true, env = "STEADFAST_DATA", value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(crate) data: Option<PathBuf>,
    /// Node to ask, such as alerts.example.org:8443; repeat it to have others tried in order
    /// [default: the node of the data folder]
    #[arg(long, global = true, env = "STEADFAST_HOST", value_name = "URL", value_delimiter = ',')]
    pub(crate) host: Vec<String>,
    /// File with the access token, or the token itself [default: <data>/admin.token]
    #[arg(long, global = true, env = "STEADFAST_TOKEN", value_name = "FILE", hide_env_values = true)]
    pub(crate) token: Option<String>,
    /// Certificates that a node must be vouched for by, in PEM; no others count
    /// [default: the system's, and <data>/tls/ca.pem]
    #[arg(long, global = true, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) ca: Option<PathBuf>,
    /// If the node says that the directory is changed on another node, ask that one
    #[arg(long, global = true)]
    pub(crate) forward: bool,
    /// Print the node's answer as JSON, unchanged
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Say nothing but data and errors
    #[arg(long, short, global = true)]
    pub(crate) quiet: bool,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Make a data folder: node file, keys, certificate, admin token, a sample directory
    #[command(after_help = "Example:\n  steadfast init --name north\n  steadfast run")]
    Init(Init),
    /// Make this machine a further node of a cluster
    #[command(after_help = "Example:\n  steadfast token create           (on a node of the cluster)\n  \
                            steadfast join sfjoin_… --name south && steadfast run")]
    Join(Join),
    /// Run the node in the foreground, until it is asked to stop (SIGTERM or Ctrl-C)
    Run,
    /// Watch the whole story on this machine, with nothing to set up
    Demo(Demo),
    /// Judge the node file and a directory document as `run` and `apply` would, without acting
    #[command(after_help = "Example:\n  steadfast check directory.toml")]
    Check(Check),
    /// Make a directory document of another program's configuration
    #[command(subcommand)]
    Import(ImportAction),
    /// Send a notice
    #[command(after_help = SEND_EXAMPLES)]
    Send(Send),
    /// List alerts
    #[command(after_help = "Examples:\n  steadfast alerts\n  steadfast alerts --state all --limit 20\n  \
                            steadfast alerts --watch")]
    Alerts(Alerts),
    /// Show one alert: who was told, what comes next, who acknowledged
    Alert(AlertShow),
    /// Acknowledge alerts: nobody further is told
    #[command(
        after_help = "Examples:\n  steadfast ack A123 -m 'on my way'\n  steadfast ack A123 A456 --as anna\n  \
                            steadfast ack --all"
    )]
    Ack(Ack),
    /// Answer an alert with one of the choices that it offers
    #[command(after_help = "Examples:\n  steadfast answer A123 1 --as anna\n  \
                            steadfast answer A123 2 --as ben -m 'abroad until Monday'")]
    Answer(AnswerWith),
    /// Comment on an alert
    Comment(Comment),
    /// Close alerts by hand
    Close(Close),
    /// Take an alert's next escalation step now
    EscalateNow(EscalateNow),
    /// What is still to be sent
    #[command(subcommand)]
    Pending(Pending),
    /// Stop sending, on the whole node, until `resume`
    #[command(after_help = "Example:\n  steadfast pause -m 'mail server is being moved'")]
    Pause(Pause),
    /// Send again after `pause`
    Resume(Resume),
    /// Hold alerts back for a time
    #[command(subcommand)]
    Silence(SilenceAction),
    /// The directory as one document
    #[command(subcommand)]
    Directory(DirectoryAction),
    /// Who can be told
    #[command(subcommand)]
    Recipients(SectionAction),
    /// Who is told together
    #[command(subcommand)]
    Groups(SectionAction),
    /// Who is on call now, or at another time
    #[command(
        after_help = "Examples:\n  steadfast on-call\n  steadfast on-call nights --at 2026-12-24T22:00:00Z"
    )]
    OnCall(OnCall),
    /// The shifts of an on-call schedule, and who stands in for whom
    #[command(subcommand)]
    Schedule(ScheduleAction),
    /// On-call schedules as they are written
    #[command(subcommand)]
    Schedules(SectionAction),
    /// Say that a monitor lives, or that what it watches failed
    #[command(
        after_help = "Examples:\n  steadfast ping backup\n  steadfast ping backup --status $? -m 'the tape is full'"
    )]
    Ping(Ping),
    /// What has to be heard of again and again: how it is, and how it is written
    #[command(subcommand)]
    Monitors(SectionAction),
    /// The message that says each day how all is
    #[command(subcommand)]
    Heartbeat(HeartbeatAction),
    /// Holidays, quiet hours and other times that routes refer to
    #[command(subcommand)]
    Calendars(SectionAction),
    /// How alerts escalate
    #[command(subcommand)]
    Policies(SectionAction),
    /// How messages read
    #[command(subcommand)]
    Templates(SectionAction),
    /// The parts of the organisation
    #[command(subcommand)]
    Departments(SectionAction),
    /// Which alerts are for whom
    #[command(subcommand)]
    Routes(SectionAction),
    /// Which messages are not sent
    #[command(subcommand)]
    Filters(SectionAction),
    /// Which alerts hold others back
    #[command(subcommand)]
    Inhibitions(SectionAction),
    /// Times that come again and again in which alerts are held back
    #[command(subcommand)]
    Maintenance(SectionAction),
    /// One message template
    #[command(subcommand)]
    Template(TemplateAction),
    /// Keys for programs
    #[command(subcommand)]
    Token(TokenAction),
    /// People who log in
    #[command(subcommand)]
    User(UserAction),
    /// Several machines as one: how they are, who is in control, who belongs
    #[command(subcommand)]
    Cluster(ClusterAction),
    /// What happened: every accept, send, acknowledgement and change, with who and from where
    #[command(after_help = "Examples:\n  steadfast trail --since 2h\n  steadfast trail --follow\n  \
                            steadfast trail --alert A123 --json")]
    Trail(Trail),
    /// How the node is, in one sentence and a table
    Status,
    /// The ways out
    Providers(Providers),
    /// Copy the ledger into a folder, while the node runs or not
    Backup(Backup),
    /// Put a backup in place of the data folder's ledger; the node must not run
    Restore(Restore),
    /// Check every record of the data folder's ledger
    Verify,
    /// Print a completion script
    #[command(after_help = "Example:\n  steadfast completions bash > /etc/bash_completion.d/steadfast")]
    Completions {
        /// The shell it is for
        shell: clap_complete::Shell,
    },
    /// Print the manual page, or write one for each command
    Man {
        /// Folder to write steadfast.1, steadfast-send.1 and so on into
        #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
        out: Option<PathBuf>,
    },
    /// Print what the product writes about itself
    #[command(hide = true)]
    Codegen {
        /// Which text
        part: Part,
    },
}

/// A text that the product writes about itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Part {
    /// Every command, as Markdown.
    Cli,
    /// The exit codes, as Markdown.
    ExitCodes,
    /// The API, as OpenAPI 3.1.
    Openapi,
    /// The node file with every key, as TOML.
    Reference,
    /// What is counted, as Markdown.
    Metrics,
    /// What templates can say, as Markdown.
    Variables,
    /// The limits, as Markdown.
    Limits,
}

const SEND_EXAMPLES: &str = "\
Examples:
  steadfast send -i pumps -m 'pump 3 stopped' --severity high
  journalctl -u backup -n 20 | steadfast send -i ops -m -
  steadfast send -i anna -m 'call me' --wait acknowledged --timeout 5m
  steadfast send -i ops -m 'disk is full' --dedup disk-srv1
  steadfast send -i ops -m 'disk has space again' --dedup disk-srv1 --resolve
  steadfast send -i crew -m 'can you come in?' --choice coming --choice 'cannot come'
  steadfast send --host https://a:8443 --host https://b:8443 -i ops -m hello";

/// `init`.
#[derive(Debug, Args)]
pub(crate) struct Init {
    /// The node's name [default: the machine's]
    #[arg(long)]
    pub(crate) name: Option<String>,
    /// Where the API and the acknowledge pages listen (HTTPS)
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:8443")]
    pub(crate) listen: SocketAddr,
    /// Where notices are taken by plain HTTP, for tools that cannot do otherwise; keep it on loopback
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:8080")]
    pub(crate) ingest: SocketAddr,
    /// Where other nodes of a cluster are let in; only holders of its certificate get past it
    #[arg(long, value_name = "ADDRESS:PORT", default_value_t = node::config::PEERS_LISTEN)]
    pub(crate) peers: SocketAddr,
    /// A further name or address that people and programs reach the node by, for its certificate; repeat it
    #[arg(long, value_name = "NAME")]
    pub(crate) reached_as: Vec<String>,
}

/// `demo`.
#[derive(Debug, Args)]
pub(crate) struct Demo {
    /// Keep the node running afterwards, also without a terminal
    #[arg(long)]
    pub(crate) keep: bool,
}

/// `check`.
#[derive(Debug, Args)]
pub(crate) struct Check {
    /// Node file [default: <data>/node.toml]
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) config: Option<PathBuf>,
    /// Directory document
    #[arg(value_hint = ValueHint::FilePath)]
    pub(crate) directory: Option<PathBuf>,
}

/// `send`.
#[derive(Debug, Args)]
pub(crate) struct Send {
    /// Recipients, groups, or addresses such as mail:anna@example.org; without any the routes decide
    #[arg(short = 'i', long = "to", value_name = "NAME", value_delimiter = ',')]
    pub(crate) to: Vec<String>,
    /// What it is about; `-` reads it from standard input: the first line, and the rest as details
    #[arg(short, long, value_name = "TEXT")]
    pub(crate) message: String,
    /// More about it
    #[arg(long, value_name = "TEXT")]
    pub(crate) details: Option<String>,
    /// How bad it is [default: warning]
    #[arg(long, value_enum)]
    pub(crate) severity: Option<Severity>,
    /// A label; may be repeated
    #[arg(long = "label", value_name = "KEY=VALUE", value_parser = label)]
    pub(crate) labels: Vec<(String, String)>,
    /// The policy to escalate by
    #[arg(long, value_name = "NAME")]
    pub(crate) policy: Option<String>,
    /// Idempotency key: the same key sent again is the same notice [default: a new one]
    #[arg(long, value_name = "KEY")]
    pub(crate) key: Option<String>,
    /// What makes it the same alert: sent again while that is open, nobody is told twice
    #[arg(long, value_name = "KEY")]
    pub(crate) dedup: Option<String>,
    /// The trouble is over: closes the open alert of the same --dedup
    #[arg(long)]
    pub(crate) resolve: bool,
    /// A choice that its people can answer with; give it 2 to 9 times
    #[arg(long = "choice", value_name = "TEXT")]
    pub(crate) choices: Vec<String>,
    /// Which choices, by their numbers, take responsibility [default: 1]
    #[arg(long, value_name = "NUMBERS", value_delimiter = ',', requires = "choices")]
    pub(crate) acknowledges: Vec<u8>,
    /// Wait until it is sent to everybody, or acknowledged
    #[arg(long, value_enum, conflicts_with = "resolve", value_name = "FOR")]
    pub(crate) wait: Option<WaitFor>,
    /// How long to wait at most
    #[arg(long, value_parser = duration, default_value = "10m", requires = "wait", value_name = "DURATION")]
    pub(crate) timeout: Duration,
}

/// How bad an alert is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Severity {
    /// Good to know
    Info,
    /// Somebody should look, in working hours
    Warning,
    /// Somebody should look now
    High,
    /// Life, plant or business is at stake
    Critical,
}

/// What `send --wait` waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum WaitFor {
    /// Everybody of the first recipients has been told
    Sent,
    /// Somebody acknowledged; in an emergency recall, everybody
    Acknowledged,
}

/// `alerts`.
#[derive(Debug, Args)]
pub(crate) struct Alerts {
    /// Which
    #[arg(long, value_enum, default_value = "current")]
    pub(crate) state: StateFilter,
    /// Only those with this text
    #[arg(long, value_name = "TEXT")]
    pub(crate) search: Option<String>,
    /// How many at most
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) limit: u32,
    /// Keep showing them
    #[arg(short, long)]
    pub(crate) watch: bool,
}

/// Which alerts are listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum StateFilter {
    /// Not closed
    Current,
    /// Somebody is still asked to acknowledge
    Open,
    /// Acknowledged and not closed
    Acknowledged,
    /// Escalation is over, and not closed
    Ended,
    /// Closed
    Closed,
    /// Every alert
    All,
}

/// `alert`.
#[derive(Debug, Args)]
pub(crate) struct AlertShow {
    /// Its id or code, such as A123
    pub(crate) alert: String,
    /// List every notification as well
    #[arg(long)]
    pub(crate) notifications: bool,
}

/// `ack`.
#[derive(Debug, Args)]
pub(crate) struct Ack {
    /// Ids or codes, such as A123
    #[arg(required_unless_present = "all", value_delimiter = ',')]
    pub(crate) alerts: Vec<String>,
    /// In whose name; an emergency recall counts each recipient
    #[arg(long = "as", value_name = "RECIPIENT")]
    pub(crate) recipient: Option<String>,
    /// A comment with it
    #[arg(short = 'm', long = "message", value_name = "TEXT")]
    pub(crate) comment: Option<String>,
    /// Every open alert
    #[arg(long, conflicts_with = "alerts")]
    pub(crate) all: bool,
    #[command(flatten)]
    pub(crate) sure: Sure,
}

/// `answer`.
#[derive(Debug, Args)]
pub(crate) struct AnswerWith {
    /// Id or code
    pub(crate) alert: String,
    /// The number of the choice, from 1, as the message and `steadfast alert` list them
    pub(crate) choice: u8,
    /// In whose name [default: an operator's]
    #[arg(long = "as", value_name = "RECIPIENT")]
    pub(crate) recipient: Option<String>,
    /// A comment with it
    #[arg(short = 'm', long = "message", value_name = "TEXT")]
    pub(crate) comment: Option<String>,
}

/// `comment`.
#[derive(Debug, Args)]
pub(crate) struct Comment {
    /// Id or code
    pub(crate) alert: String,
    /// The comment
    #[arg(short = 'm', long = "message", value_name = "TEXT")]
    pub(crate) text: String,
}

/// `close`.
#[derive(Debug, Args)]
pub(crate) struct Close {
    /// Ids or codes
    #[arg(required = true, value_delimiter = ',')]
    pub(crate) alerts: Vec<String>,
}

/// `escalate-now`.
#[derive(Debug, Args)]
pub(crate) struct EscalateNow {
    /// Id or code
    pub(crate) alert: String,
}

/// `pending`.
#[derive(Debug, Subcommand)]
pub(crate) enum Pending {
    /// Cancel alerts: what is unsent stays unsent
    #[command(
        after_help = "Examples:\n  steadfast pending delete A123\n  steadfast pending delete --all --yes"
    )]
    Delete {
        /// Ids or codes
        #[arg(required_unless_present = "all", value_delimiter = ',')]
        alerts: Vec<String>,
        /// Every open alert
        #[arg(long, conflicts_with = "alerts")]
        all: bool,
        #[command(flatten)]
        sure: Sure,
    },
}

/// `pause`.
#[derive(Debug, Args)]
pub(crate) struct Pause {
    /// Why, for the trail and for whoever wonders
    #[arg(short = 'm', long = "message", value_name = "REASON")]
    pub(crate) reason: String,
}

/// `resume`.
#[derive(Debug, Args)]
pub(crate) struct Resume {
    /// Cancel what waited instead of sending it
    #[arg(long)]
    pub(crate) discard: bool,
    #[command(flatten)]
    pub(crate) sure: Sure,
}

/// Asking before something that cannot be taken back.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct Sure {
    /// Do not ask
    #[arg(long, short)]
    pub(crate) yes: bool,
}

/// `directory`.
#[derive(Debug, Subcommand)]
pub(crate) enum DirectoryAction {
    /// Print it as TOML, or with --json as JSON
    Export,
    /// Show what a document would change
    Diff {
        /// TOML, or JSON if it ends in .json; `-` is standard input
        #[arg(value_hint = ValueHint::FilePath, required_unless_present = "lost")]
        file: Option<PathBuf>,
        /// Show what another node changed and the cluster did not keep, when two nodes had changed it apart
        #[arg(long, conflicts_with = "file")]
        lost: bool,
    },
    /// Put a document in place of the directory
    #[command(after_help = "Example:\n  steadfast directory export > d.toml\n  $EDITOR d.toml\n  \
                            steadfast directory apply d.toml")]
    Apply {
        /// TOML, or JSON if it ends in .json; `-` is standard input
        #[arg(value_hint = ValueHint::FilePath)]
        file: PathBuf,
        #[command(flatten)]
        sure: Sure,
    },
    /// Have a document judged by the node, channels and templates included
    Check {
        /// TOML, or JSON if it ends in .json; `-` is standard input
        #[arg(value_hint = ValueHint::FilePath)]
        file: PathBuf,
    },
    /// Open it in $VISUAL or $EDITOR, and apply what was saved
    Edit {
        #[command(flatten)]
        sure: Sure,
    },
}

/// `template`.
#[derive(Debug, Subcommand)]
pub(crate) enum TemplateAction {
    /// Show how a message would read
    Preview {
        /// The template
        name: String,
        /// Try this text as its body instead; `-` is standard input
        #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
        body: Option<PathBuf>,
        /// As a message of this channel; for `sms` it says how it is encoded, and in how many parts it goes
        #[arg(long, value_name = "CHANNEL")]
        channel: Option<String>,
        /// In this language
        #[arg(long, value_name = "LANGUAGE")]
        language: Option<String>,
        /// Show this one [default: an example]
        #[arg(long, value_enum)]
        sample: Option<Sample>,
    },
}

/// An alert that a template is tried on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Sample {
    /// One in which everything is said
    Longest,
    /// One in which as little as possible is
    Shortest,
}

/// `token`.
#[derive(Debug, Subcommand)]
pub(crate) enum TokenAction {
    /// Make a token; its secret is printed once and kept nowhere
    #[command(after_help = "Example:\n  steadfast token add prometheus --scope send > prometheus.token")]
    Add {
        /// Its name, which is also the source of what is sent with it
        name: String,
        /// What it allows; may be repeated
        #[arg(long = "scope", required = true, value_enum, value_delimiter = ',')]
        scopes: Vec<Scope>,
        /// Until when: a time such as 2027-01-01T00:00:00Z, or a duration such as 90d
        #[arg(long, value_name = "WHEN")]
        expires: Option<String>,
    },
    /// Invite a machine into the cluster: the token is good for one, for a while
    #[command(
        after_help = "Example:\n  steadfast token create\n  steadfast join sfjoin_…         (on the other machine)"
    )]
    Create(Invite),
    /// List tokens, without their secrets
    List,
    /// Remove a token: it is refused from now on
    Remove {
        /// Its name
        name: String,
        #[command(flatten)]
        sure: Sure,
    },
}

/// `user`.
#[derive(Debug, Subcommand)]
pub(crate) enum UserAction {
    /// Add somebody who logs in, or set a new password; it is asked for, twice
    Add {
        /// The name to log in with
        name: String,
        /// What they may do; may be repeated
        #[arg(long = "scope", required = true, value_enum, value_delimiter = ',')]
        scopes: Vec<Scope>,
        /// The name people read
        #[arg(long)]
        title: Option<String>,
        /// Read the password from this file instead; `-` is standard input
        #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
        password_file: Option<PathBuf>,
    },
    /// List users
    List,
    /// Remove a user
    Remove {
        /// The name
        name: String,
        #[command(flatten)]
        sure: Sure,
    },
}

/// What a token or user may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Scope {
    /// Send notices
    Send,
    /// See alerts, directory and trail
    Read,
    /// Acknowledge, comment, close, escalate, pause
    Operate,
    /// Change the directory, but for tokens and users
    Edit,
    /// Everything
    Admin,
}

/// `trail`.
#[derive(Debug, Args)]
pub(crate) struct Trail {
    /// Keep printing what happens
    #[arg(short, long)]
    pub(crate) follow: bool,
    /// Only this alert, by id or code
    #[arg(long, value_name = "ALERT")]
    pub(crate) alert: Option<String>,
    /// Only entries of these kinds, such as ack or directory, separated by commas
    #[arg(long, value_name = "KINDS")]
    pub(crate) kind: Option<String>,
    /// Only what this node of the cluster wrote, by name or id
    #[arg(long, value_name = "NODE")]
    pub(crate) node: Option<String>,
    /// From then on: a duration such as 2h, or a time such as 2026-07-28T10:00:00Z
    #[arg(long, value_name = "WHEN")]
    pub(crate) since: Option<String>,
    /// How many at most
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) limit: u32,
}

/// `providers`.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Providers {
    #[command(subcommand)]
    pub(crate) action: Option<ProviderAction>,
}

/// `providers …`.
#[derive(Debug, Subcommand)]
pub(crate) enum ProviderAction {
    /// Try whether one can be reached and takes our credentials; nothing is sent to anybody
    Test {
        /// The provider's name in the node file
        name: String,
    },
}

/// `backup`.
#[derive(Debug, Args)]
pub(crate) struct Backup {
    /// Folder to make; it must be new or empty
    #[arg(value_hint = ValueHint::DirPath)]
    pub(crate) folder: PathBuf,
}

/// `restore`.
#[derive(Debug, Args)]
pub(crate) struct Restore {
    /// A folder that `backup` made
    #[arg(value_hint = ValueHint::DirPath)]
    pub(crate) folder: PathBuf,
    #[command(flatten)]
    pub(crate) sure: Sure,
}

/// The word for a choice, as people type it and as the API spells it.
pub(crate) fn word(choice: &impl ValueEnum) -> String {
    choice.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
}

/// Reads a duration such as `10m`.
fn duration(text: &str) -> Result<Duration, String> {
    base::time::parse_duration(text)
}

/// Reads `key=value`.
fn label(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("write a label as key=value".into()),
    }
}

#[cfg(test)]
mod tests;
