//! What became of decisions: the same, changed, or refused now.

use crate::cli::client::Sink;
use crate::cli::commands::replay::Stop;
use crate::cli::commands::replay::change::{Change, Difference};
use crate::cli::commands::replay::decision::{Found, Shared, Was, locked};
use crate::cli::commands::replay::output::{Output, Totals};
use crate::cli::progress_counter::counting;
use crate::cli::render::text::thousands;
use crate::error::Refusal;
use crate::schema::proto::v1;
use crate::schema::proto::v1::stream_evaluate_proposals_response::Result as Item;
use anyhow::anyhow;
use indicatif::ProgressBar;
use std::collections::BTreeMap;
use std::io::{self, IsTerminal};
use std::sync::{Arc, Mutex};

/// What changed is told beside the bar every so many decisions.
const TELL_EVERY: u64 = 500;
/// Codes of `google.rpc.Code` that say nothing of the request: cancelled, deadline exceeded, unavailable,
/// unauthenticated.
const NOT_THE_REQUESTS: [i32; 4] = [1, 4, 14, 16];

/// Takes answers, in the order of what was asked.
pub(super) struct Outcomes {
    shared: Arc<Mutex<Shared>>,
    output: Output,
    totals: Totals,
    progress: ProgressBar,
    on_terminal: bool,
}

impl Outcomes {
    pub(super) fn new(shared: Arc<Mutex<Shared>>, output: Output) -> Self {
        let (progress, on_terminal) = (counting("replayed", true), io::stdout().is_terminal());
        Self { shared, output, totals: Totals::default(), progress, on_terminal }
    }

    pub(super) fn has_changed(&self) -> bool {
        self.totals.changed + self.totals.refused > 0
    }

    /// "3 decisions".
    pub(super) fn replayed(&self) -> String {
        let replayed = self.totals.replayed();
        let decisions = if replayed == 1 { "decision" } else { "decisions" };
        format!("{} {decisions}", thousands(replayed))
    }

    /// Tells how it all came out, unless it broke off.
    pub(super) fn end(&mut self, scenario: &v1::Scenario, is_whole: bool) -> Result<(), Stop> {
        self.progress.finish_and_clear();
        if is_whole {
            self.output.summary(scenario, &self.totals, &locked(&self.shared))?;
        }
        self.output.flush()?;
        Ok(())
    }

    fn tell(&mut self, was: &Was, change: &Change<'_>) -> Result<(), Stop> {
        if !self.on_terminal {
            return Ok(self.output.change(was, change)?);
        }
        let output = &mut self.output;
        Ok(self.progress.suspend(|| output.change(was, change).and_then(|()| output.flush()))?)
    }
}

impl Sink for Outcomes {
    type Error = Stop;

    fn put(&mut self, answer: v1::StreamEvaluateProposalsResponse) -> Result<(), Stop> {
        let was = locked(&self.shared).answered();
        let was = was.ok_or_else(|| Stop::Failed(anyhow!("the server answers what was not asked")))?;
        match answer.result {
            Some(Item::Evaluation(evaluation)) => {
                let is = found(evaluation);
                if is == was.found {
                    self.totals.same += 1;
                } else {
                    self.totals.changed += 1;
                    self.tell(&was, &Change::Changed(difference(&was.found, &is)))?;
                }
            }
            Some(Item::Error(error)) => {
                let refusal = Refusal::from(&error);
                if NOT_THE_REQUESTS.contains(&error.code) {
                    return Err(Stop::Failed(refusal.into()));
                }
                self.totals.refused += 1;
                self.tell(&was, &Change::Refused(&refusal))?;
            }
            None => return Err(Stop::Failed(anyhow!("an answer holds neither an evaluation nor an error"))),
        }
        self.progress.inc(1);
        if self.totals.replayed() % TELL_EVERY == 1 && !self.progress.is_hidden() {
            let Totals { changed, refused, .. } = self.totals;
            self.progress.set_message(format!("{} changed, {} refused", thousands(changed), thousands(refused)));
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), Stop> {
        Ok(self.output.flush()?)
    }
}

fn found(evaluation: v1::Evaluation) -> Found {
    let (verdict, could_become) = (evaluation.verdict(), evaluation.could_become());
    let is_crossed = |finding: &v1::Finding| finding.status() == v1::RedLineStatus::Crossed;
    let crossed = evaluation.findings.into_iter().filter(is_crossed).map(|finding| {
        let firmness = finding.firmness();
        (finding.red_line, firmness)
    });
    Found { verdict, could_become, crossed: crossed.collect() }
}

fn difference<'a>(was: &'a Found, is: &'a Found) -> Difference<'a> {
    let beyond = |these: &'a BTreeMap<String, v1::Firmness>, those: &BTreeMap<String, v1::Firmness>| {
        let beyond = these.iter().filter(|(line, _)| !those.contains_key(*line));
        beyond.map(|(line, firmness)| (line.as_str(), *firmness)).collect::<Vec<_>>()
    };
    let both = was.crossed.iter().filter_map(|(line, was)| Some((line.as_str(), *was, *is.crossed.get(line)?)));
    Difference {
        is,
        newly_crossed: beyond(&is.crossed, &was.crossed),
        no_longer_crossed: beyond(&was.crossed, &is.crossed),
        other_firmness: both.filter(|(_, was, is)| was != is).collect(),
    }
}
