//! Shutdown: the signals that start a drain, which is an orderly stop, and how long a drain may take.
//!
//! Owns the signals, the durations and the outcome of a drain; must not know which services the server has. SIGTERM or
//! SIGINT starts the drain: health reports NOT_SERVING; the server waits [`Drain::pause`], still answering, while
//! clients find other replicas; the `Watch` streams of the health service end; the listener closes and every connection
//! receives GOAWAY; open calls have [`Drain::timeout`] to finish, and are cut off after it. At half of that time,
//! analyses stop and answer with their best result so far. A second signal ends the process immediately.

use std::future::Future;
use std::io;
use std::pin::pin;
use std::time::Duration;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::oneshot;
use tracing::{info, warn};

/// The target of this module's log events. Log filters name it, so it stays as it is when the module moves.
const LOG_TARGET: &str = "detente::shutdown";

/// The durations of a drain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Drain {
    /// Time between NOT_SERVING and the first GOAWAY; 500 ms by default.
    ///
    /// Behind a load balancer, set it to the time that the load balancer takes to notice NOT_SERVING.
    pub pause: Duration,
    /// Time after the pause in which open calls may finish before they are cut off; 10 seconds by default.
    pub timeout: Duration,
}

impl Default for Drain {
    /// A pause of 500 ms and a timeout of 10 seconds.
    fn default() -> Self {
        Self { pause: Duration::from_millis(500), timeout: Duration::from_secs(10) }
    }
}

/// The outcome of a drain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DrainOutcome {
    /// Every call finished.
    Complete,
    /// The timeout passed before every call finished.
    Cut {
        /// Number of calls that were cut off: their connections closed before the answer was complete.
        calls: usize,
    },
}

/// Listener for SIGINT and SIGTERM.
#[derive(Debug)]
pub struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    /// Installs handlers for SIGINT and SIGTERM; from then on, neither signal ends the process by itself.
    ///
    /// # Errors
    /// If the operating system rejects a handler.
    pub fn new() -> io::Result<Self> {
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    /// Waits for a signal and returns its name.
    async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.interrupt.recv() => "SIGINT",
            _ = self.terminate.recv() => "SIGTERM",
        }
    }

    /// Runs a server: the future that `serve` creates.
    ///
    /// The first signal asks the server to drain, by completing the receiver that is passed to `serve`. Returns `None`
    /// if a second signal arrives before the server has ended.
    pub async fn run_until_signal<F: Future>(
        mut self,
        serve: impl FnOnce(oneshot::Receiver<()>) -> F,
    ) -> Option<F::Output> {
        let (stop, stop_requested) = oneshot::channel();
        let mut serving = pin!(serve(stop_requested));
        let signal = tokio::select! {
            ended = &mut serving => return Some(ended),
            signal = self.next() => signal,
        };
        info!(target: LOG_TARGET, "{signal}: draining");
        // Sending fails if the future dropped its receiver; it is then about to complete by itself.
        let _ = stop.send(());
        tokio::select! {
            ended = &mut serving => Some(ended),
            signal = self.next() => {
                warn!(target: LOG_TARGET, "{signal} again: exiting immediately");
                None
            }
        }
    }
}
