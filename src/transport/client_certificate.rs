//! The certificate that a client showed: what it is called by it, until when, and whether it is still trusted.

use crate::transport::tls::{Clients, Current, expiry};
use data_encoding::HEXLOWER;
use rustls::pki_types::CertificateDer;
use sha2::{Digest, Sha256};
use std::future::pending;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};
use tokio::sync::watch;
use tokio::time::timeout;
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

/// A longer name in a certificate is not used.
const MAX_NAME_BYTES: usize = 128;

/// What a client showed when its connection opened.
pub(crate) struct ClientCertificate {
    pub(crate) name: Arc<str>,
    pub(crate) until: SystemTime,
    /// Its certificate, and those between it and an authority.
    certificates: Vec<CertificateDer<'static>>,
    trusted_by: Arc<Clients>,
    in_force: watch::Receiver<Arc<Current>>,
}

impl ClientCertificate {
    /// `None` without certificates.
    pub(crate) fn new(
        certificates: &[CertificateDer<'_>],
        trusted_by: Arc<Clients>,
        in_force: watch::Receiver<Arc<Current>>,
    ) -> Option<Self> {
        let (name, until) = named(certificates.first()?);
        let certificates = certificates.iter().map(|certificate| certificate.clone().into_owned()).collect();
        Some(Self { name, until, certificates, trusted_by, in_force })
    }

    /// Completes when the certificate has expired, or none of the authorities stands for it any more.
    pub(crate) async fn no_longer_good(self) {
        let left = self.until.duration_since(SystemTime::now()).unwrap_or_default();
        // An error is the expiry.
        let _ = timeout(left, self.no_longer_trusted()).await;
    }

    async fn no_longer_trusted(mut self) {
        loop {
            let clients = self.in_force.borrow_and_update().clients.clone();
            match clients {
                Some(clients) if Arc::ptr_eq(&clients, &self.trusted_by) => {}
                Some(clients) if clients.trust(&self.certificates) => self.trusted_by = clients,
                _ => return,
            }
            if self.in_force.changed().await.is_err() {
                pending().await
            }
        }
    }
}

/// What a client is called by its certificate, and until when: its first URI (as SPIFFE has it) or DNS name, else its
/// common name, else the certificate's fingerprint.
fn named(certificate: &CertificateDer<'_>) -> (Arc<str>, SystemTime) {
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
        None => format!("sha256:{}", HEXLOWER.encode(&Sha256::digest(certificate))).into(),
    };
    (name, until)
}
