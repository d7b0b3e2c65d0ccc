//! Into namespaces of our own: network, processes, mounts, and a user who is root there and nowhere else.
//!
//! Separate from `net`, which builds inside what this makes. A process cannot move itself there once it has
//! threads, and a test program always has: so it runs itself again, with the same words, under `unshare`
//! (util-linux). Its process namespace ends with it, and with that every program started in it.

use std::any::type_name;
use std::fs;
use std::process::{Command, ExitStatus, Stdio};

use crate::process::output;

/// Set in the environment of a process that runs inside.
const MARK: &str = "LAB_INSIDE";

/// How `unshare` is asked, the best way first: as somebody who is root only inside, or else as root.
const WAYS: &[&[&str]] = &[
    &["-Urnm", "--pid", "--fork", "--kill-child", "--mount-proc"],
    &["-nm", "--pid", "--fork", "--kill-child", "--mount-proc"],
];

/// The first process inside. It stays, because the first process of a namespace is deaf to Ctrl-C: the
/// program is its child, which is not, and the end of the one ends the other.
const FIRST: &str = "\"$@\"; exit $?";

/// Where [`enter`] found or left this process.
#[derive(Debug)]
pub enum Place {
    /// Inside: go on.
    Inside,
    /// Outside, after the same program with the same words has run inside and ended so.
    Outside(ExitStatus),
}

/// Runs this program again, with the words it was given, inside namespaces of its own.
///
/// Inside, it returns at once. Its standard streams are those of the program outside.
///
/// # Errors
/// The machine allows neither user namespaces nor this to root; the sentence says what to change.
pub fn enter() -> Result<Place, String> {
    if is_inside() {
        prepare()?;
        return Ok(Place::Inside);
    }
    let words: Vec<String> = std::env::args().skip(1).collect();
    let status = again(&words)?.status();
    Ok(Place::Outside(status.map_err(|why| format!("unshare could not be started: {why}"))?))
}

/// Runs the body of a test inside namespaces of its own; `test` is written as a closure in the test itself.
///
/// The test program is run again inside for this one test, whose name is that of the function that the closure
/// stands in.
///
/// # Panics
/// The body panicked inside (what it said is printed), or the machine does not allow namespaces.
pub fn within<F: FnOnce()>(test: F) {
    if is_inside() {
        prepare().unwrap_or_else(|why| panic!("{why}"));
        return test();
    }
    let name = test_name(type_name::<F>());
    let mut command =
        again(&[name, "--exact".to_owned(), "--nocapture".to_owned()]).unwrap_or_else(|why| panic!("{why}"));
    let done = command.stdin(Stdio::null()).output().unwrap_or_else(|why| panic!("unshare: {why}"));
    let said = format!("{}{}", String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
    // A name that no test has would run nothing, and nothing would be green.
    assert!(said.contains("running 1 test"), "{name} is not a test of this program", name = type_name::<F>());
    assert!(done.status.success(), "inside its namespaces:\n{said}");
    tell(&said);
}

/// Passes on what a test said inside, to be captured or shown as its own words would be.
#[expect(clippy::print_stdout, reason = "only what goes through print! is captured with a test's output")]
fn tell(said: &str) {
    print!("{said}");
}

/// The test's name as the test program knows it: its path without the crate, and without what names the closure.
fn test_name(closure: &str) -> String {
    let path = closure.trim_end_matches("::{{closure}}");
    path.split_once("::").map_or_else(|| path.to_owned(), |(_, name)| name.to_owned())
}

/// Whether this process runs inside already; what needs the machine's own network is to be done before.
#[must_use]
pub fn is_inside() -> bool {
    std::env::var_os(MARK).is_some()
}

/// The command that runs this program inside with these words.
fn again(words: &[String]) -> Result<Command, String> {
    let program = std::env::current_exe().map_err(|why| format!("this program has no file: {why}"))?;
    let mut command = Command::new("unshare");
    command.args(way()?).args(["sh", "-c", FIRST, "lab"]).arg(program).args(words).env(MARK, "1");
    Ok(command)
}

/// The first of the ways that this machine allows.
fn way() -> Result<&'static [&'static str], String> {
    let mut refusals = Vec::new();
    for way in WAYS {
        match output(Command::new("unshare").args(*way).arg("true")) {
            Ok(_) => return Ok(way),
            Err(why) => refusals.push(why),
        }
    }
    Err(format!(
        "networks of our own need unprivileged user namespaces (sysctl user.max_user_namespaces above 0, and \
         kernel.apparmor_restrict_unprivileged_userns=0 where it exists) or root, and util-linux: {}",
        refusals.join("; ")
    ))
}

/// What must hold inside before anything is built: loopback is up, and nothing is forwarded between networks.
fn prepare() -> Result<(), String> {
    output(Command::new("ip").args(["link", "set", "lo", "up"]))?;
    let forward = "/proc/sys/net/ipv4/ip_forward";
    fs::write(forward, "0").map_err(|why| format!("{forward}: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_test_is_read_from_its_closure() {
        assert_eq!(test_name("whole::cluster::a_cut_heals::{{closure}}"), "cluster::a_cut_heals");
        assert_eq!(test_name("whole::at_the_top::{{closure}}"), "at_the_top");
    }

    #[test]
    fn inside_there_is_nothing_but_loopback_and_few_processes() {
        within(|| {
            let links = output(Command::new("ip").args(["-o", "link"])).unwrap();
            assert_eq!(links.lines().filter(|line| line.contains(" lo: ")).count(), 1, "{links}");
            assert!(std::process::id() < 10, "a process namespace of its own numbers from 1");
        });
    }

    #[test]
    fn what_goes_wrong_inside_goes_wrong_outside() {
        let failed = std::panic::catch_unwind(|| within(|| panic!("bad luck")));
        if is_inside() {
            // This very test, run again inside: its panic was caught above, and has to get out.
            std::process::exit(101);
        }
        let why = failed.unwrap_err();
        let why = why.downcast_ref::<String>().unwrap();
        assert!(why.starts_with("inside its namespaces:") && why.contains("bad luck"), "{why}");
    }
}
