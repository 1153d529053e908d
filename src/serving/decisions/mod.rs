//! The decision log: one JSON line for each evaluation of a proposal (a decision), with its request and its result.
//!
//! The log never slows a call. A call passes a closure to a bounded queue, which drops and counts the closure if the
//! queue is full. A thread of the log runs the closure, which creates the line, masks confidential values in the line
//! (replaces them by the word `masked`), and writes it. If a line cannot be written, because of a full disk, a missing
//! folder or a pipe that is not read, this is counted and reported, and never affects a call. Must not know how
//! proposals are evaluated.
//!
//! Guarantees for a file: it consists of complete lines at any time, and rotation loses no line, whether by this
//! program or by another one (logrotate, with or without `copytruncate`). Not guaranteed: that a line survives a power
//! failure (the log never syncs), or that it appears at once (lines are gathered for up to 10 ms). Only one process
//! writes to a file, because the file is locked; a second process fails at its start.

mod batch;
mod file;
mod lines;
mod mask;
mod outline;
mod queue;

pub use batch::MAX_LINE_BYTES;
pub use mask::{FIELDS, Mask, MaskError, RequestPath};
pub use outline::Outline;
pub use queue::{DecisionCounts, MAX_HELD_BYTES};

use batch::Sink;
use file::AppendOnlySink;
use lines::Writer;
use queue::Queue;
use serde_json::Value;
use std::fs::File;
use std::io::{self, ErrorKind};
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::thread::{self, ThreadId};
use std::time::Duration;

/// Maximum time that the drop of a log's last clone waits until the queued lines are written.
const DROP_TIMEOUT: Duration = Duration::from_secs(2);

/// The destination of the decision log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DecisionTarget {
    /// A file, to which lines are appended.
    File(PathBuf),
    /// Standard output.
    Stdout,
}

/// Settings of the decision log.
#[derive(Clone, Debug)]
pub struct DecisionSettings {
    /// Destination of the lines.
    pub target: DecisionTarget,
    /// Size of the file, in bytes, beyond which it is rotated; 64 MiB by default.
    ///
    /// Standard output and devices are not rotated.
    pub max_bytes: u64,
    /// Number of rotated files to keep, 5 by default; FILE.1 is the newest. If it is 0, a full file is emptied.
    pub keep: usize,
    /// Share of decisions that are logged, from 0 to 1; 1 by default.
    pub sample: f64,
    /// Paths of the values that are replaced because they are confidential; none by default.
    pub mask: Vec<Mask>,
    /// Maximum number of lines that wait to be written, at least 1; 4096 by default.
    pub queue: usize,
}

impl DecisionSettings {
    /// Creates the default settings for a destination.
    pub fn to(target: DecisionTarget) -> Self {
        Self { target, max_bytes: 64 * 1024 * 1024, keep: 5, sample: 1.0, mask: Vec::new(), queue: 4096 }
    }
}

/// A decision log. Clones share it.
#[derive(Clone, Debug)]
pub struct DecisionLog(Arc<Log>);

#[derive(Debug)]
struct Log {
    queue: Arc<Queue>,
    sampling: Sampling,
    /// The thread that writes the lines.
    thread: ThreadId,
}

impl DecisionLog {
    /// Opens the destination and starts the log's thread.
    ///
    /// A new file is accessible to its owner only; an existing one is appended to. If a crash has left a partial last
    /// line, it is removed, so that later lines can be read. A file that does not begin like a decision log is left as
    /// it is.
    ///
    /// # Errors
    /// If the file cannot be written to, is not a decision log or is locked by another process, or if the share of
    /// decisions to log is not within 0 to 1.
    pub fn open(settings: DecisionSettings) -> io::Result<Self> {
        let DecisionSettings { target, max_bytes, keep, sample, mask, queue } = settings;
        let (name, sink): (String, Box<dyn Sink>) = match target {
            DecisionTarget::Stdout => {
                // Bypass the buffer of the standard library. It would keep the rest of a line that could not be
                // written, and write it later, although the line counts as failed.
                let stdout = File::from(io::stdout().as_fd().try_clone_to_owned()?);
                ("standard output".to_owned(), Box::new(AppendOnlySink::new(stdout)))
            }
            DecisionTarget::File(path) => (path.display().to_string(), file::open(&path, max_bytes, keep)?),
        };
        Self::start(name, sink, sample, mask, queue)
    }

    fn start(name: String, sink: Box<dyn Sink>, sample: f64, mask: Vec<Mask>, most: usize) -> io::Result<Self> {
        let sampling = Sampling::new(sample)?;
        let queue = Arc::new(Queue::new(most));
        let writer = Writer::new(name, queue.clone(), sink, mask);
        let thread = thread::Builder::new().name("decisions".to_owned()).spawn(move || writer.run())?;
        Ok(Self(Arc::new(Log { queue, sampling, thread: thread.thread().id() })))
    }

    /// Decides whether to log a decision, and counts it as left out if not.
    ///
    /// Call it before any other work for the line.
    pub fn wants(&self) -> bool {
        self.0.sampling.wants()
    }

    /// Queues a line, which the closure `line` creates later on the log's thread. Never waits for the writer.
    pub fn offer(&self, line: impl FnOnce() -> Value + Send + 'static) {
        self.offer_holding(0, line);
    }

    /// Queues a line as [`DecisionLog::offer`] does.
    ///
    /// `bytes` is an estimate of the memory that `line` takes until it is called. If all waiting lines together would
    /// take more than [`MAX_HELD_BYTES`], the line is dropped.
    pub fn offer_holding(&self, bytes: usize, line: impl FnOnce() -> Value + Send + 'static) {
        self.0.queue.offer(bytes, Box::new(line));
    }

    /// Returns the counts so far; waiting lines are in none of them.
    pub fn counts(&self) -> DecisionCounts {
        DecisionCounts { left_out: self.0.sampling.left_out.load(Relaxed), ..self.0.queue.counts() }
    }

    /// Ends the log: accepts no more lines, and waits up to `within` until the waiting ones are written.
    ///
    /// After that time, lines that the log's thread is writing count as failed, and waiting lines as dropped. Dropping
    /// the last clone ends the log, too.
    pub fn end(&self, within: Duration) {
        self.0.end(within);
    }
}

impl Log {
    fn end(&self, within: Duration) {
        // If a queued line owns the last clone of the log, the log ends on its own thread, which must not wait for
        // itself.
        let within = if thread::current().id() == self.thread { Duration::ZERO } else { within };
        self.queue.end(within);
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        self.end(DROP_TIMEOUT);
    }
}

/// Chooses a share of decisions at random, so that callers cannot tell which decisions are logged.
#[derive(Debug)]
struct Sampling {
    /// `None` if all decisions are logged.
    share: Option<f64>,
    left_out: AtomicU64,
}

impl Sampling {
    fn new(share: f64) -> io::Result<Self> {
        if !(0.0..=1.0).contains(&share) {
            return Err(io::Error::new(ErrorKind::InvalidInput, format!("{share} is not a share from 0 to 1")));
        }
        let share = (share < 1.0).then_some(share);
        Ok(Self { share, left_out: AtomicU64::new(0) })
    }

    fn wants(&self) -> bool {
        let Some(share) = self.share else { return true };
        let wanted = fastrand::f64() < share;
        if !wanted {
            self.left_out.fetch_add(1, Relaxed);
        }
        wanted
    }
}

#[cfg(test)]
mod tests;
