//! Compares the answers with the logged decisions: the same, changed, or refused.

use crate::cli::client::Sink;
use crate::cli::commands::replay::change::{Change, Difference};
use crate::cli::commands::replay::decision::{EvaluationSummary, LoggedDecision, ReplayState, locked};
use crate::cli::commands::replay::output::{Output, Totals};
use crate::cli::commands::replay::replay_error::ReplayError;
use crate::cli::progress_counter::start_counter;
use crate::cli::render::text::thousands;
use crate::error::CallError;
use crate::schema::proto::v1;
use crate::schema::proto::v1::stream_evaluate_proposals_response::Result as Item;
use anyhow::anyhow;
use indicatif::ProgressBar;
use std::collections::BTreeMap;
use std::io::{self, IsTerminal};
use std::sync::{Arc, Mutex};

/// Number of decisions between two updates of the totals in the progress display.
const MESSAGE_EVERY: u64 = 500;
/// Values of `google.rpc.Code` for refusals that end the replay, because their cause is not the request.
///
/// They stand for cancelled, deadline exceeded, unavailable and unauthenticated. None of them means that a decision has
/// changed.
const NOT_OF_THE_REQUEST: [i32; 4] = [1, 4, 14, 16];

/// Receives the answers, in the order of the requests.
pub(super) struct Outcomes {
    state: Arc<Mutex<ReplayState>>,
    output: Output,
    totals: Totals,
    progress: ProgressBar,
    on_terminal: bool,
}

impl Outcomes {
    pub(super) fn new(state: Arc<Mutex<ReplayState>>, output: Output) -> Self {
        let (progress, on_terminal) = (start_counter("replayed", true), io::stdout().is_terminal());
        Self { state, output, totals: Totals::default(), progress, on_terminal }
    }

    pub(super) fn has_changed(&self) -> bool {
        self.totals.changed + self.totals.refused > 0
    }

    /// The number of replayed decisions with its noun, like "3 decisions".
    pub(super) fn replayed(&self) -> String {
        let replayed = self.totals.replayed();
        let decisions = if replayed == 1 { "decision" } else { "decisions" };
        format!("{} {decisions}", thousands(replayed))
    }

    /// Writes the summary if the replay is complete, and everything that is buffered.
    pub(super) fn end(&mut self, scenario: &v1::Scenario, is_complete: bool) -> Result<(), ReplayError> {
        self.progress.finish_and_clear();
        if is_complete {
            self.output.summary(scenario, &self.totals, &locked(&self.state))?;
        }
        self.output.flush()?;
        Ok(())
    }

    fn print(&mut self, was: &LoggedDecision, change: &Change<'_>) -> Result<(), ReplayError> {
        if !self.on_terminal {
            return Ok(self.output.change(was, change)?);
        }
        let output = &mut self.output;
        Ok(self.progress.suspend(|| output.change(was, change).and_then(|()| output.flush()))?)
    }
}

impl Sink for Outcomes {
    type Error = ReplayError;

    fn put(&mut self, answer: v1::StreamEvaluateProposalsResponse) -> Result<(), ReplayError> {
        let was = locked(&self.state).next_pending();
        let was =
            was.ok_or_else(|| ReplayError::Failed(anyhow!("the server sent more answers than there were requests")))?;
        match answer.result {
            Some(Item::Evaluation(evaluation)) => {
                let is = summarize(evaluation);
                if is == was.evaluation {
                    self.totals.same += 1;
                } else {
                    self.totals.changed += 1;
                    self.print(&was, &Change::Changed(difference(&was.evaluation, &is)))?;
                }
            }
            Some(Item::Error(error)) => {
                let refusal = CallError::from(&error);
                if NOT_OF_THE_REQUEST.contains(&error.code) {
                    return Err(ReplayError::Failed(refusal.into()));
                }
                self.totals.refused += 1;
                self.print(&was, &Change::Refused(&refusal))?;
            }
            None => return Err(ReplayError::Failed(anyhow!("an answer has neither an evaluation nor an error"))),
        }
        self.progress.inc(1);
        if self.totals.replayed() % MESSAGE_EVERY == 1 && !self.progress.is_hidden() {
            let Totals { changed, refused, .. } = self.totals;
            self.progress.set_message(format!("{} changed, {} refused", thousands(changed), thousands(refused)));
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), ReplayError> {
        Ok(self.output.flush()?)
    }
}

fn summarize(evaluation: v1::Evaluation) -> EvaluationSummary {
    let (verdict, could_become) = (evaluation.verdict(), evaluation.could_become());
    let is_crossed = |finding: &v1::Finding| finding.status() == v1::RedLineStatus::Crossed;
    let crossed = evaluation.findings.into_iter().filter(is_crossed).map(|finding| {
        let firmness = finding.firmness();
        (finding.red_line, firmness)
    });
    EvaluationSummary { verdict, could_become, crossed: crossed.collect() }
}

fn difference<'a>(was: &'a EvaluationSummary, is: &'a EvaluationSummary) -> Difference<'a> {
    let only_in_first = |first: &'a BTreeMap<String, v1::Firmness>, second: &BTreeMap<String, v1::Firmness>| {
        let only = first.iter().filter(|(line, _)| !second.contains_key(*line));
        only.map(|(line, firmness)| (line.as_str(), *firmness)).collect::<Vec<_>>()
    };
    let both = was.crossed.iter().filter_map(|(line, was)| Some((line.as_str(), *was, *is.crossed.get(line)?)));
    Difference {
        is,
        newly_crossed: only_in_first(&is.crossed, &was.crossed),
        no_longer_crossed: only_in_first(&was.crossed, &is.crossed),
        other_firmness: both.filter(|(_, was, is)| was != is).collect(),
    }
}
