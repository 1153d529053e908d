//! `EvaluateHistory`: one proposal on every day between two days, with unchanged days joined to spans.
//!
//! An edition is a range of days on which nothing in the scenario changes, so that one evaluation covers all of its
//! days. Owns the limit on the work of one call. Must not know how an evaluation is computed.

use crate::convert::date::{from_date, to_date};
use crate::convert::evaluation::from_outline;
use crate::convert::hypotheses::{Supposition, to_supposition};
use crate::convert::request::{Question, Subject, to_circumstances, to_detail, to_given};
use crate::error::{ApiError, Violations};
use crate::schema::names;
use crate::schema::proto::v1::{self, evaluate_history_request, evaluate_proposal_request};
use crate::services::RedLines;
use crate::services::decision_record::EvaluationRecord;
use crate::services::evaluate::message;
use crate::services::size::MAX_ANSWER_BYTES;
use detente_core::engine::{Compiled, FindingChange, HistorySpan};
use detente_core::scenario::DateRange;
use prost::Message;
use std::time::Instant;

/// Maximum of the number of red lines multiplied by the number of editions, in one call. Evaluating as many takes one
/// or two seconds.
///
/// A red line that a hypothesis adds may have a costly condition, so it counts by the estimated steps of its
/// evaluation.
pub const MAX_HISTORY_FINDINGS: usize = 1_000_000;
/// Upper bound of the bytes that the response adds to its spans.
const AROUND_ANSWER: usize = 256;
/// Upper bound of the bytes that the list of spans adds to each span.
const AROUND_SPAN: usize = 64;

impl RedLines {
    /// Evaluates one proposal on every day between two days.
    ///
    /// # Errors
    /// The errors that `ErrorReason` in the schema documents.
    pub fn evaluate_history(
        &self,
        request: &v1::EvaluateHistoryRequest,
    ) -> Result<v1::EvaluateHistoryResponse, ApiError> {
        let begun = Instant::now();
        self.check_may_suppose(&request.hypotheses)?;
        let subject = request.subject.as_ref().map(Subject::from);
        let compiled = self.scenario_of_subject(&request.scenario, subject, &request.revision)?;
        let (question, days) = read(&compiled, request, subject)?;
        let supposed = question.supposition.supposed.as_ref();
        let mut day_request = to_evaluation_request(request);
        let mut bytes = AROUND_ANSWER;
        let mut spans = Vec::new();
        let mut decisions = Vec::new();
        for span in compiled.history(&question.given, days, question.detail, supposed) {
            let span = span.map_err(|cause| ApiError::DateNotCovered { field: "from", cause })?;
            let message = from_span(&compiled, &question, &span);
            bytes += message.encoded_len() + AROUND_SPAN;
            if bytes > MAX_ANSWER_BYTES {
                return Err(ApiError::TooManyAnswers { fitting: spans.len(), limit: MAX_ANSWER_BYTES });
            }
            spans.push(message);
            // Keeps only the outline (the summary that the decision log needs), because an evaluation can be large.
            decisions.push((span.days.first(), span.evaluation.verdict, self.outline_of(&compiled, &span.evaluation)));
        }
        // A history that fails is not recorded, so the records are made after the last span.
        for (at, (day, verdict, outline)) in decisions.into_iter().enumerate() {
            day_request.as_of = Some(from_date(day));
            let (method, item) = ("EvaluateHistory", Some(at.to_string()));
            let evaluated = EvaluationRecord { method, item, cached: false, begun, request: &day_request };
            self.record(evaluated, verdict, outline);
        }
        let scenario = compiled.scenario();
        Ok(v1::EvaluateHistoryResponse {
            scenario: names::scenario(&scenario.id),
            revision: scenario.revision.to_string(),
            spans,
        })
    }
}

/// Converts the request for a history to a request for the evaluation of the proposal, without a day.
///
/// The decision log records one such request for each span; the calling code sets its `as_of` to the span's first day.
fn to_evaluation_request(request: &v1::EvaluateHistoryRequest) -> v1::EvaluateProposalRequest {
    use evaluate_proposal_request::Subject;
    v1::EvaluateProposalRequest {
        scenario: request.scenario.clone(),
        subject: request.subject.clone().map(|subject| match subject {
            evaluate_history_request::Subject::Proposal(proposal) => Subject::Proposal(proposal),
            evaluate_history_request::Subject::ProposalName(name) => Subject::ProposalName(name),
        }),
        overrides: request.overrides.clone(),
        cleared_issues: request.cleared_issues.clone(),
        circumstances: request.circumstances.clone(),
        hypotheses: request.hypotheses.clone(),
        ..v1::EvaluateProposalRequest::default()
    }
}

fn read(
    compiled: &Compiled,
    request: &v1::EvaluateHistoryRequest,
    subject: Option<Subject<'_>>,
) -> Result<(Question, DateRange), ApiError> {
    let scenario = &**compiled.scenario();
    let mut violations = Violations::default();
    let changes = (request.overrides.as_slice(), request.cleared_issues.as_slice());
    let terms = to_given(scenario, subject, changes, "", &mut violations)?;
    let circumstances = to_circumstances(scenario, &request.circumstances, &mut violations);
    let detail = to_detail(request.view, &mut violations);
    let from = to_date(request.from.as_ref(), "from", &mut violations).unwrap_or(scenario.covers.first());
    let to = to_date(request.to.as_ref(), "to", &mut violations).unwrap_or(scenario.as_of);
    let Some(days) = DateRange::new(from, to) else {
        violations.add("to", format!("{to} is before {from}, the first day"));
        return Err(ApiError::InvalidRequest(violations));
    };
    let covered = |day, field| compiled.check_covered(day).map_err(|cause| ApiError::DateNotCovered { field, cause });
    let covered = covered(from, "from").and_then(|()| covered(to, "to"));
    let supposition = match covered {
        Ok(()) => to_supposition(compiled, &request.hypotheses, days, &mut violations),
        Err(_) => Supposition::default(),
    };
    let added = supposition.supposed.as_ref().map_or(0, |supposed| supposed.steps());
    let editions = compiled.editions_within(days).count();
    let looked_at = editions.saturating_mul(scenario.red_lines.len().saturating_add(added));
    if looked_at > MAX_HISTORY_FINDINGS {
        let text = format!(
            "the history has {looked_at} findings (red lines times editions; an added red line counts by the size of \
             its condition); the limit is {MAX_HISTORY_FINDINGS}. Request fewer days"
        );
        violations.over("history_findings", "to", text);
    }
    violations.into_result()?;
    covered?;
    let given = supposition.given_over(terms, circumstances);
    Ok((Question { given, day: None, detail, supposition }, days))
}

fn from_span(compiled: &Compiled, question: &Question, span: &HistorySpan) -> v1::HistorySpan {
    let scenario = compiled.scenario();
    let from_change = |change: &FindingChange| {
        let supposed = || question.supposition.supposed.as_ref()?.red_line(scenario, change.red_line);
        let red_line = scenario.red_lines.get(change.red_line).or_else(supposed)?;
        Some(v1::FindingChange {
            red_line: names::red_line(&scenario.id, &red_line.id),
            party: scenario.parties.get(red_line.party)?.id.to_string(),
            title: red_line.title.clone(),
            before: Some(from_outline(change.before)),
            after: Some(from_outline(change.after)),
        })
    };
    v1::HistorySpan {
        from: Some(from_date(span.days.first())),
        to: Some(from_date(span.days.last())),
        evaluation: Some(message(compiled, question, &span.evaluation)),
        changes: span.changes.iter().filter_map(from_change).collect(),
    }
}
