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

/// The target of this module's log events. Log filters name it, so it stays as it is when the module moves.
const LOG_TARGET: &str = "detente::serving::watch";

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
            let every = interval
                .map_or_else(|| "on SIGHUP only".to_owned(), |interval| format!("every {}", duration_text(interval)));
            warn!(target: LOG_TARGET, %error, "the system does not tell of changed files: they are looked at {every}");
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
            () = clock => debug!(target: LOG_TARGET, "files are looked at again: it is time"),
            _ = self.hangup.recv() => debug!(target: LOG_TARGET, "files are looked at again: SIGHUP"),
            () = self.told.notified() => {
                let until = Instant::now() + LONGEST;
                while Instant::now() < until && timeout(QUIET, self.told.notified()).await.is_ok() {}
                debug!(target: LOG_TARGET, "files are looked at again: a folder has changed");
            }
        }
        // A folder that was put in the place of another is another one to the system. Before anybody looks, so that
        // nothing is missed after.
        if let Some(watcher) = &mut self.watcher {
            for folder in &self.folders {
                let _ = watcher.unwatch(folder);
                if let Err(error) = watcher.watch(folder, RecursiveMode::NonRecursive) {
                    debug!(target: LOG_TARGET, %error, folder = %folder.display(), "a folder can't be watched now");
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
            debug!(target: LOG_TARGET, %error, folder = %folder.display(), "a folder can't be watched");
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

/// A duration as a log line names it, in the largest unit that does not exceed it: `30s`, `1.5s`, `250ms`.
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
