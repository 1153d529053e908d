//! When files may have changed: told by the system, by a signal, or by the clock.
//!
//! What the system tells is a hint, never more: some changes it doesn't tell (those behind a link that leads elsewhere,
//! those of network file systems), so that everything is looked at again now and then.

use notify::event::{AccessKind, AccessMode};
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher, recommended_watcher};
use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf, absolute};
use std::sync::Arc;
use std::time::Duration;
use thiserror::Error;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, timeout};
use tracing::{debug, warn};

/// After a change it is waited until it has been quiet for so long: changes come in groups.
const QUIET: Duration = Duration::from_millis(100);
/// But not for longer than this.
const LONGEST: Duration = Duration::from_secs(2);

/// Changes can't be noticed.
#[derive(Debug, Error)]
pub enum WatchError {
    /// SIGHUP is not to be had.
    #[error("SIGHUP can't be watched: {0}")]
    Signal(#[from] io::Error),
}

/// Tells when files may have changed.
#[derive(Debug)]
pub struct Watch {
    told: Arc<Notify>,
    hangup: Signal,
    /// `None`: never by time.
    interval: Option<Duration>,
    folders: BTreeSet<PathBuf>,
    // The watching ends with it.
    watcher: Option<RecommendedWatcher>,
}

impl Watch {
    /// Watches these folders, SIGHUP and the clock. Where the system won't tell of changes, that is logged, and the rest
    /// is watched.
    ///
    /// # Errors
    /// If SIGHUP can't be watched.
    pub fn new(folders: &BTreeSet<PathBuf>, interval: Option<Duration>) -> Result<Self, WatchError> {
        let hangup = signal(SignalKind::hangup())?;
        let told = Arc::new(Notify::new());
        // The system tells of whole paths.
        let folders = &folders.iter().map(absolute).collect::<Result<BTreeSet<_>, _>>()?;
        let watcher = watcher(folders.clone(), told.clone()).inspect_err(|error| {
            let every = interval.map_or_else(|| "on SIGHUP only".to_owned(), |interval| format!("every {interval:?}"));
            warn!(%error, "the system does not tell of changed files: they are looked at {every}");
        });
        Ok(Self { told, hangup, interval, folders: folders.clone(), watcher: watcher.ok() })
    }

    /// Waits until something may have changed.
    pub async fn next(&mut self) {
        let clock = async {
            match self.interval {
                Some(interval) => sleep(interval).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = clock => debug!("files are looked at again: it is time"),
            _ = self.hangup.recv() => debug!("files are looked at again: SIGHUP"),
            () = self.told.notified() => {
                let until = Instant::now() + LONGEST;
                while Instant::now() < until && timeout(QUIET, self.told.notified()).await.is_ok() {}
                debug!("files are looked at again: a folder has changed");
            }
        }
        // A folder that was put in the place of another is another one to the system. Before anybody looks, so that
        // nothing is missed after.
        if let Some(watcher) = &mut self.watcher {
            for folder in &self.folders {
                let _ = watcher.unwatch(folder);
                if let Err(error) = watcher.watch(folder, RecursiveMode::NonRecursive) {
                    debug!(%error, folder = %folder.display(), "a folder can't be watched now");
                }
            }
        }
    }
}

/// Tells of changes in these folders, and of those folders themselves, in the folders that they are in.
fn watcher(folders: BTreeSet<PathBuf>, told: Arc<Notify>) -> notify::Result<RecommendedWatcher> {
    let around: BTreeSet<PathBuf> = folders.iter().map(|folder| folder_of(folder)).collect();
    let watched = folders.clone();
    let is_ours = move |path: &PathBuf| folders.contains(path) || path.parent().is_some_and(|of| folders.contains(of));
    let mut watcher = recommended_watcher(move |event: notify::Result<Event>| {
        if event.is_ok_and(|event| is_change(&event.kind) && event.paths.iter().any(&is_ours)) {
            told.notify_one();
        }
    })?;
    for folder in around.iter().filter(|folder| !watched.contains(*folder)) {
        // It may be one that can't be read: the folder itself is what matters.
        if let Err(error) = watcher.watch(folder, RecursiveMode::NonRecursive) {
            debug!(%error, folder = %folder.display(), "a folder can't be watched");
        }
    }
    for folder in &watched {
        watcher.watch(folder, RecursiveMode::NonRecursive)?;
    }
    Ok(watcher)
}

/// Looking at a file changes nothing; else each look would be followed by another.
fn is_change(kind: &EventKind) -> bool {
    !matches!(kind, EventKind::Access(access) if *access != AccessKind::Close(AccessMode::Write))
}

/// The folder that a file is in.
pub fn folder_of(file: &Path) -> PathBuf {
    match file.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
        _ => PathBuf::from("."),
    }
}
