//! Destinations of the lines of the decision log: a log file, or a stream that can only be appended to.
//!
//! Owns the rotation of a log file, which renames a full file and starts a new one, and its repair, which removes a
//! partial last line.
//!
//! Must not know what a line says.

use crate::serving::decisions::batch::{Batch, Sink, WriteOutcome};
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use std::fs::{self, File, Metadata, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};
use std::ops::Range;
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};
use tracing::warn;

/// The target of this module's log events. Log filters name it, so it stays as it is when the module moves.
const LOG_TARGET: &str = "detente::serving::decisions::file";

/// Permissions of a new file: access for its owner only, because drafts of proposals are confidential.
const MODE: u32 = 0o600;
/// Number of bytes that each step of the search for the last complete line reads.
const READ_BYTES: usize = 64 * 1024;

/// Writes bytes to a file. Tests replace it with a function that fails in the middle of a line.
pub(super) type WriteBytes = Box<dyn FnMut(&mut File, &[u8]) -> io::Result<usize> + Send>;

/// Opens a path: a file, or a device, which is neither rotated nor repaired.
pub(super) fn open(path: &Path, max_bytes: u64, keep: usize) -> io::Result<Box<dyn Sink>> {
    let (file, metadata) = open_file(path)?;
    if !metadata.is_file() {
        return Ok(Box::new(AppendOnlySink::new(file)));
    }
    Ok(Box::new(LogFile::of(path, file, &metadata, max_bytes, keep)?))
}

/// Writes as many bytes as possible; returns their number, and the error that prevented the rest.
fn write_all(mut write: impl FnMut(&[u8]) -> io::Result<usize>, mut bytes: &[u8]) -> (usize, Option<io::Error>) {
    let (all, started) = (bytes.len(), Instant::now());
    while !bytes.is_empty() {
        let fault = match write(bytes) {
            Ok(0) => io::Error::from(ErrorKind::WriteZero),
            Ok(written) => {
                bytes = bytes.get(written..).unwrap_or_default();
                continue;
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            // Another process has made the pipe non-blocking, and the pipe is full.
            Err(error) if error.kind() == ErrorKind::WouldBlock && started.elapsed() < BLOCKED_TIMEOUT => {
                sleep(Duration::from_millis(10));
                continue;
            }
            Err(error) => error,
        };
        return (all - bytes.len(), Some(fault));
    }
    (all, None)
}

/// Time for which a write that would block is retried.
const BLOCKED_TIMEOUT: Duration = Duration::from_secs(5);

/// A stream that can only be appended to: standard output, a pipe or a device.
pub(super) struct AppendOnlySink<W> {
    out: W,
    /// Whether the last line was written in part.
    partial: bool,
}

impl<W> AppendOnlySink<W> {
    pub(super) fn new(out: W) -> Self {
        Self { out, partial: false }
    }
}

impl<W: Write + Send> Sink for AppendOnlySink<W> {
    fn write_batch(&mut self, batch: &Batch) -> WriteOutcome {
        let (mut outcome, mut first) = (WriteOutcome::default(), 0);
        while first < batch.len() {
            if self.partial {
                // A partial line cannot be removed from a stream, so end it with a newline. Its readers find a line
                // that is not JSON, but the next line is complete.
                let (_, fault) = write_all(|bytes| self.out.write(bytes), b"\n");
                self.partial = fault.is_some();
                if let Some(fault) = fault {
                    outcome.fault = Some(fault.to_string());
                    first += 1;
                    continue;
                }
            }
            let lines = first..batch.len();
            let (bytes, fault) = write_all(|bytes| self.out.write(bytes), batch.bytes(lines.clone()));
            let complete = batch.complete(lines, bytes);
            outcome.written += complete;
            let Some(fault) = fault else { break };
            self.partial = bytes > batch.start(first + complete) - batch.start(first);
            outcome.fault = Some(fault.to_string());
            first += complete + 1;
        }
        outcome
    }
}

/// A file of complete lines.
pub(super) struct LogFile {
    path: PathBuf,
    file: File,
    /// Device and inode number, to notice when the path leads to another file.
    id: (u64, u64),
    max_bytes: u64,
    keep: usize,
    /// Where the complete lines end, if they are followed by a partial line that could not be removed.
    partial: Option<u64>,
    write: WriteBytes,
}

impl LogFile {
    fn of(path: &Path, mut file: File, metadata: &Metadata, max_bytes: u64, keep: usize) -> io::Result<Self> {
        repair(&mut file, path)?;
        // Rotation renames the file itself, not a link to it.
        let path = fs::canonicalize(path)?;
        let write: WriteBytes = Box::new(|file, bytes| file.write(bytes));
        Ok(Self { path, file, id: id(metadata), max_bytes, keep, partial: None, write })
    }

    /// Opens a file to which `write` writes.
    #[cfg(test)]
    pub(super) fn open(path: &Path, max_bytes: u64, keep: usize, write: WriteBytes) -> io::Result<Self> {
        let (file, metadata) = open_file(path)?;
        Ok(Self { write, ..Self::of(path, file, &metadata, max_bytes, keep)? })
    }

    /// Ensures that the path leads to this file and that the file ends with a complete line.
    ///
    /// Returns its length, and an error that does not prevent writing.
    fn ready(&mut self) -> io::Result<(u64, Option<String>)> {
        let mut length = self.file.metadata()?.len();
        if let Some(complete) = self.partial {
            if length > complete {
                self.file.set_len(complete)?;
                length = complete;
            }
            self.partial = None;
        }
        let is_same = match fs::metadata(&self.path) {
            Ok(there) => id(&there) == self.id,
            Err(error) => error.kind() != ErrorKind::NotFound,
        };
        if is_same {
            return Ok((length, None));
        }
        // The file was moved or deleted.
        match self.reopen() {
            Ok(length) => Ok((length, None)),
            Err(error) if self.file.metadata()?.nlink() == 0 => Err(error),
            Err(error) => Ok((length, Some(format!("the file was moved, and a new one cannot be opened: {error}")))),
        }
    }

    fn reopen(&mut self) -> io::Result<u64> {
        let (mut file, metadata) = open_file(&self.path)?;
        if !metadata.is_file() {
            return Err(io::Error::new(ErrorKind::InvalidInput, "not a regular file"));
        }
        repair(&mut file, &self.path)?;
        let length = file.metadata()?.len();
        (self.file, self.id) = (file, id(&metadata));
        Ok(length)
    }

    /// Renames FILE to FILE.1, FILE.1 to FILE.2 and so on, and deletes the oldest file beyond `keep`.
    fn rotate(&mut self) -> io::Result<()> {
        if self.keep == 0 {
            return self.file.set_len(0);
        }
        // Rename only the files below the first free number. A rotation that failed half-way has left a free number,
        // and this one completes it.
        let is_free = |number: &usize| fs::symlink_metadata(self.rotated(*number)).is_err();
        let last = (1..=self.keep).find(is_free).unwrap_or(self.keep);
        for number in (1..last).rev() {
            fs::rename(self.rotated(number), self.rotated(number + 1))?;
        }
        fs::rename(&self.path, self.rotated(1))?;
        self.reopen().map(drop).inspect_err(|_| {
            // Undo the renaming. If that fails, too, further lines are written to FILE.1.
            let _ = fs::rename(self.rotated(1), &self.path);
        })
    }

    fn rotated(&self, number: usize) -> PathBuf {
        let mut name = self.path.clone().into_os_string();
        name.push(format!(".{number}"));
        name.into()
    }

    /// Appends lines to the file, and skips those that fail. Returns the new length of the file.
    fn append(&mut self, batch: &Batch, lines: Range<usize>, mut length: u64, outcome: &mut WriteOutcome) -> u64 {
        let mut first = lines.start;
        while first < lines.end && self.partial.is_none() {
            let rest = first..lines.end;
            let (bytes, fault) = write_all(|bytes| (self.write)(&mut self.file, bytes), batch.bytes(rest.clone()));
            let complete = batch.complete(rest, bytes);
            let complete_bytes = batch.start(first + complete) - batch.start(first);
            outcome.written += complete;
            length += complete_bytes as u64;
            let Some(fault) = fault else { break };
            outcome.fault = Some(fault.to_string());
            if bytes > complete_bytes && self.file.set_len(length).is_err() {
                self.partial = Some(length);
            }
            first += complete + 1;
        }
        length
    }
}

impl Sink for LogFile {
    fn write_batch(&mut self, batch: &Batch) -> WriteOutcome {
        let (mut length, fault) = match self.ready() {
            Ok(ready) => ready,
            Err(error) => return WriteOutcome { written: 0, fault: Some(error.to_string()) },
        };
        let mut outcome = WriteOutcome { written: 0, fault };
        let mut first = 0;
        let mut rotates = true;
        for line in 0..batch.len() {
            let (before, with) = (batch.start(line) - batch.start(first), batch.start(line + 1) - batch.start(first));
            let (before, with) = (length + before as u64, length + with as u64);
            if rotates && before > 0 && with > self.max_bytes {
                length = self.append(batch, first..line, length, &mut outcome);
                first = line;
                // If lines could not be written, the file is shorter than expected and may have enough space.
                let needed = length + (batch.start(line + 1) - batch.start(line)) as u64;
                if length == 0 || needed <= self.max_bytes || self.partial.is_some() {
                    continue;
                }
                match self.rotate() {
                    Ok(()) => length = 0,
                    Err(error) => {
                        outcome.fault = Some(format!("the file cannot be rotated and exceeds its limit: {error}"));
                        rotates = false;
                    }
                }
            }
        }
        self.append(batch, first..batch.len(), length, &mut outcome);
        outcome
    }
}

fn id(metadata: &Metadata) -> (u64, u64) {
    (metadata.dev(), metadata.ino())
}

/// Opens a file to append to it; a new file is accessible to its owner only.
///
/// Locks the file, because two processes that rotate one file would lose lines.
fn open_file(path: &Path) -> io::Result<(File, Metadata)> {
    // O_NONBLOCK keeps the start, and the reopening of a moved file, from waiting for a pipe or a device. O_NOCTTY keeps
    // a terminal from sending its signals to the process. The file is open for reading, too, because `repair` reads it.
    let flags = OFlags::NONBLOCK | OFlags::NOCTTY;
    let mut options = OpenOptions::new();
    options.read(true).append(true).create(true).mode(MODE).custom_flags(flags.bits().cast_signed());
    let file = options.open(path)?;
    // What was opened is checked, not the path, in whose place another program could put something else.
    let metadata = file.metadata()?;
    if metadata.file_type().is_fifo() {
        // Because the server has the pipe open for reading, too, it could not notice that nobody else reads the pipe.
        return Err(io::Error::new(
            ErrorKind::InvalidInput,
            "a pipe cannot be a decision log; name a file, or write to standard output with `-`",
        ));
    }
    // A write to a device may block: it delays only the thread of the log.
    fcntl_setfl(&file, fcntl_getfl(&file)? - OFlags::NONBLOCK)?;
    // Ignore other errors, because some file systems have no locks. Only a lock of another process is an error.
    if metadata.is_file() && matches!(file.try_lock(), Err(TryLockError::WouldBlock)) {
        return Err(io::Error::new(ErrorKind::ResourceBusy, "another process writes to the file"));
    }
    Ok((file, metadata))
}

/// Removes a partial last line.
///
/// Rejects a file that is not a decision log, so that a wrong path never damages a file.
fn repair(file: &mut File, path: &Path) -> io::Result<()> {
    let length = file.metadata()?.len();
    let mut byte = [0];
    if length == 0 {
        return Ok(());
    }
    file.seek(SeekFrom::Start(0))?;
    file.read_exact(&mut byte)?;
    // After a power failure, some file systems return zeros for bytes that were never written.
    if !matches!(byte, [b'{' | 0]) {
        return Err(io::Error::new(ErrorKind::InvalidData, "the file is not a decision log"));
    }
    let mut chunk = vec![0; READ_BYTES];
    let mut end = length;
    while end > 0 {
        let start = end.saturating_sub(READ_BYTES as u64);
        let part = usize::try_from(end - start).ok().and_then(|size| chunk.get_mut(..size)).unwrap_or_default();
        file.seek(SeekFrom::Start(start))?;
        file.read_exact(part)?;
        if let Some(at) = part.iter().rposition(|byte| *byte == b'\n') {
            end = start + at as u64 + 1;
            break;
        }
        end = start;
    }
    if end < length {
        warn!(
            target: LOG_TARGET,
            bytes = length - end,
            "decision log {}: removed an incomplete last line",
            path.display()
        );
        file.set_len(end)?;
    }
    Ok(())
}
