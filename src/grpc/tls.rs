//! TLS: certificate and key from PEM files, and, for mutual TLS, the authorities of clients.
//!
//! What is read is checked whole before it is used: a key that is not the certificate's, an expired certificate, or a
//! file without a certificate is an error, at the start and at every reload. Connections that are open keep what they
//! were opened with.

use arc_swap::ArcSwap;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{NoServerSessionStorage, VerifierBuilderError, WebPkiClientVerifier};
use rustls::{RootCertStore, ServerConfig, version};
use sha2::{Digest, Sha256};
use std::fmt::Write;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use thiserror::Error;
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

/// What gRPC speaks over TLS.
const ALPN: &[u8] = b"h2";
/// A longer name in a certificate is not used.
const MAX_NAME_BYTES: usize = 128;

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
    current: Arc<ArcSwap<Current>>,
}

#[derive(Debug)]
struct Current {
    config: Arc<ServerConfig>,
    expires: SystemTime,
}

impl Tls {
    /// TLS by these files.
    ///
    /// # Errors
    /// If they can't be used.
    pub fn new(files: &TlsFiles) -> Result<Self, TlsError> {
        Ok(Self { current: Arc::new(ArcSwap::from_pointee(read(files)?)) })
    }

    /// From now on by these files; by those before if they can't be used.
    ///
    /// # Errors
    /// If they can't be used.
    pub fn replace(&self, files: &TlsFiles) -> Result<(), TlsError> {
        self.current.store(Arc::new(read(files)?));
        Ok(())
    }

    /// When the certificate expires.
    pub fn expires(&self) -> SystemTime {
        self.current.load().expires
    }

    /// For the next connection.
    pub(super) fn config(&self) -> Arc<ServerConfig> {
        self.current.load().config.clone()
    }
}

fn read(files: &TlsFiles) -> Result<Current, TlsError> {
    let certificates: Vec<_> =
        CertificateDer::pem_slice_iter(&files.certificate).collect::<Result<_, _>>().map_err(TlsError::Certificate)?;
    let first = certificates.first().ok_or(TlsError::NoCertificate)?;
    let (_, certificate) = X509Certificate::from_der(first).map_err(|_| TlsError::NotX509)?;
    let expires = expiry(&certificate);
    if expires <= SystemTime::now() {
        return Err(TlsError::Expired);
    }
    let key = PrivateKeyDer::from_pem_slice(&files.key).map_err(TlsError::Key)?;
    let provider = Arc::new(aws_lc_rs::default_provider());
    let builder = ServerConfig::builder_with_provider(provider.clone())
        .with_protocol_versions(&[&version::TLS13, &version::TLS12])?;
    let builder = match &files.client_authorities {
        None => builder.with_no_client_auth(),
        Some(authorities) => {
            let mut roots = RootCertStore::empty();
            for authority in CertificateDer::pem_slice_iter(authorities) {
                roots.add(authority.map_err(TlsError::Authorities)?)?;
            }
            builder.with_client_cert_verifier(
                WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build()?,
            )
        }
    };
    let mut config = builder.with_single_cert(certificates, key)?;
    config.alpn_protocols = vec![ALPN.to_vec()];
    if files.client_authorities.is_some() {
        // A session that is resumed brings the certificate that it began with, which nobody looks at again: it would be
        // good for as long as sessions are, expired or not.
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
    }
    Ok(Current { config: Arc::new(config), expires })
}

/// When a certificate expires.
pub(super) fn expiry(certificate: &X509Certificate<'_>) -> SystemTime {
    let seconds = u64::try_from(certificate.validity().not_after.timestamp()).unwrap_or(0);
    UNIX_EPOCH + Duration::from_secs(seconds)
}

/// What a client is called by its certificate, and until when: its first URI (as SPIFFE has it) or DNS name, else its common name, else
/// the certificate's fingerprint.
pub(super) fn client(certificate: &CertificateDer<'_>) -> (Arc<str>, SystemTime) {
    let parsed = X509Certificate::from_der(certificate).ok().map(|(_, parsed)| parsed);
    let until = parsed.as_ref().map_or(UNIX_EPOCH, expiry);
    let named = parsed.as_ref().and_then(|parsed| {
        let alternatives = parsed.subject_alternative_name().ok().flatten();
        let alternatives = alternatives.iter().flat_map(|names| &names.value.general_names);
        let alternative = alternatives.into_iter().find_map(|name| match name {
            GeneralName::URI(name) | GeneralName::DNSName(name) => Some((*name).to_owned()),
            _ => None,
        });
        let common = || parsed.subject().iter_common_name().next()?.as_str().ok().map(str::to_owned);
        alternative.or_else(common)
    });
    // The name is an authority's word, but it is written into logs.
    let fit = |name: &String| {
        !name.is_empty() && name.len() <= MAX_NAME_BYTES && name.bytes().all(|byte| byte.is_ascii_graphic())
    };
    let name = match named.filter(fit) {
        Some(name) => name.into(),
        None => {
            let mut name = "sha256:".to_owned();
            for byte in Sha256::digest(certificate) {
                let _ = write!(name, "{byte:02x}");
            }
            name.into()
        }
    };
    (name, until)
}
