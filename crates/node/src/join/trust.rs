//! Whom a newcomer believes: whoever shows a chain that rests on the certificate its token names.
//!
//! Separate from the trust between members (`cluster`) and from that of clients (the system's authorities): at
//! this moment the newcomer knows nothing but one digest. Names are not looked at, because only nodes of the
//! cluster have certificates by its CA, and the newcomer may reach one by an address that nobody thought of.

use base::Digest;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use sha2::{Digest as _, Sha256};
use std::sync::Arc;

/// A client that believes only who shows a chain resting on the certificate with this SHA-256.
///
/// # Errors
/// What rustls says.
pub fn pinned(ca: Digest) -> Result<ClientConfig, String> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?;
    let pin = Pin { ca, provider };
    Ok(config.dangerous().with_custom_certificate_verifier(Arc::new(pin)).with_no_client_auth())
}

#[derive(Debug)]
struct Pin {
    ca: Digest,
    provider: Arc<CryptoProvider>,
}

impl Pin {
    fn is_it(&self, certificate: &CertificateDer<'_>) -> bool {
        let digest: [u8; 32] = Sha256::digest(certificate).into();
        digest == self.ca.0
    }
}

impl ServerCertVerifier for Pin {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if self.is_it(certificate) {
            return Ok(ServerCertVerified::assertion()); // The token names this very certificate.
        }
        let stranger = Error::InvalidCertificate(CertificateError::UnknownIssuer);
        let ca = intermediates.iter().find(|it| self.is_it(it)).ok_or(stranger)?;
        let mut roots = RootCertStore::empty();
        roots.add(ca.clone().into_owned())?;
        let parsed = ParsedCertificate::try_from(certificate)?;
        let algorithms = self.provider.signature_verification_algorithms.all;
        rustls::client::verify_server_cert_signed_by_trust_anchor(
            &parsed,
            &roots,
            intermediates,
            now,
            algorithms,
        )?;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::init::{CA_FILE, Plan, init};
    use rustls::pki_types::PrivateKeyDer;
    use rustls::pki_types::pem::PemObject as _;
    use std::path::Path;

    fn made(name: &str) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        init(folder.path(), &Plan::new(base::Name::new(name).unwrap())).unwrap();
        folder
    }

    fn chain(folder: &Path) -> Vec<CertificateDer<'static>> {
        let file = folder.join("tls/cert.pem");
        CertificateDer::pem_file_iter(file).unwrap().collect::<Result<_, _>>().unwrap()
    }

    /// What a handshake in memory with a server that shows `chain` fails with.
    fn complaint(pin: Digest, chain: Vec<CertificateDer<'static>>, key: &Path) -> Option<Error> {
        let key = PrivateKeyDer::from_pem_file(key.join("tls/key.pem")).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let server = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .unwrap();
        let mut server = rustls::ServerConnection::new(Arc::new(server)).unwrap();
        let name = ServerName::try_from("any.name.at.all").unwrap();
        let mut client = rustls::ClientConnection::new(Arc::new(pinned(pin).unwrap()), name).unwrap();
        while client.is_handshaking() {
            let (mut sent, mut back) = (Vec::new(), Vec::new());
            client.write_tls(&mut sent).unwrap();
            server.read_tls(&mut sent.as_slice()).unwrap();
            server.process_new_packets().unwrap();
            server.write_tls(&mut back).unwrap();
            client.read_tls(&mut back.as_slice()).unwrap();
            if let Err(error) = client.process_new_packets() {
                return Some(error);
            }
        }
        None
    }

    fn pin_of(folder: &Path) -> Digest {
        let ca = std::fs::read_to_string(folder.join(CA_FILE)).unwrap();
        crate::pki::pin(&ca).unwrap()
    }

    #[test]
    fn only_a_chain_that_rests_on_the_pinned_certificate_is_believed() {
        let (ours, other) = (made("ours"), made("other"));
        let pin = pin_of(ours.path());
        assert_eq!(complaint(pin, chain(ours.path()), ours.path()), None);
        let unknown = Error::InvalidCertificate(CertificateError::UnknownIssuer);
        assert_eq!(complaint(pin, chain(other.path()), other.path()), Some(unknown));
        // A stranger shows our CA's certificate behind his own, which it does not vouch for.
        let mixed = vec![chain(other.path())[0].clone(), chain(ours.path())[1].clone()];
        assert!(complaint(pin, mixed, other.path()).is_some());
    }

    #[test]
    fn a_certificate_that_people_brought_can_be_pinned_itself() {
        let ours = made("ours");
        let leaf = vec![chain(ours.path())[0].clone()];
        let pin = Digest(Sha256::digest(&leaf[0]).into());
        assert_eq!(complaint(pin, leaf, ours.path()), None);
    }
}
