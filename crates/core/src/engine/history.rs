//! Histories: one proposal on every edition between two days, neighbouring editions that say the same merged.

use super::comparison::FindingChange;
use super::compiled::Compiled;
use super::evaluation::{Evaluation, Status};
use super::input::{Detail, Given, NotCoveredError};
use super::supposed::Supposed;
use jiff::civil::Date;
use std::sync::Arc;

/// A stretch of days on which evaluations of a proposal say the same.
#[derive(Clone, Debug)]
pub struct HistorySpan {
    /// The first day.
    pub from: Date,
    /// The last day.
    pub to: Date,
    /// The evaluation of the first day, with the findings that the detail asks for.
    pub evaluation: Evaluation,
    /// The red lines of which the span before finds something else; none for the first span.
    pub changes: Vec<FindingChange>,
}

/// A history, span by span. It evaluates an edition when the span before is taken.
pub struct History<'a, Editions> {
    compiled: &'a Compiled,
    given: &'a [Given],
    detail: Detail,
    supposed: Option<&'a Arc<Supposed>>,
    editions: Editions,
    /// The span that grows while later editions say the same, with all of its findings.
    open: Option<HistorySpan>,
}

impl Compiled {
    /// The history of a proposal from one day to another, both included. No span if the days are not covered or in the
    /// wrong order.
    pub fn history<'a>(
        &'a self,
        given: &'a [Given],
        (from, to): (Date, Date),
        detail: Detail,
        supposed: Option<&'a Arc<Supposed>>,
    ) -> History<'a, impl Iterator<Item = (Date, Date)>> {
        History { compiled: self, given, detail, supposed, editions: self.editions_between(from, to), open: None }
    }
}

impl<Editions: Iterator<Item = (Date, Date)>> Iterator for History<'_, Editions> {
    type Item = Result<HistorySpan, NotCoveredError>;

    fn next(&mut self) -> Option<Self::Item> {
        while let Some((from, to)) = self.editions.next() {
            // In full, whatever is reported: what is clear is told apart from what is not recorded.
            let found = self.compiled.evaluate_supposing(self.given, Some(from), Detail::Full, self.supposed);
            let evaluation = match found {
                Ok(evaluation) => evaluation,
                Err(error) => return Some(Err(error)),
            };
            let changes = match &mut self.open {
                Some(open) if open.evaluation.says_the_same_as(&evaluation, self.detail) => {
                    open.to = to;
                    continue;
                }
                Some(open) => open.evaluation.changes_to(&evaluation, self.detail),
                None => Vec::new(),
            };
            if let Some(span) = self.open.replace(HistorySpan { from, to, evaluation, changes }) {
                return Some(Ok(self.reported(span)));
            }
        }
        self.open.take().map(|span| Ok(self.reported(span)))
    }
}

impl<Editions> History<'_, Editions> {
    /// A span with the findings that the detail asks for.
    fn reported(&self, mut span: HistorySpan) -> HistorySpan {
        if self.detail == Detail::Basic {
            let findings = &mut span.evaluation.findings;
            findings.retain(|finding| matches!(finding.status, Status::Crossed | Status::Undetermined));
        }
        span
    }
}
