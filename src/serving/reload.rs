//! Reloads files that may have changed, on a thread that does not serve calls.
//!
//! If a reload fails, the previous content stays in use. Owns the counts and faults of reloads; must not know what the
//! files contain.

use crate::locks::lock;
use crate::serving::watch::Watch;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use tokio::task::spawn_blocking;
use tracing::{info, warn};

/// The target of this module's log events. Log filters name it, so it stays as it is when the module moves.
const LOG_TARGET: &str = "detente::serving::reload";

/// A kind of file that can be reloaded.
pub trait Reload: Send + Sync {
    /// The kind of file, for logs and metrics: `scenarios`, `tls`, `tokens`, `jwks`.
    fn what(&self) -> &'static str;

    /// The folders to watch for changes of these files.
    fn folders(&self) -> Vec<PathBuf>;

    /// Reads the files again and uses their valid content. May block.
    fn reload(&self) -> ReloadOutcome;
}

/// The result of a reload.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReloadOutcome {
    /// A text for the log about each change that is now in use; empty if nothing changed.
    pub changed: Vec<String>,
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

/// Counts of the reloads of one kind of file since the start of the process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReloadCounts {
    /// Reloads that changed something.
    pub changed: u64,
    /// Faults found in files. A fault that several reloads in a row find counts once.
    pub failed: u64,
    /// Files that cannot be used now.
    pub faulty: u64,
}

/// All kinds of files that the server reloads. Clones share their counts and faults.
#[derive(Clone)]
pub struct Reloads {
    entries: Arc<Vec<Entry>>,
}

struct Entry {
    files: Arc<dyn Reload>,
    changed: AtomicU64,
    failed: AtomicU64,
    faults: Mutex<BTreeSet<FileFault>>,
}

impl Reloads {
    /// Creates the set; [`Reloads::reload`] reloads the kinds in this order.
    pub fn new(kinds: Vec<Arc<dyn Reload>>) -> Self {
        let entries = kinds.into_iter().map(|files| Entry {
            files,
            changed: AtomicU64::default(),
            failed: AtomicU64::default(),
            faults: Mutex::default(),
        });
        Self { entries: Arc::new(entries.collect()) }
    }

    /// Returns the folders to watch.
    pub fn folders(&self) -> BTreeSet<PathBuf> {
        self.entries.iter().flat_map(|entry| entry.files.folders()).collect()
    }

    /// Returns the counts by kind of file.
    pub fn counts(&self) -> BTreeMap<&'static str, ReloadCounts> {
        let count = |entry: &Entry| ReloadCounts {
            changed: entry.changed.load(Relaxed),
            failed: entry.failed.load(Relaxed),
            faulty: lock(&entry.faults).len() as u64,
        };
        self.entries.iter().map(|entry| (entry.files.what(), count(entry))).collect()
    }

    /// Reloads every kind of file on the calling thread, and logs changes and new faults.
    pub fn reload(&self) {
        for entry in self.entries.iter() {
            let what = entry.files.what();
            let ReloadOutcome { changed, faults } = entry.files.reload();
            for change in &changed {
                info!(target: LOG_TARGET, what, "reloaded: {change}");
            }
            entry.changed.fetch_add(u64::from(!changed.is_empty()), Relaxed);
            let faults: BTreeSet<FileFault> = faults.into_iter().collect();
            let mut before = lock(&entry.faults);
            for fault in faults.difference(&before) {
                entry.failed.fetch_add(1, Relaxed);
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

    /// Waits until `watch` reports that files may have changed, then reloads every kind of file.
    pub async fn reload_on_change(&self, watch: &mut Watch) {
        watch.next().await;
        self.reload_in_background().await;
    }

    /// Reloads every kind of file on a blocking thread.
    pub async fn reload_in_background(&self) {
        let reloads = self.clone();
        if let Err(error) = spawn_blocking(move || reloads.reload()).await {
            warn!(target: LOG_TARGET, %error, "a reload was aborted");
        }
    }
}

impl std::fmt::Debug for Reloads {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Reloads").field(&self.counts()).finish()
    }
}
