//! A machine's way into a cluster, as far as it can be gone without talking: the token, whom it trusts, and the
//! folder that is made of what the cluster answers.
//!
//! Separate from the command line, which talks over HTTP, and from the node that answers (`crates/api`).

use crate::files::{PUBLIC, SECRET};
use crate::init::{ADMIN_TOKEN_FILE, Given, InitError, Plan, furnish, new_node};
use crate::members::{self, MemberForm};
use base::{Digest, NodeId};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::path::{Path, PathBuf};

mod trust;

pub use trust::pinned;

/// What a join token begins with.
const PREFIX: &str = "sfjoin_";
/// The version of the token's content.
const VERSION: u8 = 1;

/// What `steadfast token create` prints: where to knock, whom to trust there, and the secret to say.
#[derive(Clone, PartialEq, Eq)]
pub struct JoinToken {
    /// SHA-256 of the certificate that must vouch for whoever answers.
    pub ca: Digest,
    /// The one-time secret.
    pub secret: String,
    /// Where the cluster's API is reached, `host:port`, tried in order.
    pub hosts: Vec<String>,
}

impl fmt::Debug for JoinToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JoinToken").field("ca", &self.ca).field("hosts", &self.hosts).finish_non_exhaustive()
    }
}

#[derive(Serialize, Deserialize)]
struct TokenForm {
    v: u8,
    ca: String,
    secret: String,
    hosts: Vec<String>,
}

impl JoinToken {
    /// As it is printed.
    pub fn write(&self) -> String {
        let form = TokenForm {
            v: VERSION,
            ca: self.ca.to_string(),
            secret: self.secret.clone(),
            hosts: self.hosts.clone(),
        };
        // A form of texts and a number has no way to fail.
        let json = serde_json::to_vec(&form).unwrap_or_default();
        format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(json))
    }

    /// Reads what was printed.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub fn read(text: &str) -> Result<Self, String> {
        let text: String = text.split_whitespace().collect(); // Pasted from a terminal it may be broken into lines.
        let Some(rest) = text.strip_prefix(PREFIX) else {
            return Err(format!("a join token begins with {PREFIX}; make one with `steadfast token create`"));
        };
        let broken = || "the join token is not whole; copy all of it".to_owned();
        let json = URL_SAFE_NO_PAD.decode(rest).map_err(|_| broken())?;
        let form: TokenForm = serde_json::from_slice(&json).map_err(|_| broken())?;
        if form.v != VERSION {
            return Err(format!(
                "the join token is of version {}, and this program knows {VERSION}; use the same program on both",
                form.v
            ));
        }
        let ca = Digest::parse(&form.ca).ok_or_else(broken)?;
        if form.secret.is_empty() || form.hosts.is_empty() {
            return Err(broken());
        }
        Ok(Self { ca, secret: form.secret, hosts: form.hosts })
    }
}

/// What the cluster answers to a newcomer.
#[derive(Clone, Debug, Deserialize)]
pub struct Admission {
    /// The CA's certificate, in PEM.
    pub ca: String,
    /// The CA's key, in PEM; none where the cluster keeps it elsewhere.
    pub ca_key: Option<String>,
    /// The key of the links in messages: 64 hexadecimal digits.
    pub link_key: String,
    /// The letter of the newcomer's codes.
    pub letter: char,
    /// Its place in the order of precedence.
    pub rank: u16,
    /// What it is for.
    pub role: String,
    /// Everybody who belongs, the newcomer included.
    pub members: Vec<MemberForm>,
}

/// Why a folder could not be made of an answer.
#[derive(Debug, thiserror::Error)]
pub enum JoinError {
    /// The folder cannot be furnished.
    #[error(transparent)]
    Folder(#[from] InitError),
    /// The answer does not hold what it should.
    #[error("the cluster's answer is not understood: {0}; use the same program on both")]
    Answer(String),
}

/// A new node's id, to be drawn before anybody is asked.
///
/// # Errors
/// The system has no random numbers to give.
pub fn draw_node() -> Result<NodeId, JoinError> {
    Ok(new_node()?)
}

/// Makes the data folder of a node that was admitted: like `init`, with the cluster's CA, keys and members, and
/// `admin_token` where the operator gave one. Tells the files.
///
/// # Errors
/// [`JoinError`], with the file.
pub fn settle(
    folder: &Path,
    plan: &Plan,
    node: NodeId,
    admission: &Admission,
    admin_token: Option<&str>,
) -> Result<Vec<PathBuf>, JoinError> {
    let Admission { ca, ca_key, link_key, letter, rank: _, role: _, members } = admission;
    let link_key = Digest::parse(link_key).ok_or_else(|| JoinError::Answer("the link key".into()))?;
    let members = members.iter().map(MemberForm::read).collect::<Result<Vec<_>, _>>();
    let members = members.map_err(JoinError::Answer)?;
    let given = Given { node, ca: ca.clone(), ca_key: ca_key.clone(), link_key };
    let plan = Plan { letter: *letter, ..plan.clone() };
    let mut more = vec![(members::MEMBERS_FILE, members::text(&members), PUBLIC)];
    if let Some(token) = admin_token {
        more.push((ADMIN_TOKEN_FILE, format!("{token}\n"), SECRET));
    }
    Ok(furnish(folder, &plan, &given, &more)?)
}

#[cfg(test)]
mod tests;
