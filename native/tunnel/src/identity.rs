//! Who a pod is, and how it makes sure who the others are: TLS 1.3 with SPIFFE ids on both sides.

#![forbid(unsafe_code)]

use crate::config::{PodConfig, trust_domain};
use crate::verify::{Expected, MeshVerifier, spiffe_id};
use rustls::client::Resumption;
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::NoServerSessionStorage;
use rustls::version::TLS13;
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use std::path::Path;
use std::sync::Arc;

/// A pod's certificate and the roots it trusts.
#[derive(Debug)]
pub struct Identity {
    spiffe_id: String,
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
    roots: Arc<RootCertStore>,
    provider: Arc<CryptoProvider>,
}

/// What is wrong with a pod's files.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// A file is missing, or holds no PEM of the kind.
    #[error("{0}: {1}; give a PEM file")]
    File(String, rustls::pki_types::pem::Error),
    /// No certificate in the file.
    #[error("{0}: holds no certificate")]
    Empty(String),
    /// Key and certificate, or their form, are not taken by the TLS library.
    #[error("{0}: {1}")]
    Tls(String, rustls::Error),
    /// The leaf is not a workload's.
    #[error("{0}: the first certificate does not have exactly one SPIFFE id as its only URI name")]
    NoSpiffeId(String),
}

impl Identity {
    /// Reads the files of a pod.
    ///
    /// # Errors
    /// When a file cannot be read, or is not what it should be.
    pub fn read(pod: &PodConfig) -> Result<Self, IdentityError> {
        let named = |path: &Path| path.display().to_string();
        let chain = certificates(&pod.certificate)?;
        let key =
            PrivateKeyDer::from_pem_file(&pod.key).map_err(|error| IdentityError::File(named(&pod.key), error))?;
        let mut roots = RootCertStore::empty();
        for root in certificates(&pod.roots)? {
            roots.add(root).map_err(|error| IdentityError::Tls(named(&pod.roots), error))?;
        }
        let spiffe_id = spiffe_id(&chain[0]).ok_or_else(|| IdentityError::NoSpiffeId(named(&pod.certificate)))?;
        let identity = Self { spiffe_id, chain, key, roots: Arc::new(roots), provider: Arc::new(provider()) };
        identity.server().map_err(|error| IdentityError::Tls(named(&pod.certificate), error))?;
        Ok(identity)
    }

    /// TLS towards a peer that must prove `peer`.
    ///
    /// # Errors
    /// When key and certificate do not belong together.
    pub fn client(&self, peer: &str) -> Result<Arc<ClientConfig>, rustls::Error> {
        let verifier = self.verifier(Expected::Peer(peer.to_owned()));
        let mut config = ClientConfig::builder_with_provider(Arc::clone(&self.provider))
            .with_protocol_versions(&[&TLS13])?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier))
            .with_client_auth_cert(self.chain.clone(), self.key.clone_key())?;
        config.alpn_protocols = vec![b"h2".to_vec()];
        // Identities are proved anew with every connection; connections are few, because they are shared.
        config.resumption = Resumption::disabled();
        Ok(Arc::new(config))
    }

    /// TLS towards callers, who must show an id of the same trust domain.
    ///
    /// # Errors
    /// When key and certificate do not belong together.
    pub fn server(&self) -> Result<Arc<ServerConfig>, rustls::Error> {
        let verifier = self.verifier(Expected::TrustDomain(trust_domain(&self.spiffe_id).to_owned()));
        let mut config = ServerConfig::builder_with_provider(Arc::clone(&self.provider))
            .with_protocol_versions(&[&TLS13])?
            .with_client_cert_verifier(Arc::new(verifier))
            .with_single_cert(self.chain.clone(), self.key.clone_key())?;
        config.alpn_protocols = vec![b"h2".to_vec()];
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        Ok(Arc::new(config))
    }

    fn verifier(&self, expected: Expected) -> MeshVerifier {
        MeshVerifier::new(Arc::clone(&self.roots), self.provider.signature_verification_algorithms, expected)
    }
}

/// ztunnel's two cipher suites; the order is that of Envoy on processors with AES instructions.
fn provider() -> CryptoProvider {
    use ring::cipher_suite::{TLS13_AES_128_GCM_SHA256, TLS13_AES_256_GCM_SHA384};
    CryptoProvider {
        cipher_suites: vec![TLS13_AES_128_GCM_SHA256, TLS13_AES_256_GCM_SHA384],
        ..ring::default_provider()
    }
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, IdentityError> {
    let name = path.display().to_string();
    let list: Result<Vec<_>, _> = CertificateDer::pem_file_iter(path).and_then(Iterator::collect);
    let list = list.map_err(|error| IdentityError::File(name.clone(), error))?;
    if list.is_empty() { Err(IdentityError::Empty(name)) } else { Ok(list) }
}
