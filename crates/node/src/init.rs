//! Makes a data folder: identity, keys, certificate, the first token, and files to start from.
//!
//! Nothing that exists is touched: run twice, it says so.

use crate::config::NODE_FILE;
use base::{Digest, Name};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose};
use sha2::{Digest as _, Sha256};
use std::io::Write as _;
use std::net::{IpAddr, SocketAddr};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

/// The file that holds the first token.
pub const ADMIN_TOKEN_FILE: &str = "admin.token";
/// The key that links in messages are made with: 32 random bytes, in hexadecimal.
pub const LINK_KEY_FILE: &str = "link.key";
/// The certificate authority of this installation, to be trusted by its clients.
pub const CA_FILE: &str = "tls/ca.pem";
/// The directory that a new node starts with; read once.
pub const FIRST_DIRECTORY_FILE: &str = "directory.toml";

/// Why a data folder could not be made.
#[derive(Debug, thiserror::Error)]
pub enum InitError {
    /// It holds a node already.
    #[error("{} holds a node already; nothing was changed", .0.display())]
    Exists(PathBuf),
    /// A file could not be written.
    #[error("cannot write {}: {why}", file.display())]
    Write {
        /// Which.
        file: PathBuf,
        /// The system's words.
        why: std::io::Error,
    },
    /// The certificate could not be made.
    #[error("cannot make the certificate: {0}")]
    Certificate(#[from] rcgen::Error),
    /// The system has no random numbers to give.
    #[error("the system gave no random numbers: {0}")]
    Chance(String),
}

/// What a new node is to be.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The name that people know the machine by.
    pub name: Name,
    /// Where the API listens.
    pub api: SocketAddr,
    /// Where the plain listener listens; none is off.
    pub ingest: Option<SocketAddr>,
    /// Further names and addresses that clients reach the node by, for its certificate.
    pub alternative_names: Vec<String>,
    /// What is put below the generated node file: providers, for instance.
    pub more: String,
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
    let node_file = folder.join(NODE_FILE);
    if node_file.exists() {
        return Err(InitError::Exists(folder.to_owned()));
    }
    let made = |why, file: &Path| InitError::Write { file: file.to_owned(), why };
    let mut private = std::fs::DirBuilder::new();
    private.recursive(true).mode(0o700);
    private.create(folder.join("tls")).map_err(|why| made(why, &folder.join("tls")))?;
    let token = format!("sf_admin_{}", URL_SAFE_NO_PAD.encode(chance::<32>()?));
    let digest = Digest(Sha256::digest(token.as_bytes()).into());
    let pki = Pki::make(plan)?;
    let link_key = Digest(chance::<32>()?);
    let files = [
        (FIRST_DIRECTORY_FILE, first_directory(digest), 0o600),
        (ADMIN_TOKEN_FILE, format!("{token}\n"), 0o600),
        (LINK_KEY_FILE, format!("{link_key}\n"), 0o600),
        (CA_FILE, pki.ca, 0o644),
        ("tls/ca.key", pki.ca_key, 0o600),
        ("tls/cert.pem", pki.certificate, 0o644),
        ("tls/key.pem", pki.key, 0o600),
        (NODE_FILE, node_text(plan), 0o644), // Last: its presence says that the folder is complete.
    ];
    let mut paths = Vec::new();
    for (name, text, mode) in files {
        let file = folder.join(name);
        write(&file, &text, mode).map_err(|why| made(why, &file))?;
        paths.push(file);
    }
    paths.reverse();
    Ok(Made { files: paths, token })
}

fn write(file: &Path, text: &str, mode: u32) -> std::io::Result<()> {
    let mut options = std::fs::OpenOptions::new();
    let mut handle = options.write(true).create(true).truncate(true).mode(mode).open(file)?;
    handle.write_all(text.as_bytes())?;
    handle.sync_all()
}

/// Random bytes from the system.
pub(crate) fn chance<const N: usize>() -> Result<[u8; N], InitError> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|error| InitError::Chance(error.to_string()))?;
    Ok(bytes)
}

fn node_text(plan: &Plan) -> String {
    let ingest = plan.ingest.map_or_else(String::new, |at| format!("ingest = \"{at}\"\n"));
    format!(
        "# The node file of {name}: what belongs to this machine. `steadfast check` judges it.\n\
         name = \"{name}\"\n\
         # The letter of the codes that people reply with; another one on each node of a cluster.\n\
         letter = \"A\"\n\
         # What links in messages begin with, as recipients reach this node. Without it, the API's address.\n\
         #public_url = \"https://alerts.example:8443\"\n\n\
         [listen]\n\
         # HTTPS: the API and the acknowledge pages.\n\
         api = \"{api}\"\n\
         # Plain HTTP for tools on this machine that cannot do otherwise: notices only. Without this line: off.\n\
         {ingest}\n\
         # A way out. The first provider of a channel is used while it works, then the next.\n\
         #[[providers]]\n\
         #name = \"mail-1\"\n\
         #channel = \"mail\"\n\
         #host = \"mail.example\"\n\
         #sender = \"alerts@example\"\n\
         {more}",
        name = plan.name,
        api = plan.api,
        more = plan.more,
    )
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

/// A certificate authority of our own and a certificate by it. (A certificate that is its own authority is
/// refused by many clients: RFC 5280 §4.2.1.9.)
struct Pki {
    ca: String,
    ca_key: String,
    certificate: String,
    key: String,
}

impl Pki {
    fn make(plan: &Plan) -> Result<Self, InitError> {
        let ca_key = KeyPair::generate()?;
        let mut ca = CertificateParams::new(Vec::new())?;
        ca.distinguished_name.push(DnType::CommonName, format!("Steadfast CA of {}", plan.name));
        ca.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        ca.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let ca_certificate = ca.self_signed(&ca_key)?;
        let key = KeyPair::generate()?;
        let mut leaf = CertificateParams::new(alternative_names(plan))?;
        leaf.distinguished_name.push(DnType::CommonName, plan.name.as_str());
        leaf.use_authority_key_identifier_extension = true;
        let certificate = leaf.signed_by(&key, &Issuer::from_params(&ca, &ca_key))?;
        Ok(Self {
            ca: ca_certificate.pem(),
            ca_key: ca_key.serialize_pem(),
            certificate: certificate.pem() + &ca_certificate.pem(),
            key: key.serialize_pem(),
        })
    }
}

fn alternative_names(plan: &Plan) -> Vec<String> {
    let mut names: Vec<String> = ["localhost", "127.0.0.1", "::1"].map(str::to_owned).to_vec();
    names.push(rustix::system::uname().nodename().to_string_lossy().into_owned());
    if !plan.api.ip().is_unspecified() {
        names.push(plan.api.ip().to_string());
    }
    names.extend(plan.alternative_names.iter().cloned());
    if plan.name.as_str().is_ascii() {
        names.push(plan.name.to_string());
    }
    names.retain(|name| {
        name.parse::<IpAddr>().is_ok() || name.is_ascii() && !name.is_empty() && !name.contains('_')
    });
    names.sort();
    names.dedup();
    names
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    fn plan() -> Plan {
        Plan {
            name: Name::new("node-a").unwrap(),
            api: SocketAddr::from(([127, 0, 0, 1], 8443)),
            ingest: None,
            alternative_names: Vec::new(),
            more: String::new(),
        }
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
        crate::config::read(&data).unwrap();
        let text = std::fs::read_to_string(data.join(FIRST_DIRECTORY_FILE)).unwrap();
        record::document::read_toml(&text, "directory.toml").unwrap();
        assert!(matches!(init(&data, &plan()), Err(InitError::Exists(_))));
    }
}
