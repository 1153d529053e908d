//! The progress display of an analysis, which is a search for deals and may take seconds.
//!
//! Owns when and how the display is drawn. Must not know which analyses exist.

use crate::convert::wording::search::phase;
use detente_analysis::{Budget, SearchProgress};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::IsTerminal;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::{JoinHandle, spawn};
use std::time::{Duration, Instant};

/// A spinner or bar on the terminal, until it is dropped.
///
/// Shows nothing without a terminal or for work that ends within [`SHOW_AFTER`].
pub(crate) struct Progress {
    bar: ProgressBar,
    started: Instant,
    timeout: Duration,
    /// The thread that starts the spinner after [`SHOW_AFTER`], and a sender. If the sender is dropped before then, the
    /// thread ends without starting the spinner.
    ticker: Option<(Sender<()>, JoinHandle<()>)>,
}

/// Time after which the display appears; work that ends earlier shows nothing.
const SHOW_AFTER: Duration = Duration::from_millis(300);
/// Time between two movements of the spinner.
const TICK: Duration = Duration::from_millis(100);
const SPINNER: &str = "{spinner} {msg} {elapsed}";
const BAR: &str = "{spinner} {msg} {wide_bar} {pos}/{len} {elapsed}";

impl Progress {
    pub(crate) fn new(timeout: Duration) -> Self {
        let started = Instant::now();
        if !std::io::stderr().is_terminal() {
            return Self { bar: ProgressBar::hidden(), started, timeout, ticker: None };
        }
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr()).with_message("searching");
        template(&bar, SPINNER);
        let (ended, end) = channel();
        let waiting = bar.clone();
        let ticker = spawn(move || {
            // The spinner moves on its own because a solver may search for long without reporting progress.
            if end.recv_timeout(SHOW_AFTER) == Err(RecvTimeoutError::Timeout) {
                waiting.enable_steady_tick(TICK);
            }
        });
        Self { bar, started, timeout, ticker: Some((ended, ticker)) }
    }

    /// Shows the phase and that `done` of `total` steps are done. A `total` of 0 means that it is unknown.
    pub(crate) fn show(&self, phase: &str, done: u64, total: u64) {
        if self.started.elapsed() < SHOW_AFTER || self.bar.is_hidden() {
            return;
        }
        template(&self.bar, if total > 0 { BAR } else { SPINNER });
        if total > 0 {
            self.bar.set_length(total);
        }
        self.bar.set_message(phase.to_owned());
        self.bar.set_position(done);
    }

    /// Runs `work` with a budget that ends after the timeout and reports to this display.
    pub(crate) fn during<T>(self, work: impl FnOnce(&Budget<'_>) -> T) -> T {
        let stop = || self.started.elapsed() > self.timeout;
        let report = |progress: SearchProgress| self.show(phase(progress.phase), progress.done, progress.total);
        work(&Budget::new(&stop, &report))
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some((ended, ticker)) = self.ticker.take() {
            drop(ended);
            let _ = ticker.join();
        }
        self.bar.finish_and_clear();
    }
}

fn template(bar: &ProgressBar, template: &str) {
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
}
