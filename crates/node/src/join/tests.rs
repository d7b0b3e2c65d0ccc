//! Tokens, and folders made of answers.

use super::*;
use crate::config;
use crate::init::{CA_FILE, LINK_KEY_FILE, init};
use crate::pki::{CA_KEY_FILE, Certificates};
use base::Name;
use ownership::{Member, Role};
use std::os::unix::fs::PermissionsExt as _;
use std::time::SystemTime;

fn token() -> JoinToken {
    JoinToken { ca: Digest([7; 32]), secret: "s3cret".into(), hosts: vec!["10.1.0.7:8443".into()] }
}

fn read(folder: &Path, file: &str) -> String {
    std::fs::read_to_string(folder.join(file)).unwrap()
}

#[test]
fn a_token_is_read_as_it_was_printed_even_broken_into_lines() {
    let text = token().write();
    assert!(text.starts_with("sfjoin_") && !text.contains("s3cret"));
    assert_eq!(JoinToken::read(&text).unwrap(), token());
    let (head, tail) = text.split_at(40);
    assert_eq!(JoinToken::read(&format!("  {head}\n{tail}\n")).unwrap(), token());
    assert!(!format!("{:?}", token()).contains("s3cret"));
}

#[test]
fn what_is_no_token_is_refused_with_the_reason() {
    let whole = token().write();
    let later = TokenForm { v: 9, ca: String::new(), secret: String::new(), hosts: Vec::new() };
    let later = format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(serde_json::to_vec(&later).unwrap()));
    for (text, part) in [
        ("sf_admin_x", "begins with sfjoin_"),
        (&whole[..whole.len() - 3], "is not whole"),
        ("sfjoin_", "is not whole"),
        (later.as_str(), "of version 9"),
    ] {
        let error = JoinToken::read(text).unwrap_err();
        assert!(error.contains(part), "{text}: {error}");
    }
}

/// A first node's folder, and what it would answer.
fn cluster() -> (tempfile::TempDir, Admission) {
    let folder = tempfile::tempdir().unwrap();
    init(folder.path(), &Plan::new(Name::new("north").unwrap())).unwrap();
    let member = |id, name: &str, letter, rank| Member {
        node: NodeId(id),
        name: Name::new(name).unwrap(),
        letter,
        role: Role::Member,
        rank,
        addresses: vec![format!("10.1.0.{id}:8444").into()],
        api: format!("https://10.1.0.{id}:8443").into(),
    };
    let members = [member(1, "north", 'A', 0), member(2, "south", 'B', 1)];
    let admission = Admission {
        ca: read(folder.path(), CA_FILE),
        ca_key: Some(read(folder.path(), CA_KEY_FILE)),
        link_key: read(folder.path(), LINK_KEY_FILE).trim().to_owned(),
        letter: 'B',
        rank: 1,
        role: "member".into(),
        members: members.iter().map(MemberForm::from).collect(),
    };
    (folder, admission)
}

#[test]
fn a_folder_made_of_an_answer_is_that_of_a_member() {
    let (first, admission) = cluster();
    let folder = tempfile::tempdir().unwrap();
    let plan = Plan {
        peers: Some(config::PEERS_LISTEN),
        addresses: vec!["10.1.0.2:8444".into()],
        ..Plan::new(Name::new("south").unwrap())
    };
    let files = settle(folder.path(), &plan, NodeId(2), &admission, Some("sf_admin_x")).unwrap();
    assert!(files.iter().all(|file| file.exists()), "{files:?}");
    let config = config::read(folder.path()).unwrap();
    assert_eq!((config.letter, config.cluster.listen), ('B', Some(config::PEERS_LISTEN)));
    assert_eq!(members::node_id(folder.path()).unwrap(), Some(NodeId(2)));
    assert_eq!(members::read(folder.path()).unwrap().len(), 2);
    for (file, mode) in [(LINK_KEY_FILE, 0o600), (CA_KEY_FILE, 0o600), (CA_FILE, 0o644)] {
        assert_eq!(read(folder.path(), file), read(first.path(), file), "{file}");
        let permissions = std::fs::metadata(folder.path().join(file)).unwrap().permissions();
        assert_eq!(permissions.mode() & 0o777, mode, "{file}");
    }
    assert_eq!(read(folder.path(), ADMIN_TOKEN_FILE), "sf_admin_x\n");
    assert!(
        !folder.path().join(crate::init::FIRST_DIRECTORY_FILE).exists(),
        "the directory is the cluster's"
    );
    Certificates::new(folder.path(), NodeId(2), &config).peer_credentials(SystemTime::now()).unwrap();
}

#[test]
fn a_folder_that_holds_a_node_is_left_alone() {
    let (first, admission) = cluster();
    let before = read(first.path(), members::NODE_ID_FILE);
    let plan = Plan::new(Name::new("south").unwrap());
    let error = settle(first.path(), &plan, NodeId(2), &admission, None).unwrap_err();
    assert!(matches!(error, JoinError::Folder(InitError::Exists(_))), "{error}");
    assert_eq!(read(first.path(), members::NODE_ID_FILE), before);
}

#[test]
fn an_answer_that_is_not_understood_leaves_nothing_behind() {
    let (_first, admission) = cluster();
    let folder = tempfile::tempdir().unwrap();
    let plan = Plan::new(Name::new("south").unwrap());
    let bad = Admission { link_key: "x".into(), ..admission };
    settle(folder.path(), &plan, NodeId(2), &bad, None).unwrap_err();
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}
