//! Programs that a test starts and ends: killed, asked to end, stopped and continued, with all they started.
//!
//! Separate from `net`, because a program is the same wherever it runs.

use std::fs::{self, OpenOptions};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

use rustix::process::{Pid, Signal, kill_process_group};

/// A running program, with whatever it starts; killed when this goes out of scope.
#[derive(Debug)]
pub struct Process {
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts a program in a process group of its own; both its outputs are appended to the file `log`.
    ///
    /// # Errors
    /// The file cannot be written, or the program does not start.
    pub fn start(command: &mut Command, log: &Path) -> Result<Self, String> {
        let failed = |why: std::io::Error| format!("{}: {why}", log.display());
        let file = OpenOptions::new().create(true).append(true).open(log).map_err(failed)?;
        command.stdin(Stdio::null()).stdout(file.try_clone().map_err(failed)?).stderr(file);
        let child = command.process_group(0).spawn();
        let child = child.map_err(|why| format!("{} could not be started: {why}", shown(command)))?;
        Ok(Self { child, log: log.to_owned() })
    }

    /// Its number, which is also that of its process group.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it has said so far, with what its predecessors on the same file said.
    #[must_use]
    pub fn log(&self) -> String {
        fs::read(&self.log).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
    }

    /// How it ended, if it has.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }

    /// kill -9 to all of it at once, and waits until it is gone.
    pub fn kill(&mut self) {
        self.signal(Signal::KILL);
        // It is a child of ours that cannot survive this; there is nothing else to learn.
        let _ = self.child.wait();
    }

    /// Asks it to end (SIGTERM), without waiting.
    pub fn terminate(&mut self) {
        self.signal(Signal::TERM);
    }

    /// Stops it as a paused virtual machine stops (SIGSTOP): it keeps its connections and says nothing.
    pub fn pause(&mut self) {
        self.signal(Signal::STOP);
    }

    /// Lets it go on after [`Self::pause`].
    pub fn resume(&mut self) {
        self.signal(Signal::CONT);
    }

    fn signal(&mut self, signal: Signal) {
        if self.ended().is_some() {
            return; // Its number may be somebody else's by now.
        }
        let group = i32::try_from(self.pid()).ok().and_then(Pid::from_raw);
        // Between the look above and this it may have ended by itself.
        let _ = group.map(|group| kill_process_group(group, signal));
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Runs a short program and returns what it wrote to standard output.
pub(crate) fn output(command: &mut Command) -> Result<String, String> {
    let done = command.stdin(Stdio::null()).output();
    let done = done.map_err(|why| format!("{} could not be started: {why}", shown(command)))?;
    if !done.status.success() {
        return Err(format!("{} failed: {}", shown(command), String::from_utf8_lossy(&done.stderr).trim()));
    }
    Ok(String::from_utf8_lossy(&done.stdout).into_owned())
}

/// A command as a person would type it.
fn shown(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy().into_owned()).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kill_takes_what_the_program_started_with_it() {
        // Inside, so that whatever this leaves behind ends with it.
        crate::within(|| {
            let log = std::env::temp_dir().join("lab-kill.log");
            let _ = fs::remove_file(&log);
            let mut command = Command::new("sh");
            command.args(["-c", "sleep 1000 & echo $!; wait"]);
            let mut process = Process::start(&mut command, &log).unwrap();
            while !process.log().ends_with('\n') {
                std::thread::yield_now();
            }
            let grandchild = process.log().trim().to_owned();
            process.kill();
            assert!(process.ended().is_some_and(|status| !status.success()));
            // An orphan that nobody has reaped yet is a zombie, which holds nothing.
            let stat = || fs::read_to_string(format!("/proc/{grandchild}/stat"));
            while stat().is_ok_and(|stat| !stat.contains(") Z ")) {
                std::thread::yield_now();
            }
            fs::remove_file(&log).unwrap();
        });
    }

    #[test]
    fn a_program_that_is_not_there_is_named() {
        let log = std::env::temp_dir().join(format!("lab-none-{}.log", std::process::id()));
        let why = Process::start(&mut Command::new("lab-no-such-program"), &log).unwrap_err();
        assert!(why.starts_with("lab-no-such-program could not be started"), "{why}");
        fs::remove_file(&log).unwrap();
    }
}
