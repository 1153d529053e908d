//! The thread of the decision log: creates lines, masks their confidential values, writes batches, reports failures.
//!
//! Must not know where lines go.

use crate::serving::decisions::batch::{Batch, Sink, WriteOutcome};
use crate::serving::decisions::mask::Mask;
use crate::serving::decisions::queue::{DecisionCounts, Line, Queue};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tracing::warn;

/// The target of this module's log events. Log filters name it, so it stays as it is when the module moves.
const LOG_TARGET: &str = "detente::serving::decisions::lines";

/// Minimum time between two warnings about lines that failed or were dropped.
pub(super) const WARNING_INTERVAL: Duration = Duration::from_secs(10);

/// Creates and writes lines on the log's thread.
pub(super) struct Writer {
    /// Destination of the log, named in warnings.
    name: String,
    queue: Arc<Queue>,
    sink: Box<dyn Sink>,
    mask: Vec<Mask>,
    batch: Batch,
    faults: UnreportedFaults,
}

impl Writer {
    pub(super) fn new(name: String, queue: Arc<Queue>, sink: Box<dyn Sink>, mask: Vec<Mask>) -> Self {
        Self { name, queue, sink, mask, batch: Batch::default(), faults: UnreportedFaults::default() }
    }

    /// Writes lines until the queue ends.
    pub(super) fn run(self) {
        // Declared first, and therefore dropped last: when threads that wait for the end of the log continue, the file
        // is closed and can be opened again.
        let _finish = Finish(self.queue.clone());
        let mut writer = self;
        let mut lines = Vec::new();
        while writer.queue.take(&mut lines) {
            for line in lines.drain(..) {
                writer.add(line);
            }
            writer.write_batch();
            writer.report(Instant::now());
        }
    }

    fn add(&mut self, line: Line) {
        let created = catch_unwind(AssertUnwindSafe(line));
        let pushed =
            created.map_err(|_| "cannot create a line: its closure panicked".to_owned()).and_then(|mut line| {
                self.mask.iter().for_each(|mask| mask.apply(&mut line));
                self.batch.push(line).map_err(|error| format!("cannot create a line: {error}"))
            });
        if let Err(fault) = pushed {
            self.faults.note(fault);
            self.queue.account(0, 1);
        }
        if self.batch.is_full() {
            self.write_batch();
        }
    }

    fn write_batch(&mut self) {
        if self.batch.len() == 0 {
            return;
        }
        let WriteOutcome { written, fault } = self.sink.write_batch(&self.batch);
        let failed = self.batch.len().saturating_sub(written);
        self.batch.clear();
        if let Some(fault) = fault {
            self.faults.note(fault);
        }
        self.queue.account(written, failed);
    }

    fn report(&mut self, now: Instant) {
        if let Some(report) = self.faults.due(now, self.queue.counts()) {
            let FaultReport { failed, dropped, fault } = report;
            let fault = fault.as_deref().unwrap_or("lines arrive faster than they can be written");
            warn!(target: LOG_TARGET, failed, dropped, "decision log {}: {fault}", self.name);
        }
    }
}

/// When dropped, reports that the log's thread has ended to those who wait for its end, even if the thread panics.
struct Finish(Arc<Queue>);

impl Drop for Finish {
    fn drop(&mut self) {
        self.0.finish();
    }
}

/// Faults that have not been reported yet.
#[derive(Debug, Default)]
pub(super) struct UnreportedFaults {
    fault: Option<String>,
    /// Time of the last report, and the counts at that time.
    reported: Option<Instant>,
    before: DecisionCounts,
}

/// Content of a warning: the last error, and how many lines failed or were dropped.
///
/// The numbers are those since the previous warning.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct FaultReport {
    pub(super) failed: u64,
    pub(super) dropped: u64,
    pub(super) fault: Option<String>,
}

impl UnreportedFaults {
    pub(super) fn note(&mut self, fault: String) {
        self.fault = Some(fault);
    }

    /// Returns what to report now: the first fault at once, then at most one report per interval.
    pub(super) fn due(&mut self, now: Instant, counts: DecisionCounts) -> Option<FaultReport> {
        let (failed, dropped) = (counts.failed - self.before.failed, counts.dropped - self.before.dropped);
        let is_quiet = self.fault.is_none() && failed == 0 && dropped == 0;
        if is_quiet || self.reported.is_some_and(|reported| now.duration_since(reported) < WARNING_INTERVAL) {
            return None;
        }
        (self.reported, self.before) = (Some(now), counts);
        Some(FaultReport { failed, dropped, fault: self.fault.take() })
    }
}
