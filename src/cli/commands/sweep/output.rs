//! Writes answers as JSON lines, and continues the output file of an interrupted sweep.
//!
//! Owns the output file. Must not know how requests are read or answered.

use crate::cli::client::Sink;
use crate::cli::commands::sweep::sweep_error::SweepError;
use crate::cli::line_reader::LineReader;
use crate::cli::progress_counter::start_counter;
use crate::cli::render::text::{count, thousands};
use crate::cli::render::words::verdict_words;
use crate::cli::report::UsageError;
use crate::schema::json::{JsonError, JsonForm};
use crate::schema::proto::v1;
use crate::schema::proto::v1::stream_evaluate_proposals_response::Result as Item;
use anyhow::{Context, Result, anyhow};
use indicatif::ProgressBar;
use std::collections::BTreeMap;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, BufRead, BufReader, BufWriter, ErrorKind, IsTerminal, Seek, SeekFrom, Write};
use std::path::Path;

const WRITE_BYTES: usize = 64 * 1024;
/// Number of bytes at the start of an answer that are searched for its id. No id is longer, even with JSON escapes.
const HEAD_BYTES: usize = 4 * 1024;
/// Number of answers between two updates of the verdicts in the progress display.
const MESSAGE_EVERY: u64 = 500;

/// The answers that an output file had before this run.
#[derive(Debug, Default)]
pub(super) struct Resumed {
    pub(super) answered: u64,
}

/// Writes the answers to standard output or a file, and counts them.
pub(super) struct Output {
    writer: BufWriter<Box<dyn Write>>,
    /// Name of the file, for messages.
    name: String,
    form: JsonForm,
    line: Vec<u8>,
    answered: u64,
    errors: u64,
    verdicts: BTreeMap<v1::Verdict, u64>,
    progress: ProgressBar,
}

impl Output {
    pub(super) fn to_stdout() -> Result<Self, JsonError> {
        let stdout = io::stdout();
        // If the answers go to the terminal, progress is not shown, because it would be drawn between them.
        let progress = start_counter("answered", !stdout.is_terminal());
        Self::new(Box::new(stdout), "standard output", progress)
    }

    /// Opens an output file, which must be empty or new unless `resume` is set.
    ///
    /// With `resume`, the input skips the requests that the file already has answers to.
    pub(super) fn to_file(path: &Path, resume: bool, input: &mut LineReader) -> Result<(Self, Resumed)> {
        let name = path.display().to_string();
        let error = || format!("{name} cannot be written");
        let open = OpenOptions::new().read(resume).write(true).create(true).truncate(false).open(path);
        let mut file = open.with_context(error)?;
        // The lock keeps a second sweep from mixing its answers into the file. Where the file system has no locks, the
        // sweep runs without this protection.
        if let Err(TryLockError::WouldBlock) = file.try_lock() {
            return Err(anyhow!("another sweep is writing to {name}"));
        }
        let mut resumed = Resumed::default();
        if resume {
            let (answered, end) = skip_answered(&file, &name, input)?;
            resumed.answered = answered;
            let metadata = file.metadata().with_context(error)?;
            if metadata.len() > end {
                file.set_len(end).with_context(error)?;
            }
            if metadata.is_file() {
                file.seek(SeekFrom::Start(end)).with_context(error)?;
            }
        } else if file.metadata().with_context(error)?.len() > 0 {
            let text = format!("{name} is not empty; add --resume to continue it, or choose another file");
            return Err(UsageError(text).into());
        }
        let progress = start_counter("answered", true);
        progress.set_position(resumed.answered);
        progress.reset_eta();
        Ok((Self::new(Box::new(file), &name, progress)?, resumed))
    }

    fn new(writer: Box<dyn Write>, name: &str, progress: ProgressBar) -> Result<Self, JsonError> {
        Ok(Self {
            writer: BufWriter::with_capacity(WRITE_BYTES, writer),
            name: name.to_owned(),
            form: JsonForm::of("StreamEvaluateProposalsResponse")?,
            line: Vec::new(),
            answered: 0,
            errors: 0,
            verdicts: BTreeMap::new(),
            progress,
        })
    }

    /// Number of answers in this run.
    pub(super) fn answered(&self) -> u64 {
        self.answered
    }

    /// The totals in words, like "1,000,000 answered, 3 with errors".
    pub(super) fn summary(&self, resumed: &Resumed) -> String {
        let errors = if self.errors > 0 { format!(", {} with errors", thousands(self.errors)) } else { String::new() };
        let before = match resumed.answered {
            0 => String::new(),
            answered => format!("; {} already answered", thousands(answered)),
        };
        format!("{} answered{errors}{before}", thousands(self.answered))
    }

    pub(super) fn clear_progress(&self) {
        self.progress.finish_and_clear();
    }

    /// Appends an answer as JSON. The same answer always has the same text.
    fn write(&mut self, answer: &v1::StreamEvaluateProposalsResponse) -> Result<()> {
        if !matches!(answer.result, Some(Item::Error(_))) {
            return Ok(self.form.append(answer, &mut self.line)?);
        }
        let mut value = self.form.value(answer)?;
        // The metadata of an error is a map without a fixed order, so its keys are sorted.
        if let Some(details) = value.pointer_mut("/error/details") {
            details.sort_all_objects();
        }
        Ok(serde_json::to_writer(&mut self.line, &value)?)
    }

    fn note(&mut self, answer: &v1::StreamEvaluateProposalsResponse) {
        self.answered += 1;
        match &answer.result {
            Some(Item::Evaluation(evaluation)) => *self.verdicts.entry(evaluation.verdict()).or_default() += 1,
            Some(Item::Error(_)) | None => self.errors += 1,
        }
        self.progress.inc(1);
        if self.answered % MESSAGE_EVERY == 1 && !self.progress.is_hidden() {
            let verdicts = self.verdicts.iter();
            let counts =
                verdicts.map(|(verdict, number)| format!("{} {}", thousands(*number), verdict_words(*verdict)));
            let errors =
                (self.errors > 0).then(|| count(usize::try_from(self.errors).unwrap_or(usize::MAX), "error", "errors"));
            self.progress.set_message(counts.chain(errors).collect::<Vec<_>>().join(", "));
        }
    }

    fn failed(&self, error: io::Error) -> SweepError {
        match error.kind() {
            ErrorKind::BrokenPipe => SweepError::ReaderGone,
            _ => SweepError::Failed(anyhow!("{} cannot be written: {error}", self.name)),
        }
    }
}

impl Sink for Output {
    type Error = SweepError;

    fn put(&mut self, answer: v1::StreamEvaluateProposalsResponse) -> Result<(), SweepError> {
        self.line.clear();
        self.write(&answer).map_err(SweepError::Failed)?;
        self.line.push(b'\n');
        self.writer.write_all(&self.line).map_err(|error| self.failed(error))?;
        self.note(&answer);
        Ok(())
    }

    fn flush(&mut self) -> Result<(), SweepError> {
        self.writer.flush().map_err(|error| self.failed(error))
    }
}

/// Counts the complete lines of a file of answers, and checks that each may answer the input line in the same place.
///
/// Returns the number of complete lines and the offset of their end. Anything after that is a line that was cut off.
fn skip_answered(file: &File, name: &str, input: &mut LineReader) -> Result<(u64, u64)> {
    let mut lines = BufReader::with_capacity(WRITE_BYTES, file);
    let (mut answered, mut end) = (0, 0);
    let mut head = Vec::new();
    while let Some(bytes) = read_head(&mut lines, &mut head).with_context(|| format!("{name} cannot be read"))? {
        let place = answered + 1;
        let mismatch = |why: String| UsageError(format!("cannot resume from {name}: {why}"));
        let id = answered_id(&head).ok_or_else(|| mismatch(format!("its line {place} is not an answer of a sweep")))?;
        let input_name = input.name().to_owned();
        let Some(line) = input.next_line()? else {
            return Err(mismatch(format!("it has more answers than {input_name} has requests")).into());
        };
        if !line.is_answered_by(&id) {
            let (expected, number) = (line.id(), input.number());
            let why = format!("its line {place} answers `{id}`, but line {number} of {input_name} is `{expected}`");
            return Err(mismatch(why).into());
        }
        (answered, end) = (place, end + bytes);
    }
    Ok((answered, end))
}

/// Reads the head of a line, up to [`HEAD_BYTES`], and skips the rest.
///
/// Returns the length of the line with its newline, or `None` if there is no further complete line.
fn read_head(lines: &mut impl BufRead, head: &mut Vec<u8>) -> io::Result<Option<u64>> {
    head.clear();
    let mut bytes = 0;
    loop {
        let chunk = match lines.fill_buf() {
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            chunk => chunk?,
        };
        if chunk.is_empty() {
            return Ok(None);
        }
        let end = chunk.iter().position(|byte| *byte == b'\n');
        let part = chunk.get(..end.unwrap_or(chunk.len())).unwrap_or_default();
        head.extend(part.iter().take(HEAD_BYTES.saturating_sub(head.len())));
        let read = end.map_or(chunk.len(), |end| end + 1);
        lines.consume(read);
        bytes += read as u64;
        if end.is_some() {
            return Ok(Some(bytes));
        }
    }
}

/// The id of an answer in the form that `detente sweep` writes; `None` for anything else.
fn answered_id(head: &[u8]) -> Option<String> {
    let object = head.strip_prefix(b"{")?;
    let (id, rest) = match object.strip_prefix(b"\"id\":") {
        None => (String::new(), object),
        Some(text) => {
            let mut ids = serde_json::Deserializer::from_slice(text).into_iter::<String>();
            let id = ids.next()?.ok()?;
            (id, text.get(ids.byte_offset()..)?.strip_prefix(b",")?)
        }
    };
    (rest.starts_with(b"\"evaluation\":") || rest.starts_with(b"\"error\":")).then_some(id)
}
