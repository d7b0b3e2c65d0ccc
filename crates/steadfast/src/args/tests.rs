//! What the command line takes and refuses.

use super::*;
use clap::CommandFactory as _;
use clap::error::ErrorKind;

fn parsed(line: &str) -> Result<Cli, ErrorKind> {
    let words = line.split_whitespace();
    Cli::try_parse_from(std::iter::once("steadfast").chain(words)).map_err(|error| error.kind())
}

#[test]
fn the_definitions_hold() {
    Cli::command().debug_assert();
}

#[test]
fn the_help_of_every_command_renders() {
    fn render(command: &mut clap::Command) -> usize {
        assert!(!command.render_long_help().to_string().is_empty());
        assert!(command.get_about().is_some(), "{} says nothing", command.get_name());
        1 + command.get_subcommands_mut().map(render).sum::<usize>()
    }
    let mut root = Cli::command();
    root.build();
    assert!(render(&mut root) > 40);
}

#[test]
fn commands_are_understood() {
    for line in [
        "init --name north",
        "run --data /tmp/x",
        "demo",
        "check --config node.toml directory.toml",
        "send -i a -i b,c -m hello",
        "send -m - --wait acknowledged --timeout 90s",
        "send -m x --label a=b --label c=d --severity critical --key k",
        "send --host https://a --host b:1 -m x",
        "alerts",
        "alerts --state all --limit 3 -w",
        "alert A1 --notifications",
        "ack A1 A2,A3 --as anna -m x",
        "ack --all --yes",
        "send -m x --choice a --choice b --acknowledges 1,2",
        "answer A1 2 --as anna -m x",
        "comment A1 -m x",
        "close A1 A2",
        "escalate-now A1",
        "pending delete A1",
        "pending delete --all --yes",
        "pause -m x",
        "resume --discard --yes",
        "directory export --json",
        "directory apply d.toml --yes",
        "directory edit",
        "recipients list",
        "groups set pumps members+=anna members-=bert",
        "policies set p --file p.toml",
        "routes remove r --yes",
        "template preview t --body x",
        "template preview t --channel sms --language de --sample longest",
        "token add t --scope send,read --expires 90d",
        "token create",
        "token create --role witness --valid 30m --host https://a",
        "join sfjoin_x --name south --data /tmp/x --api 0.0.0.0:1 --peers 0.0.0.0:2 --role backup",
        "join sfjoin_x --address a:1 --address b:2 --admin-token t",
        "cluster status --watch",
        "cluster switch-over --because x --yes",
        "cluster switch-over north",
        "cluster take-over --yes",
        "cluster recover north --timeout 90s",
        "cluster leave --yes",
        "cluster remove north --yes",
        "cluster force-primary",
        "cluster mode active-passive",
        "cluster takeover off",
        "cluster maintenance on x",
        "cluster maintenance off",
        "cluster totals --since 24h --json",
        "cluster verify",
        "trail --node north",
        "directory diff --lost",
        "directory apply d.toml --forward",
        "user add bea --scope operate --password-file -",
        "trail --follow --since 2h",
        "status -q",
        "providers",
        "providers test mail-1",
        "backup out",
        "restore out --yes",
        "verify",
        "completions zsh",
        "man --out d",
        "codegen exit-codes",
    ] {
        parsed(line).unwrap_or_else(|kind| panic!("{line}: {kind}"));
    }
}

#[test]
fn commands_about_schedules_are_understood() {
    for line in [
        "on-call",
        "on-call nights --at 2026-12-24T22:00:00Z",
        "schedule shifts nights --from 2026-12-01T00:00:00Z",
        "schedule ical nights",
        "schedule override add nights --who carl,dora --until 4h --instead-of anna",
        "schedule override remove nights 0 --yes",
        "schedules set nights --file nights.toml",
        "calendars list",
        "monitors list",
        "monitors set backup every=5m",
        "ping backup",
        "ping backup --status 3 -m x",
        "ping backup --fail",
        "heartbeat send",
    ] {
        parsed(line).unwrap_or_else(|kind| panic!("{line}: {kind}"));
    }
}

#[test]
fn commands_about_silences_are_understood() {
    for line in [
        "silence add site=north --for 2h -m works",
        "silence add site=north host!=db1 --until 2026-12-24T22:00:00Z --from 1h -m works --author bea",
        "silence add site=north --for 2h --dry-run",
        "silence list --all",
        "silence show 00000000-0000-8000-a000-000000000000",
        "silence expire 00000000-0000-8000-a000-000000000000 --yes",
        "maintenance list",
        "inhibitions set site-down --file site-down.toml",
    ] {
        parsed(line).unwrap_or_else(|kind| panic!("{line}: {kind}"));
    }
}

#[test]
fn what_makes_no_sense_is_refused() {
    for (line, kind) in [
        ("", ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand),
        ("send", ErrorKind::MissingRequiredArgument),
        ("send -m x --severity bad", ErrorKind::InvalidValue),
        ("send -m x --label novalue", ErrorKind::ValueValidation),
        ("send -m x --wait sent --resolve", ErrorKind::ArgumentConflict),
        ("send -m x --wait sent --timeout 5", ErrorKind::ValueValidation),
        ("send -m x --timeout 5m", ErrorKind::MissingRequiredArgument),
        ("silence add site=north -m works", ErrorKind::MissingRequiredArgument),
        ("silence add site=north --for 2h", ErrorKind::MissingRequiredArgument),
        ("silence add site=north --for 2h --until 3h -m works", ErrorKind::ArgumentConflict),
        ("ack", ErrorKind::MissingRequiredArgument),
        ("ack A1 --all", ErrorKind::ArgumentConflict),
        ("alerts --limit 0", ErrorKind::ValueValidation),
        ("pending delete", ErrorKind::MissingRequiredArgument),
        ("pause", ErrorKind::MissingRequiredArgument),
        ("token add t", ErrorKind::MissingRequiredArgument),
        ("token create --role master", ErrorKind::InvalidValue),
        ("join", ErrorKind::MissingRequiredArgument),
        ("cluster mode active", ErrorKind::InvalidValue),
        ("cluster maintenance on", ErrorKind::MissingRequiredArgument),
        ("cluster recover --timeout 5", ErrorKind::ValueValidation),
        ("directory diff", ErrorKind::MissingRequiredArgument),
        ("directory diff d.toml --lost", ErrorKind::ArgumentConflict),
        ("groups set g --file f members=1", ErrorKind::ArgumentConflict),
        ("alrets", ErrorKind::InvalidSubcommand),
    ] {
        assert_eq!(parsed(line).err(), Some(kind), "{line}");
    }
}

#[test]
fn hosts_may_be_separated_by_commas_and_stand_behind_the_command() {
    let cli = parsed("status --host a,b --host c").unwrap();
    assert_eq!(cli.global.host, ["a", "b", "c"]);
}

#[test]
fn the_token_is_never_shown_in_help() {
    let mut root = Cli::command();
    assert!(root.render_long_help().to_string().contains("STEADFAST_TOKEN"));
    let token = root.get_arguments().find(|arg| arg.get_id() == "token").unwrap();
    assert!(token.is_hide_env_values_set());
}
