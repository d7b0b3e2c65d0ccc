//! `init`, `run` and `check`, and where the node of a data folder listens: all that is asked of the crate
//! `node`.
//!
//! Separate, so that the rest of the program talks to a node only over HTTP.

use crate::args::{Check, Init};
use crate::exit::{Exit, Failure, Outcome};
use crate::output::Output;
use crate::place::host;
use reqwest::Url;
use std::path::Path;

/// The file in which a running node says where it listens.
const LISTENING_FILE: &str = "listening";

/// `init`.
pub(crate) fn init(_out: &mut Output, _data: &Path, _args: &Init) -> Outcome {
    Err(not_built_in("init"))
}

/// `run`.
pub(crate) fn run(_data: &Path) -> Outcome {
    Err(not_built_in("run"))
}

/// `demo`.
pub(crate) fn demo() -> Outcome {
    Err(not_built_in("demo"))
}

/// `check`.
pub(crate) fn check(_out: &mut Output, _data: &Path, _args: &Check) -> Outcome {
    Err(not_built_in("check"))
}

/// The API, as OpenAPI.
pub(crate) fn openapi() -> Outcome<String> {
    Err(not_built_in("codegen openapi"))
}

fn not_built_in(command: &str) -> Failure {
    Failure::failed(format!("{command} is not built in yet"))
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
