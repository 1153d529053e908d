//! EvaluateHistory: one proposal, edition by edition, unchanged stretches of days together.

use crate::convert::date::{from_date, to_date};
use crate::convert::evaluation::{from_evaluation, from_status};
use crate::convert::hypotheses::{Supposition, to_supposition};
use crate::convert::red_line::from_firmness;
use crate::convert::request::{Question, Subject, to_circumstances, to_detail, to_given};
use crate::error::{ApiError, Violations};
use crate::schema::names;
use crate::schema::proto::v1::{self, evaluate_history_request, evaluate_proposal_request};
use crate::services::decision_record::Evaluated;
use crate::services::{MAX_ANSWER_BYTES, RedLines};
use detente_core::engine::{Compiled, Detail, Finding, Status};
use jiff::civil::Date;
use prost::Message;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

/// The most red lines times editions that one call looks at: a second or two. An added line, whose condition is the
/// caller's, counts by the steps that its cubes take.
pub const MAX_HISTORY_FINDINGS: usize = 1_000_000;
/// What the answer adds to its spans, and each span to its parts, at most.
const AROUND_ANSWER: usize = 256;
const AROUND_SPAN: usize = 64;

impl RedLines {
    /// What is found of one proposal between two days.
    ///
    /// # Errors
    /// As `ErrorReason` in the schema documents them.
    pub fn evaluate_history(
        &self,
        request: &v1::EvaluateHistoryRequest,
    ) -> Result<v1::EvaluateHistoryResponse, ApiError> {
        let begun = Instant::now();
        self.may_suppose(&request.hypotheses)?;
        let named = match &request.subject {
            Some(evaluate_history_request::Subject::ProposalName(name)) => name,
            _ => "",
        };
        let compiled = self.of_subject(&request.scenario, named, &request.revision)?;
        let (question, (from, to)) = read(&compiled, request)?;
        let mut history = History { compiled: &compiled, question: &question, spans: Vec::new(), bytes: AROUND_ANSWER };
        let mut last: Option<Seen> = None;
        for (from, to) in compiled.editions_between(from, to) {
            let seen = history.look(from)?;
            match &mut last {
                Some(last) if last.same_as(&seen) => history.lengthen(to),
                before => {
                    history.push((from, to), before.as_ref(), &seen)?;
                    *before = Some(seen);
                }
            }
        }
        self.record_history(request, &history.spans, begun);
        let scenario = compiled.scenario();
        Ok(v1::EvaluateHistoryResponse {
            scenario: names::scenario(&scenario.id),
            revision: scenario.revision.to_string(),
            spans: history.spans,
        })
    }
}

impl RedLines {
    /// Each stretch of days is an evaluation, as if its first day had been asked for.
    fn record_history(&self, request: &v1::EvaluateHistoryRequest, spans: &[v1::HistorySpan], begun: Instant) {
        use evaluate_proposal_request::Subject as Asked;
        let mut asked = v1::EvaluateProposalRequest {
            scenario: request.scenario.clone(),
            subject: request.subject.clone().map(|subject| match subject {
                evaluate_history_request::Subject::Proposal(proposal) => Asked::Proposal(proposal),
                evaluate_history_request::Subject::ProposalName(name) => Asked::ProposalName(name),
            }),
            overrides: request.overrides.clone(),
            cleared_issues: request.cleared_issues.clone(),
            circumstances: request.circumstances.clone(),
            hypotheses: request.hypotheses.clone(),
            ..v1::EvaluateProposalRequest::default()
        };
        for (at, span) in spans.iter().enumerate() {
            let Some(evaluation) = &span.evaluation else { continue };
            asked.as_of = span.from;
            let (method, item) = ("EvaluateHistory", Some(at.to_string()));
            self.record_whole(Evaluated { method, item, cached: false, begun, request: &asked }, evaluation);
        }
    }
}

fn read(compiled: &Compiled, request: &v1::EvaluateHistoryRequest) -> Result<(Question, (Date, Date)), ApiError> {
    let scenario = &**compiled.scenario();
    let mut violations = Violations::default();
    let subject = request.subject.as_ref().map(Subject::from);
    let changes = (request.overrides.as_slice(), request.cleared_issues.as_slice());
    let terms = to_given(scenario, subject, changes, "", &mut violations)?;
    let circumstances = to_circumstances(scenario, &request.circumstances, &mut violations);
    let detail = to_detail(request.view, &mut violations);
    let from = to_date(request.from.as_ref(), "from", &mut violations).unwrap_or(scenario.covers.0);
    let to = to_date(request.to.as_ref(), "to", &mut violations).unwrap_or(scenario.as_of);
    if from > to {
        violations.add("to", format!("{to} is before {from}, the first day"));
    }
    let covered = |day, field| compiled.check_covered(day).map_err(|cause| ApiError::DateNotCovered { field, cause });
    let covered = covered(from, "from").and_then(|()| covered(to, "to"));
    let supposition = match covered {
        Ok(()) if from <= to => to_supposition(compiled, &request.hypotheses, (from, to), &mut violations),
        _ => Supposition::default(),
    };
    let added = supposition.supposed.as_ref().map_or(0, |supposed| supposed.steps());
    let editions = compiled.editions_between(from, to).count();
    let looked_at = editions.saturating_mul(scenario.red_lines.len().saturating_add(added));
    if looked_at > MAX_HISTORY_FINDINGS {
        let text = format!(
            "{looked_at} findings would be compared, red lines (added ones by their cases) times editions; at most \
             {MAX_HISTORY_FINDINGS} are: ask for fewer days"
        );
        violations.over("history_findings", "to", text);
    }
    violations.into_result()?;
    covered?;
    let given = supposition.given_over(terms, circumstances);
    Ok((Question { given, day: None, detail, supposition }, (from, to)))
}

/// What is found on a day.
struct Seen {
    /// Without its day and without the summary, which names it: what is left can be compared.
    evaluation: v1::Evaluation,
    summary: String,
    /// Of every line that is held or not yet recorded, by position.
    found: BTreeMap<usize, Found>,
}

/// What is found of a red line.
#[derive(Clone, Copy, PartialEq)]
struct Found {
    outline: v1::FindingOutline,
    /// Its position among the evaluation's findings, if it is told there.
    told: Option<usize>,
}

impl Seen {
    fn same_as(&self, other: &Seen) -> bool {
        self.found == other.found && self.evaluation == other.evaluation
    }

    fn outline(&self, red_line: usize) -> v1::FindingOutline {
        self.found.get(&red_line).map_or_else(not_held, |found| found.outline)
    }

    fn finding(&self, red_line: usize) -> Option<&v1::Finding> {
        self.evaluation.findings.get(self.found.get(&red_line)?.told?)
    }
}

struct History<'a> {
    compiled: &'a Compiled,
    question: &'a Question,
    spans: Vec<v1::HistorySpan>,
    bytes: usize,
}

impl History<'_> {
    fn look(&self, day: Date) -> Result<Seen, ApiError> {
        let (scenario, question) = (self.compiled.scenario(), self.question);
        let not_covered = |cause| ApiError::DateNotCovered { field: "from", cause };
        let supposed = question.supposition.supposed.as_ref();
        // Whatever is answered, what is clear is told from what is not recorded.
        let mut evaluation = self
            .compiled
            .evaluate_supposing(&question.given, Some(day), Detail::Full, supposed)
            .map_err(not_covered)?;
        let inputs = self.compiled.effective_inputs(&question.given, Some(day)).map_err(not_covered)?;
        let told = |finding: &Finding| {
            question.detail == Detail::Full || matches!(finding.status, Status::Crossed | Status::Undetermined)
        };
        // Those that are told come first, in the order in which they are told.
        let found = evaluation.findings.iter().enumerate().map(|(at, finding)| {
            (finding.red_line, Found { outline: outline(finding), told: told(finding).then_some(at) })
        });
        let found = found.collect();
        evaluation.findings.retain(told);
        let texts = &question.supposition.texts;
        let mut evaluation = from_evaluation(scenario, &evaluation, &inputs, question.detail, texts);
        evaluation.as_of = None;
        let summary = std::mem::take(&mut evaluation.summary);
        Ok(Seen { evaluation, summary, found })
    }

    fn lengthen(&mut self, to: Date) {
        if let Some(span) = self.spans.last_mut() {
            span.to = Some(from_date(to));
        }
    }

    fn push(&mut self, (from, to): (Date, Date), before: Option<&Seen>, seen: &Seen) -> Result<(), ApiError> {
        let from = Some(from_date(from));
        let evaluation = v1::Evaluation { as_of: from, summary: seen.summary.clone(), ..seen.evaluation.clone() };
        let span = v1::HistorySpan {
            from,
            to: Some(from_date(to)),
            evaluation: Some(evaluation),
            changes: before.map_or_else(Vec::new, |before| self.changes(before, seen)),
        };
        self.bytes += span.encoded_len() + AROUND_SPAN;
        if self.bytes > MAX_ANSWER_BYTES {
            return Err(ApiError::TooManyAnswers { fitting: self.spans.len(), limit: MAX_ANSWER_BYTES });
        }
        self.spans.push(span);
        Ok(())
    }

    /// The red lines of which something else is found.
    fn changes(&self, before: &Seen, after: &Seen) -> Vec<v1::FindingChange> {
        let scenario = self.compiled.scenario();
        let lines: BTreeSet<usize> = before.found.keys().chain(after.found.keys()).copied().collect();
        let changes = lines.into_iter().filter_map(|line| {
            let (was, is) = (before.outline(line), after.outline(line));
            if was == is && before.finding(line) == after.finding(line) {
                return None;
            }
            let supposed = || self.question.supposition.supposed.as_ref()?.red_line(scenario, line);
            let red_line = scenario.red_lines.get(line).or_else(supposed)?;
            Some(v1::FindingChange {
                red_line: names::red_line(&scenario.id, &red_line.id),
                party: scenario.parties.get(red_line.party)?.id.to_string(),
                title: red_line.title.clone(),
                before: Some(was),
                after: Some(is),
            })
        });
        changes.collect()
    }
}

/// What was found of a red line, in brief.
pub(super) fn outline(finding: &Finding) -> v1::FindingOutline {
    let (lowest, highest) = match finding.firmness {
        Some((lowest, highest)) => (from_firmness(lowest), from_firmness(highest)),
        None => (v1::Firmness::Unspecified, v1::Firmness::Unspecified),
    };
    v1::FindingOutline {
        status: from_status(finding.status).into(),
        firmness: lowest.into(),
        firmness_at_worst: highest.into(),
    }
}

fn not_held() -> v1::FindingOutline {
    v1::FindingOutline { status: v1::RedLineStatus::NotHeld.into(), ..v1::FindingOutline::default() }
}
