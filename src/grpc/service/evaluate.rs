//! EvaluateProposal.

use super::{MAX_ANSWER_BYTES, RedLines, bounded};
use crate::engine::Compiled;
use crate::grpc::convert::evaluation::from_evaluation;
use crate::grpc::convert::request::{Question, to_question};
use crate::grpc::encoded::EvaluateProposalResponse;
use crate::grpc::error::ApiError;
use crate::grpc::names;
use crate::grpc::proto::v1::{self, evaluate_proposal_request::Subject};
use crate::serving::Key;
use bytes::Bytes;
use prost::Message;
use std::sync::Arc;

impl RedLines {
    /// Does this proposal cross anyone's red line, whose, why, and who says so?
    ///
    /// # Errors
    /// As `ErrorReason` in the schema documents them.
    pub fn evaluate(&self, request: &v1::EvaluateProposalRequest) -> Result<v1::EvaluateProposalResponse, ApiError> {
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
        let compiled = self.of_request(request)?;
        let question = to_question(&compiled, request)?;
        let evaluation = match &self.cache {
            // What is supposed is asked once and never again.
            Some(cache) if question.supposition.supposed.is_none() => {
                let key = Key::new(compiled.scenario(), &question.given, question.day, question.detail);
                match cache.get(&key) {
                    Some(evaluation) => evaluation,
                    None => {
                        let evaluation = encoded(&compiled, &question)?;
                        cache.insert(key, evaluation.clone());
                        evaluation
                    }
                }
            }
            _ => encoded(&compiled, &question)?,
        };
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

fn encoded(compiled: &Compiled, question: &Question) -> Result<Bytes, ApiError> {
    // What the response adds around the evaluation.
    const AROUND: usize = 8;
    let evaluation = answer(compiled, question)?;
    match evaluation.encoded_len() + AROUND {
        bytes if bytes > MAX_ANSWER_BYTES => Err(ApiError::AnswerTooLarge { bytes, limit: MAX_ANSWER_BYTES }),
        _ => Ok(evaluation.encode_to_vec().into()),
    }
}
