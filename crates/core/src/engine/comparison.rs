//! Compares evaluations: whether two are equivalent, and the red lines on which they differ.
//!
//! Owns the decision which differences count; two evaluations that differ only in their day are equivalent. Must not
//! know of the form of responses.

use super::evaluation::{Certainty, Evaluation, Finding, Sighting, Status, WaiverFinding};
use super::input::Detail;
use super::reasons::{Cause, Opening};
use crate::scenario::Scenario;
use crate::scenario::index::{CautionIndex, ConstraintIndex, RedLineIndex};
use crate::scenario::model::{Firmness, RedLine};
use std::collections::{BTreeMap, BTreeSet};

/// A summary of a finding: the status of a red line, and the firmness of its crossings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FindingOutline {
    /// The status of the red line; `None` if the red line is not held.
    pub status: Option<Status>,
    /// The lowest and the highest firmness with which a crossing counts after waivers; `None` if there is no crossing.
    pub firmness: Option<(Firmness, Firmness)>,
}

impl FindingOutline {
    /// The outline of a red line that is not held.
    pub const NOT_HELD: Self = Self { status: None, firmness: None };
    /// The outline of a clear red line.
    pub const CLEAR: Self = Self { status: Some(Status::Clear), firmness: None };
}

impl From<&Finding> for FindingOutline {
    fn from(finding: &Finding) -> Self {
        Self { status: Some(finding.status), firmness: finding.firmness }
    }
}

/// A red line that differs between two evaluations of a proposal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FindingChange {
    /// The position of the red line in the scenario; hypothetical red lines come after the scenario's own.
    pub red_line: RedLineIndex,
    /// The outline of the finding in the earlier evaluation.
    pub before: FindingOutline,
    /// The outline of the finding in the later evaluation.
    pub after: FindingOutline,
}

/// A red line on which compared proposals have different findings.
#[derive(Clone, Debug)]
pub struct ComparedLine<'a> {
    /// The red line.
    pub red_line: &'a RedLine,
    /// Whether the red line, or its firmness, is a hypothesis.
    pub is_hypothetical: bool,
    /// One outline per proposal, in the order of the proposals.
    pub findings: Vec<FindingOutline>,
}

impl Evaluation {
    /// Whether two evaluations of one scenario are equivalent in the parts that `detail` reports. Their days may
    /// differ.
    ///
    /// Both must have full detail. At every level of `detail`, a red line that is clear in one evaluation and not
    /// recorded or not held in the other makes a difference.
    pub fn says_the_same_as(&self, other: &Self, detail: Detail) -> bool {
        // Every field is named, so that the compiler demands a decision on a new one. The day and the hypotheses are
        // left out, `unrecorded` follows from the findings, and `waivers`, `reasons` and `openings` are compared where
        // other fields refer to them.
        let Self {
            day: _,
            verdict: _,
            could_become: _,
            stances: _,
            findings: _,
            unrecorded: _,
            warnings: _,
            cautions: _,
            inputs: _,
            supposed: _,
            waivers: _,
            reasons: _,
            openings: _,
        } = self;
        let verdicts = |evaluation: &Self| (evaluation.verdict, evaluation.could_become);
        let outlines = |evaluation: &Self| -> Vec<(RedLineIndex, FindingOutline)> {
            let findings = evaluation.findings.iter();
            findings.map(|finding| (finding.red_line, FindingOutline::from(finding))).collect()
        };
        let cautions = |evaluation: &Self| -> Vec<(CautionIndex, Certainty)> {
            evaluation.cautions.iter().map(|caution| (caution.index, caution.certainty)).collect()
        };
        let same_warning = |(ours, theirs): (&Sighting<ConstraintIndex>, &Sighting<ConstraintIndex>)| {
            (ours.index, ours.certainty) == (theirs.index, theirs.certainty)
                && self.same_reasons(self.sighting_reasons(ours), other, other.sighting_reasons(theirs))
        };
        let mut findings = self.findings.iter().zip(&other.findings);
        verdicts(self) == verdicts(other)
            && self.stances == other.stances
            && outlines(self) == outlines(other)
            && findings.all(|(ours, theirs)| self.same_details(ours, other, theirs, detail))
            && self.warnings.len() == other.warnings.len()
            && self.warnings.iter().zip(&other.warnings).all(same_warning)
            && cautions(self) == cautions(other)
            && (detail == Detail::Basic || self.inputs == other.inputs)
    }

    /// Returns the red lines on which the evaluation of a later day differs from this one, in the order of the
    /// scenario.
    ///
    /// Both evaluations must have full detail; `detail` says which differences count.
    pub fn changes_to(&self, later: &Self, detail: Detail) -> Vec<FindingChange> {
        let by_line = |evaluation: &Self| -> BTreeMap<RedLineIndex, usize> {
            evaluation.findings.iter().enumerate().map(|(at, finding)| (finding.red_line, at)).collect()
        };
        let (ours, theirs) = (by_line(self), by_line(later));
        let lines: BTreeSet<RedLineIndex> = ours.keys().chain(theirs.keys()).copied().collect();
        let changes = lines.into_iter().filter_map(|red_line| {
            let before = ours.get(&red_line).and_then(|at| self.findings.get(*at));
            let after = theirs.get(&red_line).and_then(|at| later.findings.get(*at));
            let outline = |finding: Option<&Finding>| finding.map_or(FindingOutline::NOT_HELD, FindingOutline::from);
            let is_same = outline(before) == outline(after)
                && before.zip(after).is_none_or(|(before, after)| self.same_details(before, later, after, detail));
            (!is_same).then(|| FindingChange { red_line, before: outline(before), after: outline(after) })
        });
        changes.collect()
    }

    /// Whether two findings on one red line, with equal outlines, have equal reasons, waivers and openings.
    ///
    /// An opening is a further answer that helps to decide whether an undetermined red line is crossed. Always true if
    /// `detail` does not report findings of this status.
    fn same_details(&self, ours: &Finding, other: &Self, theirs: &Finding, detail: Detail) -> bool {
        if detail == Detail::Basic && !matches!(ours.status, Status::Crossed | Status::Undetermined) {
            return true;
        }
        let same_opening = |ours: &Opening, theirs: &Opening| {
            ours == theirs && self.inputs.get(ours.input) == other.inputs.get(theirs.input)
        };
        let same_waiver = |(ours, theirs): (&WaiverFinding, &WaiverFinding)| {
            (ours.waiver, ours.certainty) == (theirs.waiver, theirs.certainty)
                && self.same_reasons(self.waiver_reasons(ours), other, other.waiver_reasons(theirs))
        };
        let (our_waivers, their_waivers) = (self.waivers(ours), other.waivers(theirs));
        self.same_reasons(self.reasons(ours), other, other.reasons(theirs))
            && same_lists(self.would_cross(ours), other.would_cross(theirs), same_opening)
            && same_lists(self.would_clear(ours), other.would_clear(theirs), same_opening)
            && our_waivers.len() == their_waivers.len()
            && our_waivers.iter().zip(their_waivers).all(same_waiver)
    }

    /// Whether two lists of reasons have the same causes, and these causes have equal answers and origins.
    fn same_reasons<'a>(
        &self,
        ours: impl ExactSizeIterator<Item = &'a [Cause]>,
        other: &Self,
        theirs: impl ExactSizeIterator<Item = &'a [Cause]>,
    ) -> bool {
        // If the cause is a member of a set, only its inclusion is compared; for any other cause, the whole answer is.
        let content = |evaluation: &Self, cause: &Cause| {
            let input = evaluation.inputs.get(cause.input)?;
            let answer = cause.member.is_none().then_some(input.answer);
            Some((input.origin, answer, cause.member.is_some_and(|member| input.includes(member))))
        };
        same_lists(ours, theirs, |ours, theirs| ours == theirs && content(self, ours) == content(other, theirs))
    }
}

/// Whether two lists of lists have the same lengths and, according to `same`, the same items.
fn same_lists<'a, T: 'a>(
    ours: impl ExactSizeIterator<Item = &'a [T]>,
    theirs: impl ExactSizeIterator<Item = &'a [T]>,
    same: impl Fn(&T, &T) -> bool,
) -> bool {
    ours.len() == theirs.len()
        && ours.zip(theirs).all(|(ours, theirs)| {
            ours.len() == theirs.len() && ours.iter().zip(theirs).all(|(ours, theirs)| same(ours, theirs))
        })
}

/// Returns the red lines on which evaluations of different proposals differ, in the order of the scenario.
///
/// The evaluations must be of one day and under the same hypotheses. A red line without a finding counts as clear: it
/// may also be not held or not recorded, but then it is so for every proposal and makes no difference.
pub fn differing_lines<'a>(scenario: &'a Scenario, evaluations: &'a [Evaluation]) -> Vec<ComparedLine<'a>> {
    let mut lines: BTreeMap<RedLineIndex, ComparedLine<'a>> = BTreeMap::new();
    for (column, evaluation) in evaluations.iter().enumerate() {
        for finding in &evaluation.findings {
            let Some(red_line) = evaluation.red_line(scenario, finding) else { continue };
            let line = lines.entry(finding.red_line).or_insert_with(|| ComparedLine {
                red_line,
                is_hypothetical: evaluation.is_hypothetical(scenario, finding),
                findings: vec![FindingOutline::CLEAR; evaluations.len()],
            });
            if let Some(outline) = line.findings.get_mut(column) {
                *outline = finding.into();
            }
        }
    }
    lines.into_values().filter(|line| line.findings.windows(2).any(|pair| pair.first() != pair.last())).collect()
}
