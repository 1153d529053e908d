//! `CompareProposals`: several proposals side by side.
//!
//! Owns the maximum number of proposals, and their labels. Must not know how a proposal is evaluated.

use crate::convert::date::{from_date, to_date};
use crate::convert::evaluation::{from_outline, from_stance, from_verdict};
use crate::convert::hypotheses::{Supposition, to_supposition};
use crate::convert::request::{Subject, to_circumstances, to_given};
use crate::convert::wording;
use crate::error::{ApiError, Violations};
use crate::schema::names;
use crate::schema::proto::v1::{self, compared_proposal, evaluate_proposal_request};
use crate::schema::weight::Weighed;
use crate::services::RedLines;
use crate::services::decision_record::EvaluationRecord;
use crate::services::size::bounded;
use detente_core::engine::{Compiled, Detail, Evaluation, Given, differing_lines};
use detente_core::scenario::index::PartyIndex;
use detente_core::scenario::{DateRange, Scenario};
use jiff::civil::Date;
use std::time::Instant;

/// Maximum number of proposals in one comparison.
pub const MAX_COMPARED: usize = 50;
// The decoder takes the quota of each of them.
const _: () = assert!(matches!(<v1::CompareProposalsRequest as Weighed>::PARTS, Some((_, MAX_COMPARED))));
/// Maximum length of a label, in characters.
pub const MAX_LABEL: usize = 100;

impl RedLines {
    /// Compares several proposals side by side.
    ///
    /// # Errors
    /// The errors that `ErrorReason` in the schema documents.
    pub fn compare_proposals(
        &self,
        request: &v1::CompareProposalsRequest,
    ) -> Result<v1::CompareProposalsResponse, ApiError> {
        let begun = Instant::now();
        self.check_may_suppose(&request.hypotheses)?;
        let compiled = self.scenario(&request.scenario, "scenario", &request.revision)?;
        let comparison = Comparison::read(&compiled, request)?;
        let not_covered = |cause| ApiError::DateNotCovered { field: "as_of", cause };
        let supposed = comparison.supposition.supposed.as_ref();
        let evaluations: Vec<Evaluation> = comparison
            .given
            .iter()
            .map(|given| compiled.evaluate_supposing(given, Some(comparison.day), Detail::Basic, supposed))
            .collect::<Result<_, _>>()
            .map_err(not_covered)?;
        self.record_comparison(request, &compiled, &comparison, &evaluations, begun);
        let scenario = compiled.scenario();
        let texts = comparison.supposition.texts;
        let verdicts = comparison.labels.into_iter().zip(&evaluations).map(|(label, evaluation)| v1::ComparedVerdict {
            label,
            verdict: from_verdict(evaluation.verdict).into(),
            could_become: from_verdict(evaluation.could_become).into(),
            summary: wording::summary(scenario, evaluation, texts.len()),
        });
        let stance = |evaluation: &Evaluation, party: PartyIndex| {
            let found = evaluation.stances.get(party)?;
            Some(v1::ComparedStance {
                stance: from_stance(found.stance).into(),
                could_become: from_stance(found.could_become).into(),
            })
        };
        let parties = scenario.parties.indexed().map(|(index, party)| v1::ComparedParty {
            party: party.id.to_string(),
            stances: evaluations.iter().filter_map(|evaluation| stance(evaluation, index)).collect(),
        });
        bounded(v1::CompareProposalsResponse {
            scenario: names::scenario(&scenario.id),
            revision: scenario.revision.to_string(),
            as_of: Some(from_date(comparison.day)),
            verdicts: verdicts.collect(),
            parties: parties.collect(),
            differences: differences(scenario, &evaluations),
            suppositions: texts,
        })
    }
}

impl RedLines {
    /// Records one evaluation for each compared proposal, in the decision log and in the counts of verdicts.
    fn record_comparison(
        &self,
        request: &v1::CompareProposalsRequest,
        compiled: &Compiled,
        comparison: &Comparison,
        evaluations: &[Evaluation],
        begun: Instant,
    ) {
        use evaluate_proposal_request::Subject;
        for ((proposal, label), evaluation) in request.proposals.iter().zip(&comparison.labels).zip(evaluations) {
            let request = &v1::EvaluateProposalRequest {
                scenario: request.scenario.clone(),
                subject: proposal.subject.clone().map(|subject| match subject {
                    compared_proposal::Subject::Proposal(proposal) => Subject::Proposal(proposal),
                    compared_proposal::Subject::ProposalName(name) => Subject::ProposalName(name),
                }),
                overrides: proposal.overrides.clone(),
                cleared_issues: proposal.cleared_issues.clone(),
                as_of: Some(from_date(comparison.day)),
                circumstances: request.circumstances.clone(),
                hypotheses: request.hypotheses.clone(),
                ..v1::EvaluateProposalRequest::default()
            };
            let evaluated = EvaluationRecord {
                method: "CompareProposals",
                item: Some(label.clone()),
                cached: false,
                begun,
                request,
            };
            self.record_evaluation(evaluated, compiled, evaluation);
        }
    }
}

/// Checks the number of proposals in a comparison, before it waits for a worker.
///
/// # Errors
/// [`ApiError::InvalidRequest`] if there is none, or too many.
pub(super) fn check_compared(count: usize) -> Result<(), ApiError> {
    let mut violations = Violations::default();
    add_count(count, &mut violations);
    violations.into_result()
}

fn add_count(count: usize, violations: &mut Violations) {
    if count == 0 {
        violations.add("proposals", format!("no proposals are given; expected 1 to {MAX_COMPARED}"));
    } else if count > MAX_COMPARED {
        let text = format!("{count} proposals are given; expected 1 to {MAX_COMPARED}");
        violations.over("compared_proposals", "proposals", text);
    }
}

/// A validated request for a comparison.
struct Comparison {
    labels: Vec<String>,
    /// For each proposal, the values of issues and circumstances.
    given: Vec<Vec<Given>>,
    day: Date,
    supposition: Supposition,
}

impl Comparison {
    fn read(compiled: &Compiled, request: &v1::CompareProposalsRequest) -> Result<Self, ApiError> {
        let scenario = &**compiled.scenario();
        let mut violations = Violations::default();
        add_count(request.proposals.len(), &mut violations);
        let (mut labels, mut terms) = (Vec::new(), Vec::new());
        for (at, proposal) in request.proposals.iter().take(MAX_COMPARED).enumerate() {
            let prefix = format!("proposals[{at}].");
            let subject = proposal.subject.as_ref().map(Subject::from);
            labels.push(to_label(&proposal.label, subject, at, &prefix, &mut violations));
            let changes = (proposal.overrides.as_slice(), proposal.cleared_issues.as_slice());
            terms.push(to_given(scenario, subject, changes, &prefix, &mut violations)?);
        }
        let circumstances = to_circumstances(scenario, &request.circumstances, &mut violations);
        let day = to_date(request.as_of.as_ref(), "as_of", &mut violations).unwrap_or(scenario.as_of);
        let covered = compiled.check_covered(day).map_err(|cause| ApiError::DateNotCovered { field: "as_of", cause });
        let supposition = match covered {
            Ok(()) => to_supposition(compiled, &request.hypotheses, DateRange::of_day(day), &mut violations),
            Err(_) => Supposition::default(),
        };
        violations.into_result()?;
        covered?;
        let given = terms.into_iter().map(|terms| supposition.given_over(terms, circumstances.clone())).collect();
        Ok(Self { labels, given, day, supposition })
    }
}

/// Returns the label of a proposal in the answer: the request's, else the reference proposal's id, else its number.
///
/// A reference proposal is one that the scenario contains.
fn to_label(label: &str, subject: Option<Subject<'_>>, at: usize, prefix: &str, violations: &mut Violations) -> String {
    if label.chars().count() > MAX_LABEL || label.chars().any(char::is_control) {
        violations.add(format!("{prefix}label"), format!("a label is one line of at most {MAX_LABEL} characters"));
    }
    match subject {
        _ if !label.is_empty() => label.to_owned(),
        Some(Subject::Named(name)) => name.map_or_else(String::new, |name| name.proposal.to_owned()),
        Some(Subject::Own(_)) | None => format!("proposal {}", at + 1),
    }
}

/// Returns the red lines whose findings differ between the proposals.
fn differences(scenario: &Scenario, evaluations: &[Evaluation]) -> Vec<v1::ComparedRedLine> {
    let compared = differing_lines(scenario, evaluations).into_iter().filter_map(|line| {
        Some(v1::ComparedRedLine {
            red_line: names::red_line(&scenario.id, &line.red_line.id),
            party: scenario.parties.get(line.red_line.party)?.id.to_string(),
            title: line.red_line.title.clone(),
            findings: line.findings.into_iter().map(from_outline).collect(),
            hypothetical: line.is_hypothetical,
        })
    });
    compared.collect()
}
