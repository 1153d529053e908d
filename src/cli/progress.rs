//! Progress of a search, on a terminal.

use detente_analysis::Budget;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::IsTerminal;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::{JoinHandle, spawn};
use std::time::{Duration, Instant};

/// Shows on a terminal that something goes on, and how far it has come, until it is dropped; nothing elsewhere, and
/// nothing of work that is quick.
pub(crate) struct Progress {
    bar: ProgressBar,
    begun: Instant,
    timeout: Duration,
    /// Waits until it is worth showing; ends when the sender is dropped.
    patient: Option<(Sender<()>, JoinHandle<()>)>,
}

/// Work that takes longer is shown.
const PATIENCE: Duration = Duration::from_millis(300);
/// Between two movements of the spinner.
const TICK: Duration = Duration::from_millis(100);
const SPINNER: &str = "{spinner} {msg} {elapsed}";
const BAR: &str = "{spinner} {msg} {wide_bar} {pos}/{len} {elapsed}";

impl Progress {
    pub(crate) fn new(timeout: Duration) -> Self {
        let begun = Instant::now();
        if !std::io::stderr().is_terminal() {
            return Self { bar: ProgressBar::hidden(), begun, timeout, patient: None };
        }
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr()).with_message("searching");
        template(&bar, SPINNER);
        let (ended, end) = channel();
        let waiting = bar.clone();
        let patient = spawn(move || {
            // By itself: a solver may search for long without telling anything.
            if end.recv_timeout(PATIENCE) == Err(RecvTimeoutError::Timeout) {
                waiting.enable_steady_tick(TICK);
            }
        });
        Self { bar, begun, timeout, patient: Some((ended, patient)) }
    }

    /// What is being done, how much of it, and of how much (0: unknown).
    pub(crate) fn show(&self, phase: &str, done: u64, total: u64) {
        if self.begun.elapsed() < PATIENCE || self.bar.is_hidden() {
            return;
        }
        template(&self.bar, if total > 0 { BAR } else { SPINNER });
        if total > 0 {
            self.bar.set_length(total);
        }
        self.bar.set_message(phase.to_owned());
        self.bar.set_position(done);
    }

    /// Does work within the time.
    pub(crate) fn during<T>(self, work: impl FnOnce(&Budget<'_>) -> T) -> T {
        let stop = || self.begun.elapsed() > self.timeout;
        let report = |phase: &'static str, done: u64, total: u64| self.show(phase, done, total);
        work(&Budget::new(&stop, &report))
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some((ended, patient)) = self.patient.take() {
            drop(ended);
            let _ = patient.join();
        }
        self.bar.finish_and_clear();
    }
}

fn template(bar: &ProgressBar, template: &str) {
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
}
