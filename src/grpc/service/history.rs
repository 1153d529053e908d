//! EvaluateHistory: one proposal, edition by edition, unchanged stretches of days together.

use super::{MAX_ANSWER_BYTES, RedLines};
use crate::engine::{Compiled, Detail, Evaluation, Finding, Status};
use crate::grpc::convert::date::{from_date, to_date};
use crate::grpc::convert::evaluation::{from_evaluation, from_status};
use crate::grpc::convert::hypotheses::{Supposition, to_supposition};
use crate::grpc::convert::red_line::from_firmness;
use crate::grpc::convert::request::{Question, Subject, to_circumstances, to_detail, to_given};
use crate::grpc::error::{ApiError, Violations};
use crate::grpc::names;
use crate::grpc::proto::v1::{self, evaluate_history_request};
use jiff::civil::Date;
use prost::Message;
use std::collections::BTreeMap;

/// The most red lines times editions that one call looks at: some tenths of a second.
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
        let scenario = compiled.scenario();
        Ok(v1::EvaluateHistoryResponse {
            scenario: names::scenario(&scenario.id),
            revision: scenario.revision.to_string(),
            spans: history.spans,
        })
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
    let looked_at = compiled.editions_between(from, to).count().saturating_mul(scenario.red_lines.len());
    if looked_at > MAX_HISTORY_FINDINGS {
        let text = format!(
            "{looked_at} findings would be compared, red lines times editions; at most {MAX_HISTORY_FINDINGS} are: ask for fewer days"
        );
        violations.add("to", text);
    }
    violations.into_result()?;
    covered?;
    let given = supposition.given_over(terms, circumstances);
    Ok((Question { given, day: None, detail, supposition }, (from, to)))
}

/// What is found on a day.
struct Seen {
    /// Without what differs from day to day by itself.
    evaluation: v1::Evaluation,
    /// Of every line that is held or not yet recorded, by position.
    outlines: BTreeMap<usize, Outline>,
}

/// What is found of a red line.
struct Outline {
    outline: v1::FindingOutline,
    id: String,
    party: String,
    title: String,
}

impl Seen {
    fn same_as(&self, other: &Seen) -> bool {
        let outline = |seen: &Seen| seen.outlines.iter().map(|(at, seen)| (*at, seen.outline)).collect::<Vec<_>>();
        outline(self) == outline(other) && comparable(&self.evaluation) == comparable(&other.evaluation)
    }
}

/// An evaluation without its day, and without the words that name it.
fn comparable(evaluation: &v1::Evaluation) -> v1::Evaluation {
    v1::Evaluation { as_of: None, summary: String::new(), ..evaluation.clone() }
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
        let findings = evaluation.findings.iter();
        let outlines = findings.filter_map(|finding| Some((finding.red_line, self.outline(&evaluation, finding)?)));
        let outlines = outlines.collect();
        if question.detail == Detail::Basic {
            evaluation.findings.retain(|finding| matches!(finding.status, Status::Crossed | Status::Undetermined));
        }
        let texts = &question.supposition.texts;
        let evaluation = from_evaluation(scenario, &evaluation, &inputs, question.detail, texts);
        Ok(Seen { evaluation, outlines })
    }

    fn outline(&self, evaluation: &Evaluation, finding: &Finding) -> Option<Outline> {
        let scenario = self.compiled.scenario();
        let red_line = evaluation.red_line(scenario, finding)?;
        Some(Outline {
            outline: outline(finding),
            id: names::red_line(&scenario.id, &red_line.id),
            party: scenario.parties.get(red_line.party)?.id.to_string(),
            title: red_line.title.clone(),
        })
    }

    fn lengthen(&mut self, to: Date) {
        if let Some(span) = self.spans.last_mut() {
            span.to = Some(from_date(to));
        }
    }

    fn push(&mut self, (from, to): (Date, Date), before: Option<&Seen>, seen: &Seen) -> Result<(), ApiError> {
        let span = v1::HistorySpan {
            from: Some(from_date(from)),
            to: Some(from_date(to)),
            evaluation: Some(seen.evaluation.clone()),
            changes: before.map_or_else(Vec::new, |before| changes(before, seen)),
        };
        self.bytes += span.encoded_len() + AROUND_SPAN;
        if self.bytes > MAX_ANSWER_BYTES {
            return Err(ApiError::TooManyAnswers { fitting: self.spans.len(), limit: MAX_ANSWER_BYTES });
        }
        self.spans.push(span);
        Ok(())
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

/// The red lines of which something else is found.
fn changes(before: &Seen, after: &Seen) -> Vec<v1::FindingChange> {
    let mut lines: BTreeMap<usize, &Outline> = before.outlines.iter().map(|(at, line)| (*at, line)).collect();
    lines.extend(after.outlines.iter().map(|(at, line)| (*at, line)));
    let reasons =
        |seen: &Seen, id: &str| seen.evaluation.findings.iter().find(|finding| finding.red_line == id).cloned();
    let changes = lines.into_iter().filter_map(|(at, line)| {
        let outline = |seen: &Seen| seen.outlines.get(&at).map_or_else(not_held, |line| line.outline);
        let (was, is) = (outline(before), outline(after));
        let changed = was != is || reasons(before, &line.id) != reasons(after, &line.id);
        changed.then(|| v1::FindingChange {
            red_line: line.id.clone(),
            party: line.party.clone(),
            title: line.title.clone(),
            before: Some(was),
            after: Some(is),
        })
    });
    changes.collect()
}
