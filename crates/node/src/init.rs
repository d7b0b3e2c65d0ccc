//! Makes a data folder: identity, keys, certificate, the first token, and files to start from.
//!
//! Nothing that exists is touched: run twice, it says so. `join` makes the folder of a further node, with what
//! the cluster gave it.

use crate::config::NODE_FILE;
use crate::files::{PUBLIC, SECRET, WriteError, put};
use crate::members::NODE_ID_FILE;
use crate::pki::{self, CA_KEY_FILE, PkiError};
use base::{Digest, Name, NodeId};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

pub use crate::pki::CA_FILE;

/// The file that holds the first token.
pub const ADMIN_TOKEN_FILE: &str = "admin.token";
/// The key that links in messages are made with: 32 random bytes, in hexadecimal.
pub const LINK_KEY_FILE: &str = "link.key";
/// The directory that a new node starts with; read once.
pub const FIRST_DIRECTORY_FILE: &str = "directory.toml";
/// How long the first certificates are valid; what the node file says holds from their renewal on.
const CERTIFICATE_LIFE: Duration = Duration::from_secs(365 * 86_400);

/// Why a data folder could not be made.
#[derive(Debug, thiserror::Error)]
pub enum InitError {
    /// It holds a node already.
    #[error("{} holds a node already; nothing was changed", .0.display())]
    Exists(PathBuf),
    /// A file or folder could not be written.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// The certificate could not be made.
    #[error(transparent)]
    Certificate(#[from] PkiError),
    /// The system has no random numbers to give.
    #[error("the system gave no random numbers: {0}")]
    Chance(String),
}

/// What a new node is to be.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The name that people know the machine by.
    pub name: Name,
    /// The letter of its codes.
    pub letter: char,
    /// Where the API listens.
    pub api: SocketAddr,
    /// Where the plain listener listens; none is off.
    pub ingest: Option<SocketAddr>,
    /// Where peers are let in; none is off.
    pub peers: Option<SocketAddr>,
    /// What peers dial, `host:port`; empty leaves it to what is found when a peer comes.
    pub addresses: Vec<Arc<str>>,
    /// Further names and addresses that clients reach the node by, for its certificate.
    pub alternative_names: Vec<String>,
    /// What is put below the generated node file: providers, for instance.
    pub more: String,
}

impl Plan {
    /// A node of that name with the usual API on loopback and nothing else.
    pub fn new(name: Name) -> Self {
        Self {
            name,
            letter: 'A',
            api: SocketAddr::from(([127, 0, 0, 1], 8443)),
            ingest: None,
            peers: None,
            addresses: Vec::new(),
            alternative_names: Vec::new(),
            more: String::new(),
        }
    }
}

/// What was made.
#[derive(Clone, Debug)]
pub struct Made {
    /// The files, in the order in which somebody would look at them.
    pub files: Vec<PathBuf>,
    /// The secret of the token named `admin`.
    pub token: String,
}

/// Makes a data folder.
///
/// # Errors
/// [`InitError`], with the file. A folder that holds a node is left alone.
pub fn init(folder: &Path, plan: &Plan) -> Result<Made, InitError> {
    let token = format!("sf_admin_{}", URL_SAFE_NO_PAD.encode(chance::<32>()?));
    let digest = Digest(Sha256::digest(token.as_bytes()).into());
    let (ca, ca_key) = pki::new_authority(plan.name.as_str())?;
    let given = Given { node: new_node()?, ca, ca_key: Some(ca_key), link_key: Digest(chance::<32>()?) };
    let more = [
        (FIRST_DIRECTORY_FILE, first_directory(digest), SECRET),
        (ADMIN_TOKEN_FILE, format!("{token}\n"), SECRET),
    ];
    let files = furnish(folder, plan, &given, &more)?;
    Ok(Made { files, token })
}

/// What a node is given by its cluster; the first one gives it to itself.
#[derive(Clone)]
pub(crate) struct Given {
    pub(crate) node: NodeId,
    /// The CA's certificate, in PEM.
    pub(crate) ca: String,
    /// The CA's key, in PEM.
    pub(crate) ca_key: Option<String>,
    pub(crate) link_key: Digest,
}

/// A new node's id.
pub(crate) fn new_node() -> Result<NodeId, InitError> {
    Ok(NodeId(u32::from_be_bytes(chance::<4>()?)))
}

/// Refuses a folder that holds a node.
///
/// # Errors
/// [`InitError::Exists`].
pub fn must_be_new(folder: &Path) -> Result<(), InitError> {
    if folder.join(NODE_FILE).exists() { Err(InitError::Exists(folder.to_owned())) } else { Ok(()) }
}

/// Puts everything into a folder that every node needs, and `more`; tells the files, the one to look at first
/// at the front.
pub(crate) fn furnish(
    folder: &Path,
    plan: &Plan,
    given: &Given,
    more: &[(&str, String, u32)],
) -> Result<Vec<PathBuf>, InitError> {
    must_be_new(folder)?;
    let tls = folder.join("tls");
    let mut private = std::fs::DirBuilder::new();
    private.recursive(true).mode(0o700);
    private.create(&tls).map_err(|why| WriteError { file: tls, why })?;
    let mut paths = Vec::new();
    let mut write = |name: &str, text: &str, mode: u32| {
        let file = folder.join(name);
        put(&file, text, mode)?;
        paths.push(file);
        Ok::<_, WriteError>(())
    };
    write(NODE_ID_FILE, &format!("{}\n", given.node), PUBLIC)?;
    write(LINK_KEY_FILE, &format!("{}\n", given.link_key), SECRET)?;
    write(CA_FILE, &given.ca, PUBLIC)?;
    if let Some(key) = &given.ca_key {
        write(CA_KEY_FILE, key, SECRET)?;
    }
    for (name, text, mode) in more {
        write(name, text, *mode)?;
    }
    let names = pki::names(plan.name.as_str(), plan.api.ip(), &plan.alternative_names);
    let made = pki::make_api(folder, plan.name.as_str(), &names, SystemTime::now(), CERTIFICATE_LIFE)?;
    write(NODE_FILE, &node_text(plan), PUBLIC)?; // Last: its presence says that the folder is complete.
    paths.splice(0..0, made);
    paths.reverse();
    Ok(paths)
}

/// Random bytes from the system.
pub(crate) fn chance<const N: usize>() -> Result<[u8; N], InitError> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|error| InitError::Chance(error.to_string()))?;
    Ok(bytes)
}

fn node_text(plan: &Plan) -> String {
    let Plan { name, letter, api, ingest, peers, addresses, alternative_names: _, more } = plan;
    let ingest = ingest.map_or_else(String::new, |at| format!("ingest = \"{at}\"\n"));
    let mut text = format!(
        "# The node file of {name}: what belongs to this machine. `steadfast check` judges it.\n\
         name = \"{name}\"\n\
         # The letter of the codes that people reply with; another one on each node of a cluster.\n\
         letter = \"{letter}\"\n\
         # What links in messages begin with, as recipients reach this node. Without it, the API's address.\n\
         #public_url = \"https://alerts.example:8443\"\n\n\
         [listen]\n\
         # HTTPS: the API and the acknowledge pages.\n\
         api = \"{api}\"\n\
         # Plain HTTP for tools on this machine that cannot do otherwise: notices only. Without this line: off.\n\
         {ingest}\n"
    );
    if let Some(peers) = peers {
        let dialled: Vec<String> = addresses.iter().map(|address| format!("{address:?}")).collect();
        let mark = if dialled.is_empty() { "#" } else { "" };
        let shown = if dialled.is_empty() { "\"10.1.0.7:8444\"".to_owned() } else { dialled.join(", ") };
        let section = write!(
            text,
            "[cluster]\n\
             # Where other nodes of the cluster are let in; only holders of its certificate get past it.\n\
             listen = \"{peers}\"\n\
             # What they dial to reach this machine, one for each network. Without it, what they found it by.\n\
             {mark}addresses = [{shown}]\n\n"
        );
        section.unwrap_or_default(); // Writing to a text does not fail.
    }
    text.push_str(
        "# A way out. The first provider of a channel is used while it works, then the next.\n\
         #[[providers]]\n\
         #name = \"mail-1\"\n\
         #channel = \"mail\"\n\
         #host = \"mail.example\"\n\
         #sender = \"alerts@example\"\n",
    );
    text + more
}

/// The book that a new node starts with: the first token, and nobody to tell yet.
fn first_directory(admin: Digest) -> String {
    format!(
        "# The directory that this node starts with, read once, at its first start. Afterwards the node has it:\n\
         # `steadfast directory export`, `diff` and `apply` show and change it.\n\n\
         [tokens.admin]\nsha256 = \"{admin}\"\nscopes = [\"admin\"]\n\n\
         #[recipients.anna]\n#title = \"Anna Berg\"\n\
         #addresses = [{{ channel = \"mail\", value = \"anna@example\" }}]\n\n\
         #[groups.pumps]\n#title = \"Pump crew\"\n#members = [\"anna\"]\n\n\
         #[policies.default]\n#mode = \"basic\"\n\
         #[[policies.default.steps]]\n#after = \"5m\"\n#again = true\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    fn plan() -> Plan {
        Plan::new(Name::new("node-a").unwrap())
    }

    #[test]
    fn a_new_folder_is_complete_guards_its_secrets_and_is_never_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        let made = init(&data, &plan()).unwrap();
        assert_eq!(std::fs::metadata(&data).unwrap().permissions().mode() & 0o777, 0o700);
        for secret in [ADMIN_TOKEN_FILE, LINK_KEY_FILE, "tls/key.pem", "tls/ca.key", FIRST_DIRECTORY_FILE] {
            let mode = std::fs::metadata(data.join(secret)).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{secret}");
        }
        assert!(made.token.starts_with("sf_admin_") && made.token.len() == 9 + 43);
        let config = crate::config::read(&data).unwrap();
        assert_eq!((config.letter, config.cluster.listen), ('A', None));
        assert!(crate::members::node_id(&data).unwrap().is_some());
        let text = std::fs::read_to_string(data.join(FIRST_DIRECTORY_FILE)).unwrap();
        record::document::read_toml(&text, "directory.toml").unwrap();
        assert!(matches!(init(&data, &plan()), Err(InitError::Exists(_))));
    }

    #[test]
    fn a_node_that_lets_peers_in_says_so_in_its_file() {
        let folder = tempfile::tempdir().unwrap();
        for (at, addresses) in [("alone", Vec::new()), ("told", vec![Arc::from("10.1.0.7:8444")])] {
            let data = folder.path().join(at);
            let listen = Some(crate::config::PEERS_LISTEN);
            init(&data, &Plan { peers: listen, addresses: addresses.clone(), letter: 'C', ..plan() })
                .unwrap();
            let config = crate::config::read(&data).unwrap();
            assert_eq!((config.letter, config.cluster.listen), ('C', listen));
            assert_eq!(config.cluster.addresses, addresses);
        }
    }
}
