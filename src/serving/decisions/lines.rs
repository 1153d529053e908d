//! The log's thread: makes lines, masks them, gathers them into batches, and tells of what failed.

use super::file::Sink;
use super::mask::Mask;
use super::queue::{Line, Queue};
use super::{DecisionCounts, MAX_LINE_BYTES};
use serde_json::{Map, Value};
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tracing::warn;

/// The target of this module's log events. Log filters name it, so it stays as it is when the module moves.
const LOG_TARGET: &str = "detente::serving::decisions::lines";

/// A batch is written when it has grown to this.
const BATCH_BYTES: usize = 64 * 1024;
/// Between two warnings.
pub(super) const QUIET: Duration = Duration::from_secs(10);

/// Whole lines, to be written at once.
#[derive(Debug, Default)]
pub(super) struct Batch {
    bytes: Vec<u8>,
    /// Where each line ends, its newline included.
    ends: Vec<usize>,
}

/// What came of a batch. The lines that were not written failed.
#[derive(Debug, Default)]
pub(super) struct Put {
    pub(super) written: usize,
    /// What went wrong, though the lines may all be written.
    pub(super) fault: Option<String>,
}

impl Batch {
    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    /// Where a line begins; after the last one, where that ends.
    pub(super) fn begin(&self, line: usize) -> usize {
        line.checked_sub(1).and_then(|before| self.ends.get(before)).copied().unwrap_or(0)
    }

    pub(super) fn bytes(&self, lines: Range<usize>) -> &[u8] {
        self.bytes.get(self.begin(lines.start)..self.begin(lines.end)).unwrap_or_default()
    }

    /// How many of these lines are whole within so many of their bytes.
    pub(super) fn whole(&self, lines: Range<usize>, bytes: usize) -> usize {
        let begin = self.begin(lines.start);
        let ends = self.ends.get(lines).unwrap_or_default();
        ends.iter().take_while(|end| **end - begin <= bytes).count()
    }

    /// Adds a line; one that is too long without its request.
    pub(super) fn push(&mut self, mut line: Value) -> serde_json::Result<()> {
        let begin = self.bytes.len();
        self.append(&line)?;
        let length = self.bytes.len() - begin;
        if length > MAX_LINE_BYTES {
            self.bytes.truncate(begin);
            shorten(&mut line, &format!("the line would have {length} bytes, and {MAX_LINE_BYTES} are written"));
            self.append(&line)?;
        }
        self.bytes.push(b'\n');
        self.ends.push(self.bytes.len());
        Ok(())
    }

    fn append(&mut self, line: &Value) -> serde_json::Result<()> {
        let begin = self.bytes.len();
        let made = serde_json::to_writer(&mut self.bytes, line);
        if made.is_err() {
            self.bytes.truncate(begin);
        }
        made
    }

    fn clear(&mut self) {
        self.bytes.clear();
        self.ends.clear();
        // A line may be far longer than a batch; what it took is given back.
        self.bytes.shrink_to(2 * BATCH_BYTES);
    }
}

/// Leaves the request out, and whatever else is long.
fn shorten(line: &mut Value, why: &str) {
    /// More than any name takes.
    const SHORT: usize = 4 * 1024;
    let fields = line.as_object_mut().map(std::mem::take).unwrap_or_default();
    let is_short = |field: &str, value: &Value| match value {
        Value::String(text) => text.len() <= SHORT,
        Value::Array(values) => values.len() <= SHORT && field == "crossed",
        Value::Object(_) => false,
        _ => true,
    };
    let kept = fields.into_iter().filter(|(field, value)| is_short(field, value));
    let mut kept: Map<String, Value> = kept.collect();
    kept.insert("left_out".to_owned(), why.into());
    *line = Value::Object(kept);
}

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
        if self.batch.bytes.len() >= BATCH_BYTES {
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
