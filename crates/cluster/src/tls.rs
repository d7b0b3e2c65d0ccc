//! Who is trusted: mutual TLS 1.3 (RFC 8446) under the cluster's own CA, with time kept apart from trust.
//!
//! A certificate that has expired is taken as it was on its last day: its expiry is told to people, and must
//! never stop an alert. Everything else (chain, signature, purpose, name) is checked as ever. Sessions are not
//! resumed, so that each connection is judged by what is trusted now.

use crate::certificate::{name_of, validity, wall_seconds};
use crate::version::offers;
use base::NodeId;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{Resumption, WebPkiServerVerifier};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{ParsedCertificate, WebPkiClientVerifier};
use rustls::version::TLS13;
use rustls::{
    AlertDescription, CertificateError, ClientConfig, DigitallySignedStruct, DistinguishedName,
    RootCertStore, ServerConfig, SignatureScheme,
};
use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

/// What a node shows its peers, and by what it knows them: three texts in PEM form (RFC 7468).
#[derive(Clone)]
pub struct Credentials {
    /// The certificate of the cluster's CA; several while it is being replaced.
    pub ca_pem: String,
    /// The node's own certificate, made by that CA, with the name [`crate::name_of`].
    pub cert_pem: String,
    /// The key of that certificate.
    pub key_pem: String,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credentials")
    }
}

/// Why credentials cannot be used. Those in use before stay in use.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CredentialsError {
    /// The text of the CA holds no certificate.
    #[error("the CA's text holds no certificate in PEM form: {0}")]
    Ca(String),
    /// The text of the node's certificate holds none.
    #[error("the text of the certificate holds none in PEM form: {0}")]
    Certificate(String),
    /// The text of the key holds none.
    #[error("the text of the key holds none in PEM form: {0}")]
    Key(String),
    /// The certificate is another node's.
    #[error("the certificate does not name {expected}; join the cluster with this node's own certificate")]
    Name {
        /// The name that it must have.
        expected: String,
    },
    /// Certificate and key, or the certificate and its CA, do not fit.
    #[error("the certificate cannot be used: {0}")]
    Mismatch(String),
}

/// When the first certificate of a text in PEM form expires.
///
/// # Errors
/// [`CredentialsError::Certificate`] if there is none.
pub fn expires(cert_pem: &str) -> Result<SystemTime, CredentialsError> {
    let certificate = CertificateDer::from_pem_slice(cert_pem.as_bytes())
        .map_err(|error| CredentialsError::Certificate(error.to_string()))?;
    let validity = validity(&certificate)
        .ok_or_else(|| CredentialsError::Certificate("it has no time of validity".to_owned()))?;
    Ok(validity.expires())
}

/// Both sides' configuration, made from one set of credentials.
#[derive(Clone)]
pub(crate) struct Tls {
    pub(crate) client: Arc<ClientConfig>,
    pub(crate) server: Arc<ServerConfig>,
}

impl Tls {
    /// For `me`, speaking versions up to `protocol_max`.
    pub(crate) fn new(
        me: NodeId,
        credentials: &Credentials,
        protocol_max: u8,
    ) -> Result<Self, CredentialsError> {
        let provider = Arc::new(ring::default_provider());
        let roots = Arc::new(roots(&credentials.ca_pem)?);
        let chain = chain(&credentials.cert_pem)?;
        let key = key(&credentials.key_pem)?;
        if !chain.first().is_some_and(|certificate| names(certificate, me)) {
            return Err(CredentialsError::Name { expected: name_of(me) });
        }
        let mismatch = |error: &dyn fmt::Display| CredentialsError::Mismatch(error.to_string());
        let trust = Arc::new(Trust::new(roots, &provider).map_err(|error| mismatch(&error))?);
        let mut client = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(&[&TLS13])
            .map_err(|error| mismatch(&error))?
            .dangerous()
            .with_custom_certificate_verifier(Arc::<Trust>::clone(&trust))
            .with_client_auth_cert(chain.clone(), key.clone_key())
            .map_err(|error| mismatch(&error))?;
        client.alpn_protocols = offers(protocol_max);
        client.resumption = Resumption::disabled();
        let mut server = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&TLS13])
            .map_err(|error| mismatch(&error))?
            .with_client_cert_verifier(trust)
            .with_single_cert(chain, key)
            .map_err(|error| mismatch(&error))?;
        server.alpn_protocols = offers(protocol_max);
        server.send_tls13_tickets = 0;
        Ok(Self { client: Arc::new(client), server: Arc::new(server) })
    }
}

/// Whether a certificate names a node. Its signature is another question.
pub(crate) fn names(certificate: &CertificateDer<'_>, node: NodeId) -> bool {
    let Ok(name) = ServerName::try_from(name_of(node)) else { return false };
    let Ok(parsed) = ParsedCertificate::try_from(certificate) else { return false };
    rustls::client::verify_server_name(&parsed, &name).is_ok()
}

/// What a failed handshake means, for people.
pub(crate) fn words(error: &rustls::Error) -> String {
    use AlertDescription as Alert;
    use CertificateError as Bad;
    use rustls::Error::{AlertReceived, InvalidCertificate, NoApplicationProtocol};
    let is_of_name = |bad: &Bad| matches!(bad, Bad::NotValidForName | Bad::NotValidForNameContext { .. });
    let says = |alerts: &[Alert]| matches!(error, AlertReceived(alert) if alerts.contains(alert));
    // CAs of two clusters may well have the same name, and then only the signature tells them apart.
    if [Bad::UnknownIssuer, Bad::BadSignature].map(InvalidCertificate).contains(error) {
        "its certificate is of another cluster".to_owned()
    } else if matches!(error, InvalidCertificate(bad) if is_of_name(bad)) {
        "another node answers at this address".to_owned()
    } else if says(&[Alert::UnknownCA, Alert::DecryptError]) {
        "it says that our certificate is of another cluster".to_owned()
    } else if *error == NoApplicationProtocol || says(&[Alert::NoApplicationProtocol]) {
        "it speaks no version of the protocol that we speak".to_owned()
    } else if says(&[Alert::AccessDenied]) {
        "this host is not on its list of allowed hosts".to_owned()
    } else {
        error.to_string()
    }
}

fn roots(pem: &str) -> Result<RootCertStore, CredentialsError> {
    let wrong = |error: &dyn fmt::Display| CredentialsError::Ca(error.to_string());
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
        roots.add(certificate.map_err(|error| wrong(&error))?).map_err(|error| wrong(&error))?;
    }
    if roots.is_empty() { Err(wrong(&"it is empty")) } else { Ok(roots) }
}

fn chain(pem: &str) -> Result<Vec<CertificateDer<'static>>, CredentialsError> {
    let wrong = |error: &dyn fmt::Display| CredentialsError::Certificate(error.to_string());
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem.as_bytes()).collect();
    let chain = chain.map_err(|error| wrong(&error))?;
    if chain.is_empty() { Err(wrong(&"it is empty")) } else { Ok(chain) }
}

fn key(pem: &str) -> Result<PrivateKeyDer<'static>, CredentialsError> {
    PrivateKeyDer::from_pem_slice(pem.as_bytes()).map_err(|error| CredentialsError::Key(error.to_string()))
}

/// The usual verifiers, asked about the moment within a certificate's validity that is nearest to now.
#[derive(Debug)]
struct Trust {
    of_servers: Arc<WebPkiServerVerifier>,
    of_clients: Arc<dyn ClientCertVerifier>,
}

impl Trust {
    fn new(
        roots: Arc<RootCertStore>,
        provider: &Arc<CryptoProvider>,
    ) -> Result<Self, rustls::server::VerifierBuilderError> {
        let of_servers =
            WebPkiServerVerifier::builder_with_provider(Arc::clone(&roots), Arc::clone(provider)).build()?;
        let of_clients = WebPkiClientVerifier::builder_with_provider(roots, Arc::clone(provider)).build()?;
        Ok(Self { of_servers, of_clients })
    }
}

/// The moment to judge a certificate at.
fn moment(certificate: &CertificateDer<'_>, now: UnixTime) -> UnixTime {
    let Some(validity) = validity(certificate) else { return now };
    let wall = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
    let nearest = u64::try_from(validity.nearest(wall)).unwrap_or(0);
    UnixTime::since_unix_epoch(std::time::Duration::from_secs(nearest))
}

/// What is wrong with the time of a certificate now, in words, if anything is.
pub(crate) fn complaint(certificate: &CertificateDer<'_>) -> Option<&'static str> {
    validity(certificate)?.complaint(wall_seconds())
}

impl ServerCertVerifier for Trust {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let now = moment(certificate, now);
        self.of_servers.verify_server_cert(certificate, intermediates, name, ocsp, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.of_servers.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.of_servers.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.of_servers.supported_verify_schemes()
    }
}

impl ClientCertVerifier for Trust {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.of_clients.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        self.of_clients.verify_client_cert(certificate, intermediates, moment(certificate, now))
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.of_clients.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.of_clients.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.of_clients.supported_verify_schemes()
    }
}
