//! Certificates over the years of a node's life.

use super::*;
use crate::init::{Plan, init};
use cluster::Credentials;
use std::path::Path;

const DAY: Duration = Duration::from_secs(86_400);
const YEAR: Duration = Duration::from_secs(365 * 86_400);

fn made() -> (tempfile::TempDir, Certificates) {
    let folder = tempfile::tempdir().unwrap();
    init(folder.path(), &Plan::new(base::Name::new("north").unwrap())).unwrap();
    let certificates = of(folder.path(), NodeId(0x1f));
    (folder, certificates)
}

fn of(folder: &Path, node: NodeId) -> Certificates {
    Certificates::new(folder, node, &crate::config::read(folder).unwrap())
}

fn now() -> SystemTime {
    SystemTime::now()
}

fn is_usable(node: NodeId, credentials: &Credentials) {
    assert!(is_for(&credentials.cert_pem, &name_of(node)));
}

#[test]
fn a_node_makes_what_it_shows_its_peers_once() {
    let (folder, certificates) = made();
    let first = certificates.peer_credentials(now()).unwrap();
    is_usable(NodeId(0x1f), &first);
    let second = certificates.peer_credentials(now()).unwrap();
    assert_eq!((&first.cert_pem, &first.key_pem), (&second.cert_pem, &second.key_pem));
    let other = of(folder.path(), NodeId(0x20)).peer_credentials(now()).unwrap();
    is_usable(NodeId(0x20), &other);
}

#[test]
fn certificates_are_renewed_in_the_last_third_of_their_life_and_not_before() {
    let (_folder, certificates) = made();
    let first = certificates.peer_credentials(now()).unwrap();
    let early = certificates.look(now() + YEAR / 2);
    assert!(early.peer.is_none() && !early.api && early.troubles.is_empty(), "{early:?}");
    let late = certificates.look(now() + 9 * YEAR / 12);
    let renewed = late.peer.as_ref().unwrap();
    is_usable(NodeId(0x1f), renewed);
    assert!(renewed.cert_pem != first.cert_pem && renewed.key_pem == first.key_pem);
    assert!(late.api && late.troubles.is_empty(), "{late:?}");
    let again = certificates.look(now() + 9 * YEAR / 12 + DAY);
    assert!(again.peer.is_none() && !again.api);
}

#[test]
fn a_renewed_certificate_is_for_the_names_in_the_file() {
    let (folder, certificates) = made();
    certificates.peer_credentials(now()).unwrap();
    std::fs::write(folder.path().join(NAMES_FILE), "# mine\nalerts.example.org\n\n").unwrap();
    assert!(certificates.look(now() + YEAR).api);
    let chain = std::fs::read_to_string(folder.path().join("tls/cert.pem")).unwrap();
    assert!(is_for(&chain, "alerts.example.org") && !is_for(&chain, "localhost"));
    assert_eq!(pin(&chain).unwrap(), pin(&read(&folder.path().join(CA_FILE)).unwrap()).unwrap());
}

#[test]
fn without_the_key_of_the_ca_people_are_told_from_thirty_days_before() {
    let (folder, certificates) = made();
    certificates.peer_credentials(now()).unwrap();
    std::fs::remove_file(folder.path().join(CA_KEY_FILE)).unwrap();
    assert!(certificates.look(now()).troubles.is_empty());
    let troubles = certificates.look(now() + YEAR - 29 * DAY).troubles.join("\n");
    for part in ["tls/ca.key is missing", "`peer`", "`api`", "expires on "] {
        assert!(troubles.contains(part), "{part} is not in {troubles}");
    }
    let troubles = certificates.look(now() + YEAR + DAY).troubles.join("\n");
    assert!(troubles.contains("has expired"), "{troubles}");
}

#[test]
fn a_certificate_that_people_brought_is_left_alone() {
    let (folder, certificates) = made();
    let chain = std::fs::read_to_string(folder.path().join("tls/cert.pem")).unwrap();
    let leaf = chain.split_inclusive("-----END CERTIFICATE-----\n").next().unwrap();
    std::fs::write(folder.path().join("tls/cert.pem"), leaf).unwrap();
    let look = certificates.look(now() + YEAR - DAY);
    assert!(!look.api);
    assert!(look.troubles.iter().any(|trouble| trouble.contains("`api`")), "{look:?}");
}

#[test]
fn a_key_that_is_not_the_cas_is_found_out() {
    let (folder, certificates) = made();
    let (_, key) = new_authority("other").unwrap();
    std::fs::write(folder.path().join(CA_KEY_FILE), key).unwrap();
    let error = certificates.peer_credentials(now()).unwrap_err().to_string();
    assert!(error.contains("tls/ca.key is not its key"), "{error}");
}
