//! The decision log: what was asked, and what was found, a JSON line a decision, for who has to account for it later.
//!
//! It never slows a call. A call hands over a closure, which goes into a bounded queue or is dropped and counted; the
//! line is made, masked and written on a thread of the log's own. Who stops reading, a full disk, a folder that is gone:
//! all that is counted and told, and none of it reaches a call.
//!
//! What is promised of a file: it always is whole lines; nothing is lost where it is rotated, by this program or by
//! another (logrotate, with or without `copytruncate`). What is not: that a line outlives a power cut (nothing is
//! synced), or is there at once (lines are gathered for up to 10 ms). One process writes to a file: it is
//! locked, and a second one is refused at its start.

mod batch;
mod file;
mod lines;
mod mask;
mod outline;
mod queue;

pub use mask::{FIELDS, Mask, MaskError};
pub use outline::Outline;

use batch::Sink;
use file::Stream;
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

/// What lines in the queue may hold in all, in bytes, as far as their callers say ([`DecisionLog::offer_holding`]).
pub const MAX_HELD_BYTES: usize = 64 * 1024 * 1024;
/// The longest line that is written, in bytes. Of a longer one the request is left out, and `left_out` says so.
pub const MAX_LINE_BYTES: usize = 1024 * 1024;
/// How long the end of a program waits for a log that nobody ended.
const LAST_MOMENT: Duration = Duration::from_secs(2);

/// Where decisions are written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// A file, to which they are appended.
    File(PathBuf),
    /// Standard output.
    Stdout,
}

/// What is logged, and where.
#[derive(Clone, Debug)]
pub struct DecisionSettings {
    /// Where.
    pub target: Target,
    /// The file is rotated when a line would make it longer. Standard output, devices and pipes never are.
    pub max_bytes: u64,
    /// How many rotated files are kept: FILE.1 is the newest. Without any, a full file is emptied.
    pub keep: usize,
    /// The share of decisions that are logged, from 0 to 1.
    pub sample: f64,
    /// What is not told.
    pub mask: Vec<Mask>,
    /// How many lines may wait; at least one.
    pub queue: usize,
}

impl DecisionSettings {
    /// 64 MiB a file and 5 besides; every decision, and all of it; 4096 may wait.
    pub fn to(target: Target) -> Self {
        Self { target, max_bytes: 64 * 1024 * 1024, keep: 5, sample: 1.0, mask: Vec::new(), queue: 4096 }
    }
}

/// What has become of decisions so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DecisionCounts {
    /// Lines written.
    pub written: u64,
    /// Lines not taken: too many waited, or the log had ended.
    pub dropped: u64,
    /// Lines that could not be made or written.
    pub failed: u64,
    /// Decisions that the sampling left out.
    pub left_out: u64,
}

/// A log of decisions; clones are one log.
#[derive(Clone, Debug)]
pub struct DecisionLog(Arc<Log>);

#[derive(Debug)]
struct Log {
    queue: Arc<Queue>,
    sampling: Sampling,
    /// The one that writes.
    thread: ThreadId,
}

impl DecisionLog {
    /// Opens the file, which is created for its owner only, and begins. A file that is there is appended to. A line
    /// without an end at its end, as a crash leaves it, is cut off, so that what follows can be read; a file that
    /// does not begin like a log is left alone.
    ///
    /// # Errors
    /// A file that cannot be written to, is not a log, or that another process writes to; a share that is none.
    pub fn open(settings: DecisionSettings) -> io::Result<Self> {
        let DecisionSettings { target, max_bytes, keep, sample, mask, queue } = settings;
        let (name, sink): (String, Box<dyn Sink>) = match target {
            Target::Stdout => {
                // Not through std's buffer, which keeps the end of a line that could not be written.
                let stdout = File::from(io::stdout().as_fd().try_clone_to_owned()?);
                ("standard output".to_owned(), Box::new(Stream::new(stdout)))
            }
            Target::File(path) => (path.display().to_string(), file::open(&path, max_bytes, keep)?),
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

    /// Whether the decision at hand is to be logged: asked before anything is done for it. One that is not is counted.
    pub fn wants(&self) -> bool {
        self.0.sampling.wants()
    }

    /// Hands a line over, to be made on the log's thread. Never waits for one to be written.
    pub fn offer(&self, line: impl FnOnce() -> Value + Send + 'static) {
        self.offer_holding(0, line);
    }

    /// The same, of a line that keeps about so many bytes of memory until it is made: no more than [`MAX_HELD_BYTES`]
    /// wait.
    pub fn offer_holding(&self, bytes: usize, line: impl FnOnce() -> Value + Send + 'static) {
        self.0.queue.offer(bytes, Box::new(line));
    }

    /// What has become of decisions so far. Those in the queue are in none of the counts.
    pub fn counts(&self) -> DecisionCounts {
        DecisionCounts { left_out: self.0.sampling.left_out.load(Relaxed), ..self.0.queue.counts() }
    }

    /// Ends it: no more is taken, and what waits is written, for so long at most. What is not written by then counts:
    /// as failed what was in hand, as dropped what waited. The last clone does the same when it goes.
    pub fn end(&self, within: Duration) {
        self.0.end(within);
    }
}

impl Log {
    fn end(&self, within: Duration) {
        // A line that holds the last clone of its log ends it on the thread that would be waited for.
        let within = if thread::current().id() == self.thread { Duration::ZERO } else { within };
        self.queue.end(within);
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        self.end(LAST_MOMENT);
    }
}

/// Chooses a share of decisions, by chance: callers must not be able to tell which.
#[derive(Debug)]
struct Sampling {
    /// `None`: every one.
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
