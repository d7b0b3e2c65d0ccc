//! The program: reads the command line and hands each command to the file of its concern.
//!
//! Reading order: `args` (every command and option), `place` (where the node is), `client` (how it is asked),
//! `output` (how is spoken), `exit` (what a script learns), then the commands.

mod about;
mod access;
mod alerts;
mod args;
mod client;
mod cluster;
mod cluster_args;
mod demo;
mod directory;
mod directory_args;
mod exit;
mod forms;
mod import_args;
mod imports;
mod ledger_commands;
mod monitor_args;
mod monitors;
mod node_commands;
mod orders;
mod output;
mod place;
mod schedule_args;
mod schedules;
mod sections;
mod send;
mod silence_args;
mod silences;
mod sse;
mod status;
mod tables;
mod trail;

use args::{Cli, Command, Global};
use clap::Parser as _;
use client::Client;
use directory_args::{Section, SectionAction};
use exit::{Exit, Failure, Outcome};
use output::Output;
use place::{Place, data_folder};
use std::process::ExitCode;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let mut out = Output::new(&cli.global);
    match perform(&cli, &mut out) {
        Ok(()) => Exit::Done.into(),
        Err(failure) => {
            if !failure.text.is_empty() {
                out.complain(&format!("steadfast: {failure}"));
            }
            failure.exit.into()
        }
    }
}

/// What each command does: first what needs no running node, then what is asked of one.
fn perform(cli: &Cli, out: &mut Output) -> Outcome {
    let data = data_folder(&cli.global);
    let node = Node { global: &cli.global, key: None };
    match &cli.command {
        Command::Init(args) => node_commands::init(out, &data, args),
        Command::Join(args) => cluster::join::join(out, &data, args),
        Command::Run => node_commands::run(&data),
        Command::Demo(args) => node_commands::demo(args),
        Command::Check(args) => node_commands::check(out, &data, args),
        Command::Import(action) => imports::import(out, action),
        Command::Backup(args) => ledger_commands::backup(out, &data, args),
        Command::Restore(args) => ledger_commands::restore(out, &data, args),
        Command::Verify => ledger_commands::verify(out, &data),
        Command::Completions { shell } => about::completions(out, *shell),
        Command::Man { out: folder } => about::man(out, folder.as_deref()),
        Command::Codegen { part } => about::codegen(out, *part),
        Command::Send(args) => {
            let node = Node { key: args.key.clone(), ..node };
            node.asked(async |client| send::send(client, out, args).await)
        }
        Command::Alerts(args) => node.asked(async |client| alerts::list(client, out, args).await),
        Command::Alert(args) => node.asked(async |client| alerts::show(client, out, args).await),
        Command::Ack(args) => node.asked(async |client| orders::acknowledge(client, out, args).await),
        Command::Answer(args) => node.asked(async |client| orders::answer(client, out, args).await),
        Command::Comment(args) => node.asked(async |client| orders::comment(client, out, args).await),
        Command::Close(args) => node.asked(async |client| orders::close(client, out, args).await),
        Command::EscalateNow(args) => node.asked(async |client| orders::escalate(client, out, args).await),
        Command::Pending(args) => node.asked(async |client| orders::pending(client, out, args).await),
        Command::Pause(args) => node.asked(async |client| orders::pause(client, out, args).await),
        Command::Resume(args) => node.asked(async |client| orders::resume(client, out, args).await),
        Command::Silence(action) => node.asked(async |client| silences::silence(client, out, action).await),
        Command::Directory(action) => {
            node.asked(async |client| directory::directory(client, out, action).await)
        }
        Command::Recipients(action) => node.section(out, Section::Recipients, action),
        Command::Groups(action) => node.section(out, Section::Groups, action),
        Command::OnCall(args) => node.asked(async |client| schedules::on_call(client, out, args).await),
        Command::Schedule(action) => {
            node.asked(async |client| schedules::schedule(client, out, action).await)
        }
        Command::Schedules(action) => node.section(out, Section::Schedules, action),
        Command::Ping(args) => node.asked(async |client| monitors::ping(client, out, args).await),
        Command::Monitors(SectionAction::List) => {
            node.asked(async |client| monitors::list(client, out).await)
        }
        Command::Monitors(action) => node.section(out, Section::Monitors, action),
        Command::Heartbeat(action) => {
            node.asked(async |client| monitors::heartbeat(client, out, action).await)
        }
        Command::Calendars(action) => node.section(out, Section::Calendars, action),
        Command::Policies(action) => node.section(out, Section::Policies, action),
        Command::Templates(action) => node.section(out, Section::Templates, action),
        Command::Departments(action) => node.section(out, Section::Departments, action),
        Command::Routes(action) => node.section(out, Section::Routes, action),
        Command::Filters(action) => node.section(out, Section::Filters, action),
        Command::Inhibitions(action) => node.section(out, Section::Inhibitions, action),
        Command::Maintenance(action) => node.section(out, Section::Maintenance, action),
        Command::Template(action) => node.asked(async |client| sections::template(client, out, action).await),
        Command::Token(action) => node.asked(async |client| access::token(client, out, action).await),
        Command::User(action) => node.asked(async |client| access::user(client, out, action).await),
        Command::Cluster(action) => node.asked(async |client| cluster::cluster(client, out, action).await),
        Command::Trail(args) => node.asked(async |client| trail::trail(client, out, args).await),
        Command::Status => node.asked(async |client| status::status(client, out).await),
        Command::Providers(args) => node.asked(async |client| status::providers(client, out, args).await),
    }
}

/// The node that a command is asked of.
struct Node<'a> {
    global: &'a Global,
    /// The idempotency key, if the user gave one.
    key: Option<String>,
}

impl Node<'_> {
    /// Has a conversation, on one thread: a command asks one thing at a time.
    fn asked(self, talk: impl AsyncFnOnce(&Client) -> Outcome) -> Outcome {
        let client = Client::new(Place::find(self.global)?, self.key)?.forwarding(self.global.forward);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| Failure::failed(format!("cannot start: {error}")))?;
        runtime.block_on(talk(&client))
    }

    fn section(self, out: &mut Output, section: Section, action: &SectionAction) -> Outcome {
        self.asked(async |client| sections::section(client, out, section, action).await)
    }
}
