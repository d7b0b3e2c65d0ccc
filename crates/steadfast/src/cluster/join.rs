//! `token create` and `join`: the two commands that make two machines one.
//!
//! Separate from the other commands of the cluster, because who joins has no node yet: it asks with a token
//! that says whom to trust, and makes its data folder of the answer (`node::join`).

use crate::client::{Ask, Client, Problem, authority, chain, words};
use crate::cluster_args::{Invite, Join};
use crate::exit::{Exit, Failure, Outcome};
use crate::output::Output;
use crate::place::host;
use base::{Name, NodeId};
use node::init::{InitError, Plan};
use node::join::{Admission, JoinError, JoinToken, draw_node, pinned, settle};
use reqwest::Url;
use serde_json::{Value, json};
use std::io::Read as _;
use std::net::{SocketAddr, ToSocketAddrs as _, UdpSocket};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// How long connecting to one host may take.
const CONNECT_MAX: Duration = Duration::from_secs(5);
/// How long the cluster may take to let a machine in.
const ANSWER_MAX: Duration = Duration::from_secs(45);

/// What the node answers to an invitation.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(default)]
struct Invited {
    token: String,
    expires_at: String,
    hosts: Vec<String>,
}

/// `token create`.
pub(crate) async fn invite(client: &Client, out: &mut Output, args: &Invite) -> Outcome {
    let asked = client.present_host();
    let hosts: Vec<String> = if is_loopback(asked) { Vec::new() } else { vec![with_port(asked)] };
    let body = json!({ "role": crate::args::word(&args.role), "valid": args.valid, "hosts": hosts });
    let answer = client.ask(Ask::post(&["cluster", "tokens"], &body)).await?;
    if out.json {
        return out.data(&answer.body);
    }
    let invited: Invited = answer.read()?;
    out.data(&invited.token)?;
    out.say(&format!(
        "Good for one machine until {}. On that machine:\n  steadfast join {}…\nIt will knock at {}.",
        invited.expires_at,
        invited.token.chars().take(16).collect::<String>(),
        invited.hosts.join(", ")
    ));
    if invited.hosts.iter().all(|host| host.starts_with("127.") || host.starts_with("[::1]")) {
        out.say(
            "Only this machine can knock there. For another one, let the API listen on the network first: `api` below \
             [listen] in the node file, such as \"0.0.0.0:8443\".",
        );
    }
    Ok(())
}

fn is_loopback(url: &Url) -> bool {
    let name = url.host_str().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
    name == "localhost" || name.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// Host and port, the latter also where it is the scheme's own.
fn with_port(url: &Url) -> String {
    let port = url.port_or_known_default().unwrap_or(crate::place::PORT);
    format!("{}:{port}", url.host_str().unwrap_or_default())
}

/// `join`.
pub(crate) fn join(out: &mut Output, data: &Path, args: &Join) -> Outcome {
    let usage = |why: String| Failure::new(Exit::Usage, why);
    let token = JoinToken::read(&typed(&args.join_token)?).map_err(usage)?;
    let name = crate::node_commands::node_name(args.name.as_deref())?;
    for address in &args.addresses {
        node::config::dialled(address).map_err(|why| usage(format!("--address: {why}")))?;
    }
    let admin = args.admin_token.as_deref().map(secret).transpose()?;
    // All that can go wrong on this machine goes wrong before the cluster is asked.
    node::init::must_be_new(data).map_err(|error| exists(&error))?;
    std::fs::create_dir_all(data).map_err(|error| Failure::file(data, &error))?;
    let node = draw_node().map_err(|error| Failure::failed(error.to_string()))?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::failed(format!("cannot start: {error}")))?;
    let newcomer = Newcomer { node, name: &name, args };
    let (admission, addresses) = runtime.block_on(newcomer.knock(&token))?;
    let plan = Plan {
        api: args.listen,
        ingest: Some(args.ingest),
        peers: Some(args.peers),
        addresses: addresses.iter().map(|address| Arc::from(address.as_str())).collect(),
        alternative_names: names(args, &addresses),
        ..Plan::new(name.clone())
    };
    let files = settle(data, &plan, node, &admission, admin.as_deref()).map_err(|error| {
        let remedy = format!(
            "the cluster has taken {name} in, but its folder could not be made: put that right, take it out again with \
             `steadfast cluster remove {name}`, and join with a new token"
        );
        Failure::failed(format!("{error}\n{remedy}"))
    })?;
    for file in &files {
        out.data(&format!("{}\n", file.display()))?;
    }
    out.say(&welcome(data, &admission, &name, admin.is_some()));
    Ok(())
}

/// The token, or what stands on standard input.
fn typed(text: &str) -> Outcome<String> {
    if text != "-" {
        return Ok(text.to_owned());
    }
    let mut read = String::new();
    let failed = |error: std::io::Error| Failure::failed(format!("standard input: {error}"));
    std::io::stdin().read_to_string(&mut read).map_err(failed)?;
    Ok(read)
}

/// An access token, or the one in a file.
fn secret(text: &str) -> Outcome<String> {
    if text.starts_with("sf_") {
        return Ok(text.to_owned());
    }
    let file = Path::new(text);
    let read = std::fs::read_to_string(file).map_err(|error| Failure::file(file, &error))?;
    let token = read.trim().to_owned();
    if token.starts_with("sf_") {
        return Ok(token);
    }
    Err(Failure::new(Exit::Usage, format!("--admin-token {text}: there is no access token in it (sf_…)")))
}

fn exists(error: &InitError) -> Failure {
    let text =
        format!("{error}; a node that is to join begins with an empty folder: give another with --data");
    Failure::new(Exit::Conflict, text)
}

/// What the API's certificate is for, besides the usual: what people and peers reach the machine by.
fn names(args: &Join, addresses: &[String]) -> Vec<String> {
    let hosts = addresses.iter().filter_map(|address| address.rsplit_once(':'));
    let hosts = hosts.map(|(host, _)| host.trim_start_matches('[').trim_end_matches(']').to_owned());
    args.reached_as.iter().cloned().chain(hosts).collect()
}

fn welcome(data: &Path, admission: &Admission, name: &Name, token: bool) -> String {
    let others: Vec<_> = admission.members.iter().map(|member| member.name.as_str()).collect();
    let others: Vec<_> = others.into_iter().filter(|other| *other != name.as_str()).collect();
    let file = data.join(node::config::NODE_FILE);
    let show = if token {
        "3. see both with `steadfast cluster status`.".to_owned()
    } else {
        format!(
            "3. see all of them with `steadfast cluster status`: the access tokens of the cluster work here too; put one \
             into {}.",
            data.join(node::init::ADMIN_TOKEN_FILE).display()
        )
    };
    let ways = if admission.role == "witness" {
        "1. a witness sends nothing: there is nothing to set up;".to_owned()
    } else {
        format!(
            "1. say in {} how mail goes out from here (the [[providers]] tables of {});",
            file.display(),
            others.join(" or ")
        )
    };
    format!(
        "{name} belongs to the cluster of {} as {}, with the letter {}. Next:\n{ways}\n2. start it with `steadfast \
         run`: it fetches everything, the directory too;\n{show}",
        others.join(", "),
        admission.role,
        admission.letter
    )
}

/// Who knocks.
struct Newcomer<'a> {
    node: NodeId,
    name: &'a Name,
    args: &'a Join,
}

impl Newcomer<'_> {
    /// Knocks at each host in turn; gives the answer, and by which addresses the cluster will dial this machine.
    async fn knock(&self, token: &JoinToken) -> Outcome<(Admission, Vec<String>)> {
        let tls = pinned(token.ca).map_err(Failure::failed)?;
        let http = reqwest::Client::builder()
            .user_agent(concat!("steadfast/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT_MAX)
            .timeout(ANSWER_MAX)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .tls_backend_preconfigured(tls)
            .build()
            .map_err(|error| Failure::failed(chain(&error)))?;
        let mut why = Vec::new();
        for at in &token.hosts {
            let url = host(at)?;
            let addresses = self.addresses(&url);
            match self.knock_at(&http, &url, token, &addresses).await {
                Ok(admission) => return Ok((admission, addresses)),
                Err((failure, true)) => why.push(failure.text),
                Err((failure, false)) => return Err(failure),
            }
        }
        Err(Failure::new(Exit::Unreachable, why.join("\n")))
    }

    /// What peers are to dial: as said, else the address by which this machine reaches them.
    fn addresses(&self, url: &Url) -> Vec<String> {
        if !self.args.addresses.is_empty() {
            return self.args.addresses.clone();
        }
        let peers = self.args.peers;
        let ip = if peers.ip().is_unspecified() { own_ip(url) } else { Some(peers.ip()) };
        ip.map(|ip| SocketAddr::new(ip, peers.port()).to_string()).into_iter().collect()
    }

    fn api(&self, url: &Url) -> String {
        let listen = self.args.listen;
        let ip = if listen.ip().is_unspecified() { own_ip(url) } else { None };
        format!("https://{}", SocketAddr::new(ip.unwrap_or_else(|| listen.ip()), listen.port()))
    }

    /// Asks one host; the failure says whether the next one may be asked.
    async fn knock_at(
        &self,
        http: &reqwest::Client,
        url: &Url,
        token: &JoinToken,
        addresses: &[String],
    ) -> Result<Admission, (Failure, bool)> {
        let body = self.form(url, token, addresses);
        let target = url.join("api/v1/cluster/join");
        let target = target.map_err(|error| (Failure::failed(error.to_string()), false))?;
        let sent = http.post(target).json(&body).send().await;
        let silent = |error: &reqwest::Error| {
            let at = authority(url);
            if error.is_connect() {
                let text = format!("{at} cannot be reached: {}", chain(error));
                return (Failure::new(Exit::Unreachable, text), true);
            }
            let text = format!(
                "{at} fell silent: {}\nit may have taken {} in; look with `steadfast cluster status` there",
                chain(error),
                self.name
            );
            (Failure::new(Exit::Unreachable, text), false)
        };
        let response = sent.map_err(|error| silent(&error))?;
        let status = response.status();
        let text = response.text().await.map_err(|error| silent(&error))?;
        if status.is_success() {
            return serde_json::from_str(&text)
                .map_err(|error| (Failure::failed(JoinError::Answer(error.to_string()).to_string()), false));
        }
        let problem: Problem = serde_json::from_str(&text).unwrap_or_default();
        let exit = Exit::of_status(status.as_u16());
        Err((Failure::new(exit, words(&problem, status)), false))
    }

    fn form(&self, url: &Url, token: &JoinToken, addresses: &[String]) -> Value {
        json!({
            "secret": token.secret,
            "node": self.node.to_string(),
            "name": self.name.as_str(),
            "addresses": addresses,
            "api": self.api(url),
            "role": self.args.role.as_ref().map(crate::args::word),
            "reached": with_port(url),
        })
    }
}

/// The address of this machine on the way to that host: asked of the kernel, without sending anything.
fn own_ip(url: &Url) -> Option<std::net::IpAddr> {
    let target = with_port(url).to_socket_addrs().ok()?.next()?;
    let any: SocketAddr = if target.is_ipv4() { ([0, 0, 0, 0], 0).into() } else { ([0u16; 8], 0).into() };
    let socket = UdpSocket::bind(any).ok()?;
    socket.connect(target).ok()?;
    Some(socket.local_addr().ok()?.ip())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_finds_the_address_by_which_it_reaches_a_host() {
        let url = host("127.0.0.1:8443").unwrap();
        assert_eq!(own_ip(&url), Some("127.0.0.1".parse().unwrap()));
        assert_eq!(with_port(&host("https://alerts.example.org").unwrap()), "alerts.example.org:443");
        assert_eq!(with_port(&host("[2001:db8::1]:9").unwrap()), "[2001:db8::1]:9");
    }

    #[test]
    fn an_access_token_is_given_itself_or_as_a_file() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("t");
        std::fs::write(&file, "sf_a_b\n").unwrap();
        assert_eq!(secret("sf_x_y").unwrap(), "sf_x_y");
        assert_eq!(secret(file.to_str().unwrap()).unwrap(), "sf_a_b");
        std::fs::write(&file, "sfjoin_x").unwrap();
        assert_eq!(secret(file.to_str().unwrap()).unwrap_err().exit, Exit::Usage);
        assert_eq!(secret("/none/x").unwrap_err().exit, Exit::NotFound);
    }
}
