//! [`Gates`]: the state by which a server counts, admits and rejects calls and connections.
//!
//! A server has one set of gates, which all of its connections share. Must not know how a gate decides.

use crate::access::Authority;
use crate::middleware::access::Access;
use crate::middleware::account::CallBounds;
use crate::middleware::admission::ConcurrencyLimit;
use crate::middleware::callers::Callers;
use crate::telemetry::Metrics;
use crate::transport::tls::Tls;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize};
use tokio_util::task::TaskTracker;

/// The state with which a server counts, admits and rejects calls and connections. Clones share it.
#[derive(Clone)]
pub struct Gates {
    /// Metrics that count calls and connections.
    pub metrics: Metrics,
    /// Identifies callers and admits their calls.
    pub access: Access,
    /// The callers.
    pub callers: Callers,
    /// The bounds of all open calls.
    pub bounds: CallBounds,
    /// Bounds the calls that the server works on at a time.
    pub concurrency: ConcurrencyLimit,
    /// TLS of the main listener; `None` for plaintext.
    pub tls: Option<Tls>,
    /// Number of open connections.
    pub connections: Arc<AtomicUsize>,
    /// Open calls; a drain waits for them.
    pub calls: TaskTracker,
    /// Number of calls reset because their answers were left unread.
    pub stalled: Arc<AtomicU64>,
}

impl Gates {
    /// Creates gates that accept every caller, in plaintext, without a quota or a concurrency limit, with the default bounds.
    pub fn open(metrics: Metrics) -> Self {
        let callers = Callers::default();
        Self {
            metrics,
            access: Access::new(Arc::new(Authority::none()), callers.clone()),
            callers,
            bounds: CallBounds::default(),
            concurrency: ConcurrencyLimit::new(usize::MAX),
            tls: None,
            connections: Arc::default(),
            calls: TaskTracker::new(),
            stalled: Arc::default(),
        }
    }
}
