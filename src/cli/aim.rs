//! What the commands of analysis ask alike: what must be achieved, whose red lines count, how long to search.

use super::inputs::Inputs;
use super::text::{DIM, HEAD, wrapped};
use super::words::{firmness_word, iso, last_segment, supposing};
use super::{UsageFaults, question::assignment};
use crate::analysis::Budget;
use crate::grpc::convert::red_line::from_firmness;
use crate::grpc::proto::{Date, v1};
use crate::scenario::model::Firmness;
use clap::Args;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::IsTerminal;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::{JoinHandle, spawn};
use std::time::{Duration, Instant};

/// What a search is given.
#[derive(Args, Debug)]
pub(super) struct AimOptions {
    /// What every package must meet: a condition, as scenario files write them.
    #[arg(long, value_name = "CONDITION")]
    goal: Option<String>,

    /// Fix the answer to an issue, or bracket it; written as in scenario files. May be repeated.
    #[arg(long = "pin", value_name = "ISSUE=ANSWER", value_parser = assignment)]
    pins: Vec<String>,

    /// The least firmness with which a crossing counts: absolute, firm, negotiable or tentative.
    #[arg(long, value_name = "FIRMNESS", default_value = "firm", value_parser = firmness)]
    floor: Firmness,

    /// A third party whose red lines count beside those of the principals. May be repeated. [default: all of them]
    #[arg(long = "third-party", value_name = "PARTY", conflicts_with = "principals_only")]
    third_parties: Vec<String>,

    /// Count the red lines of principals only.
    #[arg(long)]
    principals_only: bool,

    /// How long to search: then what was found is shown, and said not to be all.
    #[arg(long, value_name = "DURATION", default_value = "30s", value_parser = super::serve::patience)]
    pub(super) timeout: Duration,
}

impl AimOptions {
    pub(super) fn read(&self, inputs: &Inputs) -> Result<v1::Aim, UsageFaults> {
        let named = self.principals_only || !self.third_parties.is_empty();
        Ok(v1::Aim {
            pins: inputs.pins(&self.pins).map_err(UsageFaults)?,
            goal: self.goal.clone().unwrap_or_default(),
            floor: from_firmness(self.floor).into(),
            third_parties: named.then(|| v1::PartyList { parties: self.third_parties.clone() }),
        })
    }

    /// What is searched for, in words.
    pub(super) fn words(&self) -> String {
        let goal = self.goal.as_ref().map(|goal| format!("goal {goal}"));
        let pins = self.pins.iter().map(|pin| format!("{pin} fixed"));
        let whose = if self.principals_only {
            Some("red lines of principals only".to_owned())
        } else {
            (!self.third_parties.is_empty())
                .then(|| format!("red lines of the principals and {}", self.third_parties.join(", ")))
        };
        let floor = format!("floor {}", self.floor.word());
        goal.into_iter().chain(pins).chain([floor]).chain(whose).collect::<Vec<_>>().join("; ")
    }
}

pub(super) fn firmness(text: &str) -> Result<Firmness, String> {
    let found = Firmness::ALL.into_iter().find(|firmness| firmness.word() == text);
    found.ok_or_else(|| "write absolute, firm, negotiable or tentative".to_owned())
}

/// The head of an answer: what was asked, of which scenario.
pub(super) fn head(
    title: &str,
    aim: &AimOptions,
    day: Option<&Date>,
    (scenario, revision): (&str, &str),
    suppositions: &[String],
) -> String {
    let day = day.map_or_else(String::new, |day| format!(" on {}", iso(day)));
    let revision: String = revision.chars().take(12).collect();
    let mut out = format!("{HEAD}{title}{HEAD:#}{day}\n");
    out += &wrapped(&aim.words(), 0);
    out += &supposing(suppositions).map_or_else(String::new, |supposing| wrapped(&supposing, 0));
    out + &format!("{DIM}{scenario}, revision {revision}{DIM:#}\n\n")
}

/// "ru-four-regions (negotiable)".
pub(super) fn mention(line: &v1::RedLineMention) -> String {
    format!("{} ({})", last_segment(&line.red_line), firmness_word(line.firmness()))
}

/// Several, with commas.
pub(super) fn mentions(lines: &[v1::RedLineMention]) -> String {
    lines.iter().map(mention).collect::<Vec<_>>().join(", ")
}

/// Shows on a terminal that something goes on, and how far it has come, until it is dropped; nothing elsewhere, and
/// nothing of work that is quick.
pub(super) struct Progress {
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
    pub(super) fn new(timeout: Duration) -> Self {
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
    pub(super) fn show(&self, phase: &str, done: u64, total: u64) {
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
    pub(super) fn during<T>(self, work: impl FnOnce(&Budget<'_>) -> T) -> T {
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
