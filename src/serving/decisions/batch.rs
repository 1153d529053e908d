//! Batches of whole lines, and the trait of what writes them.

use crate::serving::decisions::MAX_LINE_BYTES;
use serde_json::{Map, Value};
use std::ops::Range;

/// A batch is written when it has grown to this.
const BATCH_BYTES: usize = 64 * 1024;

/// What batches are written to.
pub(super) trait Sink: Send {
    fn put(&mut self, batch: &Batch) -> Put;
}

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

    /// Whether the batch is large enough to be written.
    pub(super) fn is_full(&self) -> bool {
        self.bytes.len() >= BATCH_BYTES
    }

    pub(super) fn clear(&mut self) {
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
