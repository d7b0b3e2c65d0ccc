//! The cluster's certificate authority: made once, and then only signed with.
//!
//! Separate from what is done with it. A certificate that is its own authority is refused by many clients (RFC
//! 5280 §4.2.1.9), so there is one of each.

use super::{CA_FILE, CA_KEY_FILE, PkiError, read};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, date_time_ymd,
};
use rustls::RootCertStore;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, UnixTime};
use sha2::{Digest as _, Sha256};
use std::path::Path;
use std::time::{Duration, SystemTime};

/// How far into the past certificates begin, for clients whose clocks are slow.
const BACKDATED: Duration = Duration::from_secs(86_400);
/// The object identifier of a common name, 2.5.4.3, in DER.
const COMMON_NAME: [u8; 5] = [0x06, 0x03, 0x55, 0x04, 0x03];

/// Makes a certificate authority: its certificate and its key, in PEM.
pub(crate) fn new_authority(name: &str) -> Result<(String, String), PkiError> {
    let key = KeyPair::generate()?;
    let certificate = params(&format!("Steadfast CA of {name}"))?.self_signed(&key)?;
    Ok((certificate.pem(), key.serialize_pem()))
}

fn params(common_name: &str) -> Result<CertificateParams, rcgen::Error> {
    let mut ca = CertificateParams::new(Vec::new())?;
    ca.distinguished_name.push(DnType::CommonName, common_name);
    ca.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    ca.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    Ok(ca)
}

/// The SHA-256 of the last certificate of a chain in PEM: what a join token is tied to.
///
/// # Errors
/// In words, if there is no certificate.
pub fn pin(chain_pem: &str) -> Result<base::Digest, String> {
    let chain = CertificateDer::pem_slice_iter(chain_pem.as_bytes()).collect::<Result<Vec<_>, _>>();
    let chain = chain.map_err(|error| format!("it is no certificate in PEM form: {error}"))?;
    let last = chain.last().ok_or("there is no certificate in it")?;
    Ok(base::Digest(Sha256::digest(last).into()))
}

/// A certificate authority with its key.
pub(super) struct Authority {
    pem: String,
    certificate: CertificateDer<'static>,
    issuer: Issuer<'static, KeyPair>,
    name: String,
}

impl Authority {
    /// The one in a data folder.
    pub(super) fn read(folder: &Path) -> Result<Self, PkiError> {
        let (file, key_file) = (folder.join(CA_FILE), folder.join(CA_KEY_FILE));
        let pem = read(&file)?;
        if !key_file.exists() {
            return Err(PkiError::NoAuthority(key_file));
        }
        let wrong = |why: String| PkiError::File { file: file.clone(), why };
        let certificate =
            CertificateDer::from_pem_slice(pem.as_bytes()).map_err(|error| wrong(error.to_string()))?;
        let name = common_name(&certificate).ok_or_else(|| wrong("its subject has no common name".into()))?;
        let key = KeyPair::from_pem(&read(&key_file)?)
            .map_err(|error| PkiError::File { file: key_file, why: error.to_string() })?;
        let issuer = Issuer::new(params(&name)?, key);
        Ok(Self { pem, certificate, issuer, name: file.display().to_string() })
    }

    pub(super) fn pem(&self) -> &str {
        &self.pem
    }

    /// A certificate for `key`, in PEM, valid from now for `life`.
    pub(super) fn issue(
        &self,
        common_name: &str,
        names: &[String],
        key: &KeyPair,
        now: SystemTime,
        life: Duration,
    ) -> Result<String, PkiError> {
        let since = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let moment = |since: Duration| date_time_ymd(1970, 1, 1) + since;
        let mut leaf = CertificateParams::new(names)?;
        leaf.distinguished_name.push(DnType::CommonName, common_name);
        leaf.not_before = moment(since.saturating_sub(BACKDATED.min(life)));
        leaf.not_after = moment(since + life);
        leaf.extended_key_usages =
            vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        leaf.use_authority_key_identifier_extension = true;
        let certificate = leaf.signed_by(key, &self.issuer)?;
        self.vouches_for(certificate.der(), since)?;
        Ok(certificate.pem())
    }

    /// A key that is not the CA's would make certificates that nobody takes: better to hear of it here.
    fn vouches_for(&self, certificate: &CertificateDer<'_>, now: Duration) -> Result<(), PkiError> {
        let wrong = |error: rustls::Error| PkiError::File {
            file: self.name.clone().into(),
            why: format!("{CA_KEY_FILE} is not its key, or it was not made by `steadfast init` ({error})"),
        };
        let mut roots = RootCertStore::empty();
        roots.add(self.certificate.clone()).map_err(wrong)?;
        let parsed = rustls::server::ParsedCertificate::try_from(certificate).map_err(wrong)?;
        let algorithms = rustls::crypto::ring::default_provider().signature_verification_algorithms;
        let now = UnixTime::since_unix_epoch(now);
        rustls::client::verify_server_cert_signed_by_trust_anchor(&parsed, &roots, &[], now, algorithms.all)
            .map_err(wrong)
    }
}

/// The first common name in a certificate: its issuer's, which is its own where it vouches for itself.
fn common_name(certificate: &[u8]) -> Option<String> {
    let at = certificate.windows(COMMON_NAME.len()).position(|window| window == COMMON_NAME)?;
    let (head, rest) = certificate.get(at + COMMON_NAME.len()..)?.split_at_checked(2)?;
    let (length, rest) = match head {
        [_, 0x81] => rest.split_first().map(|(length, rest)| (usize::from(*length), rest))?,
        [_, 0x82] => {
            let (length, rest) = rest.split_first_chunk::<2>()?;
            (usize::from(u16::from_be_bytes(*length)), rest)
        }
        [_, length] => (usize::from(*length), rest),
        _ => return None,
    };
    String::from_utf8(rest.get(..length)?.to_vec()).ok()
}
