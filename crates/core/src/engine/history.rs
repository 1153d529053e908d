//! Histories: how the evaluation of one proposal changes over a range of days.
//!
//! An edition is a range of days on which nothing in the scenario changes. A history evaluates the proposal once for
//! each edition, and merges adjacent editions whose evaluations are equivalent. Must not know of the form of responses.

use super::comparison::FindingChange;
use super::compiled::Compiled;
use super::evaluation::{Evaluation, Status};
use super::input::{Detail, Given, NotCoveredError};
use super::supposed::Supposed;
use crate::scenario::DateRange;
use std::sync::Arc;

/// A range of days on which the evaluations of a proposal are equivalent.
#[derive(Clone, Debug)]
pub struct HistorySpan {
    /// The days of the span.
    pub days: DateRange,
    /// The evaluation of the first day, with the findings of the requested level of detail.
    pub evaluation: Evaluation,
    /// The red lines on which the evaluation differs from that of the previous span; empty for the first span.
    pub changes: Vec<FindingChange>,
}

/// An iterator over the spans of a history. It evaluates an edition only when its caller needs the next span.
pub struct History<'a, Editions> {
    compiled: &'a Compiled,
    given: &'a [Given],
    detail: Detail,
    supposed: Option<&'a Arc<Supposed>>,
    editions: Editions,
    /// The current span, with all of its findings. It grows while the evaluations of later editions are equivalent to
    /// its own.
    open: Option<HistorySpan>,
}

impl Compiled {
    /// Returns the history of a proposal, given as the answers of a request, on a range of days.
    ///
    /// The caller must have checked with [`Compiled::check_covered`] that the scenario covers the first and the last
    /// day: otherwise the history leaves out days before the scenario begins, and its last span goes on after the
    /// scenario ends.
    pub fn history<'a>(
        &'a self,
        given: &'a [Given],
        days: DateRange,
        detail: Detail,
        supposed: Option<&'a Arc<Supposed>>,
    ) -> History<'a, impl Iterator<Item = DateRange>> {
        History { compiled: self, given, detail, supposed, editions: self.editions_within(days), open: None }
    }
}

impl<Editions: Iterator<Item = DateRange>> Iterator for History<'_, Editions> {
    type Item = Result<HistorySpan, NotCoveredError>;

    fn next(&mut self) -> Option<Self::Item> {
        while let Some(days) = self.editions.next() {
            // Evaluate with full detail, whatever `detail` is, because the comparison must distinguish clear red lines
            // from those that are not recorded.
            let found = self.compiled.evaluate_supposing(self.given, Some(days.first()), Detail::Full, self.supposed);
            let evaluation = match found {
                Ok(evaluation) => evaluation,
                Err(error) => return Some(Err(error)),
            };
            let changes = match &mut self.open {
                Some(open) if open.evaluation.says_the_same_as(&evaluation, self.detail) => {
                    open.days = open.days.joined(days);
                    continue;
                }
                Some(open) => open.evaluation.changes_to(&evaluation, self.detail),
                None => Vec::new(),
            };
            if let Some(span) = self.open.replace(HistorySpan { days, evaluation, changes }) {
                return Some(Ok(self.reported(span)));
            }
        }
        self.open.take().map(|span| Ok(self.reported(span)))
    }
}

impl<Editions> History<'_, Editions> {
    /// Reduces a span to the findings of the requested level of detail.
    fn reported(&self, mut span: HistorySpan) -> HistorySpan {
        if self.detail == Detail::Basic {
            let findings = &mut span.evaluation.findings;
            findings.retain(|finding| matches!(finding.status, Status::Crossed | Status::Undetermined));
        }
        span
    }
}
