//! A caller: its name, its role and the scenarios that it may see.
//!
//! Must not know how a caller is identified.

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
    name: Box<str>,
    role: CallerRole,
    /// The scenarios that the caller may see; `None` for all scenarios.
    scenarios: Option<BTreeSet<ScenarioId>>,
    is_known: bool,
    /// Expiry of the credentials; `None` if they do not expire.
    until: Option<SystemTime>,
    /// Whether the credentials, or the key that signed them, have been revoked.
    revoked: Arc<AtomicBool>,
}

impl Caller {
    pub(super) fn new(
        name: &str,
        role: CallerRole,
        scenarios: Option<BTreeSet<ScenarioId>>,
        until: Option<SystemTime>,
    ) -> Self {
        Self::signed(name, role, scenarios, until, Arc::default())
    }

    pub(super) fn signed(
        name: &str,
        role: CallerRole,
        scenarios: Option<BTreeSet<ScenarioId>>,
        until: Option<SystemTime>,
        revoked: Arc<AtomicBool>,
    ) -> Self {
        Self { inner: Arc::new(Inner { name: name.into(), role, scenarios, is_known: true, until, revoked }) }
    }

    /// Returns the caller of a server that requires no credentials: an analyst who sees every scenario.
    pub fn anonymous() -> Self {
        let inner = Inner {
            name: "anonymous".into(),
            role: CallerRole::Analyst,
            scenarios: None,
            is_known: false,
            until: None,
            revoked: Arc::default(),
        };
        Self { inner: Arc::new(inner) }
    }

    /// Creates a caller that is identified by its client certificate alone.
    ///
    /// The caller is an analyst who sees every scenario.
    pub fn with_certificate(name: &str, until: SystemTime) -> Self {
        Self::new(name, CallerRole::Analyst, None, Some(until))
    }

    /// Returns the caller's name, used in logs and for quotas.
    pub fn name(&self) -> &str {
        &self.inner.name
    }

    /// Returns the caller's role.
    pub fn role(&self) -> CallerRole {
        self.inner.role
    }

    /// Whether the caller is identified, and not anonymous.
    pub fn is_known(&self) -> bool {
        self.inner.is_known
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
        let rights = |caller: &Self| (caller.name().to_owned(), caller.role(), caller.inner.scenarios.clone());
        rights(self) == rights(other)
    }
}
