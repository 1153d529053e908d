//! The log's thread: makes lines, masks them, gathers them into batches, and tells of what failed.

use crate::serving::decisions::DecisionCounts;
use crate::serving::decisions::batch::{Batch, Put, Sink};
use crate::serving::decisions::mask::Mask;
use crate::serving::decisions::queue::{Line, Queue};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tracing::warn;

/// The target of this module's log events. Log filters name it, so it stays as it is when the module moves.
const LOG_TARGET: &str = "detente::serving::decisions::lines";

/// Between two warnings.
pub(super) const QUIET: Duration = Duration::from_secs(10);

/// What makes and writes lines.
pub(super) struct Writer {
    /// In warnings.
    name: String,
    queue: Arc<Queue>,
    sink: Box<dyn Sink>,
    mask: Vec<Mask>,
    batch: Batch,
    faults: Faults,
}

impl Writer {
    pub(super) fn new(name: String, queue: Arc<Queue>, sink: Box<dyn Sink>, mask: Vec<Mask>) -> Self {
        Self { name, queue, sink, mask, batch: Batch::default(), faults: Faults::default() }
    }

    /// Until the queue ends.
    pub(super) fn run(self) {
        // Goes last: when the end is told, the file is closed, and may be opened again.
        let _finish = Finish(self.queue.clone());
        let mut writer = self;
        let mut lines = Vec::new();
        while writer.queue.take(&mut lines) {
            for line in lines.drain(..) {
                writer.add(line);
            }
            writer.put();
            writer.tell(Instant::now());
        }
    }

    fn add(&mut self, line: Line) {
        let made = catch_unwind(AssertUnwindSafe(line));
        let pushed =
            made.map_err(|_| "a line could not be made: its maker panicked".to_owned()).and_then(|mut line| {
                self.mask.iter().for_each(|mask| mask.apply(&mut line));
                self.batch.push(line).map_err(|error| format!("a line could not be made: {error}"))
            });
        if let Err(fault) = pushed {
            self.faults.note(fault);
            self.queue.account(0, 1);
        }
        if self.batch.is_full() {
            self.put();
        }
    }

    fn put(&mut self) {
        if self.batch.len() == 0 {
            return;
        }
        let Put { written, fault } = self.sink.put(&self.batch);
        let failed = self.batch.len().saturating_sub(written);
        self.batch.clear();
        if let Some(fault) = fault {
            self.faults.note(fault);
        }
        self.queue.account(written, failed);
    }

    fn tell(&mut self, now: Instant) {
        if let Some(told) = self.faults.due(now, self.queue.counts()) {
            let Told { failed, dropped, fault } = told;
            let fault = fault.as_deref().unwrap_or("more is decided than can be written");
            warn!(target: LOG_TARGET, failed, dropped, "the decision log, {}: {fault}", self.name);
        }
    }
}

/// Tells those who wait that the thread is gone, though it should panic.
struct Finish(Arc<Queue>);

impl Drop for Finish {
    fn drop(&mut self) {
        self.0.finish();
    }
}

/// What went wrong and was not told yet.
#[derive(Debug, Default)]
pub(super) struct Faults {
    fault: Option<String>,
    /// When something was told last, and what the counts were.
    told: Option<Instant>,
    before: DecisionCounts,
}

/// What a warning says: how many lines failed and were dropped since the one before, and the last thing that went wrong.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Told {
    pub(super) failed: u64,
    pub(super) dropped: u64,
    pub(super) fault: Option<String>,
}

impl Faults {
    pub(super) fn note(&mut self, fault: String) {
        self.fault = Some(fault);
    }

    /// What is to be told now, if anything: at once what goes wrong first, then not again for a while.
    pub(super) fn due(&mut self, now: Instant, counts: DecisionCounts) -> Option<Told> {
        let (failed, dropped) = (counts.failed - self.before.failed, counts.dropped - self.before.dropped);
        let nothing = self.fault.is_none() && failed == 0 && dropped == 0;
        if nothing || self.told.is_some_and(|told| now.duration_since(told) < QUIET) {
            return None;
        }
        (self.told, self.before) = (Some(now), counts);
        Some(Told { failed, dropped, fault: self.fault.take() })
    }
}
