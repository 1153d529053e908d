//! Checks a test case: evaluates its proposal, and lists the differences from the expected results.
//!
//! Must not know of the file format.

use super::file::{Case, ExpectFinding};
use super::words::{ExpectedStatus, Word};
use crate::engine::{Cause, Certainty, Compiled, Detail, Evaluation, Finding, Given, Origin, Sighting, Status};
use crate::scenario::ids::{RedLineId, WaiverId};
use detente_condition::{Answer, InputIndex};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;

/// Returns the terms and circumstances of a case in the form that the engine takes. Terms of the proposal that the case
/// replaces or removes are left out.
fn given(case: &Case) -> Vec<Given> {
    let replaced =
        |input: &InputIndex| case.cleared.contains(input) || case.overrides.iter().any(|(other, _)| other == input);
    let of = |origin| move |(input, answer): &(InputIndex, Answer)| Given { input: *input, answer: *answer, origin };
    let terms = case.terms.iter().filter(|(input, _)| !replaced(input)).map(of(Origin::Proposal));
    let others = case.overrides.iter().map(of(Origin::Override));
    terms.chain(others).chain(case.circumstances.iter().map(of(Origin::Circumstance))).collect()
}

/// Evaluates a case, and returns the differences from its expected results; empty if the case passes.
pub fn differences(compiled: &Compiled, case: &Case) -> Vec<String> {
    let given = given(case);
    let both = compiled
        .evaluate(&given, case.as_of, Detail::Full)
        .and_then(|full| Ok((full, compiled.evaluate(&given, case.as_of, Detail::Basic)?)));
    let (full, basic) = match both {
        Ok(both) => both,
        Err(error) => return vec![error.to_string()],
    };
    let mut check = Check { compiled, evaluation: &full, differences: Vec::new() };
    check.compare_all(case);
    let open_findings = |evaluation: &Evaluation| -> Vec<_> {
        let open =
            evaluation.findings.iter().filter(|found| matches!(found.status, Status::Crossed | Status::Undetermined));
        open.map(|found| (found.red_line, found.status, found.firmness)).collect()
    };
    let summary = |evaluation: &Evaluation| {
        (evaluation.verdict, evaluation.could_become, evaluation.stances.clone(), open_findings(evaluation))
    };
    if summary(&basic) != summary(&full) {
        check.differences.push("internal error: the basic and the full evaluation differ; please report it".to_owned());
    }
    check.differences
}

/// The comparison of one evaluation with the expected results, and the differences found so far.
struct Check<'a> {
    compiled: &'a Compiled,
    evaluation: &'a Evaluation,
    differences: Vec<String>,
}

impl Check<'_> {
    fn word<W: Word + PartialEq>(&mut self, what: &str, expected: Option<W>, found: W) {
        self.word_or_none(what, expected, Some(found));
    }

    fn word_or_none<W: Word + PartialEq>(&mut self, what: &str, expected: Option<W>, found: Option<W>) {
        if let Some(expected) = expected.filter(|expected| Some(expected) != found.as_ref()) {
            let found = found.map_or("none", |found| found.word());
            self.differences.push(format!("{what}: expected {}, found {found}", expected.word()));
        }
    }

    fn set<Id: Ord + Display>(&mut self, what: &str, expected: Option<&BTreeSet<Id>>, found: &BTreeSet<Id>) {
        let Some(expected) = expected else { return };
        let joined = |set: BTreeSet<&Id>| set.into_iter().map(Id::to_string).collect::<Vec<_>>().join(", ");
        let (missing, extra) = (expected.difference(found).collect(), found.difference(expected).collect());
        if expected != found {
            self.differences.push(format!("{what}: missing [{}], not expected [{}]", joined(missing), joined(extra)));
        }
    }

    fn map<Id: Ord + Display>(
        &mut self,
        what: &str,
        expected: Option<&BTreeMap<Id, Certainty>>,
        found: &BTreeMap<Id, Certainty>,
    ) {
        if let Some(expected) = expected.filter(|expected| *expected != found) {
            let formatted = |map: &BTreeMap<Id, Certainty>| {
                map.iter().map(|(id, word)| format!("{id}: {}", word.word())).collect::<Vec<_>>().join(", ")
            };
            self.differences.push(format!(
                "{what}: expected {{{}}}, found {{{}}}",
                formatted(expected),
                formatted(found)
            ));
        }
    }

    fn compare_all(&mut self, case: &Case) {
        let (evaluation, scenario, expect) = (self.evaluation, self.compiled.scenario(), &case.expect);
        self.word("verdict", expect.verdict, evaluation.verdict);
        self.word("could become", expect.could_become, evaluation.could_become);
        for (party, (is, could_become)) in &expect.stances {
            let found = scenario.party(party.as_str()).and_then(|at| evaluation.stances.get(at));
            let Some(found) = found else { continue };
            self.word(&format!("{party}'s stance"), *is, found.stance);
            self.word(&format!("{party}'s stance could become"), *could_become, found.could_become);
        }
        let with = |status: Status| -> BTreeSet<RedLineId> {
            let findings = evaluation.findings.iter().filter(|finding| finding.status == status);
            findings.filter_map(|finding| Some(scenario.red_lines.get(finding.red_line)?.id.clone())).collect()
        };
        self.set("crossed", expect.crossed.as_ref(), &with(Status::Crossed));
        self.set("undetermined", expect.undetermined.as_ref(), &with(Status::Undetermined));
        for (red_line, expected) in &expect.findings {
            let at = scenario.red_line(red_line.as_str());
            let found = evaluation.findings.iter().find(|finding| Some(finding.red_line) == at);
            match found {
                Some(found) => self.finding(red_line, expected, found),
                None if expected.is == Some(ExpectedStatus::NotHeld) => {}
                None => {
                    let expected = expected.is.map_or("a finding", |is| is.word());
                    self.differences.push(format!("{red_line}: expected {expected}, found not_held"));
                }
            }
        }
        let warnings = by_id(&evaluation.warnings, |index| Some(scenario.constraints.get(index)?.id.clone()));
        let cautions = by_id(&evaluation.cautions, |index| Some(scenario.cautions.get(index)?.id.clone()));
        self.map("warnings", expect.warnings.as_ref(), &warnings);
        self.map("cautions", expect.cautions.as_ref(), &cautions);
    }

    fn finding(&mut self, id: &RedLineId, expected: &ExpectFinding, found: &Finding) {
        let (evaluation, scenario) = (self.evaluation, self.compiled.scenario());
        let Some(red_line) = scenario.red_lines.get(found.red_line) else { return };
        self.word(id.as_str(), expected.is, ExpectedStatus::Found(found.status));
        let (lowest, highest) = found.firmness.unzip();
        self.word_or_none(&format!("{id}'s firmness"), expected.firmness, lowest);
        self.word_or_none(&format!("{id}'s firmness at worst"), expected.firmness_at_worst, highest);
        if let Some(reasons) = &expected.reasons {
            let named =
                |causes: &[Cause]| -> BTreeSet<String> { causes.iter().map(|cause| self.cause(*cause)).collect() };
            let found: BTreeSet<BTreeSet<String>> = evaluation.reasons(found).map(named).collect();
            if found != *reasons {
                let formatted = |reasons: &BTreeSet<BTreeSet<String>>| {
                    let each = reasons.iter().map(|reason| reason.iter().cloned().collect::<Vec<_>>().join(" + "));
                    each.collect::<Vec<_>>().join(" | ")
                };
                self.differences.push(format!(
                    "{id}'s reasons: expected {}, found {}",
                    formatted(reasons),
                    formatted(&found)
                ));
            }
        }
        let hangs_on = evaluation.hangs_on(found).into_iter();
        let hangs_on = hangs_on.filter_map(|input| Some(scenario.inputs.get(input)?.id.clone())).collect();
        self.set(&format!("{id} hangs on"), expected.hangs_on.as_ref(), &hangs_on);
        let waivers = evaluation.waivers(found);
        let named: BTreeMap<WaiverId, Certainty> = waivers
            .iter()
            .filter_map(|waiver| Some((red_line.waivers.get(waiver.waiver)?.id.clone(), waiver.certainty)))
            .collect();
        self.map(&format!("{id}'s waivers"), expected.waivers.as_ref(), &named);
        let of_waivers = waivers.iter().filter_map(|waiver| red_line.waivers.get(waiver.waiver));
        let evidence = red_line.evidence.iter().chain(of_waivers.flat_map(|waiver| &waiver.evidence));
        let rows: BTreeSet<String> = evidence.map(|evidence| evidence.row.clone()).collect();
        let missing: Vec<String> = expected.rows.difference(&rows).cloned().collect();
        if !missing.is_empty() {
            self.differences.push(format!("{id}'s evidence lacks the rows {}", missing.join(", ")));
        }
    }

    /// Writes a cause, which is a settled answer that contributes to a reason, as `issue` or `issue.member`.
    fn cause(&self, cause: Cause) -> String {
        let Some(input) = self.compiled.scenario().inputs.get(cause.input) else { return String::new() };
        let member = cause.member.and_then(|member| input.domain.entries().get(member.index()));
        member.map_or_else(|| input.id.to_string(), |member| format!("{}.{member}", input.id))
    }
}

/// Returns a map from the id of each constraint, or of each caution, in `sightings` to whether it applies certainly or
/// only possibly.
fn by_id<I: Copy, Id: Ord>(sightings: &[Sighting<I>], id: impl Fn(I) -> Option<Id>) -> BTreeMap<Id, Certainty> {
    sightings.iter().filter_map(|found| Some((id(found.index)?, found.certainty))).collect()
}
