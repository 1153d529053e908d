//! The progress display of commands that read many lines.
//!
//! Owns how the display is drawn. Must not know the commands.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};
use std::fmt;
use std::io::{self, IsTerminal};
use std::time::Duration;

const TICK: Duration = Duration::from_millis(200);

/// Starts a counter like "1,200 answered, 300/s", where `done` is "answered".
///
/// The counter is hidden without a terminal, or if `shown` is false.
pub(crate) fn start_counter(done: &str, shown: bool) -> ProgressBar {
    let progress = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
    if !shown || !io::stderr().is_terminal() {
        progress.set_draw_target(ProgressDrawTarget::hidden());
        return progress;
    }
    if let Ok(style) =
        ProgressStyle::with_template(&format!("{{spinner}} {{human_pos}} {done}, {{rate}}, {{elapsed}}  {{wide_msg}}"))
    {
        let rate = |state: &ProgressState, out: &mut dyn fmt::Write| {
            // Whole numbers, because changing fractions flicker.
            let _ = write!(out, "{:.0}/s", state.per_sec());
        };
        progress.set_style(style.with_key("rate", rate));
    }
    progress.enable_steady_tick(TICK);
    progress
}
