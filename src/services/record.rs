//! [`Record`]: the decision log and the metrics in which evaluations are recorded, and the counts of their verdicts.
//!
//! Must not know how an evaluation is computed.

use crate::convert::evaluation::from_verdict;
use crate::serving::DecisionLog;
use crate::telemetry::Metrics;
use detente_core::engine::Verdict;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// The places where evaluations are recorded.
#[derive(Clone, Debug, Default)]
pub struct Record {
    /// The decision log, with one JSON line for each evaluation; `None` if no log is written.
    pub decisions: Option<DecisionLog>,
    /// The metrics that count errors of single items of a batch or stream.
    pub metrics: Option<Metrics>,
    /// Whether the log and the spans of calls contain the requests.
    pub content: bool,
    pub(super) verdicts: Arc<[AtomicU64; VERDICTS.len()]>,
}

/// The verdicts, in the order of their counters.
const VERDICTS: [Verdict; 5] =
    [Verdict::Blocked, Verdict::Undeliverable, Verdict::Contested, Verdict::Undetermined, Verdict::Unopposed];

impl Record {
    /// Returns the number of answered evaluations for each verdict.
    pub fn verdicts(&self) -> Vec<(&'static str, u64)> {
        let counted = VERDICTS.iter().zip(self.verdicts.iter());
        counted.map(|(verdict, count)| (verdict_name(*verdict), count.load(Relaxed))).collect()
    }
}

pub(super) fn count(verdicts: &[AtomicU64], verdict: Verdict) {
    let counter = VERDICTS.iter().position(|counted| *counted == verdict).and_then(|at| verdicts.get(at));
    if let Some(counter) = counter {
        counter.fetch_add(1, Relaxed);
    }
}

/// Returns a verdict's name in the API and in logs.
pub(super) fn verdict_name(verdict: Verdict) -> &'static str {
    from_verdict(verdict).as_str_name()
}
