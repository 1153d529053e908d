//! `EvaluateProposal`: evaluates one proposal, or takes the answer from the cache.
//!
//! Must not know how an evaluation is computed.

use crate::convert::evaluation::from_evaluation;
use crate::convert::request::{Question, Subject, to_question};
use crate::error::{ApiError, Violations};
use crate::schema::encoded::EvaluateProposalResponse;
use crate::schema::proto::v1;
use crate::services::RedLines;
use crate::services::decision_record::{EvaluationRecord, outline};
use crate::services::size::{MAX_ANSWER_BYTES, bounded};
use crate::serving::{CacheKey, CachedAnswer};
use bytes::Bytes;
use detente_core::engine::{Compiled, Evaluation};
use prost::Message;
use std::sync::Arc;
use std::time::Instant;

/// An answer, together with the evaluation that it was made from.
pub(super) struct EvaluatedProposal {
    pub(super) response: v1::EvaluateProposalResponse,
    pub(super) compiled: Arc<Compiled>,
    pub(super) found: Evaluation,
}

impl RedLines {
    /// Evaluates one proposal without the cache: which red lines it crosses, whose, why, and who says so.
    ///
    /// # Errors
    /// The errors that `ErrorReason` in the schema documents.
    pub fn evaluate(&self, request: &v1::EvaluateProposalRequest) -> Result<v1::EvaluateProposalResponse, ApiError> {
        self.evaluate_uncached(request, Violations::default()).map(|answered| answered.response)
    }

    /// Evaluates one proposal without the cache, and returns the engine's evaluation too. Adds faults to `violations`.
    pub(super) fn evaluate_uncached(
        &self,
        request: &v1::EvaluateProposalRequest,
        violations: Violations,
    ) -> Result<EvaluatedProposal, ApiError> {
        self.check_may_suppose(&request.hypotheses)?;
        let (compiled, question) = self.question_of_request(request, violations)?;
        let found = evaluate(&compiled, &question)?;
        let evaluation = Some(message(&compiled, &question, &found));
        Ok(EvaluatedProposal { response: bounded(v1::EvaluateProposalResponse { evaluation })?, compiled, found })
    }

    /// Evaluates one proposal, or takes the encoded answer from the cache, and records the evaluation.
    ///
    /// # Errors
    /// The errors that `ErrorReason` in the schema documents.
    pub fn evaluate_encoded(
        &self,
        request: &v1::EvaluateProposalRequest,
    ) -> Result<EvaluateProposalResponse, ApiError> {
        let begun = Instant::now();
        self.check_may_suppose(&request.hypotheses)?;
        let (compiled, question) = self.question_of_request(request, Violations::default())?;
        // Answers to hypotheses are not cached, because requests with hypotheses rarely repeat.
        let cache = self.shared.cache.as_ref().filter(|_| question.supposition.supposed.is_none());
        let key = cache.map(|_| CacheKey::new(compiled.scenario(), &question.given, question.day, question.detail));
        let kept = cache.zip(key.as_ref()).and_then(|(cache, key)| cache.get(key));
        let cached = kept.is_some();
        let (evaluation, verdict, outline) = match kept {
            Some(CachedAnswer { answer, outline }) => (answer, outline.verdict, Some(outline)),
            None => {
                let found = evaluate(&compiled, &question)?;
                let evaluation = encoded(&message(&compiled, &question, &found))?;
                let outline = self.needs_outline().then(|| Arc::new(outline(&compiled, &found)));
                if let (Some(cache), Some(key), Some(outline)) = (cache, key, &outline) {
                    cache.insert(key, CachedAnswer { answer: evaluation.clone(), outline: outline.clone() });
                }
                (evaluation, found.verdict, outline)
            }
        };
        let evaluated = EvaluationRecord { method: "EvaluateProposal", item: None, cached, begun, request };
        self.record(evaluated, verdict, outline);
        Ok(EvaluateProposalResponse { evaluation: Some(evaluation) })
    }

    /// Validates a request, and returns the scenario that it is about.
    fn question_of_request(
        &self,
        request: &v1::EvaluateProposalRequest,
        violations: Violations,
    ) -> Result<(Arc<Compiled>, Question), ApiError> {
        let subject = request.subject.as_ref().map(Subject::from);
        let compiled = self.scenario_of_subject(&request.scenario, subject, &request.revision)?;
        let question = to_question(&compiled, request, subject, violations)?;
        Ok((compiled, question))
    }

    /// Returns the scenario named `scenario`; if the name is empty, the scenario of the reference proposal.
    pub(super) fn scenario_of_subject(
        &self,
        scenario: &str,
        subject: Option<Subject<'_>>,
        revision: &str,
    ) -> Result<Arc<Compiled>, ApiError> {
        match subject {
            Some(Subject::Named(Some(name))) if scenario.is_empty() => self.scenario_by_id(name.scenario, revision),
            _ => self.scenario(scenario, "scenario", revision),
        }
    }
}

/// Evaluates a validated request.
///
/// # Errors
/// [`ApiError::DateNotCovered`] if the scenario does not cover the day.
pub(super) fn evaluate(compiled: &Compiled, question: &Question) -> Result<Evaluation, ApiError> {
    let supposed = question.supposition.supposed.as_ref();
    compiled
        .evaluate_supposing(&question.given, question.day, question.detail, supposed)
        .map_err(|cause| ApiError::DateNotCovered { field: "as_of", cause })
}

/// Converts an evaluation to a message.
pub(super) fn message(compiled: &Compiled, question: &Question, found: &Evaluation) -> v1::Evaluation {
    from_evaluation(compiled.scenario(), found, question.detail, &question.supposition.texts)
}

fn encoded(evaluation: &v1::Evaluation) -> Result<Bytes, ApiError> {
    // Bytes that the response adds to the evaluation.
    const AROUND: usize = 8;
    match evaluation.encoded_len() + AROUND {
        bytes if bytes > MAX_ANSWER_BYTES => Err(ApiError::AnswerTooLarge { bytes, limit: MAX_ANSWER_BYTES }),
        _ => Ok(evaluation.encode_to_vec().into()),
    }
}
