//! Who calls, and what they may: by bearer tokens from a file, or by JSON Web Tokens that others signed.
//!
//! Owns callers, their roles, the scenarios to which they are confined, and what their credentials must be. Must not
//! know of the wire, of files as such (they enter as text) or of the clock (it enters as an argument). No token and no
//! hash of one is ever shown.

mod authority;
mod denied;
mod keys;
mod tokens;

pub use authority::Authority;
pub use denied::AuthenticationError;
pub use keys::{JwtAlgorithm, JwtRules, Keys};
pub use tokens::Tokens;

use detente_core::scenario::model::Id;
use serde::Deserialize;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::SystemTime;
use thiserror::Error;

/// What a caller may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Evaluate and list.
    Reader,
    /// Analyses and hypotheses, too.
    Analyst,
}

/// The most scenarios to which a caller is confined.
const MAX_SCENARIOS: usize = 1_000;

/// A list that is there: nothing in its place (`null`) is a fault, since no list means all scenarios.
fn listed<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Vec<String>>, D::Error> {
    Vec::deserialize(deserializer).map(Some)
}

/// The scenarios to which a caller is confined; `None` if one is no id, or there are too many: who writes `*` or a whole
/// name means something else than what would come of it.
fn confined(ids: &[impl AsRef<str>]) -> Option<BTreeSet<Id>> {
    let fit = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_');
    let all_fit = ids.iter().map(AsRef::as_ref).all(|id: &str| !id.is_empty() && id.bytes().all(fit));
    (all_fit && ids.len() <= MAX_SCENARIOS).then(|| ids.iter().map(|id| Id::from(id.as_ref())).collect())
}

/// A file of callers or keys that can't be used, and why.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{0}")]
pub struct Unusable(pub(super) String);

/// Who calls. A clone is the same one.
#[derive(Clone, Debug)]
pub struct Caller {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    name: Box<str>,
    role: Role,
    /// `None`: all.
    scenarios: Option<BTreeSet<Id>>,
    is_known: bool,
    /// When its credentials expire.
    until: Option<SystemTime>,
    /// Whether its credentials, or the key that signed them, were taken back.
    revoked: Arc<AtomicBool>,
}

impl Caller {
    fn new(name: &str, role: Role, scenarios: Option<BTreeSet<Id>>, until: Option<SystemTime>) -> Self {
        Self::signed(name, role, scenarios, until, Arc::default())
    }

    fn signed(
        name: &str,
        role: Role,
        scenarios: Option<BTreeSet<Id>>,
        until: Option<SystemTime>,
        revoked: Arc<AtomicBool>,
    ) -> Self {
        Self { inner: Arc::new(Inner { name: name.into(), role, scenarios, is_known: true, until, revoked }) }
    }

    /// Whoever it is, where callers are not known: an analyst who sees everything.
    pub fn anyone() -> Self {
        let inner = Inner {
            name: "anonymous".into(),
            role: Role::Analyst,
            scenarios: None,
            is_known: false,
            until: None,
            revoked: Arc::default(),
        };
        Self { inner: Arc::new(inner) }
    }

    /// Who showed a certificate that is good until then, where nothing else is asked for: an analyst who sees everything.
    pub fn with_certificate(name: &str, until: SystemTime) -> Self {
        Self::new(name, Role::Analyst, None, Some(until))
    }

    /// What it is called, in logs and quotas.
    pub fn name(&self) -> &str {
        &self.inner.name
    }

    /// What it may do.
    pub fn role(&self) -> Role {
        self.inner.role
    }

    /// Whether it is more than anyone.
    pub fn is_known(&self) -> bool {
        self.inner.is_known
    }

    /// Whether a scenario exists for it.
    pub fn may_see(&self, scenario: &str) -> bool {
        self.inner.scenarios.as_ref().is_none_or(|scenarios| scenarios.contains(scenario))
    }

    /// Whether it is confined to no scenarios.
    pub fn sees_all(&self) -> bool {
        self.inner.scenarios.is_none()
    }

    /// Whether its credentials are still good: not expired, and not taken back.
    pub fn stands(&self, now: SystemTime) -> bool {
        !self.inner.revoked.load(Relaxed) && self.inner.until.is_none_or(|until| now < until)
    }

    fn revoke(&self) {
        self.inner.revoked.store(true, Relaxed);
    }

    fn is_like(&self, other: &Self) -> bool {
        let of = |caller: &Self| (caller.name().to_owned(), caller.role(), caller.inner.scenarios.clone());
        of(self) == of(other)
    }
}
