//! `cargo xtask peers`: the foreign programs that the tests and the benchmark talk to.
//!
//! Separate, because a test against our own fake proves little: mail goes to servers we did not write,
//! and figures are printed beside somebody else's. Nothing is installed on the machine. Packages are
//! downloaded with the machine's own package tools, unpacked below `target/peers` (or the folder that
//! `STEADFAST_PEERS` names) and run from there; no service is started. What is there:
//!
//! | folder | what | run as |
//! |---|---|---|
//! | `postfix/usr/sbin` | `smtp-sink`, `smtp-source` | with `LD_LIBRARY_PATH=postfix/usr/lib/postfix` |
//! | `venv/bin` | `python` with the packages of `xtask/peers.txt` (aiosmtpd) | as it is |
//! | `faketime` | `libfaketime.so.1` | with `LD_PRELOAD` before a program whose clock is to be wrong |
//! | `alertmanager/usr/bin` | `amtool`, and `prometheus-alertmanager` for `bench` and `compare` | see `alertmanager` below |
//! | `prometheus/usr/bin` | `prometheus` | as it is |
//! | `keepalived/usr/sbin` | `keepalived`, for `compare` only | with `LD_LIBRARY_PATH=keepalived/libraries` |
//!
//! Started by root, `smtp-sink` wants to be told whom to become: `-u root` will do.

mod apt;
mod python;

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::{nothing_more, say, step};

/// One line of help.
pub(crate) const HELP: &str = "downloads the foreign programs that the tests talk to";

/// A foreign program: its folder, the version of the way it is installed, and how that is done.
pub(crate) struct Peer {
    /// The folder below the peers' folder.
    name: &'static str,
    /// What the stamp holds; another text here installs it anew.
    stamp: fn() -> String,
    /// Installs it into an empty folder. The first path is the peers' folder, the second its own.
    install: fn(&Path, &Path) -> Result<(), String>,
    /// Says whether what is in the folder runs.
    works: fn(&Path) -> Result<(), String>,
    /// What to do by hand where this fails.
    by_hand: &'static str,
}

/// Postfix's test tools: a mail sink with fault flags and a load generator.
const POSTFIX: Peer = Peer {
    name: "postfix",
    stamp: || "postfix 1".to_owned(),
    install: install_postfix,
    works: postfix_works,
    by_hand: "install the package \"postfix\" (it need not run), so that smtp-sink and smtp-source are on PATH",
};

/// A Python with a mail server that speaks STARTTLS and AUTH.
const VENV: Peer = Peer {
    name: "venv",
    stamp: || format!("venv 1\n{}", python::PACKAGES),
    install: python::install,
    works: python::works,
    by_hand: "install Python 3.10 or newer with its venv module, then run this again",
};

/// The dispatcher beside which ours is measured.
const ALERTMANAGER: Peer = Peer {
    name: "alertmanager",
    stamp: || "alertmanager 1".to_owned(),
    install: install_alertmanager,
    works: |own| runs(Command::new(alertmanager_program(own)).arg("--version"), "alertmanager"),
    by_hand: "install the package \"prometheus-alertmanager\" (it need not run)",
};

/// What posts alerts to us as it would to the dispatcher.
const PROMETHEUS: Peer = Peer {
    name: "prometheus",
    stamp: || "prometheus 1".to_owned(),
    install: install_prometheus,
    works: |own| runs(Command::new(own.join("usr/bin/prometheus")).arg("--version"), "prometheus"),
    by_hand: "install the package \"prometheus\" (it need not run)",
};

/// The keeper of a virtual address beside which a takeover is measured.
const KEEPALIVED: Peer = Peer {
    name: "keepalived",
    stamp: || "keepalived 1".to_owned(),
    install: install_keepalived,
    works: |own| runs(keepalived_in(own).arg("--version"), "keepalived"),
    by_hand: "install the package \"keepalived\" (it need not run)",
};

/// A library that shows a program another time.
const FAKETIME: Peer = Peer {
    name: "faketime",
    stamp: || "faketime 1".to_owned(),
    install: install_faketime,
    works: |own| match own.join(FAKETIME_LIBRARY).metadata() {
        Ok(_) => Ok(()),
        Err(why) => Err(format!("{FAKETIME_LIBRARY} is not there: {why}")),
    },
    by_hand: "install the package \"libfaketime\"",
};
const FAKETIME_LIBRARY: &str = "libfaketime.so.1";

/// What the tests need.
pub(crate) const FOR_TESTS: &[Peer] = &[POSTFIX, VENV, FAKETIME, ALERTMANAGER, PROMETHEUS];
/// What the benchmark needs.
pub(crate) const FOR_BENCH: &[Peer] = &[POSTFIX, VENV, ALERTMANAGER];
/// What the comparison needs.
pub(crate) const FOR_COMPARE: &[Peer] = &[ALERTMANAGER, KEEPALIVED];
/// All of them.
const ALL: &[Peer] = &[POSTFIX, VENV, FAKETIME, ALERTMANAGER, PROMETHEUS, KEEPALIVED];

/// Installs everything.
pub(crate) fn run(words: &[String]) -> Result<(), String> {
    nothing_more(words)?;
    let folder = install(ALL)?;
    say::line(&format!("STEADFAST_PEERS={}", folder.display()));
    Ok(())
}

/// Installs those of `peers` that are not there yet, and returns the folder they are in.
pub(crate) fn install(peers: &[Peer]) -> Result<PathBuf, String> {
    let folder = folder();
    fs::create_dir_all(&folder).map_err(|why| format!("{}: {why}", folder.display()))?;
    let lock = folder.join(".lock");
    // Two runs at once would unpack into each other's folders; the second waits, and finds all done.
    let held = File::create(&lock).map_err(|why| format!("{}: {why}", lock.display()))?;
    held.lock().map_err(|why| format!("{}: could not be locked: {why}", lock.display()))?;
    for peer in peers {
        install_one(&folder, peer)
            .map_err(|why| format!("the peer {}: {why}; to go on by hand, {}", peer.name, peer.by_hand))?;
    }
    Ok(folder)
}

/// Where the peers are: `STEADFAST_PEERS`, or `target/peers`.
fn folder() -> PathBuf {
    let named = std::env::var_os("STEADFAST_PEERS").filter(|folder| !folder.is_empty());
    named.map_or_else(|| step::target().join("peers"), |folder| step::root().join(folder))
}

fn install_one(folder: &Path, peer: &Peer) -> Result<(), String> {
    let own = folder.join(peer.name);
    let stamp = own.join(".installed");
    if fs::read_to_string(&stamp).is_ok_and(|text| text == (peer.stamp)()) && (peer.works)(&own).is_ok() {
        return Ok(());
    }
    say::complaint(&format!("installing the peer {} into {} …", peer.name, own.display()));
    if own.exists() {
        fs::remove_dir_all(&own).map_err(|why| format!("{}: {why}", own.display()))?;
    }
    fs::create_dir_all(&own).map_err(|why| format!("{}: {why}", own.display()))?;
    (peer.install)(folder, &own)?;
    (peer.works)(&own)?;
    // Last, so that an interrupted installation is begun again.
    fs::write(&stamp, (peer.stamp)()).map_err(|why| format!("{}: {why}", stamp.display()))
}

/// Runs a program that should do nothing but say something; any answer shows that it can run.
fn runs(command: &mut Command, name: &str) -> Result<(), String> {
    let done = command.output().map_err(|why| format!("{name} does not start: {why}"))?;
    // 127 is the loader's: a shared library is missing.
    if done.status.code() == Some(127) {
        return Err(format!("{name} does not run: {}", String::from_utf8_lossy(&done.stderr).trim()));
    }
    Ok(())
}

/// The program called `name` in one of the folders of `PATH` and those for administrators.
fn on_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let usual = ["/usr/sbin", "/usr/local/sbin"].map(PathBuf::from);
    std::env::split_paths(&path).chain(usual).map(|folder| folder.join(name)).find(|file| file.is_file())
}

/// Puts a link to the machine's own program at `at`.
fn link(program: &Path, at: &Path) -> Result<(), String> {
    let parent = at.parent().ok_or("a link needs a folder")?;
    fs::create_dir_all(parent).map_err(|why| format!("{}: {why}", parent.display()))?;
    std::os::unix::fs::symlink(program, at).map_err(|why| format!("{}: {why}", at.display()))
}

/// `smtp-sink`, ready to take its words; `folder` is that of the peers.
pub(crate) fn postfix_tool(folder: &Path, name: &str) -> Command {
    let own = folder.join("postfix");
    let mut command = Command::new(own.join("usr/sbin").join(name));
    command.env("LD_LIBRARY_PATH", own.join("usr/lib/postfix"));
    command
}

fn postfix_works(own: &Path) -> Result<(), String> {
    let folder = own.parent().ok_or("the peers' folder has no parent")?;
    runs(&mut postfix_tool(folder, "smtp-sink"), "smtp-sink")?;
    runs(&mut postfix_tool(folder, "smtp-source"), "smtp-source")
}

fn install_postfix(folder: &Path, own: &Path) -> Result<(), String> {
    if let (Some(sink), Some(source)) = (on_path("smtp-sink"), on_path("smtp-source")) {
        link(&sink, &own.join("usr/sbin/smtp-sink"))?;
        return link(&source, &own.join("usr/sbin/smtp-source"));
    }
    apt::unpack(folder, &["postfix"], own)?;
    apt::gather_libraries(own, &own.join("usr/lib/postfix"))
}

/// Debian keeps the library in a folder of its own for each architecture.
fn install_faketime(folder: &Path, own: &Path) -> Result<(), String> {
    let below = |lib: &Path| {
        let each = fs::read_dir(lib).into_iter().flatten().flatten();
        let files = each.map(|entry| entry.path().join("faketime").join(FAKETIME_LIBRARY));
        files.into_iter().find(|file| file.is_file())
    };
    let mut found = below(Path::new("/usr/lib"));
    if found.is_none() {
        apt::unpack(folder, &["libfaketime"], own)?;
        found = below(&own.join("usr/lib"));
    }
    let library = found.ok_or_else(|| format!("the package has no {FAKETIME_LIBRARY}"))?;
    link(&library, &own.join(FAKETIME_LIBRARY))
}

/// The dispatcher, ready to take its words; `folder` is that of the peers.
///
/// Debian's build reads its templates from a fixed folder of the machine. Where that is missing, the
/// program runs in a mount namespace of its own, with the package's `/usr/share` in that place.
pub(crate) fn alertmanager(folder: &Path) -> Command {
    let own = folder.join("alertmanager");
    let program = alertmanager_program(&own);
    if Path::new("/usr/share/prometheus/alertmanager/default.tmpl").exists() {
        return Command::new(program);
    }
    let mut command = Command::new("unshare");
    command.args(["-Urm", "sh", "-c", "mount --bind \"$0\" /usr/share && exec \"$@\""]);
    command.arg(own.join("usr/share")).arg(program);
    command
}

/// The dispatcher's program in its own folder.
fn alertmanager_program(own: &Path) -> PathBuf {
    own.join("usr/bin/prometheus-alertmanager")
}

fn install_alertmanager(folder: &Path, own: &Path) -> Result<(), String> {
    if let Some(program) = on_path("prometheus-alertmanager") {
        if let Some(tool) = on_path("amtool") {
            link(&tool, &own.join("usr/bin/amtool"))?;
        }
        return link(&program, &alertmanager_program(own));
    }
    apt::unpack(folder, &["prometheus-alertmanager"], own)
}

fn install_prometheus(folder: &Path, own: &Path) -> Result<(), String> {
    if let Some(program) = on_path("prometheus") {
        return link(&program, &own.join("usr/bin/prometheus"));
    }
    apt::unpack(folder, &["prometheus"], own)
}

/// The keeper of a virtual address, ready to take its words; `folder` is that of the peers.
pub(crate) fn keepalived(folder: &Path) -> Command {
    keepalived_in(&folder.join("keepalived"))
}

fn keepalived_in(own: &Path) -> Command {
    let mut command = Command::new(own.join("usr/sbin/keepalived"));
    command.env("LD_LIBRARY_PATH", own.join("libraries"));
    command
}

fn install_keepalived(folder: &Path, own: &Path) -> Result<(), String> {
    if let Some(program) = on_path("keepalived") {
        return link(&program, &own.join("usr/sbin/keepalived"));
    }
    apt::unpack(folder, &["keepalived"], own)?;
    apt::gather_libraries(own, &own.join("libraries"))
}
