//! Reports when files may have changed: on file events, on SIGHUP, and at an interval.
//!
//! File events are only hints: the operating system does not report some changes, such as those behind a link to
//! another place or on a network file system, so all files are also re-read at an interval. Must not know what the
//! files contain.

use crate::locks::lock;
use notify::event::{AccessKind, AccessMode};
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher, recommended_watcher};
use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf, absolute};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use thiserror::Error;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, timeout};
use tracing::{debug, warn};

/// The target of this module's log events. Log filters name it, so it stays as it is when the module moves.
const LOG_TARGET: &str = "detente::serving::watch";

/// Time without further file events before files are re-read, because one change often causes several events.
const QUIET_TIME: Duration = Duration::from_millis(100);
/// Longest wait for a pause of [`QUIET_TIME`]. After this wait, files are re-read even if events continue.
const MAX_WAIT: Duration = Duration::from_secs(2);

/// Why changes cannot be watched.
#[derive(Debug, Error)]
pub enum WatchError {
    /// The handler of SIGHUP cannot be installed.
    #[error("cannot watch for SIGHUP: {0}")]
    Signal(#[from] io::Error),
}

/// Why files are read again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReloadTrigger {
    /// The server has just started to watch: files may have changed after it read them for the first time.
    Start,
    /// The operating system reported a change.
    FileEvent,
    /// The interval, or the time that the files themselves ask for, has passed.
    Timer,
    /// An operator sent SIGHUP.
    Hangup,
}

/// Reports when the files of one kind may have changed.
///
/// Each kind has a watch of its own, so that a file system that hangs holds up only the files on it. A watch takes one
/// inotify instance and one thread.
#[derive(Debug)]
pub struct Watch {
    file_event: Arc<Notify>,
    hangup: Signal,
    /// Interval at which files are re-read; `None` for never.
    interval: Option<Duration>,
    folders: WatchedFolders,
}

/// The folders of a [`Watch`]. Clones share the watcher.
#[derive(Clone, Debug)]
pub(super) struct WatchedFolders {
    folders: Arc<BTreeSet<PathBuf>>,
    // Dropping the watcher ends the file events.
    watcher: Arc<Mutex<Option<RecommendedWatcher>>>,
}

impl Watch {
    /// Watches for changes in these folders, for SIGHUP, and for the end of each `interval`.
    ///
    /// If the operating system reports no file events, the failure is logged, and only SIGHUP and the interval remain.
    ///
    /// # Errors
    /// If the handler of SIGHUP cannot be installed.
    pub fn new(folders: &BTreeSet<PathBuf>, interval: Option<Duration>) -> Result<Self, WatchError> {
        let hangup = signal(SignalKind::hangup())?;
        let file_event = Arc::new(Notify::new());
        // The operating system reports absolute paths.
        let folders = folders.iter().map(absolute).collect::<Result<BTreeSet<_>, _>>()?;
        let watcher = watcher(folders.clone(), file_event.clone()).inspect_err(|error| {
            let every = interval
                .map_or_else(|| "on SIGHUP only".to_owned(), |interval| format!("every {}", duration_text(interval)));
            warn!(target: LOG_TARGET, %error, "no file events: re-reading files {every}");
        });
        let folders = WatchedFolders { folders: Arc::new(folders), watcher: Arc::new(Mutex::new(watcher.ok())) };
        Ok(Self { file_event, hangup, interval, folders })
    }

    /// Waits until files may have changed, but for at most `limit`, and returns the reason to read them again.
    pub async fn next(&mut self, limit: Option<Duration>) -> ReloadTrigger {
        let longest = self.interval.into_iter().chain(limit).min();
        let clock = async {
            match longest {
                Some(longest) => sleep(longest).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = clock => {
                debug!(target: LOG_TARGET, "re-reading files (interval elapsed)");
                ReloadTrigger::Timer
            }
            _ = self.hangup.recv() => {
                debug!(target: LOG_TARGET, "re-reading files (SIGHUP)");
                ReloadTrigger::Hangup
            }
            () = self.file_event.notified() => {
                let until = Instant::now() + MAX_WAIT;
                while Instant::now() < until && timeout(QUIET_TIME, self.file_event.notified()).await.is_ok() {}
                debug!(target: LOG_TARGET, "re-reading files (file event)");
                ReloadTrigger::FileEvent
            }
        }
    }

    pub(super) fn folders(&self) -> WatchedFolders {
        self.folders.clone()
    }
}

impl WatchedFolders {
    /// Watches the folders again. May block as long as their file systems do.
    ///
    /// The operating system would continue to watch a folder that has been replaced by another one of the same name. To
    /// miss no change, call this before the files are read.
    pub(super) fn watch_again(&self) {
        let mut watcher = lock(&self.watcher);
        let Some(watcher) = &mut *watcher else { return };
        for folder in self.folders.iter() {
            let _ = watcher.unwatch(folder);
            if let Err(error) = watcher.watch(folder, RecursiveMode::NonRecursive) {
                debug!(target: LOG_TARGET, %error, folder = %folder.display(), "cannot watch the folder again");
            }
        }
    }
}

/// Creates a watcher for changes in these folders, and for the replacement of the folders.
fn watcher(folders: BTreeSet<PathBuf>, file_event: Arc<Notify>) -> notify::Result<RecommendedWatcher> {
    let around: BTreeSet<PathBuf> = folders.iter().map(|folder| folder_of(folder)).collect();
    let watched = folders.clone();
    let is_ours = move |path: &PathBuf| folders.contains(path) || path.parent().is_some_and(|of| folders.contains(of));
    let mut watcher = recommended_watcher(move |event: notify::Result<Event>| {
        if event.is_ok_and(|event| is_change(&event.kind) && event.paths.iter().any(&is_ours)) {
            file_event.notify_one();
        }
    })?;
    for folder in around.iter().filter(|folder| !watched.contains(*folder)) {
        // Ignore the error: the parent folder may be unreadable, and the folder itself matters more.
        if let Err(error) = watcher.watch(folder, RecursiveMode::NonRecursive) {
            debug!(target: LOG_TARGET, %error, folder = %folder.display(), "cannot watch the parent folder");
        }
    }
    for folder in &watched {
        watcher.watch(folder, RecursiveMode::NonRecursive)?;
    }
    Ok(watcher)
}

/// Whether an event is a change. Reading a file does not count as a change, because each reload would otherwise cause
/// another one.
fn is_change(kind: &EventKind) -> bool {
    !matches!(kind, EventKind::Access(access) if *access != AccessKind::Close(AccessMode::Write))
}

/// Returns the folder of a file.
pub fn folder_of(file: &Path) -> PathBuf {
    match file.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
        _ => PathBuf::from("."),
    }
}

/// Formats a duration in the largest unit that does not exceed it: `30s`, `1.5s`, `250ms`.
fn duration_text(duration: Duration) -> String {
    const UNITS: [(u128, usize, &str); 3] = [(1_000_000_000, 9, "s"), (1_000_000, 6, "ms"), (1_000, 3, "µs")];
    let nanos = duration.as_nanos();
    let Some((unit, digits, name)) = UNITS.into_iter().find(|(unit, ..)| nanos >= *unit) else {
        return format!("{nanos}ns");
    };
    let (whole, rest) = (nanos / unit, nanos % unit);
    let fraction = format!("{rest:0digits$}");
    match fraction.trim_end_matches('0') {
        "" => format!("{whole}{name}"),
        fraction => format!("{whole}.{fraction}{name}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_written_in_the_largest_unit_that_does_not_exceed_it() {
        let nanos = [
            0,
            1,
            999,
            1_000,
            1_001,
            15_500,
            999_999,
            1_000_000,
            2_500_000,
            250_000_000,
            999_999_999,
            1_000_000_000,
            1_000_000_001,
            1_500_000_000,
            30_000_000_000,
            61_050_000_000,
            86_400_000_000_000,
        ];
        for duration in nanos.map(Duration::from_nanos) {
            assert_eq!(duration_text(duration), format!("{duration:?}"));
        }
        assert_eq!(duration_text(Duration::from_millis(1_500)), "1.5s");
        assert_eq!(duration_text(Duration::from_micros(15)), "15µs");
    }
}
