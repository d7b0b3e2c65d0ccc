//! Networks of nodes that can be cut: both ways, one way, at the plug, or made slow.
//!
//! Separate from `inside`, which makes the room that this builds in. Needs `ip` and `tc` (iproute2) and
//! `nsenter` (util-linux), and no firewall: a cut is a rule at the receiving node that drops what comes from one
//! address on its network card. Nobody is told (no reset, no ICMP), also over connections that stand; a node's
//! own link stays up, as when a cable between two switches is pulled.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{BufRead as _, BufReader};
use std::net::{IpAddr, Ipv4Addr};
use std::os::fd::AsFd as _;
use std::panic::resume_unwind;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use crate::process::output;

/// Networks made by this process so far; each has addresses and names of its own.
static MADE: AtomicU8 = AtomicU8::new(0);

/// How a node's namespace is held open: by a program that waits for the end of its input, which is ours.
const HOLD: &str = "ip link set lo up && echo held && exec cat";

/// A network of nodes, each in a network namespace of its own, with two cards.
///
/// Over `lan` the nodes reach each other; that is what is cut. Over `side` each reaches only this process, and
/// that stays as it is: the receiver of notifications hangs there, and so does whoever watches.
#[derive(Debug)]
pub struct Lan {
    /// Which one of this process it is, from 1.
    number: u8,
    nodes: Vec<Holder>,
    /// The cuts in force, as (from, to).
    cuts: Mutex<BTreeSet<(usize, usize)>>,
}

/// A namespace, and the process that holds it open.
#[derive(Debug)]
struct Holder(Child);

impl Drop for Holder {
    fn drop(&mut self) {
        // It ends with our end of its input in any case; this only makes it sooner.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Lan {
    /// Makes a network of so many nodes, numbered from 0. Several may stand at the same time.
    ///
    /// # Errors
    /// This process is not inside namespaces of its own ([`crate::enter`]), or a tool is missing; the sentence
    /// has the command that failed.
    pub fn new(nodes: usize) -> Result<Self, String> {
        // After 256 the numbers come again; those that had them are long gone.
        let number = MADE.fetch_add(1, Ordering::Relaxed).wrapping_add(1);
        let mut lan = Self { number, nodes: Vec::new(), cuts: Mutex::default() };
        for (bridge, card) in [(lan.bridge("l"), "lan"), (lan.bridge("s"), "side")] {
            ip(&format!("link add {bridge} type bridge"))
                .map_err(|why| format!("the network \"{card}\" could not be made: {why}"))?;
            ip(&format!("link set {bridge} up"))?;
        }
        ip(&format!("addr add {}/24 dev {}", lan.outside(), lan.bridge("s")))?;
        for node in 0..nodes {
            lan.nodes.push(hold()?);
            lan.wire(node)?;
        }
        Ok(lan)
    }

    /// The address of a node on the network that can be cut.
    #[must_use]
    pub fn address(&self, node: usize) -> IpAddr {
        self.numbered(0, last_byte(node))
    }

    /// The address under which this process reaches a node, whatever is cut, and sees what comes from it.
    #[must_use]
    pub fn side(&self, node: usize) -> IpAddr {
        self.numbered(1, last_byte(node))
    }

    /// The address of this process, reached by every node, whatever is cut.
    #[must_use]
    pub fn outside(&self) -> IpAddr {
        self.numbered(1, 254)
    }

    /// An address on the network that can be cut, which no node has: for one that moves between them.
    #[must_use]
    pub fn spare(&self) -> IpAddr {
        self.numbered(0, 100)
    }

    /// The same command, to be run at a node.
    #[must_use]
    pub fn at(&self, node: usize, command: &Command) -> Command {
        let mut there = Command::new("nsenter");
        there.arg(format!("--net=/proc/{}/ns/net", self.pid(node))).arg("--");
        there.arg(command.get_program()).args(command.get_args());
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => there.env(name, value),
                None => there.env_remove(name),
            };
        }
        if let Some(folder) = command.get_current_dir() {
            there.current_dir(folder);
        }
        there
    }

    /// Runs something at a node, on a thread of its own: the sockets it opens are the node's, and stay so.
    ///
    /// # Errors
    /// The node's namespace cannot be entered.
    ///
    /// # Panics
    /// `there` panics.
    pub fn on<T: Send>(&self, node: usize, there: impl FnOnce() -> T + Send) -> Result<T, String> {
        let path = format!("/proc/{}/ns/net", self.pid(node));
        let failed = |why: std::io::Error| format!("{path} could not be entered: {why}");
        let network = File::open(&path).map_err(failed)?;
        let body = move || {
            move_into_link_name_space(network.as_fd(), Some(LinkNameSpaceType::Network))?;
            Ok(there())
        };
        let done = thread::scope(|scope| scope.spawn(body).join());
        done.unwrap_or_else(|panic| resume_unwind(panic)).map_err(failed)
    }

    /// Nothing passes between two nodes, in either direction.
    ///
    /// # Errors
    /// A tool failed; the sentence has the command.
    pub fn cut(&self, one: usize, other: usize) -> Result<(), String> {
        self.cut_one_way(one, other)?;
        self.cut_one_way(other, one)
    }

    /// Nothing that `from` sends arrives at `to`; the other direction stays.
    ///
    /// # Errors
    /// A tool failed; the sentence has the command.
    pub fn cut_one_way(&self, from: usize, to: usize) -> Result<(), String> {
        if self.cuts().insert((from, to)) {
            self.rule("add", from, to)?;
        }
        Ok(())
    }

    /// Ends the cuts between two nodes.
    ///
    /// # Errors
    /// A tool failed; the sentence has the command.
    pub fn heal(&self, one: usize, other: usize) -> Result<(), String> {
        for (from, to) in [(one, other), (other, one)] {
            if self.cuts().remove(&(from, to)) {
                self.rule("del", from, to)?;
            }
        }
        Ok(())
    }

    /// Pulls a node's cable: its card `lan` has no carrier.
    ///
    /// # Errors
    /// A tool failed; the sentence has the command.
    pub fn unplug(&self, node: usize) -> Result<(), String> {
        ip(&format!("link set {} down", self.port("l", node)))
    }

    /// Puts it back.
    ///
    /// # Errors
    /// A tool failed; the sentence has the command.
    pub fn plug(&self, node: usize) -> Result<(), String> {
        ip(&format!("link set {} up", self.port("l", node)))
    }

    /// Lets a node send and receive at most so many kilobits a second on its card `lan`; `None` ends that.
    ///
    /// # Errors
    /// A tool failed; the sentence has the command.
    pub fn slow(&self, node: usize, kilobits: Option<u32>) -> Result<(), String> {
        let port = self.port("l", node);
        let limit = |card: &str| match kilobits {
            Some(rate) => {
                format!("qdisc replace dev {card} root tbf rate {rate}kbit burst 16kb latency 400ms")
            }
            None => format!("qdisc del dev {card} root"),
        };
        output(Command::new("tc").args(limit(&port).split(' ')))?;
        let mut there = Command::new("tc");
        output(&mut self.at(node, there.args(limit("lan").split(' ')))).map(drop)
    }

    /// Whether a node holds an address, on whatever card; cheap enough to be asked every millisecond.
    ///
    /// # Errors
    /// The node's namespace is gone.
    pub fn holds(&self, node: usize, address: IpAddr) -> Result<bool, String> {
        // The routing table lists each address of the machine as a local one, below its own line.
        let path = format!("/proc/{}/net/fib_trie", self.pid(node));
        let text = fs::read_to_string(&path).map_err(|why| format!("{path}: {why}"))?;
        Ok(is_local(&text, address))
    }

    fn cuts(&self) -> MutexGuard<'_, BTreeSet<(usize, usize)>> {
        self.cuts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds or removes the rule at `to` that drops what comes from `from`.
    fn rule(&self, verb: &str, from: usize, to: usize) -> Result<(), String> {
        self.ip_at(to, &format!("rule {verb} pref 10 from {} iif lan blackhole", self.address(from)))
    }

    /// Lays the two cables of a node and gives it its addresses.
    fn wire(&self, node: usize) -> Result<(), String> {
        let pid = self.pid(node);
        for (letter, card, address) in [("l", "lan", self.address(node)), ("s", "side", self.side(node))] {
            let (port, bridge) = (self.port(letter, node), self.bridge(letter));
            ip(&format!("link add {port} type veth peer name {card} netns {pid}"))?;
            ip(&format!("link set {port} master {bridge} up"))?;
            self.ip_at(node, &format!("addr add {address}/24 dev {card}"))?;
            self.ip_at(node, &format!("link set {card} up"))?;
        }
        // An isolated port of a bridge reaches the bridge itself and no other isolated port.
        ip(&format!("link set {} type bridge_slave isolated on", self.port("s", node)))?;
        // The rule that finds a machine's own addresses is the first of all; cuts must come before it.
        self.ip_at(node, "rule add pref 100 lookup local")?;
        self.ip_at(node, "rule del pref 0")
    }

    fn ip_at(&self, node: usize, words: &str) -> Result<(), String> {
        let mut there = Command::new("ip");
        output(&mut self.at(node, there.args(words.split(' ')))).map(drop)
    }

    /// The process that holds a node's namespace.
    ///
    /// # Panics
    /// There is no node of that number: a mistake in the test.
    fn pid(&self, node: usize) -> u32 {
        let holder = self.nodes.get(node);
        holder.unwrap_or_else(|| panic!("there is no node {node}, but {}", self.nodes.len())).0.id()
    }

    fn bridge(&self, letter: &str) -> String {
        format!("{letter}{}", self.number)
    }

    fn port(&self, letter: &str, node: usize) -> String {
        format!("{letter}{}n{node}", self.number)
    }

    fn numbered(&self, third: u8, last: u8) -> IpAddr {
        IpAddr::V4(Ipv4Addr::new(10, self.number, third, last))
    }
}

impl Drop for Lan {
    fn drop(&mut self) {
        // The nodes' ends of the cables go with their namespaces; all of it goes with this process.
        self.nodes.clear();
        for letter in ["l", "s"] {
            let _ = ip(&format!("link del {}", self.bridge(letter)));
        }
    }
}

/// The last byte of a node's addresses.
fn last_byte(node: usize) -> u8 {
    u8::try_from(node + 1).expect("a network in a test has fewer than 100 nodes")
}

/// Makes a namespace, and waits until it is there.
fn hold() -> Result<Holder, String> {
    let mut command = Command::new("unshare");
    command.args(["-n", "sh", "-c", HOLD]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut holder = Holder(command.spawn().map_err(|why| format!("unshare could not be started: {why}"))?);
    let said = holder.0.stdout.take().ok_or("the output of unshare could not be read")?;
    let mut line = String::new();
    BufReader::new(said).read_line(&mut line).map_err(|why| format!("unshare said nothing: {why}"))?;
    if line.trim() == "held" { Ok(holder) } else { Err("unshare -n made no network".to_owned()) }
}

fn ip(words: &str) -> Result<(), String> {
    output(Command::new("ip").args(words.split(' '))).map(drop)
}

/// Whether the kernel's text of a routing table has this address as one of the machine's own.
fn is_local(trie: &str, address: IpAddr) -> bool {
    let leaf = format!("|-- {address}");
    let mut lines = trie.lines().map(str::trim);
    while let Some(line) = lines.next() {
        if line == leaf && lines.next().is_some_and(|next| next.starts_with("/32 host LOCAL")) {
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::within;
    use std::net::{SocketAddr, TcpStream, UdpSocket};
    use std::time::Duration;

    /// A socket at each of two nodes, and the address of the second.
    fn sockets(lan: &Lan, from: usize, to: usize) -> (UdpSocket, UdpSocket, SocketAddr) {
        let at = |node: usize| lan.on(node, || UdpSocket::bind((lan.address(node), 0))).unwrap().unwrap();
        let (sender, receiver) = (at(from), at(to));
        let address = receiver.local_addr().unwrap();
        (sender, receiver, address)
    }

    /// Sends from a node to another until something arrives; a minute without is a hang's end.
    fn assert_passes(lan: &Lan, from: usize, to: usize) {
        let (sender, receiver, address) = sockets(lan, from, to);
        receiver.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
        // The first may be lost while the sender asks for the other's hardware address.
        let arrived = (0..600).any(|_| {
            sender.send_to(b"x", address).unwrap();
            receiver.recv(&mut [0]).is_ok()
        });
        assert!(arrived, "nothing arrives at {to} from {from}");
    }

    /// Sends from a node to another, and sees nothing arrive for a moment.
    fn assert_cut(lan: &Lan, from: usize, to: usize) {
        let (sender, receiver, address) = sockets(lan, from, to);
        receiver.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
        // A sender whose cable is pulled may be told so; whether it arrived is what counts.
        let _ = sender.send_to(b"x", address);
        assert!(receiver.recv(&mut [0]).is_err(), "something arrives at {to} from {from}");
    }

    #[test]
    fn cuts_go_the_ways_they_say_and_heal() {
        within(|| {
            let lan = Lan::new(3).unwrap();
            assert_passes(&lan, 0, 1);
            assert_passes(&lan, 1, 0);
            lan.cut_one_way(0, 1).unwrap();
            assert_cut(&lan, 0, 1);
            assert_passes(&lan, 1, 0);
            lan.cut(0, 1).unwrap();
            assert_cut(&lan, 0, 1);
            assert_cut(&lan, 1, 0);
            assert_passes(&lan, 0, 2);
            assert_passes(&lan, 2, 1);
            lan.heal(1, 0).unwrap();
            assert_passes(&lan, 0, 1);
            assert_passes(&lan, 1, 0);
            lan.unplug(2).unwrap();
            assert_cut(&lan, 0, 2);
            assert_cut(&lan, 2, 0);
            lan.plug(2).unwrap();
            assert_passes(&lan, 0, 2);
        });
    }

    #[test]
    fn two_networks_in_one_process_do_not_meet() {
        within(|| {
            let (one, two) = (Lan::new(2).unwrap(), Lan::new(2).unwrap());
            assert_passes(&one, 0, 1);
            assert_passes(&two, 0, 1);
            assert_ne!(one.outside(), two.outside());
            assert!(one.holds(0, one.address(0)).unwrap());
            assert!(!one.holds(0, two.address(0)).unwrap());
        });
    }

    #[test]
    fn a_slow_link_is_slow_until_it_is_not() {
        within(|| {
            let lan = Lan::new(2).unwrap();
            lan.slow(0, Some(64)).unwrap();
            let shown = |lan: &Lan| {
                output(&mut lan.at(0, Command::new("tc").args(["qdisc", "show", "dev", "lan"]))).unwrap()
            };
            assert!(shown(&lan).contains("tbf") && shown(&lan).contains("64Kbit"), "{}", shown(&lan));
            assert_passes(&lan, 0, 1);
            assert_passes(&lan, 1, 0);
            lan.slow(0, None).unwrap();
            assert!(!shown(&lan).contains("tbf"), "{}", shown(&lan));
        });
    }

    #[test]
    fn a_node_reaches_this_process_but_no_other_over_the_side() {
        within(|| {
            let lan = Lan::new(2).unwrap();
            let sink = crate::Sink::start(lan.outside()).unwrap();
            lan.cut(0, 1).unwrap();
            let connect = |to: IpAddr, port: u16| {
                let patience = Duration::from_millis(500);
                lan.on(0, || TcpStream::connect_timeout(&(to, port).into(), patience).map(drop)).unwrap()
            };
            connect(lan.outside(), sink.address().port()).unwrap();
            // Refused would mean that the other node was reached.
            assert_ne!(connect(lan.side(1), 9).unwrap_err().kind(), std::io::ErrorKind::ConnectionRefused);
        });
    }

    #[test]
    fn an_address_of_a_broadcast_or_a_route_is_not_held() {
        let trie = "Local:\n  +-- 10.1.0.0/24 2 0 2\n     |-- 10.1.0.1\n        /32 host LOCAL\n     |-- 10.1.0.255\n        /32 link BROADCAST\n";
        assert!(is_local(trie, Ipv4Addr::new(10, 1, 0, 1).into()));
        assert!(!is_local(trie, Ipv4Addr::new(10, 1, 0, 255).into()));
        assert!(!is_local(trie, Ipv4Addr::new(10, 1, 0, 2).into()));
    }
}
