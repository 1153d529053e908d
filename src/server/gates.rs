//! The shared state of admission: one set for all connections of a server.

use crate::access::Authority;
use crate::middleware::access::Access;
use crate::middleware::admission::ConcurrencyLimit;
use crate::telemetry::Metrics;
use crate::transport::tls::Tls;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize};
use tokio_util::task::TaskTracker;

/// What stands before the calls.
#[derive(Clone)]
pub struct Gates {
    /// Where calls are counted.
    pub metrics: Metrics,
    /// Who is let in.
    pub access: Access,
    /// How many at a time.
    pub places: ConcurrencyLimit,
    /// How they speak.
    pub tls: Option<Tls>,
    /// How many connections are open.
    pub connections: Arc<AtomicUsize>,
    /// Those under way.
    pub calls: TaskTracker,
    /// How many were reset because their answers were left unread.
    pub stalled: Arc<AtomicU64>,
}

impl Gates {
    /// Open to everyone, in plaintext.
    pub fn open(metrics: Metrics) -> Self {
        Self {
            metrics,
            access: Access::new(Arc::new(Authority::none()), None),
            places: ConcurrencyLimit::new(usize::MAX),
            tls: None,
            connections: Arc::default(),
            calls: TaskTracker::new(),
            stalled: Arc::default(),
        }
    }
}
