//! What the node lends to the API about its cluster, and the upkeep of certificates while it runs.
//!
//! Separate from the other services, because here are the secrets that make a machine a member.

use crate::addresses;
use crate::config::NodeConfig;
use crate::init::LINK_KEY_FILE;
use crate::invite::Invitations;
use crate::join::JoinToken;
use crate::pki::{CA_FILE, CA_KEY_FILE, Certificates, Look, Shown, pin};
use crate::run::RunError;
use api::{Admitted, Calls, CertificateView, Invited, LinkView, Listeners, PeerServices, Welcome};
use base::NodeId;
use cluster::Links;
use dispatch::Input;
use dispatch::input::Order;
use dispatch::record::Actor;
use ownership::{Member, Role};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

/// How often the node looks at its certificates.
pub(crate) const LOOK_EVERY: Duration = Duration::from_secs(3600);

/// What a node knows of its place in a cluster, besides what the core knows.
pub(crate) struct Neighbours {
    folder: PathBuf,
    /// The chain that the API shows.
    chain: PathBuf,
    listeners: Listeners,
    links: Option<Links>,
    invitations: Invitations,
    certificates: Mutex<Vec<Shown>>,
}

impl Neighbours {
    /// Of the node in `folder`, whose API shows the chain in the file `chain`.
    ///
    /// # Errors
    /// If the list of join tokens is not understood.
    pub(crate) fn new(
        folder: &Path,
        chain: &Path,
        listeners: Listeners,
        links: Option<Links>,
    ) -> Result<Self, RunError> {
        let invitations = Invitations::open(folder).map_err(|error| RunError::Setup(error.to_string()))?;
        let (folder, chain) = (folder.to_owned(), folder.join(chain));
        Ok(Self { folder, chain, listeners, links, invitations, certificates: Mutex::default() })
    }

    /// Renews what is due, shows it to peers, and says what people should know. Gives whether the API's
    /// certificate is to be read again, and the troubles.
    pub(crate) fn look_at(&self, certificates: &Certificates, now: SystemTime) -> (bool, Vec<String>) {
        let Look { peer, api, shown, mut troubles } = certificates.look(now);
        if let (Some(links), Some(credentials)) = (&self.links, &peer) {
            match links.set_credentials(credentials) {
                Ok(()) => {
                    tracing::info!("the certificate for peers was renewed");
                }
                Err(error) => {
                    troubles.push(format!("the renewed certificate for peers is not used: {error}"));
                }
            }
        }
        *self.shown() = shown;
        for why in &troubles {
            tracing::warn!(%why, "a certificate needs somebody's attention");
        }
        (api, troubles)
    }

    fn shown(&self) -> MutexGuard<'_, Vec<Shown>> {
        // The list is replaced whole.
        self.certificates.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Where a machine can knock, as far as this node knows: by its own addresses if it listens on all.
    fn knocks(&self) -> Vec<String> {
        let at = self.listeners.api;
        if !at.ip().is_unspecified() {
            return vec![at.to_string()];
        }
        let own = addresses::own();
        let all = own.into_iter().filter(|ip| at.is_ipv6() || ip.is_ipv4());
        all.map(|ip| SocketAddr::new(ip, at.port()).to_string()).collect()
    }

    fn read(&self, file: &Path) -> Result<String, String> {
        std::fs::read_to_string(file).map_err(|error| format!("cannot read {}: {error}", file.display()))
    }
}

/// Tells the cluster what the node file says differently from what it knows of this node: name, letter, how
/// peers reach it, where its API is.
pub(crate) async fn introduce(config: &NodeConfig, calls: &Calls) {
    let known = calls.read(|core, now| {
        let me = core.cluster(now).me.node;
        core.members().get(&me).cloned()
    });
    let Ok(Some(known)) = known.await else { return }; // Alone, or about to stop.
    let member = renewed(&known, config);
    if member == known {
        return;
    }
    let order = Order::Enrol { member };
    let told = calls.put(move |ticket| Input::Order { ticket, by: Actor::ourselves(), order }).await;
    if let Err(error) = told {
        tracing::warn!(%error, "the cluster was not told what the node file says anew of this node");
    }
}

/// A member as the node file says it; what that leaves open stays.
fn renewed(known: &Member, config: &NodeConfig) -> Member {
    let dialled = &config.cluster.addresses;
    Member {
        name: config.name.clone(),
        letter: config.letter,
        addresses: if dialled.is_empty() { known.addresses.clone() } else { dialled.clone() },
        api: config.public_url.as_deref().map_or_else(|| Arc::clone(&known.api), Arc::from),
        ..known.clone()
    }
}

impl PeerServices for Neighbours {
    fn links(&self) -> BTreeMap<NodeId, LinkView> {
        let each = self.links.iter().flat_map(Links::status);
        let view = |link: cluster::LinkStatus| LinkView {
            address: link.address,
            connected: link.connected,
            protocol: link.version,
            error: link.error,
            expires: link.expires,
        };
        each.map(|(node, link)| (node, view(link))).collect()
    }

    fn certificates(&self) -> Vec<CertificateView> {
        let view = |shown: &Shown| CertificateView {
            what: shown.what.to_owned(),
            file: shown.file.display().to_string(),
            expires: shown.expires,
            renews: shown.renews,
        };
        self.shown().iter().map(view).collect()
    }

    fn listeners(&self) -> Listeners {
        self.listeners.clone()
    }

    fn invite(&self, role: Role, valid: Duration, hosts: &[String]) -> Result<Invited, String> {
        let ca = pin(&self.read(&self.chain)?)?;
        let mut knocks = hosts.to_vec();
        knocks.extend(self.knocks().into_iter().filter(|host| !hosts.contains(host)));
        if knocks.is_empty() {
            return Err("this node knows no address of its own; name one with --host".to_owned());
        }
        let (secret, until) =
            self.invitations.invite(role, SystemTime::now(), valid).map_err(|error| error.to_string())?;
        let token = JoinToken { ca, secret, hosts: knocks.clone() }.write();
        Ok(Invited { token, until, hosts: knocks })
    }

    fn admit(&self, secret: &str) -> Result<Admitted, String> {
        let admitted = self.invitations.admit(secret, SystemTime::now());
        admitted.map_err(|error| error.to_string())
    }

    fn give_back(&self, secret: &str, admitted: Admitted) -> Result<(), String> {
        self.invitations.give_back(secret, admitted).map_err(|error| error.to_string())
    }

    fn welcome(&self) -> Result<Welcome, String> {
        let key = self.folder.join(CA_KEY_FILE);
        Ok(Welcome {
            ca: self.read(&self.folder.join(CA_FILE))?,
            ca_key: if key.exists() { Some(self.read(&key)?) } else { None },
            link_key: self.read(&self.folder.join(LINK_KEY_FILE))?.trim().to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_node_file_says_anew_is_told_and_the_rest_stays() {
        let known = Member {
            node: NodeId(1),
            name: base::Name::new("north").unwrap(),
            letter: 'A',
            role: Role::Backup,
            rank: 2,
            addresses: vec!["10.1.0.7:8444".into()],
            api: "https://10.1.0.7:8443".into(),
        };
        let read = |text: &str| crate::config::parse(Path::new("node.toml"), text).unwrap();
        assert_eq!(renewed(&known, &read("name = \"north\"")), known);
        let moved =
            "name = \"north\"\npublic_url = \"https://n.test\"\n[cluster]\naddresses = [\"10.2.0.7:1\"]";
        let expect =
            Member { addresses: vec!["10.2.0.7:1".into()], api: "https://n.test".into(), ..known.clone() };
        assert_eq!(renewed(&known, &read(moved)), expect);
    }
}
