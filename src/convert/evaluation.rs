//! Converts evaluations, findings, stances and verdicts to messages.
//!
//! Must not know how an evaluation is computed.

use crate::convert::date::from_date;
use crate::convert::red_line::{from_evidence, from_firmness};
use crate::convert::term::{entry_id, from_answer, ids};
use crate::convert::wording::{self, input_id};
use crate::schema::names;
use crate::schema::proto::v1::{self, term};
use detente_condition::{Answer, Axis, Domain, InputIndex, Space};
use detente_core::engine::{
    Cause, Certainty, Detail, Evaluation, Finding, FindingOutline, Opening, Origin, Stance, Status, Verdict,
    WaiverFinding,
};
use detente_core::scenario::Scenario;
use detente_core::scenario::model::{Evidence, Firmness, RedLine};
use std::collections::BTreeMap;

/// Converts an evaluation. `suppositions` are the hypotheses in words.
pub fn from_evaluation(
    scenario: &Scenario,
    evaluation: &Evaluation,
    detail: Detail,
    suppositions: &[String],
) -> v1::Evaluation {
    let converter = EvaluationConverter { scenario, evaluation, full: detail == Detail::Full };
    let stances = scenario.parties.iter().zip(&evaluation.stances).map(|(party, found)| v1::PartyStance {
        party: party.id.to_string(),
        stance: from_stance(found.stance).into(),
        could_become: from_stance(found.could_become).into(),
    });
    let warnings = evaluation.warnings.iter().filter_map(|warning| {
        let constraint = scenario.constraints.get(warning.index)?;
        Some(v1::ConstraintWarning {
            constraint: constraint.id.to_string(),
            title: constraint.title.clone(),
            certainty: from_certainty(warning.certainty).into(),
            reasons: converter.reasons(evaluation.sighting_reasons(warning)),
        })
    });
    let cautions = evaluation.cautions.iter().filter_map(|notice| {
        let caution = scenario.cautions.get(notice.index)?;
        Some(v1::CautionNotice {
            caution: caution.id.to_string(),
            text: caution.text.clone(),
            certainty: from_certainty(notice.certainty).into(),
            evidence: caution.evidence.iter().map(|evidence| from_evidence(scenario, evidence)).collect(),
        })
    });
    v1::Evaluation {
        scenario: names::scenario(&scenario.id),
        revision: scenario.revision.to_string(),
        as_of: Some(from_date(evaluation.day)),
        verdict: from_verdict(evaluation.verdict).into(),
        could_become: from_verdict(evaluation.could_become).into(),
        summary: wording::summary(scenario, evaluation, suppositions.len()),
        stances: stances.collect(),
        findings: evaluation.findings.iter().filter_map(|finding| converter.finding(finding)).collect(),
        unsettled: converter.unsettled(),
        warnings: warnings.collect(),
        cautions: cautions.collect(),
        inputs: if converter.full { converter.effective_inputs() } else { Vec::new() },
        suppositions: suppositions.to_vec(),
    }
}

struct EvaluationConverter<'a> {
    scenario: &'a Scenario,
    evaluation: &'a Evaluation,
    full: bool,
}

impl EvaluationConverter<'_> {
    fn finding(&self, finding: &Finding) -> Option<v1::Finding> {
        let red_line = self.evaluation.red_line(self.scenario, finding)?;
        let space = self.evaluation.space(self.scenario, finding);
        let (lowest, highest) = from_firmnesses(finding.firmness);
        let waivers = self.evaluation.waivers(finding).iter();
        Some(v1::Finding {
            red_line: names::red_line(&self.scenario.id, &red_line.id),
            party: self.scenario.parties.get(red_line.party)?.id.to_string(),
            status: from_status(finding.status).into(),
            firmness: lowest.into(),
            firmness_at_worst: highest.into(),
            title: red_line.title.clone(),
            reasons: self.reasons(self.evaluation.reasons(finding)),
            waivers: waivers.filter_map(|waiver| self.waiver(red_line, waiver)).collect(),
            hangs_on: self
                .evaluation
                .hangs_on(finding)
                .into_iter()
                .map(|input| input_id(self.scenario, input))
                .collect(),
            would_cross: self.settlements(space, self.evaluation.would_cross(finding)),
            would_clear: self.settlements(space, self.evaluation.would_clear(finding)),
            evidence: self.evidence(&red_line.evidence),
            hypothetical: self.evaluation.is_hypothetical(self.scenario, finding),
        })
    }

    fn waiver(&self, red_line: &RedLine, found: &WaiverFinding) -> Option<v1::WaiverFinding> {
        let waiver = red_line.waivers.get(found.waiver)?;
        Some(v1::WaiverFinding {
            waiver: waiver.id.to_string(),
            title: waiver.title.clone(),
            certainty: from_certainty(found.certainty).into(),
            firmness: from_firmness(waiver.firmness).into(),
            reasons: self.reasons(self.evaluation.waiver_reasons(found)),
            evidence: self.evidence(&waiver.evidence),
        })
    }

    fn evidence(&self, evidence: &[Evidence]) -> Vec<v1::Evidence> {
        if !self.full {
            return Vec::new();
        }
        evidence.iter().map(|evidence| from_evidence(self.scenario, evidence)).collect()
    }

    fn reasons<'b>(&self, reasons: impl Iterator<Item = &'b [Cause]>) -> Vec<v1::Reason> {
        let reason = |causes: &[Cause]| v1::Reason {
            causes: causes.iter().filter_map(|cause| self.cause(*cause)).collect(),
            text: wording::reason(self.scenario, &self.evaluation.inputs, causes),
        };
        reasons.map(reason).collect()
    }

    fn cause(&self, cause: Cause) -> Option<v1::Cause> {
        let input = self.scenario.inputs.get(cause.input)?;
        let effective = self.evaluation.inputs.get(cause.input)?;
        Some(v1::Cause {
            input: input.id.to_string(),
            member: cause.member.map_or_else(String::new, |member| entry_id(&input.domain, member)),
            member_is_in: cause.member.is_some_and(|member| effective.includes(member)),
            origin: from_origin(effective.origin).into(),
        })
    }

    fn settlements<'b>(&self, space: &Space, settlements: impl Iterator<Item = &'b [Opening]>) -> Vec<v1::Settlement> {
        let settlement = |openings: &[Opening]| {
            let mut terms: Vec<v1::Term> =
                openings.iter().flat_map(|opening| self.further_terms(space, opening)).collect();
            let text = wording::settlement(&terms);
            terms.iter_mut().for_each(|term| self.add_what_is_settled(term));
            v1::Settlement { terms, text }
        };
        settlements.map(settlement).collect()
    }

    /// Returns terms that allow an input only those possible values that `opening` does not rule out.
    ///
    /// An opening names an input without a settled answer, and the possible values that a further answer must rule out
    /// so that a red line is crossed or cleared. If there are gaps between the numbers that remain of a quantity, each
    /// range of numbers becomes a term of its own, and these terms are alternatives.
    fn further_terms(&self, space: &Space, opening: &Opening) -> Vec<v1::Term> {
        let scenario = self.scenario;
        let (Some(input), Some(axis)) = (scenario.inputs.get(opening.input), space.axis(opening.input)) else {
            return Vec::new();
        };
        let left = opening.possible & !opening.rules_out;
        let low_half = |mask: u128| u64::try_from(mask & u128::from(u64::MAX)).unwrap_or_default();
        let values: Vec<term::Value> = match (&input.domain, axis) {
            (Domain::Flag, _) => vec![term::Value::Flag(left == 0b10)],
            (Domain::Choice(_), _) => {
                let mut values = ids(&input.domain, low_half(left));
                match values.len() {
                    1 => values.pop().map(term::Value::Choice).into_iter().collect(),
                    _ => vec![term::Value::AnyOf(v1::AnyOf { values })],
                }
            }
            (Domain::Members(_), _) => vec![term::Value::Partial(v1::Partial {
                includes: ids(&input.domain, low_half(opening.rules_out >> 64)),
                excludes: ids(&input.domain, low_half(opening.rules_out)),
            })],
            (Domain::Quantity { .. }, axis) => self.ranges(opening.input, axis, left),
        };
        values.into_iter().map(|value| v1::Term { issue: input.id.to_string(), value: Some(value) }).collect()
    }

    /// Adds to a partial term the members that are already settled.
    ///
    /// A caller who uses the term replaces the proposal's whole term on this input. Without the addition, the members
    /// that are already settled would be lost.
    fn add_what_is_settled(&self, term: &mut v1::Term) {
        let Some((id, input)) = self.scenario.input(&term.issue) else { return };
        let settled = self.evaluation.inputs.get(id).map(|effective| effective.answer);
        if let (Some(term::Value::Partial(partial)), Some(Answer::Partial { includes, excludes })) =
            (&mut term.value, settled)
        {
            partial.includes.extend(ids(&input.domain, includes));
            partial.excludes.extend(ids(&input.domain, excludes));
        }
    }

    /// Converts intervals of a quantity to ranges of numbers. If the quantity's answer is a range, the results stay
    /// within that range.
    ///
    /// `left` is the mask of the intervals. Adjacent intervals are joined to one range.
    fn ranges(&self, input: InputIndex, axis: &Axis, left: u128) -> Vec<term::Value> {
        let given = match self.evaluation.inputs.get(input).map(|effective| effective.answer) {
            Some(Answer::Range { min, max }) => (min, max),
            _ => (i64::MIN, i64::MAX),
        };
        let mut runs: Vec<(i64, i64)> = Vec::new();
        for index in (0..128usize).filter(|index| left >> index & 1 == 1) {
            let Some((low, high)) = axis.interval(index) else { continue };
            let (low, high) = (low.max(given.0), high.min(given.1));
            match runs.last_mut() {
                Some(run) if run.1.checked_add(1) == Some(low) => run.1 = high,
                _ => runs.push((low, high)),
            }
        }
        let value = |(min, max)| {
            if min == max {
                term::Value::Quantity(min)
            } else {
                term::Value::Range(v1::Range { min: Some(min), max: Some(max) })
            }
        };
        runs.into_iter().map(value).collect()
    }

    fn unsettled(&self) -> Vec<v1::OpenInput> {
        let mut open: BTreeMap<InputIndex, Vec<String>> = BTreeMap::new();
        for finding in &self.evaluation.findings {
            let Some(red_line) = self.evaluation.red_line(self.scenario, finding) else { continue };
            for input in self.evaluation.hangs_on(finding) {
                open.entry(input).or_default().push(names::red_line(&self.scenario.id, &red_line.id));
            }
        }
        let open = open.into_iter();
        open.map(|(input, red_lines)| v1::OpenInput { input: input_id(self.scenario, input), red_lines }).collect()
    }

    fn effective_inputs(&self) -> Vec<v1::EffectiveInput> {
        let inputs = self.evaluation.inputs.iter().filter_map(|effective| {
            let input = self.scenario.inputs.get(effective.input)?;
            Some(v1::EffectiveInput {
                term: Some(from_answer(input, &effective.answer)),
                origin: from_origin(effective.origin).into(),
            })
        });
        inputs.collect()
    }
}

/// Converts a finding in brief. A red line without a status is not held on the day.
pub fn from_outline(outline: FindingOutline) -> v1::FindingOutline {
    let (lowest, highest) = from_firmnesses(outline.firmness);
    v1::FindingOutline {
        status: outline.status.map_or(v1::RedLineStatus::NotHeld, from_status).into(),
        firmness: lowest.into(),
        firmness_at_worst: highest.into(),
    }
}

/// Converts the lowest and the highest firmness of crossings; both are unspecified if there is no crossing.
fn from_firmnesses(firmness: Option<(Firmness, Firmness)>) -> (v1::Firmness, v1::Firmness) {
    firmness.map_or_else(Default::default, |(lowest, highest)| (from_firmness(lowest), from_firmness(highest)))
}

/// Converts a verdict.
pub fn from_verdict(verdict: Verdict) -> v1::Verdict {
    match verdict {
        Verdict::Blocked => v1::Verdict::Blocked,
        Verdict::Undeliverable => v1::Verdict::Undeliverable,
        Verdict::Contested => v1::Verdict::Contested,
        Verdict::Undetermined => v1::Verdict::Undetermined,
        Verdict::Unopposed => v1::Verdict::Unopposed,
    }
}

/// Converts a stance.
pub fn from_stance(stance: Stance) -> v1::Stance {
    match stance {
        Stance::Rejects => v1::Stance::Rejects,
        Stance::Resists => v1::Stance::Resists,
        Stance::MayResist => v1::Stance::MayResist,
        Stance::Undecided => v1::Stance::Undecided,
        Stance::NoStatedObjection => v1::Stance::NoStatedObjection,
    }
}

/// Converts a red line's status.
pub fn from_status(status: Status) -> v1::RedLineStatus {
    match status {
        Status::Crossed => v1::RedLineStatus::Crossed,
        Status::Undetermined => v1::RedLineStatus::Undetermined,
        Status::Clear => v1::RedLineStatus::Clear,
        Status::NotRecorded => v1::RedLineStatus::NotRecorded,
    }
}

fn from_certainty(certainty: Certainty) -> v1::Certainty {
    match certainty {
        Certainty::Certain => v1::Certainty::Certain,
        Certainty::Possible => v1::Certainty::Possible,
    }
}

fn from_origin(origin: Origin) -> v1::InputOrigin {
    match origin {
        Origin::Proposal => v1::InputOrigin::Proposal,
        Origin::Override => v1::InputOrigin::Override,
        Origin::StatusQuo => v1::InputOrigin::StatusQuo,
        Origin::Silence => v1::InputOrigin::Silence,
        Origin::Circumstance => v1::InputOrigin::Circumstance,
        Origin::Assumed => v1::InputOrigin::Assumed,
        Origin::Unknown => v1::InputOrigin::Unknown,
        Origin::Hypothesis => v1::InputOrigin::Hypothesis,
    }
}
