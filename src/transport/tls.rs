//! TLS: certificate and key from PEM files, and, for mutual TLS, the authorities of clients.
//!
//! What is read is checked whole before it is used: a key that is not the certificate's, an expired certificate, or a
//! file without a certificate is an error, at the start and at every reload. Connections that are open keep what they
//! were opened with, unless their clients' authority is gone (`grpc::certificate`).

use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{NoServerSessionStorage, VerifierBuilderError, WebPkiClientVerifier};
use rustls::{RootCertStore, ServerConfig, version};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use thiserror::Error;
use tokio::sync::watch;
use x509_parser::prelude::{FromDer, X509Certificate};

/// What gRPC speaks over TLS.
const ALPN: &[u8] = b"h2";

/// The texts of the files.
#[derive(Clone)]
pub struct TlsFiles {
    /// The server's certificate, and those between it and an authority, in this order.
    pub certificate: Vec<u8>,
    /// Its private key.
    pub key: Vec<u8>,
    /// The authorities whose clients are let in; `None`: clients show no certificates.
    pub client_authorities: Option<Vec<u8>>,
}

impl std::fmt::Debug for TlsFiles {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TlsFiles")
            .field("client_authorities", &self.client_authorities.is_some())
            .finish_non_exhaustive()
    }
}

/// Why these files can't be used.
#[derive(Debug, Error)]
pub enum TlsError {
    /// The certificate can't be read.
    #[error("the certificate is not PEM: {0}")]
    Certificate(pem::Error),
    /// There is none.
    #[error("the certificate's file has no certificate (`-----BEGIN CERTIFICATE-----`)")]
    NoCertificate,
    /// A certificate is not X.509.
    #[error("the certificate is not one of X.509")]
    NotX509,
    /// It is of no more use.
    #[error("the certificate has expired")]
    Expired,
    /// The key can't be read.
    #[error("the private key can't be read: {0}")]
    Key(pem::Error),
    /// Certificate and key don't go together, or are of a kind that is not supported.
    #[error("certificate and key can't be used: {0}")]
    Pair(#[from] rustls::Error),
    /// The authorities can't be read.
    #[error("the client authorities are not PEM: {0}")]
    Authorities(pem::Error),
    /// There is none, or one that is no authority.
    #[error("the client authorities can't be used: {0}")]
    Verifier(#[from] VerifierBuilderError),
}

/// The TLS in force.
#[derive(Clone, Debug)]
pub struct Tls {
    current: Arc<watch::Sender<Arc<Current>>>,
}

/// What a connection is opened with.
#[derive(Debug)]
pub(crate) struct Current {
    pub(crate) config: Arc<ServerConfig>,
    pub(crate) clients: Option<Arc<Clients>>,
    expires: SystemTime,
}

/// Who is let in under mutual TLS.
#[derive(Debug)]
pub(crate) struct Clients {
    authorities: Vec<u8>,
    verifier: Arc<dyn ClientCertVerifier>,
}

impl Tls {
    /// TLS by these files.
    ///
    /// # Errors
    /// If they can't be used.
    pub fn new(files: &TlsFiles) -> Result<Self, TlsError> {
        Ok(Self { current: Arc::new(watch::Sender::new(Arc::new(read(files, None)?))) })
    }

    /// From now on by these files; by those before if they can't be used.
    ///
    /// # Errors
    /// If they can't be used.
    pub fn replace(&self, files: &TlsFiles) -> Result<(), TlsError> {
        let clients = self.current().clients.clone();
        self.current.send_replace(Arc::new(read(files, clients)?));
        Ok(())
    }

    /// When the certificate expires.
    pub fn expires(&self) -> SystemTime {
        self.current.borrow().expires
    }

    /// For the next connection.
    pub(crate) fn current(&self) -> Arc<Current> {
        self.current.borrow().clone()
    }

    /// Tells what is in force, and whenever that is replaced.
    pub(crate) fn watch(&self) -> watch::Receiver<Arc<Current>> {
        self.current.subscribe()
    }
}

impl Clients {
    /// Those before if the authorities are the same: who was let in by these need not be looked at again.
    fn read(authorities: &[u8], before: Option<Arc<Self>>) -> Result<Arc<Self>, TlsError> {
        if let Some(before) = before.filter(|before| before.authorities == authorities) {
            return Ok(before);
        }
        let mut roots = RootCertStore::empty();
        for authority in CertificateDer::pem_slice_iter(authorities) {
            roots.add(authority.map_err(TlsError::Authorities)?)?;
        }
        let provider = Arc::new(aws_lc_rs::default_provider());
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build()?;
        Ok(Arc::new(Self { authorities: authorities.to_vec(), verifier }))
    }

    /// Whether a client with these certificates would be let in.
    pub(crate) fn trust(&self, certificates: &[CertificateDer<'_>]) -> bool {
        certificates
            .split_first()
            .is_some_and(|(first, between)| self.verifier.verify_client_cert(first, between, UnixTime::now()).is_ok())
    }
}

fn read(files: &TlsFiles, before: Option<Arc<Clients>>) -> Result<Current, TlsError> {
    let certificates: Vec<_> =
        CertificateDer::pem_slice_iter(&files.certificate).collect::<Result<_, _>>().map_err(TlsError::Certificate)?;
    let first = certificates.first().ok_or(TlsError::NoCertificate)?;
    let (_, certificate) = X509Certificate::from_der(first).map_err(|_| TlsError::NotX509)?;
    let expires = expiry(&certificate);
    if expires <= SystemTime::now() {
        return Err(TlsError::Expired);
    }
    let key = PrivateKeyDer::from_pem_slice(&files.key).map_err(TlsError::Key)?;
    let clients =
        files.client_authorities.as_ref().map(|authorities| Clients::read(authorities, before)).transpose()?;
    let builder = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_protocol_versions(&[&version::TLS13, &version::TLS12])?;
    let builder = match &clients {
        None => builder.with_no_client_auth(),
        Some(clients) => builder.with_client_cert_verifier(clients.verifier.clone()),
    };
    let mut config = builder.with_single_cert(certificates, key)?;
    config.alpn_protocols = vec![ALPN.to_vec()];
    if clients.is_some() {
        // A session that is resumed brings the certificate that it began with, which nobody looks at again: it would be
        // good for as long as sessions are, expired or not.
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
    }
    Ok(Current { config: Arc::new(config), clients, expires })
}

/// When a certificate expires.
pub(crate) fn expiry(certificate: &X509Certificate<'_>) -> SystemTime {
    let seconds = u64::try_from(certificate.validity().not_after.timestamp()).unwrap_or(0);
    UNIX_EPOCH + Duration::from_secs(seconds)
}
