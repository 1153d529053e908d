//! `BatchEvaluateProposals`: several proposals on one revision of one scenario.
//!
//! Owns the maximum size of a batch and of its answer. Must not know how a proposal is evaluated.

use crate::convert::request::{Subject, to_question};
use crate::convert::sizes::needs_worker;
use crate::error::{ApiError, Violations, quoted};
use crate::schema::encoded::Encoded;
use crate::schema::names;
use crate::schema::proto::v1::{self, evaluation_result};
use crate::schema::weight::Weighed;
use crate::services::RedLines;
use crate::services::decision_record::EvaluationRecord;
use crate::services::evaluate;
use crate::services::size::MAX_ANSWER_BYTES;
use detente_core::engine::{Compiled, Evaluation};
use prost::Message;
use prost::encoding::message;
use std::sync::Arc;
use std::time::Instant;
use tokio::task::yield_now;

/// Maximum number of requests in a batch.
pub const MAX_BATCH: usize = 1_000;
// The decoder takes the quota of each of them.
const _: () = assert!(matches!(<v1::BatchEvaluateProposalsRequest as Weighed>::PARTS, Some((_, MAX_BATCH))));
/// Number of faulty items whose errors suggest similar names.
///
/// Errors of later items do not, because the search for similar names costs more than all other checks.
const ITEMS_WITH_SUGGESTIONS: usize = 16;
/// Initial capacity for the results, in bytes.
///
/// The capacity doubles, so that it is a power of two at most, like the maximum size of the answer, and never exceeds it.
const FIRST_BYTES: usize = 16 * 1024;
/// Number of the field `results` in the response.
const RESULTS: u32 = 1;
/// Upper bound of the bytes that the response adds to the list of results.
const AROUND_ANSWER: usize = 256;

impl RedLines {
    /// Evaluates several proposals on one revision of one scenario.
    ///
    /// # Errors
    /// The errors that `ErrorReason` in the schema documents. Errors of single requests are in the response.
    pub fn batch(
        &self,
        request: &v1::BatchEvaluateProposalsRequest,
    ) -> Result<Encoded<v1::BatchEvaluateProposalsResponse>, ApiError> {
        let mut batch = self.begin(request)?;
        for item in &request.requests {
            batch.add(batch.evaluate(item).map(|(message, _)| message))?;
        }
        Ok(batch.finish())
    }

    /// Evaluates a batch, yields to other tasks before each item, and runs items with hypotheses on worker threads.
    pub(super) async fn batch_in_turns(
        &self,
        mut request: v1::BatchEvaluateProposalsRequest,
    ) -> Result<Encoded<v1::BatchEvaluateProposalsResponse>, ApiError> {
        let mut batch = self.begin(&request)?;
        for (at, item) in std::mem::take(&mut request.requests).into_iter().enumerate() {
            // Lets other tasks run, and lets the runtime drop this one if the client has cancelled the call.
            yield_now().await;
            let begun = Instant::now();
            let is_long = needs_worker(&item.hypotheses);
            let checked = if is_long {
                self.check_before_worker(&item.hypotheses)
            } else {
                self.check_may_suppose(&item.hypotheses)
            };
            let (result, item) = match checked {
                Err(error) => (Err(error), item),
                Ok(()) if !is_long => (batch.evaluate(&item), item),
                Ok(()) => {
                    let (compiled, violations, request) = (batch.compiled.clone(), batch.violations(), item.clone());
                    (self.run_on_worker_in_turn(move |_| evaluate(&compiled, &request, violations)).await, item)
                }
            };
            match &result {
                Ok((_, found)) => self.record_evaluation(
                    EvaluationRecord {
                        method: "BatchEvaluateProposals",
                        item: Some(at.to_string()),
                        cached: false,
                        begun,
                        request: &item,
                    },
                    &batch.compiled,
                    found,
                ),
                Err(error) => self.count_refused_item(error),
            }
            batch.add(result.map(|(message, _)| message))?;
        }
        Ok(batch.finish())
    }

    fn begin(&self, request: &v1::BatchEvaluateProposalsRequest) -> Result<Batch, ApiError> {
        let compiled = self.scenario(&request.scenario, "scenario", &request.revision)?;
        let count = request.requests.len();
        let mut violations = Violations::default();
        if count == 0 {
            violations.add("requests", "give at least one request");
        } else if count > MAX_BATCH {
            violations.over(
                "batch_items",
                "requests",
                format!("{count} requests are given; the limit is {MAX_BATCH}, and streams have no limit"),
            );
        }
        violations.into_result()?;
        Ok(Batch { compiled, results: Vec::with_capacity(FIRST_BYTES), count: 0, faulty: 0 })
    }
}

/// A batch while it is evaluated: the encoded results so far.
///
/// A result takes much less memory in encoded form, and all results stay until the last one is made.
struct Batch {
    compiled: Arc<Compiled>,
    results: Vec<u8>,
    count: usize,
    faulty: usize,
}

impl Batch {
    fn evaluate(&self, request: &v1::EvaluateProposalRequest) -> Result<(v1::Evaluation, Evaluation), ApiError> {
        evaluate(&self.compiled, request, self.violations())
    }

    fn violations(&self) -> Violations {
        match self.faulty < ITEMS_WITH_SUGGESTIONS {
            true => Violations::of_item(),
            false => Violations::of_item().without_suggestions(),
        }
    }

    /// Adds a result.
    ///
    /// # Errors
    /// [`ApiError::TooManyAnswers`] if the results together exceed the maximum size of an answer.
    fn add(&mut self, result: Result<v1::Evaluation, ApiError>) -> Result<(), ApiError> {
        let result = match result {
            Ok(evaluation) => evaluation_result::Result::Evaluation(evaluation),
            Err(error) => {
                self.faulty += 1;
                evaluation_result::Result::Error(error.into())
            }
        };
        let mut result = v1::EvaluationResult { result: Some(result) };
        let bytes = result.encoded_len() + AROUND_ANSWER;
        if bytes > MAX_ANSWER_BYTES {
            // An answer that is too large for EvaluateProposal is an error of its item, and does not fail the batch.
            let error = ApiError::AnswerTooLarge { bytes, limit: MAX_ANSWER_BYTES };
            result.result = Some(evaluation_result::Result::Error(error.into()));
        }
        let bytes = self.results.len() + message::encoded_len(RESULTS, &result) + AROUND_ANSWER;
        if bytes > MAX_ANSWER_BYTES {
            return Err(ApiError::TooManyAnswers { fitting: self.count, limit: MAX_ANSWER_BYTES });
        }
        message::encode(RESULTS, &result, &mut self.results);
        self.count += 1;
        Ok(())
    }

    fn finish(self) -> Encoded<v1::BatchEvaluateProposalsResponse> {
        let scenario = self.compiled.scenario();
        let rest = v1::BatchEvaluateProposalsResponse {
            results: Vec::new(),
            scenario: names::scenario(&scenario.id),
            revision: scenario.revision.to_string(),
        };
        let mut bytes = self.results;
        rest.encode_raw(&mut bytes);
        Encoded::new(bytes.into())
    }
}

/// Evaluates one request of the batch. Its scenario and revision must be empty or equal to those of the batch.
fn evaluate(
    compiled: &Compiled,
    request: &v1::EvaluateProposalRequest,
    violations: Violations,
) -> Result<(v1::Evaluation, Evaluation), ApiError> {
    let scenario = compiled.scenario();
    let mut mismatches = Violations::default();
    if !request.scenario.is_empty() && names::parse_scenario(&request.scenario) != Some(scenario.id.as_str()) {
        let text = format!("the batch is about `scenarios/{}`, not `{}`", scenario.id, quoted(&request.scenario));
        mismatches.add("scenario", text);
    }
    if !request.revision.is_empty() && request.revision != scenario.revision.as_str() {
        let text =
            format!("the batch is answered by revision `{}`, not `{}`", scenario.revision, quoted(&request.revision));
        mismatches.add("revision", text);
    }
    mismatches.into_result()?;
    let subject = request.subject.as_ref().map(Subject::from);
    let question = to_question(compiled, request, subject, violations)?;
    let found = evaluate::evaluate(compiled, &question)?;
    Ok((evaluate::message(compiled, &question, &found), found))
}
