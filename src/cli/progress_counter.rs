//! How far work on many lines has come.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};
use std::fmt;
use std::io::{self, IsTerminal};
use std::time::Duration;

const TICK: Duration = Duration::from_millis(200);

/// So many `done`, on a terminal, and nowhere else; hidden where it would be in the way.
pub(crate) fn counting(done: &str, shown: bool) -> ProgressBar {
    let progress = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
    if !shown || !io::stderr().is_terminal() {
        progress.set_draw_target(ProgressDrawTarget::hidden());
        return progress;
    }
    if let Ok(style) =
        ProgressStyle::with_template(&format!("{{spinner}} {{human_pos}} {done}, {{rate}}, {{elapsed}}  {{wide_msg}}"))
    {
        let rate = |state: &ProgressState, out: &mut dyn fmt::Write| {
            // Whole ones: their fractions only flicker.
            let _ = write!(out, "{:.0}/s", state.per_sec());
        };
        progress.set_style(style.with_key("rate", rate));
    }
    progress.enable_steady_tick(TICK);
    progress
}
