//! A Python of our own with the packages of `xtask/peers.txt`, pinned there.
//!
//! Separate, because a bare Debian lacks pieces of it one by one: `ensurepip` (then pip is taken from
//! Debian's wheel) or Python itself (then it is unpacked as well, and started through a script).

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{apt, on_path};
use crate::{say, step};

/// The packages and their versions, one per line, as pip reads them.
pub(crate) const PACKAGES: &str = include_str!("../../peers.txt");

/// Makes `own/bin/python`, and installs the packages for it.
pub(crate) fn install(folder: &Path, own: &Path) -> Result<(), String> {
    match on_path("python3") {
        Some(program) => from_machine(folder, own, &program),
        None => from_packages(folder, own),
    }
}

/// Says whether this Python finds the mail server.
pub(crate) fn works(own: &Path) -> Result<(), String> {
    step::output(Command::new(own.join("bin/python")).args(["-c", "import aiosmtpd.controller"])).map(|_| ())
}

/// A virtual environment on the machine's Python.
fn from_machine(folder: &Path, own: &Path, program: &Path) -> Result<(), String> {
    step::output(Command::new(program).args(["-m", "venv", "--without-pip"]).arg(own))?;
    let python = own.join("bin/python");
    let ensured = step::output(Command::new(&python).args(["-m", "ensurepip"]));
    let mut pip = Command::new(&python);
    if ensured.is_ok() {
        pip.args(["-m", "pip"]);
    } else {
        say::complaint("this Python has no ensurepip; taking pip from its Debian package");
        pip.arg(pip_from_wheel(folder)?);
    }
    install_packages(&mut pip)
}

/// Debian's Python, unpacked; its `bin/python` is a script that tells it where it lives.
fn from_packages(folder: &Path, own: &Path) -> Result<(), String> {
    say::complaint("there is no python3 on this machine; unpacking one");
    let unpacked = own.join("python");
    apt::unpack(folder, &["python3-minimal", "libpython3-stdlib"], &unpacked)?;
    let libraries = own.join("lib");
    apt::gather_libraries(&unpacked, &libraries)?;
    let python = own.join("bin/python");
    fs::create_dir_all(own.join("bin")).map_err(|why| format!("{}: {why}", own.display()))?;
    let script = format!(
        "#!/bin/sh\nexport PYTHONHOME='{home}/usr' PYTHONPATH='{site}' LD_LIBRARY_PATH='{libraries}'\n\
         exec '{home}/usr/bin/python3' \"$@\"\n",
        home = unpacked.display(),
        site = own.join("site").display(),
        libraries = libraries.display(),
    );
    let failed = |why: std::io::Error| format!("{}: {why}", python.display());
    fs::write(&python, script).map_err(failed)?;
    fs::set_permissions(&python, fs::Permissions::from_mode(0o755)).map_err(failed)?;
    let mut pip = Command::new(&python);
    pip.arg(pip_from_wheel(folder)?);
    install_packages(pip.env("PIP_TARGET", own.join("site")))
}

/// pip inside its wheel, which Python can run without installing it.
fn pip_from_wheel(folder: &Path) -> Result<PathBuf, String> {
    let own = folder.join("pip");
    apt::unpack(folder, &["python3-pip-whl"], &own)?;
    let wheels = own.join("usr/share/python-wheels");
    let files = fs::read_dir(&wheels).map_err(|why| format!("{}: {why}", wheels.display()))?;
    let is_pip =
        |path: &PathBuf| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("pip-"));
    let wheel = files.flatten().map(|entry| entry.path()).find(is_pip);
    wheel.map(|wheel| wheel.join("pip")).ok_or_else(|| format!("{}: holds no wheel of pip", wheels.display()))
}

fn install_packages(pip: &mut Command) -> Result<(), String> {
    let list = step::root().join("xtask/peers.txt");
    pip.args(["install", "--quiet", "--disable-pip-version-check", "--no-input", "--requirement"]).arg(list);
    step::output(pip).map(|_| ())
}
