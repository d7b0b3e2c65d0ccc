//! `init`, `run`, `demo` and `check`, and where the node of a data folder listens: all that is asked of the
//! crate `node`.
//!
//! Separate, so that the rest of the program talks to a node only over HTTP.

use crate::args::{Check, Demo, Init};
use crate::exit::{Exit, Failure, Outcome};
use crate::output::Output;
use crate::place::host;
use node::init::Plan;
use node::{LISTENING_FILE, Ready};
use reqwest::Url;
use std::path::Path;
use tokio::signal::unix::{SignalKind, signal};

/// `init`.
pub(crate) fn init(out: &mut Output, data: &Path, args: &Init) -> Outcome {
    let name = node_name(args.name.as_deref())?;
    let plan = Plan {
        api: args.listen,
        ingest: Some(args.ingest),
        peers: Some(args.peers),
        alternative_names: args.reached_as.clone(),
        ..Plan::new(name)
    };
    let made = node::init::init(data, &plan).map_err(|error| {
        let exit =
            if matches!(error, node::init::InitError::Exists(_)) { Exit::Conflict } else { Exit::Failed };
        Failure::new(exit, error.to_string())
    })?;
    for file in &made.files {
        out.data(&format!("{}\n", file.display()))?;
    }
    out.say(&format!(
        "A node's data folder is ready. Next:\n\
         1. say in {} how mail goes out (a [[providers]] table);\n\
         2. put people into {}, or later through `steadfast directory apply`;\n\
         3. judge both with `steadfast check`, and start with `steadfast run`.",
        data.join(node::config::NODE_FILE).display(),
        data.join(node::init::FIRST_DIRECTORY_FILE).display(),
    ));
    Ok(())
}

/// The name of a node: as given, else the machine's.
///
/// # Errors
/// `Usage` if it cannot be one.
pub(crate) fn node_name(given: Option<&str>) -> Outcome<base::Name> {
    let machine = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let name = given.unwrap_or_else(|| machine.split('.').next().unwrap_or("node"));
    base::Name::new(name).map_err(|error| Failure::new(Exit::Usage, format!("--name: {error}")))
}

/// `run`.
pub(crate) fn run(data: &Path) -> Outcome {
    let config = node::config::read(data).map_err(|error| Failure::failed(error.to_string()))?;
    node::telemetry::start(&config.log);
    // The ledger holds people's addresses and digests of secrets: nobody else's to read.
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o077));
    let failed = |error: std::io::Error| Failure::failed(format!("cannot start: {error}"));
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(failed)?;
    runtime.block_on(async {
        let (stop, stopped) = tokio::sync::oneshot::channel();
        let mut terminate = signal(SignalKind::terminate()).map_err(failed)?;
        tokio::spawn(async move {
            tokio::select! {
                _ = terminate.recv() => (),
                _ = tokio::signal::ctrl_c() => (),
            }
            tracing::info!("stopping: what is under way is finished first");
            stop.send(()).unwrap_or_default(); // The node may have ended by itself.
        });
        let ready = |ready: Ready| {
            let ingest = ready.ingest.map(|at| at.to_string());
            tracing::info!(api = %ready.api, ingest = ingest.as_deref().unwrap_or("off"), "listening");
        };
        node::run(data, stopped, ready).await.map_err(|error| Failure::failed(error.to_string()))
    })
}

/// `demo`.
pub(crate) fn demo(args: &Demo) -> Outcome {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::failed(format!("cannot start: {error}")))?;
    runtime.block_on(crate::demo::run(args.keep)).map_err(|error| Failure::failed(error.to_string()))
}

/// `check`.
pub(crate) fn check(out: &mut Output, data: &Path, args: &Check) -> Outcome {
    let file = args.config.clone().unwrap_or_else(|| data.join(node::config::NODE_FILE));
    let mut wrong = check_node_file(out, &file);
    let first = data.join(node::init::FIRST_DIRECTORY_FILE);
    let directory = args.directory.clone().or_else(|| first.exists().then_some(first));
    if let Some(directory) = &directory {
        wrong.extend(node::judge::directory_file(directory).err().unwrap_or_default());
    }
    if !wrong.is_empty() {
        return Err(Failure::failed(wrong.join("\n")));
    }
    let looked =
        [Some(&file), directory.as_ref()].into_iter().flatten().map(|file| file.display().to_string());
    out.say(&format!("nothing is wrong with {}", looked.collect::<Vec<_>>().join(" and ")));
    Ok(())
}

/// What is wrong with a node file and the providers in it.
fn check_node_file(out: &mut Output, file: &Path) -> Vec<String> {
    let config = match node::judge::node_file(file) {
        Ok(config) => config,
        Err(wrong) => return wrong,
    };
    if config.providers.is_empty() {
        out.say(&format!("note: {} has no [[providers]], so nobody can be told of an alert", file.display()));
    }
    Vec::new()
}

/// Where the node of this data folder listens, as it says itself.
///
/// # Errors
/// `Unreachable` if no node runs there.
pub(crate) fn own_host(data: &Path) -> Outcome<Url> {
    let file = data.join(LISTENING_FILE);
    let text = std::fs::read_to_string(&file).map_err(|error| {
        let why = format!(
            "no node runs in {} ({error}); start it with `steadfast run`, or give --host",
            data.display()
        );
        Failure::new(Exit::Unreachable, why)
    })?;
    let address = text.lines().find_map(|line| line.strip_prefix("api "));
    let address =
        address.ok_or_else(|| Failure::failed(format!("{}: there is no line \"api …\"", file.display())))?;
    host(&reachable(address))
}

/// Every address (`0.0.0.0`) is where a node listens, not where it is reached.
fn reachable(address: &str) -> String {
    match address.parse::<std::net::SocketAddr>() {
        Ok(at) if at.ip().is_unspecified() => format!("https://localhost:{}", at.port()),
        Ok(_) | Err(_) => format!("https://{address}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_is_where_the_node_says_that_it_listens() {
        let folder = tempfile::tempdir().unwrap();
        let none = own_host(folder.path()).unwrap_err();
        assert_eq!(none.exit, Exit::Unreachable);
        assert!(none.text.contains("steadfast run"), "{none}");
        let check = |text: &str, expect: &str| {
            std::fs::write(folder.path().join(LISTENING_FILE), text).unwrap();
            assert_eq!(own_host(folder.path()).unwrap().as_str(), expect);
        };
        check("api 127.0.0.1:4567\ningest 127.0.0.1:1\n", "https://127.0.0.1:4567/");
        check("api [::]:4567\n", "https://localhost:4567/");
        check("api 0.0.0.0:4567\n", "https://localhost:4567/");
    }
}
