//! EvaluateProposal.

use crate::convert::evaluation::from_evaluation;
use crate::convert::request::{Question, to_question};
use crate::error::ApiError;
use crate::schema::encoded::EvaluateProposalResponse;
use crate::schema::names;
use crate::schema::proto::v1;
use crate::schema::proto::v1::evaluate_proposal_request::Subject;
use crate::services::decision_record::{Evaluated, outline};
use crate::services::{MAX_ANSWER_BYTES, RedLines, bounded};
use crate::serving::{CachedAnswer, Key};
use bytes::Bytes;
use detente_core::engine::Compiled;
use prost::Message;
use std::sync::Arc;
use std::time::Instant;

impl RedLines {
    /// Does this proposal cross anyone's red line, whose, why, and who says so?
    ///
    /// # Errors
    /// As `ErrorReason` in the schema documents them.
    pub fn evaluate(&self, request: &v1::EvaluateProposalRequest) -> Result<v1::EvaluateProposalResponse, ApiError> {
        self.may_suppose(&request.hypotheses)?;
        let compiled = self.of_request(request)?;
        let question = to_question(&compiled, request)?;
        let evaluation = answer(&compiled, &question)?;
        bounded(v1::EvaluateProposalResponse { evaluation: Some(evaluation) })
    }

    /// The same, encoded, and from the cache where it has the answer.
    ///
    /// # Errors
    /// As `ErrorReason` in the schema documents them.
    pub fn evaluate_encoded(
        &self,
        request: &v1::EvaluateProposalRequest,
    ) -> Result<EvaluateProposalResponse, ApiError> {
        let begun = Instant::now();
        self.may_suppose(&request.hypotheses)?;
        let compiled = self.of_request(request)?;
        let question = to_question(&compiled, request)?;
        // What is supposed is asked once and never again.
        let cache = self.shared.cache.as_ref().filter(|_| question.supposition.supposed.is_none());
        let key = cache.map(|_| Key::new(compiled.scenario(), &question.given, question.day, question.detail));
        let kept = cache.zip(key.as_ref()).and_then(|(cache, key)| cache.get(key));
        let cached = kept.is_some();
        let (evaluation, outlined) = match kept {
            Some(CachedAnswer { answer, outline }) => (answer, Ok(outline)),
            None => {
                let answered = answer(&compiled, &question)?;
                let evaluation = encoded(&answered)?;
                let outlined = match self.needs_outline() {
                    true => Ok(Arc::new(outline(&answered))),
                    false => Err(answered.verdict()),
                };
                if let (Some(cache), Some(key), Ok(outline)) = (cache, key, &outlined) {
                    cache.insert(key, CachedAnswer { answer: evaluation.clone(), outline: outline.clone() });
                }
                (evaluation, outlined)
            }
        };
        let verdict = match &outlined {
            Ok(outline) => v1::Verdict::from_str_name(outline.verdict).unwrap_or_default(),
            Err(verdict) => *verdict,
        };
        let evaluated = Evaluated { method: "EvaluateProposal", item: None, cached, begun, request };
        self.record(evaluated, verdict, outlined.ok());
        Ok(EvaluateProposalResponse { evaluation: Some(evaluation) })
    }

    /// The scenario that a request is about.
    fn of_request(&self, request: &v1::EvaluateProposalRequest) -> Result<Arc<Compiled>, ApiError> {
        let named = match &request.subject {
            Some(Subject::ProposalName(name)) => name,
            _ => "",
        };
        self.of_subject(&request.scenario, named, &request.revision)
    }

    /// The scenario that is named; without a name, that of the reference proposal.
    pub(super) fn of_subject(
        &self,
        scenario: &str,
        proposal_name: &str,
        revision: &str,
    ) -> Result<Arc<Compiled>, ApiError> {
        match names::parse_proposal(proposal_name) {
            Some((of, _)) if scenario.is_empty() => self.scenario(&names::scenario(of), "proposal_name", revision),
            _ => self.scenario(scenario, "scenario", revision),
        }
    }
}

/// The answer to a question.
pub(super) fn answer(compiled: &Compiled, question: &Question) -> Result<v1::Evaluation, ApiError> {
    let not_covered = |cause| ApiError::DateNotCovered { field: "as_of", cause };
    let supposition = &question.supposition;
    let evaluation = compiled
        .evaluate_supposing(&question.given, question.day, question.detail, supposition.supposed.as_ref())
        .map_err(not_covered)?;
    let inputs = compiled.effective_inputs(&question.given, question.day).map_err(not_covered)?;
    Ok(from_evaluation(compiled.scenario(), &evaluation, &inputs, question.detail, &supposition.texts))
}

fn encoded(evaluation: &v1::Evaluation) -> Result<Bytes, ApiError> {
    // What the response adds around the evaluation.
    const AROUND: usize = 8;
    match evaluation.encoded_len() + AROUND {
        bytes if bytes > MAX_ANSWER_BYTES => Err(ApiError::AnswerTooLarge { bytes, limit: MAX_ANSWER_BYTES }),
        _ => Ok(evaluation.encode_to_vec().into()),
    }
}
