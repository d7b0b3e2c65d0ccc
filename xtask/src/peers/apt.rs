//! Debian packages without installing them: downloaded by `apt-get`, unpacked by `dpkg -x`.
//!
//! Separate, because it must work where nobody is root and `apt-get update` was never run: then the
//! package lists are fetched into a folder of our own, and the machine's stay as they are.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::step;

/// Downloads `packages`, with whatever they need that this machine lacks, and unpacks them into `into`.
///
/// `folder` is the peers' folder; lists and downloads are kept in it.
pub(crate) fn unpack(folder: &Path, packages: &[&str], into: &Path) -> Result<(), String> {
    let downloads = folder.join("download");
    let lists = Lists::machine();
    let files = match download(&lists, packages, &downloads) {
        Ok(files) => files,
        // No lists, or old ones that name files which are gone.
        Err(_) => download(&Lists::fetch(folder)?, packages, &downloads)?,
    };
    for file in &files {
        step::output(Command::new("dpkg").arg("-x").arg(file).arg(into))?;
    }
    fs::remove_dir_all(&downloads).map_err(|why| format!("{}: {why}", downloads.display()))
}

/// Links every shared library below `own` into `gathered`, so that one search path finds them all.
pub(crate) fn gather_libraries(own: &Path, gathered: &Path) -> Result<(), String> {
    fs::create_dir_all(gathered).map_err(|why| format!("{}: {why}", gathered.display()))?;
    for top in ["usr/lib", "lib"] {
        for file in libraries(&own.join(top)) {
            let Some(name) = file.file_name() else { continue };
            let at = gathered.join(name);
            if !at.exists() {
                super::link(&file, &at)?;
            }
        }
    }
    Ok(())
}

/// The shared libraries in `folder` and one folder deeper, where Debian keeps those of an architecture.
fn libraries(folder: &Path) -> Vec<PathBuf> {
    let inside = |folder: &Path| -> Vec<PathBuf> {
        fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect()
    };
    let (folders, files): (Vec<_>, Vec<_>) = inside(folder).into_iter().partition(|path| path.is_dir());
    let deeper =
        folders.iter().filter(|folder| !folder.ends_with("postfix")).flat_map(|folder| inside(folder));
    let is_library = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        name.ends_with(".so") || name.contains(".so.")
    };
    files.into_iter().chain(deeper).filter(is_library).collect()
}

/// Which package lists `apt-get` is to read, as options.
struct Lists(Vec<OsString>);

impl Lists {
    /// Those of the machine.
    fn machine() -> Self {
        Self(Vec::new())
    }

    /// Fresh ones in our own folder, from the machine's own sources.
    fn fetch(folder: &Path) -> Result<Self, String> {
        let own = folder.join("apt");
        for part in ["lists/partial", "cache/archives/partial"] {
            let part = own.join(part);
            fs::create_dir_all(&part).map_err(|why| format!("{}: {why}", part.display()))?;
        }
        let option = |name: &str, path: PathBuf| -> [OsString; 2] {
            let mut value = OsString::from(name);
            value.push(path);
            ["-o".into(), value]
        };
        let mut words = Vec::new();
        words.extend(option("Dir::State::lists=", own.join("lists")));
        words.extend(option("Dir::Cache=", own.join("cache")));
        let lists = Self(words);
        step::output(lists.apt_get().arg("update"))?;
        Ok(lists)
    }

    fn apt_get(&self) -> Command {
        let mut command = Command::new("apt-get");
        // apt's own user may not write below the checkout; the download is verified all the same.
        command.args(["-q", "-o", "APT::Sandbox::User=root"]).args(&self.0);
        command
    }
}

/// Downloads the packages and what is missing for them, into an emptied folder.
fn download(lists: &Lists, packages: &[&str], into: &Path) -> Result<Vec<PathBuf>, String> {
    if into.exists() {
        fs::remove_dir_all(into).map_err(|why| format!("{}: {why}", into.display()))?;
    }
    fs::create_dir_all(into).map_err(|why| format!("{}: {why}", into.display()))?;
    let mut names: Vec<String> = packages.iter().map(|&name| name.to_owned()).collect();
    for name in missing(lists, packages) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    step::output(lists.apt_get().arg("download").args(&names).current_dir(into))?;
    let files = fs::read_dir(into).map_err(|why| format!("{}: {why}", into.display()))?;
    Ok(files.flatten().map(|entry| entry.path()).collect())
}

/// What an installation of `packages` would bring along on this machine; nothing if apt cannot tell.
fn missing(lists: &Lists, packages: &[&str]) -> Vec<String> {
    let mut simulate = lists.apt_get();
    simulate.args(["--simulate", "--no-install-recommends", "install"]).args(packages);
    step::output(&mut simulate).map(|text| to_install(&text)).unwrap_or_default()
}

/// The packages on the lines `Inst name (version …)` of a simulated installation.
fn to_install(text: &str) -> Vec<String> {
    let names = text.lines().filter_map(|line| line.strip_prefix("Inst ")?.split(' ').next());
    names.map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_simulated_installation_names_what_is_missing() {
        let text = "NOTE: This is only a simulation!\n\
                    Inst libicu72 (72.1-3+deb12u1 Debian:12 [amd64])\n\
                    Inst postfix (3.7.11-0+deb12u1 Debian:12 [amd64])\n\
                    Conf postfix (3.7.11-0+deb12u1 Debian:12 [amd64])\n";
        assert_eq!(to_install(text), ["libicu72", "postfix"]);
    }
}
