//! The results of an evaluation, in which positions refer to the scenario that was evaluated.
//!
//! What the answers to issues and circumstances determine is settled; what they leave undetermined is open. A
//! completion is one way to give a value to everything that is open. Must not know of how the results are computed or
//! presented.

use super::input::EffectiveInput;
use super::reasons::{Cause, Lists, Opening};
use super::supposed::Supposed;
use super::verdict::{Stance, Verdict};
use crate::scenario::Scenario;
use crate::scenario::index::{CautionIndex, ConstraintIndex, IndexVec, PartyIndex, RedLineIndex, WaiverIndex};
use crate::scenario::model::{Firmness, RedLine};
use detente_condition::{InputIndex, Space};
use jiff::civil::Date;
use std::ops::Range;
use std::sync::Arc;

/// The status of a red line under a proposal.
///
/// The order of the variants is the order of findings in a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Status {
    /// The red line is crossed in every completion.
    Crossed,
    /// The red line is crossed in some completions, but not in all.
    Undetermined,
    /// The red line is not crossed in any completion.
    Clear,
    /// The record does not yet contain the red line on the day of the evaluation.
    NotRecorded,
}

/// Whether a constraint, caution or waiver applies in every completion or only in some.
///
/// A constraint applies if it is broken, a caution or waiver if its condition is true.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Certainty {
    /// It applies in every completion; for a waiver, in every completion with a crossing.
    Certain,
    /// It applies in some completions, but not in all.
    Possible,
}

/// The result of an evaluation for one red line.
#[derive(Clone, Debug)]
pub struct Finding {
    /// The position of the red line in the scenario; hypothetical red lines come after the scenario's own.
    pub red_line: RedLineIndex,
    /// The status of the red line under the proposal.
    pub status: Status,
    /// The lowest and the highest firmness with which a crossing counts after waivers.
    ///
    /// Only completions in which the red line is crossed are considered; `None` if there is no such completion.
    pub firmness: Option<(Firmness, Firmness)>,
    pub(super) reasons: Range<u32>,
    pub(super) would_cross: Range<u32>,
    pub(super) would_clear: Range<u32>,
    pub(super) waivers: Range<u32>,
}

/// A waiver that lowers the firmness of a crossing, in every completion or in some.
#[derive(Clone, Debug)]
pub struct WaiverFinding {
    /// The waiver of the red line.
    pub waiver: WaiverIndex,
    /// Whether the waiver lowers the crossing in every completion with a crossing or only in some.
    pub certainty: Certainty,
    pub(super) reasons: Range<u32>,
}

/// A constraint that is or may be broken, or a caution that does or may apply.
#[derive(Clone, Debug)]
pub struct Sighting<I> {
    /// The constraint or caution.
    pub index: I,
    /// Whether the condition of the constraint or caution is true in every completion or only in some.
    pub certainty: Certainty,
    pub(super) reasons: Range<u32>,
}

/// The stance of a party, and the worst stance that the open answers could lead to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PartyStance {
    /// The stance that follows from the settled answers.
    pub stance: Stance,
    /// The stance if every undetermined red line of the party were crossed with its highest firmness. This is an upper
    /// bound: perhaps no single completion leads to it.
    pub could_become: Stance,
}

/// The result of evaluating a proposal: the answer to "does this proposal cross anyone's red line?".
#[derive(Clone, Debug)]
pub struct Evaluation {
    /// The day of the evaluation.
    pub day: Date,
    /// The verdict that follows from the settled answers.
    pub verdict: Verdict,
    /// The verdict that follows from the worst stances that the open answers could lead to.
    pub could_become: Verdict,
    /// One stance per party, in the order of the scenario.
    pub stances: IndexVec<PartyIndex, PartyStance>,
    /// The findings, ordered by status, then by descending firmness, then by the position of the red line.
    pub findings: Vec<Finding>,
    /// The number of red lines that are not yet recorded on the day, whether or not `findings` lists them.
    pub unrecorded: usize,
    /// The constraints that are or may be broken, in the order of the scenario.
    pub warnings: Vec<Sighting<ConstraintIndex>>,
    /// The cautions that apply or may apply, in the order of the scenario.
    pub cautions: Vec<Sighting<CautionIndex>>,
    /// The answer used for each issue and then for each circumstance, with its origin.
    pub inputs: IndexVec<InputIndex, EffectiveInput>,
    pub(super) supposed: Option<Arc<Supposed>>,
    pub(super) waivers: Vec<WaiverFinding>,
    pub(super) reasons: Lists<Cause>,
    pub(super) openings: Lists<Opening>,
}

impl Evaluation {
    /// Returns the red line of a finding, whether it is recorded in the scenario or hypothetical.
    pub fn red_line<'a>(&'a self, scenario: &'a Scenario, finding: &Finding) -> Option<&'a RedLine> {
        let supposed = || self.supposed.as_ref()?.red_line(scenario, finding.red_line);
        scenario.red_lines.get(finding.red_line).or_else(supposed)
    }

    /// Returns the space that says which values the masks in the [`Opening`]s of a finding stand for.
    pub fn space<'a>(&'a self, scenario: &'a Scenario, finding: &Finding) -> &'a Space {
        match &self.supposed {
            Some(supposed) if finding.red_line.index() >= scenario.red_lines.len() => &supposed.space,
            _ => &scenario.space,
        }
    }

    /// Whether the red line of a finding, or its firmness, is a hypothesis.
    pub fn is_hypothetical(&self, scenario: &Scenario, finding: &Finding) -> bool {
        finding.red_line.index() >= scenario.red_lines.len()
            || self.supposed.as_ref().is_some_and(|supposed| supposed.firmness(finding.red_line).is_some())
    }

    /// Iterates over the minimal reasons for the status of a red line.
    ///
    /// A reason is a set of settled answers that decides the status by itself, while no proper subset of it does. There
    /// are no reasons for an undetermined or unrecorded red line.
    pub fn reasons(&self, finding: &Finding) -> impl ExactSizeIterator<Item = &[Cause]> {
        self.reasons.range(&finding.reasons)
    }

    /// Iterates over the minimal sets of further answers that would make an undetermined red line crossed.
    pub fn would_cross(&self, finding: &Finding) -> impl ExactSizeIterator<Item = &[Opening]> {
        self.openings.range(&finding.would_cross)
    }

    /// Iterates over the minimal sets of further answers that would make an undetermined red line clear.
    pub fn would_clear(&self, finding: &Finding) -> impl ExactSizeIterator<Item = &[Opening]> {
        self.openings.range(&finding.would_clear)
    }

    /// Returns the issues, then the circumstances, whose open answers decide whether an undetermined red line is
    /// crossed.
    pub fn hangs_on(&self, finding: &Finding) -> Vec<InputIndex> {
        let openings = self.would_cross(finding).chain(self.would_clear(finding)).flatten();
        let mut inputs: Vec<InputIndex> = openings.map(|opening| opening.input).collect();
        inputs.sort_unstable();
        inputs.dedup();
        inputs
    }

    /// Returns the waivers that lower a crossing of the red line, in every completion or in some.
    pub fn waivers(&self, finding: &Finding) -> &[WaiverFinding] {
        self.waivers.get(finding.waivers.start as usize..finding.waivers.end as usize).unwrap_or_default()
    }

    /// Iterates over the minimal reasons why the condition of a waiver is true in every completion.
    ///
    /// There are no reasons if the condition is not true in every completion.
    pub fn waiver_reasons(&self, waiver: &WaiverFinding) -> impl ExactSizeIterator<Item = &[Cause]> {
        self.reasons.range(&waiver.reasons)
    }

    /// Iterates over the minimal reasons why a constraint is broken, or a caution applies, in every completion.
    ///
    /// There are no reasons if the constraint is broken, or the caution applies, only in some completions.
    pub fn sighting_reasons<I>(&self, sighting: &Sighting<I>) -> impl ExactSizeIterator<Item = &[Cause]> {
        self.reasons.range(&sighting.reasons)
    }
}
