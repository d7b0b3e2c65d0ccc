//! Makes the certificates of a node from the cluster's CA, and renews them long before they expire.
//!
//! Separate from `cluster`, which shows and judges certificates, and from `init` and `join`, which make a
//! folder once: this is what a node does about certificates for as long as it lives. The CA is the same on all
//! nodes of a cluster. A node that does not have the CA's key cannot renew; it says so from thirty days before.

use crate::addresses;
use crate::config::{NodeConfig, Tls};
use crate::files::{PUBLIC, SECRET, WriteError, put};
use crate::pki::authority::Authority;
use base::NodeId;
use cluster::{Credentials, name_of, validity};
use rcgen::KeyPair;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

mod authority;

pub(crate) use authority::new_authority;
pub use authority::pin;

/// The certificate authority of the cluster, to be trusted by its clients.
pub const CA_FILE: &str = "tls/ca.pem";
/// Its key. Whoever has it can make a node that the others trust.
pub const CA_KEY_FILE: &str = "tls/ca.key";
/// What the node shows its peers.
pub const PEER_FILE: &str = "tls/peer.pem";
/// The key of that.
pub const PEER_KEY_FILE: &str = "tls/peer.key";
/// The names and addresses that the API's certificate is made for, one to a line; it is made anew from them.
pub const NAMES_FILE: &str = "tls/names";
/// How long before a certificate expires that cannot be renewed people are told.
const ALARM: Duration = Duration::from_secs(30 * 86_400);

/// Why a certificate could not be made or read.
#[derive(Debug, thiserror::Error)]
pub enum PkiError {
    /// A file cannot be read or does not hold what it should.
    #[error("cannot use {}: {why}", file.display())]
    File {
        /// Which.
        file: PathBuf,
        /// Why, in words.
        why: String,
    },
    /// A file cannot be written.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// The certificate could not be made.
    #[error("cannot make the certificate: {0}")]
    Certificate(#[from] rcgen::Error),
    /// There is no key to sign with.
    #[error(
        "{} is missing, so this node cannot make or renew certificates; copy it from another node of the cluster, \
         or have certificates made elsewhere",
        .0.display()
    )]
    NoAuthority(PathBuf),
}

/// One of the node's certificates, for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    /// `peer`, `api` or `ca`.
    pub what: &'static str,
    /// Its file.
    pub file: PathBuf,
    /// When it expires.
    pub expires: SystemTime,
    /// The node renews it by itself.
    pub renews: bool,
}

/// What a look at the certificates came to.
#[derive(Debug, Default)]
pub struct Look {
    /// What to show peers from now on, if it was renewed.
    pub peer: Option<Credentials>,
    /// The API's certificate was renewed: its file is to be read again.
    pub api: bool,
    /// All certificates, as they are now.
    pub shown: Vec<Shown>,
    /// What people should know, a sentence each.
    pub troubles: Vec<String>,
}

/// The certificates of a node.
#[derive(Clone, Debug)]
pub struct Certificates {
    folder: PathBuf,
    node: NodeId,
    common_name: String,
    /// What the API is reached by, as far as the configuration says it.
    api_names: Vec<String>,
    tls: Tls,
    life: Duration,
}

impl Certificates {
    /// Those of the node in `folder`.
    pub fn new(folder: &Path, node: NodeId, config: &NodeConfig) -> Self {
        Self {
            folder: folder.to_owned(),
            node,
            common_name: config.name.to_string(),
            api_names: names(config.name.as_str(), config.listen.api.ip(), &[]),
            tls: config.tls.clone(),
            life: config.cluster.certificate_life,
        }
    }

    /// What the node shows its peers, made first if there is none, or if it is another node's.
    ///
    /// # Errors
    /// [`PkiError`], with the file and the remedy.
    pub fn peer_credentials(&self, now: SystemTime) -> Result<Credentials, PkiError> {
        let present = self.present_peer();
        let fits = present.as_ref().is_ok_and(|credentials| {
            cluster::expires(&credentials.cert_pem).is_ok()
                && is_for(&credentials.cert_pem, &self.peer_name())
        });
        if fits { present } else { self.make_peer(now) }
    }

    /// Renews what is due, and says how all of them are. To be called at the start and every hour or so.
    pub fn look(&self, now: SystemTime) -> Look {
        let mut look = Look::default();
        match self.renewed_peer(now) {
            Ok(renewed) => look.peer = renewed,
            Err(error) => look.troubles.push(format!("the certificate for peers is not renewed: {error}")),
        }
        match self.renewed_api(now) {
            Ok(renewed) => look.api = renewed,
            Err(error) => look.troubles.push(format!("the API's certificate is not renewed: {error}")),
        }
        let can = self.folder.join(CA_KEY_FILE).exists();
        let ours = can && self.api_is_ours();
        let files = [
            ("peer", self.folder.join(PEER_FILE), can),
            ("api", self.folder.join(&self.tls.certificate), ours),
            ("ca", self.folder.join(CA_FILE), false),
        ];
        for (what, file, renews) in files {
            let Some((_, until)) = life_of(&file) else { continue };
            look.shown.push(Shown { what, file, expires: until, renews });
        }
        look.troubles.extend(look.shown.iter().filter_map(|shown| soon(shown, now)));
        look
    }

    fn peer_name(&self) -> String {
        name_of(self.node)
    }

    fn present_peer(&self) -> Result<Credentials, PkiError> {
        Ok(Credentials {
            ca_pem: read(&self.folder.join(CA_FILE))?,
            cert_pem: read(&self.folder.join(PEER_FILE))?,
            key_pem: read(&self.folder.join(PEER_KEY_FILE))?,
        })
    }

    fn make_peer(&self, now: SystemTime) -> Result<Credentials, PkiError> {
        let authority = Authority::read(&self.folder)?;
        let key = key_in(&self.folder.join(PEER_KEY_FILE))?;
        let names = [self.peer_name()];
        let cert_pem = authority.issue(&self.common_name, &names, &key, now, self.life)?;
        put(&self.folder.join(PEER_FILE), &cert_pem, PUBLIC)?;
        Ok(Credentials { ca_pem: authority.pem().to_owned(), cert_pem, key_pem: key.serialize_pem() })
    }

    fn renewed_peer(&self, now: SystemTime) -> Result<Option<Credentials>, PkiError> {
        if !is_due(&self.folder.join(PEER_FILE), now) {
            return Ok(None);
        }
        self.make_peer(now).map(Some)
    }

    /// Whether the API shows a certificate by the cluster's CA; else people brought their own.
    fn api_is_ours(&self) -> bool {
        let chain = ders(&self.folder.join(&self.tls.certificate));
        let ca = ders(&self.folder.join(CA_FILE));
        ca.first().is_some_and(|ca| chain.get(1) == Some(ca))
    }

    fn renewed_api(&self, now: SystemTime) -> Result<bool, PkiError> {
        let file = self.folder.join(&self.tls.certificate);
        if !is_due(&file, now) || !self.api_is_ours() {
            return Ok(false);
        }
        let listed = std::fs::read_to_string(self.folder.join(NAMES_FILE)).unwrap_or_default();
        let mut names: Vec<String> = listed.lines().map(|name| name.trim().to_owned()).collect();
        names.retain(|name| !name.is_empty() && !name.starts_with('#'));
        let names = if names.is_empty() { &self.api_names } else { &names };
        let authority = Authority::read(&self.folder)?;
        let key = key_in(&self.folder.join(&self.tls.key))?;
        let chain = authority.issue(&self.common_name, names, &key, now, self.life)?;
        put(&file, &(chain + authority.pem()), PUBLIC)?;
        Ok(true)
    }
}

/// Makes the API's certificate in a folder that has a CA: key, chain, and the names it is for.
pub(crate) fn make_api(
    folder: &Path,
    common_name: &str,
    names: &[String],
    now: SystemTime,
    life: Duration,
) -> Result<Vec<PathBuf>, PkiError> {
    let tls = Tls::default();
    let authority = Authority::read(folder)?;
    let key = key_in(&folder.join(&tls.key))?;
    let chain = authority.issue(common_name, names, &key, now, life)?;
    let (file, listed) = (folder.join(&tls.certificate), folder.join(NAMES_FILE));
    put(&file, &(chain + authority.pem()), PUBLIC)?;
    put(&listed, &(names.join("\n") + "\n"), PUBLIC)?;
    Ok(vec![file, folder.join(&tls.key), listed])
}

/// What the API of a node of that name is reached by: local names, the machine's own, and `more`.
pub(crate) fn names(name: &str, api: IpAddr, more: &[String]) -> Vec<String> {
    let mut names: Vec<String> = ["localhost", "127.0.0.1", "::1"].map(str::to_owned).to_vec();
    names.push(rustix::system::uname().nodename().to_string_lossy().into_owned());
    if api.is_unspecified() {
        names.extend(addresses::own().iter().map(ToString::to_string));
    } else {
        names.push(api.to_string());
    }
    names.extend(more.iter().cloned());
    names.push(name.to_owned());
    names.retain(|name| {
        name.parse::<IpAddr>().is_ok() || name.is_ascii() && !name.is_empty() && !name.contains('_')
    });
    names.sort();
    names.dedup();
    names
}

/// A sentence for people, if a certificate that nobody renews ends soon.
fn soon(shown: &Shown, now: SystemTime) -> Option<String> {
    let Shown { what, file, expires, renews } = shown;
    let left = expires.duration_since(now).unwrap_or_default();
    if *renews || left > ALARM {
        return None;
    }
    // The day, and not how many are left: the same trouble is told in the same words.
    let day = jiff::Timestamp::try_from(*expires).map(|at| at.strftime("%Y-%m-%d").to_string());
    let when = match day {
        Ok(day) if !left.is_zero() => format!("expires on {day} (UTC)"),
        Ok(_) | Err(_) => "has expired".to_owned(),
    };
    Some(format!("the certificate `{what}` ({}) {when}, and this node cannot renew it", file.display()))
}

/// Whether less than a third of a certificate's life is left; not where there is no certificate.
fn is_due(file: &Path, now: SystemTime) -> bool {
    life_of(file).is_some_and(|(from, until)| {
        let life = until.duration_since(from).unwrap_or_default();
        until.duration_since(now).unwrap_or_default() < life / 3
    })
}

/// From when to when the first certificate of a file is valid.
fn life_of(file: &Path) -> Option<(SystemTime, SystemTime)> {
    let validity = validity(ders(file).first()?)?;
    let from = Duration::from_secs(u64::try_from(validity.from).unwrap_or(0));
    Some((SystemTime::UNIX_EPOCH + from, validity.expires()))
}

/// Whether the first certificate of a text is for that name.
fn is_for(pem: &str, name: &str) -> bool {
    let Ok(certificate) = CertificateDer::from_pem_slice(pem.as_bytes()) else { return false };
    let Ok(parsed) = rustls::server::ParsedCertificate::try_from(&certificate) else { return false };
    let name = rustls::pki_types::ServerName::try_from(name);
    name.is_ok_and(|name| rustls::client::verify_server_name(&parsed, &name).is_ok())
}

fn ders(file: &Path) -> Vec<CertificateDer<'static>> {
    let read = CertificateDer::pem_file_iter(file).and_then(Iterator::collect);
    read.unwrap_or_default()
}

/// The key in a file; a new one, written there, if there is none. Certificates are renewed for the same key, so
/// that there is never a moment at which a certificate and its key do not fit.
fn key_in(file: &Path) -> Result<KeyPair, PkiError> {
    if file.exists() {
        let wrong = |error: rcgen::Error| PkiError::File { file: file.to_owned(), why: error.to_string() };
        return KeyPair::from_pem(&read(file)?).map_err(wrong);
    }
    let key = KeyPair::generate()?;
    put(file, &key.serialize_pem(), SECRET)?;
    Ok(key)
}

fn read(file: &Path) -> Result<String, PkiError> {
    std::fs::read_to_string(file)
        .map_err(|error| PkiError::File { file: file.to_owned(), why: error.to_string() })
}

#[cfg(test)]
mod tests;
