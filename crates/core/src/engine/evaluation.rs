//! What an evaluation finds. Positions refer to the scenario that was evaluated.

use super::input::EffectiveInput;
use super::reasons::{Cause, Lists, Opening};
use super::supposed::Supposed;
use super::verdict::{Stance, Verdict};
use crate::scenario::Scenario;
use crate::scenario::model::{Firmness, RedLine};
use detente_condition::{InputId, Space};
use jiff::civil::Date;
use std::ops::Range;
use std::sync::Arc;

/// What a proposal does to a red line. The order is that of answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Status {
    /// Crossed in every completion.
    Crossed,
    /// Crossed in some completions.
    Undetermined,
    /// Crossed in no completion.
    Clear,
    /// Not yet recorded on that day.
    NotRecorded,
}

/// In every completion, or in some.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Certainty {
    /// In every completion.
    Certain,
    /// In some completions.
    Possible,
}

/// What was found of one red line.
#[derive(Clone, Debug)]
pub struct Finding {
    /// Its position in the scenario; hypothetical ones follow those of the scenario.
    pub red_line: usize,
    /// What the proposal does to it.
    pub status: Status,
    /// The lowest and the highest firmness with which a crossing counts, over the completions in which there is one;
    /// `None` where there is none.
    pub firmness: Option<(Firmness, Firmness)>,
    pub(super) reasons: Range<u32>,
    pub(super) would_cross: Range<u32>,
    pub(super) would_clear: Range<u32>,
    pub(super) waivers: Range<u32>,
}

/// A waiver that lowers a crossing.
#[derive(Clone, Debug)]
pub struct WaiverFinding {
    /// Its position in the red line.
    pub waiver: usize,
    /// Whether it lowers every crossing, or some.
    pub certainty: Certainty,
    pub(super) reasons: Range<u32>,
}

/// A constraint that is broken, or a caution that is shown.
#[derive(Clone, Debug)]
pub struct Sighting {
    /// Its position.
    pub position: usize,
    /// In every completion, or in some.
    pub certainty: Certainty,
    pub(super) reasons: Range<u32>,
}

/// A party's stance by what is settled, and what it could become.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PartyStance {
    /// By what is settled.
    pub stance: Stance,
    /// With every undetermined line taken as crossed at its worst: a bound over the findings.
    pub could_become: Stance,
}

/// The answer to "does this proposal cross anyone's red line?".
#[derive(Clone, Debug)]
pub struct Evaluation {
    /// The day evaluated.
    pub day: Date,
    /// By what is settled.
    pub verdict: Verdict,
    /// From what the stances could become.
    pub could_become: Verdict,
    /// One a party, in the scenario's order.
    pub stances: Vec<PartyStance>,
    /// By status, then falling firmness, then the scenario's order.
    pub findings: Vec<Finding>,
    /// How many red lines are not yet recorded on that day, listed or not.
    pub unrecorded: usize,
    /// Constraints broken, in the scenario's order.
    pub warnings: Vec<Sighting>,
    /// Cautions that apply, in the scenario's order.
    pub cautions: Vec<Sighting>,
    /// What every input is taken to be, in input order.
    pub inputs: Vec<EffectiveInput>,
    pub(super) supposed: Option<Arc<Supposed>>,
    pub(super) waivers: Vec<WaiverFinding>,
    pub(super) reasons: Lists<Cause>,
    pub(super) openings: Lists<Opening>,
}

impl Evaluation {
    /// The red line of a finding: the scenario's, or a hypothesis.
    pub fn red_line<'a>(&'a self, scenario: &'a Scenario, finding: &Finding) -> Option<&'a RedLine> {
        let supposed = || self.supposed.as_ref()?.red_line(scenario, finding.red_line);
        scenario.red_lines.get(finding.red_line).or_else(supposed)
    }

    /// The space in which the openings of a finding are masks.
    pub fn space<'a>(&'a self, scenario: &'a Scenario, finding: &Finding) -> &'a Space {
        match &self.supposed {
            Some(supposed) if finding.red_line >= scenario.red_lines.len() => &supposed.space,
            _ => &scenario.space,
        }
    }

    /// Whether the red line, or its firmness, is a hypothesis.
    pub fn is_hypothetical(&self, scenario: &Scenario, finding: &Finding) -> bool {
        finding.red_line >= scenario.red_lines.len()
            || self.supposed.as_ref().is_some_and(|supposed| supposed.firmness(finding.red_line).is_some())
    }

    /// The minimal reasons for a status: each decides it by itself, no proper part of one does. None for an
    /// undetermined or unrecorded line.
    pub fn reasons(&self, finding: &Finding) -> impl ExactSizeIterator<Item = &[Cause]> {
        self.reasons.range(&finding.reasons)
    }

    /// The minimal sets of further answers that would cross an undetermined line.
    pub fn would_cross(&self, finding: &Finding) -> impl ExactSizeIterator<Item = &[Opening]> {
        self.openings.range(&finding.would_cross)
    }

    /// The minimal sets of further answers that would clear an undetermined line.
    pub fn would_clear(&self, finding: &Finding) -> impl ExactSizeIterator<Item = &[Opening]> {
        self.openings.range(&finding.would_clear)
    }

    /// The inputs that decide an undetermined line, in input order.
    pub fn hangs_on(&self, finding: &Finding) -> Vec<InputId> {
        let openings = self.would_cross(finding).chain(self.would_clear(finding)).flatten();
        let mut inputs: Vec<InputId> = openings.map(|opening| opening.input).collect();
        inputs.sort_unstable();
        inputs.dedup();
        inputs
    }

    /// The waivers that lower a crossing of this line.
    pub fn waivers(&self, finding: &Finding) -> &[WaiverFinding] {
        self.waivers.get(finding.waivers.start as usize..finding.waivers.end as usize).unwrap_or_default()
    }

    /// The minimal reasons for which a waiver's condition holds in every completion; none where it does not.
    pub fn waiver_reasons(&self, waiver: &WaiverFinding) -> impl ExactSizeIterator<Item = &[Cause]> {
        self.reasons.range(&waiver.reasons)
    }

    /// The minimal reasons for which a constraint is broken, or a caution applies, in every completion; none where it
    /// is possible only.
    pub fn sighting_reasons(&self, sighting: &Sighting) -> impl ExactSizeIterator<Item = &[Cause]> {
        self.reasons.range(&sighting.reasons)
    }
}
