//! Client certificates: the caller's name, the expiry, and whether the certificate is still trusted.
//!
//! Owns the identity that a connection takes from its certificate. Must not know what a caller of that name may do.

use crate::transport::tls::{ActiveTls, ClientAuthorities, expiry};
use data_encoding::HEXLOWER;
use rustls::pki_types::CertificateDer;
use sha2::{Digest, Sha256};
use std::future::pending;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};
use tokio::sync::watch;
use tokio::time::timeout;
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

/// Longest name taken from a certificate, in bytes; a longer name is ignored.
const MAX_NAME_BYTES: usize = 128;

/// The certificate that a client presented when its connection opened.
pub(crate) struct ClientCertificate {
    pub(crate) name: Arc<str>,
    pub(crate) until: SystemTime,
    /// The client's certificate, followed by the intermediate certificates.
    certificates: Vec<CertificateDer<'static>>,
    trusted_by: Arc<ClientAuthorities>,
    active_tls: watch::Receiver<Arc<ActiveTls>>,
}

impl ClientCertificate {
    /// Returns `None` if `certificates` is empty.
    pub(crate) fn new(
        certificates: &[CertificateDer<'_>],
        trusted_by: Arc<ClientAuthorities>,
        active_tls: watch::Receiver<Arc<ActiveTls>>,
    ) -> Option<Self> {
        let (name, until) = identity_of(certificates.first()?);
        let certificates = certificates.iter().map(|certificate| certificate.clone().into_owned()).collect();
        Some(Self { name, until, certificates, trusted_by, active_tls })
    }

    /// Completes when the certificate has expired, or when no configured authority trusts it any more.
    pub(crate) async fn wait_until_invalid(self) {
        let left = self.until.duration_since(SystemTime::now()).unwrap_or_default();
        // Both results mean that the certificate is invalid: the timeout elapses when the certificate expires.
        let _ = timeout(left, self.wait_until_untrusted()).await;
    }

    async fn wait_until_untrusted(mut self) {
        loop {
            let clients = self.active_tls.borrow_and_update().clients.clone();
            match clients {
                Some(clients) if Arc::ptr_eq(&clients, &self.trusted_by) => {}
                Some(clients) if clients.trust(&self.certificates) => self.trusted_by = clients,
                _ => return,
            }
            if self.active_tls.changed().await.is_err() {
                pending().await
            }
        }
    }
}

/// Returns a certificate's name and expiry.
///
/// The name is its first URI (as in SPIFFE) or DNS name, otherwise its common name, otherwise its SHA-256 fingerprint.
fn identity_of(certificate: &CertificateDer<'_>) -> (Arc<str>, SystemTime) {
    let parsed = X509Certificate::from_der(certificate).ok().map(|(_, parsed)| parsed);
    let until = parsed.as_ref().map_or(UNIX_EPOCH, expiry);
    let name = parsed.as_ref().and_then(|parsed| {
        let alternatives = parsed.subject_alternative_name().ok().flatten();
        let alternatives = alternatives.iter().flat_map(|names| &names.value.general_names);
        let alternative = alternatives.into_iter().find_map(|name| match name {
            GeneralName::URI(name) | GeneralName::DNSName(name) => Some((*name).to_owned()),
            _ => None,
        });
        let common = || parsed.subject().iter_common_name().next()?.as_str().ok().map(str::to_owned);
        alternative.or_else(common)
    });
    // Logs contain the name. An authority has signed it, but it may still be long or contain control characters, so
    // only printable characters up to a length are accepted.
    let is_usable = |name: &String| {
        !name.is_empty() && name.len() <= MAX_NAME_BYTES && name.bytes().all(|byte| byte.is_ascii_graphic())
    };
    let name = match name.filter(is_usable) {
        Some(name) => name.into(),
        None => format!("sha256:{}", HEXLOWER.encode(&Sha256::digest(certificate))).into(),
    };
    (name, until)
}
