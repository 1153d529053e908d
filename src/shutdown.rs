//! How the process ends: the signals that ask for it, and how long it may take.
//!
//! SIGTERM or SIGINT: health says NOT_SERVING; a pause, in which callers find other replicas while calls are still
//! answered; `Watch` streams end; no more connections, and those there are told to go; calls under way are finished,
//! up to a limit. At half of it analyses are told to answer with what they have. A second signal ends the process at once.

use std::future::Future;
use std::io;
use std::pin::pin;
use std::time::Duration;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::oneshot;
use tracing::{info, warn};

/// The target of this module's log events. Log filters name it, so it stays as it is when the module moves.
const LOG_TARGET: &str = "detente::shutdown";

/// How long a drain takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Drain {
    /// Between NOT_SERVING and the first connection that is told to go. Behind a load balancer: as long as it takes
    /// to notice.
    pub pause: Duration,
    /// After the pause, what calls under way may take before they are cut.
    pub timeout: Duration,
}

impl Default for Drain {
    /// Half a second, then ten.
    fn default() -> Self {
        Self { pause: Duration::from_millis(500), timeout: Duration::from_secs(10) }
    }
}

/// How a drain ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Drained {
    /// Every call was answered.
    Whole,
    /// The time was over.
    Cut {
        /// How many calls were cut.
        calls: usize,
    },
}

/// SIGINT and SIGTERM.
#[derive(Debug)]
pub struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    /// Takes over the signals: from here on they don't end the process by themselves.
    ///
    /// # Errors
    /// If the system refuses.
    pub fn new() -> io::Result<Self> {
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    /// The next signal's name.
    async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.interrupt.recv() => "SIGINT",
            _ = self.terminate.recv() => "SIGTERM",
        }
    }

    /// Runs what `serve` makes. The first signal completes the future that `serve` is given; `None` if a second one
    /// comes before it has ended.
    pub async fn heeded_by<F: Future>(mut self, serve: impl FnOnce(oneshot::Receiver<()>) -> F) -> Option<F::Output> {
        let (stop, stopped) = oneshot::channel();
        let mut serving = pin!(serve(stopped));
        let signal = tokio::select! {
            ended = &mut serving => return Some(ended),
            signal = self.next() => signal,
        };
        info!(target: LOG_TARGET, "{signal}: ending");
        // Nobody listens if it has just ended by itself.
        let _ = stop.send(());
        tokio::select! {
            ended = &mut serving => Some(ended),
            signal = self.next() => {
                warn!(target: LOG_TARGET, "{signal} again: ending at once");
                None
            }
        }
    }
}
