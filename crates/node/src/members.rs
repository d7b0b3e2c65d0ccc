//! Who this node is, and who else belongs to its cluster, as far as files say it: `node.id` and `cluster.toml`.
//!
//! Separate from the configuration, which people write: these are written once, when the folder is made or the
//! node joins. From then on the records know better who belongs; the list is where a node begins that has yet
//! to hear from any peer.

use crate::files::{PUBLIC, WriteError, put};
use base::{Name, NodeId};
use ownership::{Member, Role};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The file that holds the node's id, eight hexadecimal digits.
pub const NODE_ID_FILE: &str = "node.id";
/// The file that lists the members as they were when this node joined.
pub const MEMBERS_FILE: &str = "cluster.toml";

/// Why one of these files cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum MembersError {
    /// It cannot be read.
    #[error("cannot read {}: {why}", file.display())]
    Read {
        /// Which.
        file: PathBuf,
        /// The system's words.
        why: std::io::Error,
    },
    /// It does not hold what it should.
    #[error("{}: {why}", file.display())]
    Content {
        /// Which.
        file: PathBuf,
        /// What is wrong, with the key.
        why: String,
    },
    /// It cannot be written.
    #[error(transparent)]
    Write(#[from] WriteError),
}

/// A member as the file and the API spell it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MemberForm {
    /// Its id: eight hexadecimal digits.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// The letter of its codes.
    pub letter: char,
    /// `member`, `backup` or `witness`.
    pub role: String,
    /// Its place in the order of precedence.
    pub rank: u16,
    /// Where its peers reach it, `host:port`.
    pub addresses: Vec<String>,
    /// Where its API is reached.
    pub api: String,
}

impl From<&Member> for MemberForm {
    fn from(member: &Member) -> Self {
        Self {
            id: member.node.to_string(),
            name: member.name.to_string(),
            letter: member.letter,
            role: member.role.word().to_owned(),
            rank: member.rank,
            addresses: member.addresses.iter().map(ToString::to_string).collect(),
            api: member.api.to_string(),
        }
    }
}

impl MemberForm {
    /// The member that it spells.
    ///
    /// # Errors
    /// The key that is wrong, and why.
    pub fn read(&self) -> Result<Member, String> {
        let node =
            read_id(&self.id).ok_or_else(|| format!("id: {:?} is not 8 hexadecimal digits", self.id))?;
        let role = Role::ALL.into_iter().find(|role| role.word() == self.role);
        let role = role.ok_or_else(|| format!("role: {:?} is none of member, backup, witness", self.role))?;
        if !self.letter.is_ascii_uppercase() {
            return Err(format!("letter: {:?} is not one from A to Z", self.letter));
        }
        let addresses = self.addresses.iter().map(|text| crate::config::dialled(text));
        Ok(Member {
            node,
            name: Name::new(&self.name).map_err(|error| format!("name: {error}"))?,
            letter: self.letter,
            role,
            rank: self.rank,
            addresses: addresses.collect::<Result<_, _>>().map_err(|why| format!("addresses: {why}"))?,
            api: Arc::from(self.api.as_str()),
        })
    }
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct File {
    members: Vec<MemberForm>,
}

/// Reads a node's id as it is written.
pub fn read_id(text: &str) -> Option<NodeId> {
    let digits = text.len() == 8 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    digits.then(|| u32::from_str_radix(text, 16).ok().map(NodeId)).flatten()
}

/// Who belonged to the cluster when this node joined; nobody if it has not.
///
/// # Errors
/// [`MembersError`], with the file and the key.
pub fn read(folder: &Path) -> Result<Vec<Member>, MembersError> {
    let file = folder.join(MEMBERS_FILE);
    let Some(text) = read_if_there(&file)? else { return Ok(Vec::new()) };
    let wrong = |why: String| MembersError::Content { file: file.clone(), why };
    let content: File = toml::from_str(&text).map_err(|error| wrong(error.message().to_owned()))?;
    let members = content.members.iter().enumerate();
    members.map(|(at, form)| form.read().map_err(|why| wrong(format!("members[{at}].{why}")))).collect()
}

/// Writes the list.
///
/// # Errors
/// [`MembersError::Write`].
pub fn write(folder: &Path, members: &[Member]) -> Result<(), MembersError> {
    Ok(put(&folder.join(MEMBERS_FILE), &text(members), PUBLIC)?)
}

/// The list as it is written.
pub(crate) fn text(members: &[Member]) -> String {
    let content = File { members: members.iter().map(MemberForm::from).collect() };
    let list = toml::to_string(&content).expect("a list of texts and numbers has a form in TOML");
    format!(
        "# Who belonged to the cluster when this node joined: where it looks for the others at its first start.\n\
         # From then on the nodes tell each other; `steadfast cluster status` shows who belongs now.\n\n{list}"
    )
}

/// The id that the folder says its node has; none if no file says so.
///
/// # Errors
/// [`MembersError`], with the file.
pub fn node_id(folder: &Path) -> Result<Option<NodeId>, MembersError> {
    let file = folder.join(NODE_ID_FILE);
    let Some(text) = read_if_there(&file)? else { return Ok(None) };
    let why = "it does not hold 8 hexadecimal digits".to_owned();
    read_id(text.trim()).map(Some).ok_or(MembersError::Content { file, why })
}

/// Writes down which node the folder's ledger belongs to, where the folder does not say so yet or says another:
/// a ledger that was restored from a backup decides who its node is.
///
/// # Errors
/// [`MembersError::Write`].
pub fn keep_node_id(folder: &Path, node: NodeId) -> Result<(), MembersError> {
    if matches!(node_id(folder), Ok(Some(said)) if said == node) {
        return Ok(());
    }
    Ok(put(&folder.join(NODE_ID_FILE), &format!("{node}\n"), PUBLIC)?)
}

fn read_if_there(file: &Path) -> Result<Option<String>, MembersError> {
    match std::fs::read_to_string(file) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(why) => Err(MembersError::Read { file: file.to_owned(), why }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn north() -> Member {
        Member {
            node: NodeId(0x1f),
            name: Name::new("north").unwrap(),
            letter: 'A',
            role: Role::Member,
            rank: 0,
            addresses: vec!["10.1.0.7:8444".into(), "[2001:db8::7]:8444".into()],
            api: "https://10.1.0.7:8443".into(),
        }
    }

    #[test]
    fn the_list_is_read_as_it_was_written_and_empty_without_a_file() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(read(folder.path()).unwrap(), []);
        let members = [north(), Member { role: Role::Witness, node: NodeId(2), ..north() }];
        write(folder.path(), &members).unwrap();
        assert_eq!(read(folder.path()).unwrap(), members);
    }

    #[test]
    fn what_is_wrong_with_the_list_is_told_with_file_and_key() {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), &[north()]).unwrap();
        let good = std::fs::read_to_string(folder.path().join(MEMBERS_FILE)).unwrap();
        for (from, to, part) in [
            ("\"0000001f\"", "\"1f\"", "cluster.toml: members[0].id: \"1f\""),
            ("\"member\"", "\"master\"", "members[0].role: \"master\" is none of"),
            ("10.1.0.7:8444", "10.1.0.7", "members[0].addresses: \"10.1.0.7\" is not host:port"),
            ("rank", "rnak", "rnak"),
        ] {
            std::fs::write(folder.path().join(MEMBERS_FILE), good.replacen(from, to, 1)).unwrap();
            let error = read(folder.path()).unwrap_err().to_string();
            assert!(error.contains(part), "{error}");
        }
    }

    #[test]
    fn the_ledger_decides_who_the_node_is() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(node_id(folder.path()).unwrap(), None);
        for id in [7, 7, 9] {
            keep_node_id(folder.path(), NodeId(id)).unwrap();
            assert_eq!(node_id(folder.path()).unwrap(), Some(NodeId(id)));
        }
        std::fs::write(folder.path().join(NODE_ID_FILE), "north").unwrap();
        assert!(node_id(folder.path()).unwrap_err().to_string().contains("8 hexadecimal digits"));
    }
}
