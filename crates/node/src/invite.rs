//! One-time secrets with which machines can join the cluster.
//!
//! Separate from the tokens of the directory: these are this node's alone, live for minutes, and let nobody do
//! anything but join. Kept as digests, in a file, so that a restart between the two commands voids none.

use crate::files::{SECRET, WriteError, put};
use crate::init::{InitError, chance};
use api::Admitted;
use base::Digest;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ownership::Role;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The file that holds them.
const INVITATIONS_FILE: &str = "join-tokens.toml";
/// Invitations that are open at once; the one that ends first goes for a further one.
const OPEN_MAX: usize = 16;

/// Why an invitation could not be made or taken up.
#[derive(Debug, thiserror::Error)]
pub enum InviteError {
    /// No open invitation has that secret.
    #[error(
        "this join token is unknown here: it was used already, has expired, or is another node's; make a new one with `steadfast token create`"
    )]
    Unknown,
    /// The list could not be kept.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// The file does not hold what it should.
    #[error("{}: {why}; remove it, and make join tokens anew", file.display())]
    Content {
        /// Which.
        file: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// The system has no random numbers to give.
    #[error(transparent)]
    Chance(#[from] InitError),
}

/// One invitation, as the file has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Open {
    sha256: String,
    role: String,
    /// Seconds since 1970 UTC.
    expires: u64,
}

impl Open {
    fn new(secret: &str, role: Role, until: SystemTime) -> Self {
        let sha256 = digest(secret).to_string();
        Self { sha256, role: role.word().to_owned(), expires: seconds(until) }
    }
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct File {
    tokens: Vec<Open>,
}

/// The open invitations of a node.
#[derive(Debug)]
pub struct Invitations {
    file: PathBuf,
    open: Mutex<Vec<Open>>,
}

impl Invitations {
    /// Those of the node in `folder`.
    ///
    /// # Errors
    /// [`InviteError::Content`], with the file.
    pub fn open(folder: &Path) -> Result<Self, InviteError> {
        let file = folder.join(INVITATIONS_FILE);
        let wrong = |why: String| InviteError::Content { file: file.clone(), why };
        let text = match std::fs::read_to_string(&file) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(wrong(error.to_string())),
        };
        let File { tokens } = toml::from_str(&text).map_err(|error| wrong(error.message().to_owned()))?;
        Ok(Self { file, open: Mutex::new(tokens) })
    }

    /// Invites one machine: gives the secret, and until when it is good.
    ///
    /// # Errors
    /// [`InviteError`] if the list cannot be kept.
    pub fn invite(
        &self,
        role: Role,
        now: SystemTime,
        valid: Duration,
    ) -> Result<(String, SystemTime), InviteError> {
        let secret = URL_SAFE_NO_PAD.encode(chance::<32>()?);
        let until = now + valid;
        let mut open = self.lock();
        let mut next = alive(&open, now);
        next.sort_by_key(|it| it.expires);
        let surplus = (next.len() + 1).saturating_sub(OPEN_MAX);
        next.drain(..surplus);
        next.push(Open::new(&secret, role, until));
        self.keep(&mut open, next)?;
        Ok((secret, until))
    }

    /// Takes up the invitation of that secret: from now on nobody else can.
    ///
    /// # Errors
    /// [`InviteError::Unknown`], or that the list cannot be kept: then nobody was let in.
    pub fn admit(&self, secret: &str, now: SystemTime) -> Result<Admitted, InviteError> {
        let wanted = digest(secret).to_string();
        let mut open = self.lock();
        let mut next = alive(&open, now);
        let at = next.iter().position(|it| same(it.sha256.as_bytes(), wanted.as_bytes()));
        let taken = next.remove(at.ok_or(InviteError::Unknown)?);
        let role = Role::ALL.into_iter().find(|role| role.word() == taken.role);
        let role = role.ok_or(InviteError::Unknown)?;
        self.keep(&mut open, next)?;
        Ok(Admitted { role, until: UNIX_EPOCH + Duration::from_secs(taken.expires) })
    }

    /// Opens an invitation again by which nobody joined after all.
    ///
    /// # Errors
    /// [`InviteError::Write`].
    pub fn give_back(&self, secret: &str, admitted: Admitted) -> Result<(), InviteError> {
        let mut open = self.lock();
        let mut next = open.clone();
        next.push(Open::new(secret, admitted.role, admitted.until));
        self.keep(&mut open, next)
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Open>> {
        // The list is replaced whole.
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The file first: what memory holds was promised.
    fn keep(&self, open: &mut Vec<Open>, next: Vec<Open>) -> Result<(), InviteError> {
        let content = File { tokens: next };
        let text = toml::to_string(&content)
            .map_err(|error| InviteError::Content { file: self.file.clone(), why: error.to_string() })?;
        put(&self.file, &text, SECRET)?;
        *open = content.tokens;
        Ok(())
    }
}

fn alive(open: &[Open], now: SystemTime) -> Vec<Open> {
    open.iter().filter(|it| seconds(now) < it.expires).cloned().collect()
}

fn seconds(at: SystemTime) -> u64 {
    at.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

fn digest(secret: &str) -> Digest {
    Digest(Sha256::digest(secret.as_bytes()).into())
}

/// Compares in a time that does not tell where they differ.
fn same(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && a.iter().zip(b).fold(0, |differing, (a, b)| differing | (a ^ b)) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    #[test]
    fn an_invitation_is_taken_up_once_by_its_secret_and_survives_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let now = SystemTime::now();
        let (secret, _) = Invitations::open(folder.path()).unwrap().invite(Role::Witness, now, HOUR).unwrap();
        let text = std::fs::read_to_string(folder.path().join(INVITATIONS_FILE)).unwrap();
        assert!(!text.contains(&secret), "the secret itself is kept nowhere");
        let again = Invitations::open(folder.path()).unwrap();
        assert!(matches!(again.admit("other", now), Err(InviteError::Unknown)));
        assert_eq!(again.admit(&secret, now).unwrap().role, Role::Witness);
        assert!(matches!(again.admit(&secret, now), Err(InviteError::Unknown)));
        let third = Invitations::open(folder.path()).unwrap();
        assert!(matches!(third.admit(&secret, now), Err(InviteError::Unknown)));
    }

    #[test]
    fn an_invitation_expires_and_one_given_back_is_open_again() {
        let folder = tempfile::tempdir().unwrap();
        let now = SystemTime::now();
        let invitations = Invitations::open(folder.path()).unwrap();
        let (secret, until) = invitations.invite(Role::Member, now, HOUR).unwrap();
        assert!(matches!(invitations.admit(&secret, until + HOUR), Err(InviteError::Unknown)));
        let admitted = invitations.admit(&secret, now).unwrap();
        invitations.give_back(&secret, admitted).unwrap();
        invitations.admit(&secret, now).unwrap();
    }

    #[test]
    fn of_too_many_invitations_the_oldest_goes() {
        let folder = tempfile::tempdir().unwrap();
        let now = SystemTime::now();
        let invitations = Invitations::open(folder.path()).unwrap();
        let secrets: Vec<String> = (0..=OPEN_MAX)
            .map(|at| {
                let later = Duration::from_secs(u64::try_from(at).unwrap());
                invitations.invite(Role::Member, now + later, HOUR).unwrap().0
            })
            .collect();
        assert!(matches!(invitations.admit(&secrets[0], now), Err(InviteError::Unknown)));
        invitations.admit(&secrets[1], now).unwrap();
    }
}
