//! Where lines go: a file that is rotated and healed, or a stream that can only be written to.

use crate::serving::decisions::batch::{Batch, Put, Sink};
use std::fs::{self, File, Metadata, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};
use std::ops::Range;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};
use tracing::warn;

/// The target of this module's log events. Log filters name it, so it stays as it is when the module moves.
const LOG_TARGET: &str = "detente::serving::decisions::file";

/// For its owner only: what negotiators draft is nobody else's business.
const MODE: u32 = 0o600;
const READ_BYTES: usize = 64 * 1024;

/// How bytes get into a file: what tests replace to have it fail in the middle.
pub(super) type WriteBytes = Box<dyn FnMut(&mut File, &[u8]) -> io::Result<usize> + Send>;

/// Opens what a path names: a file, or a device or pipe, which is neither rotated nor healed.
pub(super) fn open(path: &Path, max_bytes: u64, keep: usize) -> io::Result<Box<dyn Sink>> {
    let (file, metadata) = open_file(path)?;
    if !metadata.is_file() {
        return Ok(Box::new(Stream::new(file)));
    }
    Ok(Box::new(LogFile::of(path, file, &metadata, max_bytes, keep)?))
}

/// Writes all that can be written, and says how much that was, and what went wrong then.
fn write_all(mut write: impl FnMut(&[u8]) -> io::Result<usize>, mut bytes: &[u8]) -> (usize, Option<io::Error>) {
    let (all, begun) = (bytes.len(), Instant::now());
    while !bytes.is_empty() {
        let fault = match write(bytes) {
            Ok(0) => io::Error::from(ErrorKind::WriteZero),
            Ok(written) => {
                bytes = bytes.get(written..).unwrap_or_default();
                continue;
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            // A pipe whose other users want it so.
            Err(error) if error.kind() == ErrorKind::WouldBlock && begun.elapsed() < STUCK => {
                sleep(Duration::from_millis(10));
                continue;
            }
            Err(error) => error,
        };
        return (all - bytes.len(), Some(fault));
    }
    (all, None)
}

/// So long it is tried again where writing would block.
const STUCK: Duration = Duration::from_secs(5);

/// What can only be written to.
pub(super) struct Stream<W> {
    out: W,
    /// The last line that was begun has no end.
    torn: bool,
}

impl<W> Stream<W> {
    pub(super) fn new(out: W) -> Self {
        Self { out, torn: false }
    }
}

impl<W: Write + Send> Sink for Stream<W> {
    fn put(&mut self, batch: &Batch) -> Put {
        let (mut put, mut first) = (Put::default(), 0);
        while first < batch.len() {
            if self.torn {
                // What was begun can't be taken back: it ends here, as a line that is no JSON.
                let (_, fault) = write_all(|bytes| self.out.write(bytes), b"\n");
                self.torn = fault.is_some();
                if let Some(fault) = fault {
                    put.fault = Some(fault.to_string());
                    first += 1;
                    continue;
                }
            }
            let lines = first..batch.len();
            let (bytes, fault) = write_all(|bytes| self.out.write(bytes), batch.bytes(lines.clone()));
            let whole = batch.whole(lines, bytes);
            put.written += whole;
            let Some(fault) = fault else { break };
            self.torn = bytes > batch.begin(first + whole) - batch.begin(first);
            put.fault = Some(fault.to_string());
            first += whole + 1;
        }
        put
    }
}

/// A file of whole lines.
pub(super) struct LogFile {
    path: PathBuf,
    file: File,
    /// Device and number: whether the path still leads to it.
    id: (u64, u64),
    max_bytes: u64,
    keep: usize,
    /// Where whole lines end, while what follows could not be cut off.
    torn: Option<u64>,
    write: WriteBytes,
}

impl LogFile {
    fn of(path: &Path, mut file: File, metadata: &Metadata, max_bytes: u64, keep: usize) -> io::Result<Self> {
        heal(&mut file, path)?;
        // Rotation renames the file itself, not a link that leads to it.
        let path = fs::canonicalize(path)?;
        let write: WriteBytes = Box::new(|file, bytes| file.write(bytes));
        Ok(Self { path, file, id: id(metadata), max_bytes, keep, torn: None, write })
    }

    /// The same, written to in another way.
    #[cfg(test)]
    pub(super) fn open(path: &Path, max_bytes: u64, keep: usize, write: WriteBytes) -> io::Result<Self> {
        let (file, metadata) = open_file(path)?;
        Ok(Self { write, ..Self::of(path, file, &metadata, max_bytes, keep)? })
    }

    /// Sees to it that there is a file of whole lines at the path. Gives its length, and what went wrong though it can
    /// be written to.
    fn ready(&mut self) -> io::Result<(u64, Option<String>)> {
        let mut length = self.file.metadata()?.len();
        if let Some(whole) = self.torn {
            if length > whole {
                self.file.set_len(whole)?;
                length = whole;
            }
            self.torn = None;
        }
        let is_here = match fs::metadata(&self.path) {
            Ok(there) => id(&there) == self.id,
            Err(error) => error.kind() != ErrorKind::NotFound,
        };
        if is_here {
            return Ok((length, None));
        }
        // Somebody moved it, or took it away.
        match self.reopen() {
            Ok(length) => Ok((length, None)),
            Err(error) if self.file.metadata()?.nlink() == 0 => Err(error),
            Err(error) => Ok((length, Some(format!("the file was moved, and no other can be opened: {error}")))),
        }
    }

    fn reopen(&mut self) -> io::Result<u64> {
        let (mut file, metadata) = open_file(&self.path)?;
        if !metadata.is_file() {
            return Err(io::Error::new(ErrorKind::InvalidInput, "it is not a file"));
        }
        heal(&mut file, &self.path)?;
        let length = file.metadata()?.len();
        (self.file, self.id) = (file, id(&metadata));
        Ok(length)
    }

    /// FILE becomes FILE.1, and so on; what is kept longest goes.
    fn rotate(&mut self) -> io::Result<()> {
        if self.keep == 0 {
            return self.file.set_len(0);
        }
        // No further than to the first gap: a rotation that failed half-way leaves one, and is done again later.
        let is_free = |number: &usize| fs::symlink_metadata(self.rotated(*number)).is_err();
        let last = (1..=self.keep).find(is_free).unwrap_or(self.keep);
        for number in (1..last).rev() {
            fs::rename(self.rotated(number), self.rotated(number + 1))?;
        }
        fs::rename(&self.path, self.rotated(1))?;
        self.reopen().map(drop).inspect_err(|_| {
            // It goes on as it was. Where even that fails, what is written goes to FILE.1.
            let _ = fs::rename(self.rotated(1), &self.path);
        })
    }

    fn rotated(&self, number: usize) -> PathBuf {
        let mut name = self.path.clone().into_os_string();
        name.push(format!(".{number}"));
        name.into()
    }

    /// Writes lines at the end of the file, the faulty ones passed over. Gives the length it has then.
    fn append(&mut self, batch: &Batch, lines: Range<usize>, mut length: u64, put: &mut Put) -> u64 {
        let mut first = lines.start;
        while first < lines.end && self.torn.is_none() {
            let rest = first..lines.end;
            let (bytes, fault) = write_all(|bytes| (self.write)(&mut self.file, bytes), batch.bytes(rest.clone()));
            let whole = batch.whole(rest, bytes);
            let whole_bytes = batch.begin(first + whole) - batch.begin(first);
            put.written += whole;
            length += whole_bytes as u64;
            let Some(fault) = fault else { break };
            put.fault = Some(fault.to_string());
            if bytes > whole_bytes && self.file.set_len(length).is_err() {
                self.torn = Some(length);
            }
            first += whole + 1;
        }
        length
    }
}

impl Sink for LogFile {
    fn put(&mut self, batch: &Batch) -> Put {
        let (mut length, fault) = match self.ready() {
            Ok(ready) => ready,
            Err(error) => return Put { written: 0, fault: Some(error.to_string()) },
        };
        let mut put = Put { written: 0, fault };
        let mut first = 0;
        let mut rotates = true;
        for line in 0..batch.len() {
            let (before, with) = (batch.begin(line) - batch.begin(first), batch.begin(line + 1) - batch.begin(first));
            let (before, with) = (length + before as u64, length + with as u64);
            if rotates && before > 0 && with > self.max_bytes {
                length = self.append(batch, first..line, length, &mut put);
                first = line;
                // What could not be written may have left room.
                let needed = length + (batch.begin(line + 1) - batch.begin(line)) as u64;
                if length == 0 || needed <= self.max_bytes || self.torn.is_some() {
                    continue;
                }
                match self.rotate() {
                    Ok(()) => length = 0,
                    Err(error) => {
                        put.fault = Some(format!("the file cannot be rotated, and grows: {error}"));
                        rotates = false;
                    }
                }
            }
        }
        self.append(batch, first..batch.len(), length, &mut put);
        put
    }
}

fn id(metadata: &Metadata) -> (u64, u64) {
    (metadata.dev(), metadata.ino())
}

/// Opens a file to append to it, a new one for its owner only. Nobody else may be writing to it: two who rotate one
/// file lose lines.
fn open_file(path: &Path) -> io::Result<(File, Metadata)> {
    // To be read, too: its end is looked at; and so a pipe that nobody reads yet doesn't keep us here.
    let file = OpenOptions::new().read(true).append(true).create(true).mode(MODE).open(path)?;
    let metadata = file.metadata()?;
    // Not every file can be locked; that two write to one is told where it can.
    if metadata.is_file() && matches!(file.try_lock(), Err(TryLockError::WouldBlock)) {
        return Err(io::Error::new(ErrorKind::ResourceBusy, "another process writes to it"));
    }
    Ok((file, metadata))
}

/// Cuts off a line without an end. Whoever named a file that is not a log did so by mistake: nothing is cut off it.
fn heal(file: &mut File, path: &Path) -> io::Result<()> {
    let length = file.metadata()?.len();
    let mut byte = [0];
    if length == 0 {
        return Ok(());
    }
    file.seek(SeekFrom::Start(0))?;
    file.read_exact(&mut byte)?;
    // After a power cut some file systems have zeros where nothing was written yet.
    if !matches!(byte, [b'{' | 0]) {
        return Err(io::Error::new(ErrorKind::InvalidData, "it is not a decision log"));
    }
    let mut chunk = vec![0; READ_BYTES];
    let mut end = length;
    while end > 0 {
        let begin = end.saturating_sub(READ_BYTES as u64);
        let part = usize::try_from(end - begin).ok().and_then(|size| chunk.get_mut(..size)).unwrap_or_default();
        file.seek(SeekFrom::Start(begin))?;
        file.read_exact(part)?;
        if let Some(at) = part.iter().rposition(|byte| *byte == b'\n') {
            end = begin + at as u64 + 1;
            break;
        }
        end = begin;
    }
    if end < length {
        warn!(
            target: LOG_TARGET,
            bytes = length - end,
            "the decision log, {}: its last line has no end, and is cut off",
            path.display()
        );
        file.set_len(end)?;
    }
    Ok(())
}
