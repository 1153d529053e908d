//! A caller: its name, its role and the scenarios that it may see.
//!
//! Must not know how a caller is identified.

use crate::access::caller_key::{CallerKey, CallerKind};
use detente_core::scenario::ids::ScenarioId;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::SystemTime;

/// What a caller may do. A later role includes the rights of the earlier ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CallerRole {
    /// May evaluate proposals and read scenarios.
    Reader,
    /// May also run analyses (searches for deals) and evaluate hypotheses.
    Analyst,
}

/// A caller with its rights. Revoking a caller revokes all its clones.
#[derive(Clone, Debug)]
pub struct Caller {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    name: Arc<str>,
    kind: CallerKind,
    role: CallerRole,
    /// The scenarios that the caller may see; `None` for all scenarios.
    scenarios: Option<BTreeSet<ScenarioId>>,
    /// Expiry of the credentials; `None` if they do not expire.
    until: Option<SystemTime>,
    /// Whether the credentials, or the key that signed them, have been revoked.
    revoked: Arc<AtomicBool>,
}

impl Caller {
    pub(super) fn with_token(name: &str, role: CallerRole, scenarios: Option<BTreeSet<ScenarioId>>) -> Self {
        Self::new(name, CallerKind::Token, role, scenarios, None, Arc::default())
    }

    pub(super) fn with_jwt(
        subject: &str,
        role: CallerRole,
        scenarios: Option<BTreeSet<ScenarioId>>,
        until: SystemTime,
        revoked: Arc<AtomicBool>,
    ) -> Self {
        Self::new(subject, CallerKind::Jwt, role, scenarios, Some(until), revoked)
    }

    fn new(
        name: &str,
        kind: CallerKind,
        role: CallerRole,
        scenarios: Option<BTreeSet<ScenarioId>>,
        until: Option<SystemTime>,
        revoked: Arc<AtomicBool>,
    ) -> Self {
        Self { inner: Arc::new(Inner { name: name.into(), kind, role, scenarios, until, revoked }) }
    }

    /// Returns the caller of a server that requires no credentials: an analyst who sees every scenario.
    pub fn anonymous() -> Self {
        Self::new("anonymous", CallerKind::Anonymous, CallerRole::Analyst, None, None, Arc::default())
    }

    /// Creates a caller that is identified by its client certificate alone.
    ///
    /// The caller is an analyst who sees every scenario.
    pub fn with_certificate(name: &str, until: SystemTime) -> Self {
        Self::new(name, CallerKind::Certificate, CallerRole::Analyst, None, Some(until), Arc::default())
    }

    /// Returns the caller's name, which is unique among callers of its kind.
    pub fn name(&self) -> &str {
        &self.inner.name
    }

    /// Returns what identifies the caller; `None` for an anonymous one.
    pub fn key(&self) -> Option<CallerKey> {
        let Inner { kind, name, .. } = &*self.inner;
        (*kind != CallerKind::Anonymous).then(|| CallerKey::Known(*kind, name.clone()))
    }

    /// Returns how the caller was identified.
    pub fn kind(&self) -> CallerKind {
        self.inner.kind
    }

    /// Returns the caller's role.
    pub fn role(&self) -> CallerRole {
        self.inner.role
    }

    /// Whether the caller may see a scenario.
    ///
    /// Scenarios that the caller may not see are reported as not found.
    pub fn may_see(&self, scenario: &str) -> bool {
        self.inner.scenarios.as_ref().is_none_or(|scenarios| scenarios.contains(scenario))
    }

    /// Whether the caller may see every scenario.
    pub fn sees_all(&self) -> bool {
        self.inner.scenarios.is_none()
    }

    /// Whether the caller's credentials are valid at `now`: neither expired nor revoked.
    pub fn is_valid_at(&self, now: SystemTime) -> bool {
        !self.inner.revoked.load(Relaxed) && self.inner.until.is_none_or(|until| now < until)
    }

    pub(super) fn revoke(&self) {
        self.inner.revoked.store(true, Relaxed);
    }

    pub(super) fn has_rights_of(&self, other: &Self) -> bool {
        let rights = |caller: &Self| (caller.key(), caller.role(), caller.inner.scenarios.clone());
        rights(self) == rights(other)
    }
}
