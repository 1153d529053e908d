//! What is read again when its files may have changed: each kind by itself, off the threads that serve, and whatever
//! goes wrong, what was served before still is.

use crate::serving::watch::Watch;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::task::spawn_blocking;
use tracing::{info, warn};

/// The target of this module's log events. Log filters name it, so it stays as it is when the module moves.
const LOG_TARGET: &str = "detente::serving::reload";

/// Something that comes from files.
pub trait Reload: Send + Sync {
    /// What it is, for logs and metrics: `scenarios`, `tls`, `tokens`, `jwks`.
    fn what(&self) -> &'static str;

    /// The folders in which a change may be one of it.
    fn folders(&self) -> Vec<PathBuf>;

    /// Reads the files again, and makes what they hold what is used, as far as it can be. May block.
    fn reload(&self) -> Outcome;
}

/// What came of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// What is otherwise than before, in words. Nothing: the files are as they were.
    pub changed: Vec<String>,
    /// The files that can't be used as they are now.
    pub faults: Vec<Fault>,
}

/// A file that can't be used as it is now.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fault {
    /// The file.
    pub file: String,
    /// What is wrong with it.
    pub message: String,
}

/// What happened so far to one kind of files.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReloadCounts {
    /// How often something was otherwise.
    pub changed: u64,
    /// How often a file was found that can't be used.
    pub failed: u64,
    /// How many files can't be used now.
    pub faulty: u64,
}

/// All that is read again. A clone is the same.
#[derive(Clone)]
pub struct Reloads {
    all: Arc<Vec<One>>,
}

struct One {
    files: Arc<dyn Reload>,
    changed: AtomicU64,
    failed: AtomicU64,
    faults: Mutex<BTreeSet<Fault>>,
}

impl Reloads {
    /// These.
    pub fn new(all: Vec<Arc<dyn Reload>>) -> Self {
        let all = all.into_iter().map(|files| One {
            files,
            changed: AtomicU64::default(),
            failed: AtomicU64::default(),
            faults: Mutex::default(),
        });
        Self { all: Arc::new(all.collect()) }
    }

    /// The folders to watch.
    pub fn folders(&self) -> BTreeSet<PathBuf> {
        self.all.iter().flat_map(|one| one.files.folders()).collect()
    }

    /// What happened so far, by what it is.
    pub fn counts(&self) -> BTreeMap<&'static str, ReloadCounts> {
        let count = |one: &One| ReloadCounts {
            changed: one.changed.load(Relaxed),
            failed: one.failed.load(Relaxed),
            faulty: one.faults.lock().unwrap_or_else(PoisonError::into_inner).len() as u64,
        };
        self.all.iter().map(|one| (one.files.what(), count(one))).collect()
    }

    /// Reads everything again, here and now, and logs what is new.
    pub fn reload(&self) {
        for one in self.all.iter() {
            let what = one.files.what();
            let Outcome { changed, faults } = one.files.reload();
            for change in &changed {
                info!(target: LOG_TARGET, what, "reloaded: {change}");
            }
            one.changed.fetch_add(u64::from(!changed.is_empty()), Relaxed);
            let faults: BTreeSet<Fault> = faults.into_iter().collect();
            let mut before = one.faults.lock().unwrap_or_else(PoisonError::into_inner);
            for fault in faults.difference(&before) {
                one.failed.fetch_add(1, Relaxed);
                warn!(
                    target: LOG_TARGET,
                    what, file = fault.file,
                    "can't be used, what was served before still is: {}",
                    fault.message
                );
            }
            for file in before.iter().map(|fault| &fault.file).collect::<BTreeSet<_>>() {
                if !faults.iter().any(|fault| fault.file == *file) {
                    info!(target: LOG_TARGET, what, file, "is mended, or gone");
                }
            }
            *before = faults;
        }
    }

    /// Waits until `watch` says that something may have changed, and reads everything again.
    pub async fn next(&self, watch: &mut Watch) {
        watch.next().await;
        self.again().await;
    }

    /// Reads everything again, off the threads that serve.
    pub async fn again(&self) {
        let reloads = self.clone();
        if let Err(error) = spawn_blocking(move || reloads.reload()).await {
            warn!(target: LOG_TARGET, %error, "a reload did not end");
        }
    }
}

impl std::fmt::Debug for Reloads {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Reloads").field(&self.counts()).finish()
    }
}
