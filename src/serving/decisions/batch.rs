//! Batches of complete lines of the decision log, which are written together, and the trait of their destinations.
//!
//! Must not know where lines go.

use crate::telemetry::escape_invisible;
use serde::Serialize;
use serde_json::ser::{Formatter, Serializer};
use serde_json::{Map, Value};
use std::io::{self, Write};
use std::ops::Range;

/// Maximum length of a line, in bytes.
///
/// A longer line is written without its request, and its field `left_out` says why.
pub const MAX_LINE_BYTES: usize = 1024 * 1024;
/// Size in bytes from which a batch is written.
const BATCH_BYTES: usize = 64 * 1024;

/// A destination of batches.
pub(super) trait Sink: Send {
    fn write_batch(&mut self, batch: &Batch) -> WriteOutcome;
}

/// Complete lines that are written together.
#[derive(Debug, Default)]
pub(super) struct Batch {
    bytes: Vec<u8>,
    /// The position in `bytes` at which each line ends, after its newline.
    ends: Vec<usize>,
}

/// The outcome of writing a batch.
#[derive(Debug, Default)]
pub(super) struct WriteOutcome {
    /// Number of lines written; the other lines of the batch have failed.
    pub(super) written: usize,
    /// The last error; all lines may have been written despite it.
    pub(super) fault: Option<String>,
}

impl Batch {
    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    /// Returns the position at which a line starts. For the number after the last line, this is the end of the batch.
    pub(super) fn start(&self, line: usize) -> usize {
        line.checked_sub(1).and_then(|before| self.ends.get(before)).copied().unwrap_or(0)
    }

    pub(super) fn bytes(&self, lines: Range<usize>) -> &[u8] {
        self.bytes.get(self.start(lines.start)..self.start(lines.end)).unwrap_or_default()
    }

    /// Returns how many of `lines` were written completely if only the first `bytes` bytes of them were written.
    pub(super) fn complete(&self, lines: Range<usize>, bytes: usize) -> usize {
        let start = self.start(lines.start);
        let ends = self.ends.get(lines).unwrap_or_default();
        ends.iter().take_while(|end| **end - start <= bytes).count()
    }

    /// Adds a line; a line above [`MAX_LINE_BYTES`] is added without its request.
    pub(super) fn push(&mut self, mut line: Value) -> serde_json::Result<()> {
        let start = self.bytes.len();
        self.append(&line)?;
        let length = self.bytes.len() - start;
        if length > MAX_LINE_BYTES {
            self.bytes.truncate(start);
            shorten(&mut line, &format!("the line would have {length} bytes; the limit is {MAX_LINE_BYTES}"));
            self.append(&line)?;
        }
        self.bytes.push(b'\n');
        self.ends.push(self.bytes.len());
        Ok(())
    }

    fn append(&mut self, line: &Value) -> serde_json::Result<()> {
        let start = self.bytes.len();
        let result = line.serialize(&mut Serializer::with_formatter(&mut self.bytes, EscapeInvisible));
        if result.is_err() {
            self.bytes.truncate(start);
        }
        result
    }

    /// Whether the batch is large enough to be written.
    pub(super) fn is_full(&self) -> bool {
        self.bytes.len() >= BATCH_BYTES
    }

    pub(super) fn clear(&mut self) {
        self.bytes.clear();
        self.ends.clear();
        // A line may be far longer than a batch: free the memory that it took.
        self.bytes.shrink_to(2 * BATCH_BYTES);
    }
}

/// The compact form of JSON, in which invisible characters are escaped: a parser returns them unchanged.
struct EscapeInvisible;

impl Formatter for EscapeInvisible {
    fn write_string_fragment<W: ?Sized + Write>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        writer.write_all(escape_invisible(fragment).as_bytes())
    }
}

/// Removes the request and every other long field, and adds `why` as the field `left_out`.
fn shorten(line: &mut Value, why: &str) {
    /// Maximum length of a text that stays in the line, in bytes; every name is shorter. Also the maximum number of
    /// crossed red lines.
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
