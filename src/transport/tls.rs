//! TLS: certificates and private keys from PEM texts, and the authorities of client certificates.
//!
//! The server validates all files before it uses any of them, at start and at every reload: a key that does not match
//! the certificate, a certificate that is not valid now or a file without a certificate is an error. Open connections keep the
//! configuration with which they opened, unless the authority of the client's certificate is no longer trusted
//! (`transport::client_certificate`). Must not know where the texts come from.

use jiff::Timestamp;
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

/// Largest file of a certificate and its intermediates, in bytes.
pub const MAX_CERTIFICATE_BYTES: usize = 256 * 1024;
/// Largest file of a private key, in bytes. A key of 16,384 bits has 13 KB.
pub const MAX_KEY_BYTES: usize = 64 * 1024;
/// Largest file of client authorities, in bytes.
pub const MAX_AUTHORITIES_BYTES: usize = 1024 * 1024;
/// Maximum number of certificates of the server: its own, and the intermediates. Every handshake sends all of them, and
/// clients accept about ten.
const MAX_CHAIN: usize = 16;
/// Maximum number of client authorities.
///
/// Every handshake sends their names, and a client certificate may be compared with each authority of the same name.
const MAX_AUTHORITIES: usize = 100;
/// Maximum length of the names of all client authorities together, in bytes: half of what TLS can encode (RFC 8446,
/// section 4.2.4).
const MAX_AUTHORITY_NAMES: usize = 32 * 1024;

/// The ALPN protocol of gRPC.
const ALPN: &[u8] = b"h2";

/// Contents of the PEM files.
#[derive(Clone)]
pub struct TlsFiles {
    /// The server's certificate, followed by the intermediate certificates in order.
    pub certificate: Vec<u8>,
    /// The private key of the server's certificate.
    pub key: Vec<u8>,
    /// The authorities whose clients are accepted; `None` if clients present no certificates.
    pub client_authorities: Option<Vec<u8>>,
}

impl std::fmt::Debug for TlsFiles {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TlsFiles")
            .field("client_authorities", &self.client_authorities.is_some())
            .finish_non_exhaustive()
    }
}

/// Why the TLS files cannot be used.
#[derive(Debug, Error)]
pub enum TlsError {
    /// The certificate file is not PEM.
    #[error("the certificate file is not PEM: {0}")]
    Certificate(pem::Error),
    /// The certificate file has no certificate.
    #[error("the certificate file has no certificate; expected `-----BEGIN CERTIFICATE-----`")]
    NoCertificate,
    /// The certificate is not an X.509 certificate.
    #[error("the certificate is not an X.509 certificate")]
    NotX509,
    /// The certificate has expired.
    #[error("the certificate has expired; renew it")]
    Expired,
    /// The certificate is not valid yet.
    #[error("the certificate is not valid before {0}; use one that is valid now, or correct the clock of this machine")]
    NotYetValid(Timestamp),
    /// The private key is not PEM.
    #[error("cannot read the private key: {0}")]
    Key(pem::Error),
    /// The certificate and the private key do not match, or their algorithm is not supported.
    #[error("cannot use the certificate with the private key: {0}")]
    Pair(#[from] rustls::Error),
    /// The file of client authorities is not PEM.
    #[error("the file of client authorities is not PEM: {0}")]
    Authorities(pem::Error),
    /// The certificate file has too many certificates.
    #[error("the certificate file has more than {MAX_CHAIN} certificates; list the server's own and its intermediates")]
    LongChain,
    /// The file of client authorities has too many certificates.
    #[error(
        "the file of client authorities has more than {MAX_AUTHORITIES} certificates; list only those that issue client certificates"
    )]
    ManyAuthorities,
    /// The names of the client authorities are too long for a handshake.
    #[error("the names of the client authorities have {0} bytes together; the limit is {MAX_AUTHORITY_NAMES}")]
    LongAuthorityNames(usize),
    /// The file has no client authority, or one of its certificates is not an authority.
    #[error("cannot use the client authorities: {0}")]
    Verifier(#[from] VerifierBuilderError),
}

/// The active TLS configuration, which reloads replace. Clones share it.
#[derive(Clone, Debug)]
pub struct Tls {
    current: Arc<watch::Sender<Arc<ActiveTls>>>,
}

/// The configuration with which new connections open.
#[derive(Debug)]
pub(crate) struct ActiveTls {
    pub(crate) config: Arc<ServerConfig>,
    pub(crate) clients: Option<Arc<ClientAuthorities>>,
    expires: SystemTime,
}

/// The authorities whose clients are accepted under mutual TLS.
#[derive(Debug)]
pub(crate) struct ClientAuthorities {
    authorities: Vec<u8>,
    verifier: Arc<dyn ClientCertVerifier>,
}

impl Tls {
    /// Creates the configuration from PEM texts.
    ///
    /// # Errors
    /// If the texts cannot be used; see [`TlsError`].
    pub fn new(files: &TlsFiles) -> Result<Self, TlsError> {
        Ok(Self { current: Arc::new(watch::Sender::new(Arc::new(read(files, None)?))) })
    }

    /// Replaces the configuration; on an error, the previous configuration stays active.
    ///
    /// # Errors
    /// If the texts cannot be used; see [`TlsError`].
    pub fn replace(&self, files: &TlsFiles) -> Result<(), TlsError> {
        let clients = self.current().clients.clone();
        self.current.send_replace(Arc::new(read(files, clients)?));
        Ok(())
    }

    /// Returns the expiry of the server's certificate.
    pub fn expires(&self) -> SystemTime {
        self.current.borrow().expires
    }

    /// Returns the configuration for the next connection.
    pub(crate) fn current(&self) -> Arc<ActiveTls> {
        self.current.borrow().clone()
    }

    /// Returns a receiver of the active configuration and of its replacements.
    pub(crate) fn watch(&self) -> watch::Receiver<Arc<ActiveTls>> {
        self.current.subscribe()
    }
}

impl ClientAuthorities {
    /// Parses client authorities; returns `before` if they did not change.
    ///
    /// Open connections then need no new check of their client certificates.
    fn read(authorities: &[u8], before: Option<Arc<Self>>) -> Result<Arc<Self>, TlsError> {
        if let Some(before) = before.filter(|before| before.authorities == authorities) {
            return Ok(before);
        }
        let mut roots = RootCertStore::empty();
        for (before, authority) in CertificateDer::pem_slice_iter(authorities).enumerate() {
            if before == MAX_AUTHORITIES {
                return Err(TlsError::ManyAuthorities);
            }
            roots.add(authority.map_err(TlsError::Authorities)?)?;
        }
        let names = roots.subjects().iter().map(|name| name.as_ref().len()).sum();
        if names > MAX_AUTHORITY_NAMES {
            return Err(TlsError::LongAuthorityNames(names));
        }
        let provider = Arc::new(aws_lc_rs::default_provider());
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build()?;
        Ok(Arc::new(Self { authorities: authorities.to_vec(), verifier }))
    }

    /// Whether these authorities trust a client with these certificates.
    pub(crate) fn trust(&self, certificates: &[CertificateDer<'_>]) -> bool {
        certificates
            .split_first()
            .is_some_and(|(first, between)| self.verifier.verify_client_cert(first, between, UnixTime::now()).is_ok())
    }
}

fn read(files: &TlsFiles, before: Option<Arc<ClientAuthorities>>) -> Result<ActiveTls, TlsError> {
    let certificates: Vec<_> = CertificateDer::pem_slice_iter(&files.certificate)
        .take(MAX_CHAIN + 1)
        .collect::<Result<_, _>>()
        .map_err(TlsError::Certificate)?;
    if certificates.len() > MAX_CHAIN {
        return Err(TlsError::LongChain);
    }
    let first = certificates.first().ok_or(TlsError::NoCertificate)?;
    let (_, certificate) = X509Certificate::from_der(first).map_err(|_| TlsError::NotX509)?;
    let expires = expiry(&certificate);
    let now = SystemTime::now();
    if expires <= now {
        return Err(TlsError::Expired);
    }
    // A client whose clock is right would refuse the certificate, so the previous one is better.
    let begins = certificate.validity().not_before.timestamp();
    if begins > seconds_of(now) {
        return Err(TlsError::NotYetValid(Timestamp::from_second(begins).unwrap_or(Timestamp::MAX)));
    }
    let key = PrivateKeyDer::from_pem_slice(&files.key).map_err(TlsError::Key)?;
    let clients = files
        .client_authorities
        .as_ref()
        .map(|authorities| ClientAuthorities::read(authorities, before))
        .transpose()?;
    let builder = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_protocol_versions(&[&version::TLS13, &version::TLS12])?;
    let builder = match &clients {
        None => builder.with_no_client_auth(),
        Some(clients) => builder.with_client_cert_verifier(clients.verifier.clone()),
    };
    let mut config = builder.with_single_cert(certificates, key)?;
    config.alpn_protocols = vec![ALPN.to_vec()];
    if clients.is_some() {
        // A resumed TLS session keeps the client certificate of its first handshake, and rustls does not verify it
        // again: an expired certificate would stay valid as long as the session. Without sessions, every handshake
        // verifies it.
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
    }
    Ok(ActiveTls { config: Arc::new(config), clients, expires })
}

/// Returns a time in seconds since 1970.
fn seconds_of(time: SystemTime) -> i64 {
    time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs().cast_signed())
}

/// Returns a certificate's expiry.
pub(crate) fn expiry(certificate: &X509Certificate<'_>) -> SystemTime {
    let seconds = u64::try_from(certificate.validity().not_after.timestamp()).unwrap_or(0);
    UNIX_EPOCH + Duration::from_secs(seconds)
}
