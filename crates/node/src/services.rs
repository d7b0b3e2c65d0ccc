//! What the node lends to the API: time zones, judgement of addresses and directories, probes, backups, metrics.

use crate::judge;
use crate::metrics::Metrics;
use crate::neighbours::Neighbours;
use crate::render;
use api::{
    Admitted, Backup, CertificateView, Invited, LinkView, Listeners, PeerServices, Rendered, Sampled,
    Services, Welcome,
};
use base::{Name, NodeId};
use channel::Channel;
use dispatch::directory::{Address, Civil, Directory};
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use ownership::Role;
use record::document::{Document, Problem, Rules, form};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// The folder, within the data folder, that backups are put into.
const BACKUPS: &str = "backups";

pub(crate) struct NodeServices {
    folder: PathBuf,
    metrics: Arc<Metrics>,
    providers: BTreeMap<Name, Arc<dyn Channel>>,
    neighbours: Arc<Neighbours>,
}

impl NodeServices {
    pub(crate) fn new(
        folder: &Path,
        metrics: Arc<Metrics>,
        providers: BTreeMap<Name, Arc<dyn Channel>>,
        neighbours: Arc<Neighbours>,
    ) -> Self {
        Self { folder: folder.to_owned(), metrics, providers, neighbours }
    }
}

impl PeerServices for NodeServices {
    fn links(&self) -> BTreeMap<NodeId, LinkView> {
        self.neighbours.links()
    }

    fn certificates(&self) -> Vec<CertificateView> {
        self.neighbours.certificates()
    }

    fn listeners(&self) -> Listeners {
        self.neighbours.listeners()
    }

    fn invite(&self, role: Role, valid: Duration, hosts: &[String]) -> Result<Invited, String> {
        self.neighbours.invite(role, valid, hosts)
    }

    fn admit(&self, secret: &str) -> Result<Admitted, String> {
        self.neighbours.admit(secret)
    }

    fn give_back(&self, secret: &str, admitted: Admitted) -> Result<(), String> {
        self.neighbours.give_back(secret, admitted)
    }

    fn welcome(&self) -> Result<Welcome, String> {
        self.neighbours.welcome()
    }
}

impl Services for NodeServices {
    fn civil(&self, zone: &str) -> Civil {
        let zone = jiff::tz::TimeZone::get(zone).unwrap_or(jiff::tz::TimeZone::UTC);
        let now = jiff::Timestamp::now().to_zoned(zone);
        let unsigned = |number: i8| u16::try_from(number).unwrap_or(0);
        Civil {
            weekday: u8::try_from(now.weekday().to_monday_zero_offset()).unwrap_or(0),
            minute: unsigned(now.hour()) * 60 + unsigned(now.minute()),
        }
    }

    fn address(&self, address: &Address) -> Result<(), String> {
        let kind = channel::kind(address.channel.as_str())?;
        (kind.check_address)(&address.value)
    }

    fn check(&self, document: &Document) -> Result<Directory, Vec<Problem>> {
        judge::directory(document)
    }

    fn preview(&self, template: &form::Template, sample: Sampled<'_>) -> Result<Rendered, Vec<Problem>> {
        let name = "preview".to_owned();
        let document = Document {
            templates: [(name.clone(), template.clone())].into_iter().collect(),
            ..Document::default()
        };
        let prefix = format!("/templates/{name}");
        let directory = document.resolve(&Rules::any()).map_err(|problems| relative(problems, &prefix))?;
        let Some(template) = directory.templates.get(name.as_str()) else { return Err(Vec::new()) };
        let (content, full) = match sample {
            Sampled::Said(content) => (Some(content), true),
            Sampled::Longest => (None, true),
            Sampled::Shortest => (None, false),
        };
        let rendered = render::preview(template, None, content, full)?;
        Ok(Rendered { subject: rendered.subject, body: rendered.text })
    }

    fn probe(&self, provider: &Name) -> BoxFuture<'static, Result<String, String>> {
        let found = self.providers.get(provider).map(Arc::clone);
        let names: Vec<String> = self.providers.keys().map(Name::to_string).collect();
        let missing = format!("there is no provider {provider}; there are {}", names.join(", "));
        async move {
            match found {
                Some(provider) => provider.probe().await,
                None => Err(missing),
            }
        }
        .boxed()
    }

    fn backup(&self) -> BoxFuture<'static, Result<Backup, String>> {
        let folder = self.folder.clone();
        let copy = tokio::task::spawn_blocking(move || backup(&folder));
        async move { copy.await.unwrap_or_else(|error| Err(format!("the copy failed: {error}"))) }.boxed()
    }

    fn disk(&self) -> Option<(u64, u64)> {
        let stat = rustix::fs::statvfs(&self.folder).ok()?;
        Some((stat.f_bavail.saturating_mul(stat.f_frsize), stat.f_blocks.saturating_mul(stat.f_frsize)))
    }

    fn unready(&self) -> Vec<String> {
        if self.providers.is_empty() {
            return vec![
                "no provider is configured: alerts are accepted and kept, but nobody can be told".into(),
            ];
        }
        Vec::new()
    }

    fn metrics(&self) -> String {
        self.metrics.text()
    }
}

/// The same problems, with pointers that begin at the template itself.
fn relative(problems: Vec<Problem>, prefix: &str) -> Vec<Problem> {
    let strip = |problem: Problem| {
        let pointer = problem.pointer.strip_prefix(prefix).unwrap_or(&problem.pointer).to_owned();
        Problem { pointer, detail: problem.detail }
    };
    problems.into_iter().map(strip).collect()
}

/// Copies the ledger and the history into a folder named after the time.
fn backup(folder: &Path) -> Result<Backup, String> {
    let name = jiff::Timestamp::now().strftime("%Y%m%dT%H%M%SZ").to_string();
    let file = folder.join(BACKUPS).join(name);
    ledger::backup(folder, &file, &mut |_| ()).map_err(|error| error.to_string())?;
    let sizes =
        std::fs::read_dir(&file).map_err(|error| format!("cannot read {}: {error}", file.display()))?;
    let bytes = sizes.filter_map(|entry| Some(entry.ok()?.metadata().ok()?.len())).sum();
    Ok(Backup { file, bytes })
}
