//! Reloads files that may have changed, each kind of file apart from the others.
//!
//! If a reload fails, the previous content stays in use. Each kind has a watch, and at most one reload at a time, which
//! runs on a thread of its own: no kind waits for another one, for the threads that serve calls, or for jobs on tokio's
//! blocking threads. So a revoked token is refused on time, even while a large scenario is compiled or a file system
//! hangs. Owns the counts, times and faults of reloads; must not know what the files contain.

use crate::locks::lock;
use crate::serving::watch::{ReloadTrigger, Watch, WatchError};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout};
use tracing::{info, warn};

/// The target of this module's log events. Log filters name it, so it stays as it is when the module moves.
const LOG_TARGET: &str = "detente::serving::reload";

/// Time after which a reload that is still running is reported.
///
/// Reading credentials takes half a second, and a scenario file less than ten: a reload that takes longer usually waits
/// for a file system that does not answer. Nothing can interrupt such a wait, so the reload is left on its thread, and
/// the next one of its kind begins when it has ended.
pub const MAX_RELOAD_TIME: Duration = Duration::from_secs(10);

/// A kind of file that can be reloaded.
pub trait Reload: Send + Sync {
    /// The kind of file, for logs and metrics: `scenarios`, `tls`, `tokens`, `jwks`.
    fn what(&self) -> &'static str;

    /// The folders to watch for changes of these files.
    fn folders(&self) -> Vec<PathBuf>;

    /// Reads the files again and uses their valid content. May block.
    fn reload(&self, trigger: ReloadTrigger) -> ReloadOutcome;

    /// Returns the time after which the files must be reloaded even if they do not change; `None`, the default, for no
    /// such time.
    fn reload_within(&self) -> Option<Duration> {
        None
    }
}

/// The result of a reload.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReloadOutcome {
    /// A text for the log about each change that is now in use; empty if nothing changed.
    pub changed: Vec<String>,
    /// A text for the log about each change that an operator should look at, although no file has a fault.
    pub warnings: Vec<String>,
    /// Files that cannot be used in their current state.
    pub faults: Vec<FileFault>,
}

/// A file that cannot be used in its current state.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct FileFault {
    /// Path of the file, or paths of files that are used together.
    pub file: String,
    /// What is wrong with the file.
    pub message: String,
}

/// Counts and times of the reloads of one kind of file since the start of the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReloadCounts {
    /// Reloads that changed something.
    pub changed: u64,
    /// Faults found in files, and reloads that ended with a panic. A fault that several reloads in a row find counts
    /// once.
    pub failed: u64,
    /// Reloads that took longer than [`MAX_RELOAD_TIME`].
    pub overdue: u64,
    /// Files that cannot be used now.
    pub faulty: u64,
    /// When the last reload ended; before the first one, when the files were read at the start. In seconds since 1970.
    pub completed: u64,
    /// When the reload that is running now began, in seconds since 1970; 0 if none is running.
    pub running_since: u64,
}

/// All kinds of files that the server reloads. Clones share their counts and faults.
#[derive(Clone)]
pub struct Reloads {
    entries: Vec<Arc<Entry>>,
}

/// Reloads one kind of file.
#[derive(Debug)]
pub struct Reloader {
    entry: Arc<Entry>,
    watch: Watch,
}

struct Entry {
    files: Arc<dyn Reload>,
    changed: AtomicU64,
    failed: AtomicU64,
    overdue: AtomicU64,
    completed: AtomicU64,
    running_since: AtomicU64,
    faults: Mutex<BTreeSet<FileFault>>,
}

impl Reloads {
    /// Creates the set of these kinds, whose files have just been read.
    pub fn new(kinds: Vec<Arc<dyn Reload>>) -> Self {
        let entries = kinds.into_iter().map(|files| {
            Arc::new(Entry {
                files,
                changed: AtomicU64::default(),
                failed: AtomicU64::default(),
                overdue: AtomicU64::default(),
                completed: AtomicU64::new(now()),
                running_since: AtomicU64::default(),
                faults: Mutex::default(),
            })
        });
        Self { entries: entries.collect() }
    }

    /// Begins to watch the files, and returns what reloads each kind. `interval` is the time after which files are read
    /// again in any case; `None` for never.
    ///
    /// # Errors
    /// If the handler of SIGHUP cannot be installed.
    pub fn watch(&self, interval: Option<Duration>) -> Result<Vec<Reloader>, WatchError> {
        let reloader = |entry: &Arc<Entry>| {
            let folders = entry.files.folders().into_iter().collect();
            Ok(Reloader { entry: entry.clone(), watch: Watch::new(&folders, interval)? })
        };
        self.entries.iter().map(reloader).collect()
    }

    /// Returns the counts by kind of file.
    pub fn counts(&self) -> BTreeMap<&'static str, ReloadCounts> {
        let count = |entry: &Entry| ReloadCounts {
            changed: entry.changed.load(Relaxed),
            failed: entry.failed.load(Relaxed),
            overdue: entry.overdue.load(Relaxed),
            faulty: lock(&entry.faults).len() as u64,
            completed: entry.completed.load(Relaxed),
            running_since: entry.running_since.load(Relaxed),
        };
        self.entries.iter().map(|entry| (entry.files.what(), count(entry))).collect()
    }
}

impl Reloader {
    /// Waits until the files may have changed, then reloads them.
    pub async fn reload_on_change(&mut self) {
        let trigger = self.watch.next(self.entry.files.reload_within()).await;
        self.reload(trigger).await;
    }

    /// Reloads the files on a thread of its own, and waits until it has ended, however long that takes.
    pub async fn reload(&mut self, trigger: ReloadTrigger) {
        let (entry, what, begun) = (&self.entry, self.entry.files.what(), Instant::now());
        let (end, mut ended) = oneshot::channel();
        let (running, folders) = (entry.clone(), self.watch.folders());
        entry.running_since.store(now(), Relaxed);
        let thread = thread::Builder::new().name(format!("reload-{what}")).spawn(move || {
            folders.watch_again();
            running.reload(trigger);
            // The receiver is gone if the server has ended.
            let _ = end.send(());
        });
        let outcome = match thread {
            Err(error) => Err(format!("cannot start a thread: {error}")),
            Ok(_) => {
                let outcome = match timeout(MAX_RELOAD_TIME, &mut ended).await {
                    Ok(outcome) => outcome,
                    Err(_) => {
                        entry.overdue.fetch_add(1, Relaxed);
                        let seconds = MAX_RELOAD_TIME.as_secs();
                        warn!(
                            target: LOG_TARGET,
                            what,
                            "a reload has been running for {seconds} s; the previous content stays in use, and no \
                             other reload of these files begins before it ends: check the file system that they are on"
                        );
                        let outcome = ended.await;
                        let seconds = begun.elapsed().as_secs();
                        info!(target: LOG_TARGET, what, "the reload that took too long has ended after {seconds} s");
                        outcome
                    }
                };
                outcome.map_err(|_| "the thread ended with a panic".to_owned())
            }
        };
        entry.running_since.store(0, Relaxed);
        match outcome {
            Ok(()) => entry.completed.store(now(), Relaxed),
            Err(error) => {
                entry.failed.fetch_add(1, Relaxed);
                warn!(target: LOG_TARGET, what, error, "a reload was aborted; the previous content stays in use");
            }
        }
    }
}

impl Entry {
    /// Reloads the files on the calling thread, and logs changes and new faults.
    fn reload(&self, trigger: ReloadTrigger) {
        let what = self.files.what();
        let ReloadOutcome { changed, warnings, faults } = self.files.reload(trigger);
        for change in &changed {
            info!(target: LOG_TARGET, what, "reloaded: {change}");
        }
        for warning in &warnings {
            warn!(target: LOG_TARGET, what, "{warning}");
        }
        self.changed.fetch_add(u64::from(!changed.is_empty()), Relaxed);
        let faults: BTreeSet<FileFault> = faults.into_iter().collect();
        let mut before = lock(&self.faults);
        for fault in faults.difference(&before) {
            self.failed.fetch_add(1, Relaxed);
            warn!(
                target: LOG_TARGET,
                what, file = fault.file,
                "cannot be used, so its last valid content, if any, stays in use: {}",
                fault.message
            );
        }
        for file in before.iter().map(|fault| &fault.file).collect::<BTreeSet<_>>() {
            if !faults.iter().any(|fault| fault.file == *file) {
                info!(target: LOG_TARGET, what, file, "is usable again, or removed");
            }
        }
        *before = faults;
    }
}

/// Returns the time in seconds since 1970.
fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

impl std::fmt::Debug for Reloads {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Reloads").field(&self.counts()).finish()
    }
}

impl std::fmt::Debug for Entry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Entry").field("what", &self.files.what()).finish_non_exhaustive()
    }
}
