//! Programs that run while something is measured: started, awaited, looked at, and ended in any case.

use std::fs;
use std::io::{BufRead as _, BufReader, Read};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::process::{ChildStdout, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

/// How long a program may take until it is ready.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// A running program; it is killed when this goes out of scope.
pub(crate) struct Child {
    name: &'static str,
    process: std::process::Child,
}

impl Child {
    /// Starts a program that says on standard output or standard error when it is ready.
    ///
    /// `ready` sees each line, and answers with what it found on the one it waited for.
    pub(crate) fn start<T: Send + 'static>(
        name: &'static str,
        command: &mut Command,
        ready: fn(&str) -> Option<T>,
    ) -> Result<(Self, T), String> {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let process = command.spawn().map_err(|why| format!("{name} could not be started: {why}"))?;
        let mut child = Self { name, process };
        let (tell, told) = mpsc::channel();
        child.process.stdout.take().into_iter().for_each(|pipe| read(pipe, ready, tell.clone()));
        child.process.stderr.take().into_iter().for_each(|pipe| read(pipe, ready, tell.clone()));
        drop(tell);
        let found =
            told.recv_timeout(PATIENCE).map_err(|_| format!("{name} did not say that it is ready"))?;
        Ok((child, found))
    }

    /// Starts a program whose errors nobody reads, and waits until something listens at `at`.
    pub(crate) fn start_at(
        name: &'static str,
        command: &mut Command,
        at: SocketAddr,
        patience: Duration,
    ) -> Result<Self, String> {
        let mut child = Self::spawn(name, command)?;
        let begun = Instant::now();
        while TcpStream::connect(at).is_err() {
            if let Ok(Some(status)) = child.process.try_wait() {
                return Err(format!("{name} ended with {status} before it was ready"));
            }
            if patience < begun.elapsed() {
                return Err(format!("{name} does not listen at {at}"));
            }
            thread::sleep(Duration::from_millis(2));
        }
        Ok(child)
    }

    /// Starts a program that needs nothing to be ready.
    pub(crate) fn spawn(name: &'static str, command: &mut Command) -> Result<Self, String> {
        command.stdin(Stdio::null()).stderr(Stdio::null());
        let process = command.spawn().map_err(|why| format!("{name} could not be started: {why}"))?;
        Ok(Self { name, process })
    }

    /// What the program says on standard output, where that was asked for.
    pub(crate) fn output(&mut self) -> Option<ChildStdout> {
        self.process.stdout.take()
    }

    /// The process's number.
    pub(crate) fn pid(&self) -> u32 {
        self.process.id()
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // It may have ended by itself; then there is nothing left to do.
        let _ = self.process.kill();
        if let Err(why) = self.process.wait() {
            crate::say::complaint(&format!("the end of {} was not seen: {why}", self.name));
        }
    }
}

/// Reads a pipe to its end, so that the program never blocks on it, and tells what `ready` found.
fn read<T: Send + 'static>(
    pipe: impl Read + Send + 'static,
    ready: fn(&str) -> Option<T>,
    tell: mpsc::Sender<T>,
) {
    thread::spawn(move || {
        for line in BufReader::new(pipe).lines().map_while(Result::ok) {
            if let Some(found) = ready(&line) {
                // Only the first is awaited; a later one finds nobody.
                let _ = tell.send(found);
            }
        }
    });
}

/// An address on loopback that was free a moment ago, for programs that cannot choose one themselves.
pub(crate) fn free_address() -> Result<SocketAddr, String> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
    listener.and_then(|listener| listener.local_addr()).map_err(|why| format!("no free port: {why}"))
}

/// Resident memory of a process, in bytes.
pub(crate) fn resident(pid: u32) -> Result<u64, String> {
    let path = format!("/proc/{pid}/status");
    let text = fs::read_to_string(&path).map_err(|why| format!("{path}: {why}"))?;
    resident_in(&text).ok_or_else(|| format!("{path}: has no VmRSS"))
}

fn resident_in(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kib * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_ready_when_it_says_so() {
        let mut command = Command::new("sh");
        command.args(["-c", "echo starting; echo port 77 >&2; exec cat"]);
        let (child, port) =
            Child::start("sh", &mut command, |line| line.strip_prefix("port ")?.parse::<u16>().ok())
                .unwrap_or_else(|why| panic!("{why}"));
        assert_eq!(port, 77);
        assert!(0 < child.pid());
    }

    #[test]
    fn a_program_that_ends_instead_is_named() {
        let nobody = free_address().unwrap();
        let why = Child::start_at("sh", Command::new("sh").args(["-c", "exit 3"]), nobody, PATIENCE).err();
        assert_eq!(why.as_deref(), Some("sh ended with exit status: 3 before it was ready"));
    }

    #[test]
    fn resident_memory_is_read_in_bytes() {
        assert_eq!(resident_in("Name:\tx\nVmRSS:\t   2048 kB\n"), Some(2_097_152));
        assert!(resident(std::process::id()).is_ok_and(|bytes| 100_000 < bytes));
    }
}
