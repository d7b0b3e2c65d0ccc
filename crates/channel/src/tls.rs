//! Which servers are trusted: one answer for every channel that speaks TLS.
//!
//! The `ring` provider is named explicitly, so nothing depends on which one the process installed.

use crate::{ConfigError, Sources};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use std::path::Path;
use std::sync::Arc;

/// Bytes of a file with CA certificates. Debian's whole bundle has about 220 kB.
const CA_FILE_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// Trust in the certificates of `ca_file` (PEM), or in the machine's where there is none; in anybody where
/// `verify` is false.
pub(crate) fn client(
    verify: bool,
    ca_file: Option<&Path>,
    sources: &Sources,
) -> Result<ClientConfig, ConfigError> {
    let provider = Arc::new(ring::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| ConfigError::at("verify", error.to_string()))?;
    if !verify {
        let anybody = Arc::new(Anybody(provider));
        return Ok(builder.dangerous().with_custom_certificate_verifier(anybody).with_no_client_auth());
    }
    let roots = match ca_file {
        Some(path) => named_roots(path, sources).map_err(|why| ConfigError::at("ca_file", why))?,
        None => machine_roots(),
    };
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}

/// The certificates of one file, each of which must be usable.
fn named_roots(path: &Path, sources: &Sources) -> Result<RootCertStore, String> {
    let pem = sources.read(path, CA_FILE_BYTES_MAX)?;
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
        let wrong = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
        let certificate = certificate.map_err(|error| wrong(&error))?;
        roots.add(certificate).map_err(|error| wrong(&error))?;
    }
    if roots.is_empty() {
        return Err(format!("{} holds no certificate in PEM form", path.display()));
    }
    Ok(roots)
}

/// The machine's own, as far as they can be read: an old or odd one among them must not stop the rest.
fn machine_roots() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    roots
}

/// Trusts any certificate; for `verify = false`. The signatures are still checked.
#[derive(Debug)]
struct Anybody(Arc<CryptoProvider>);

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
