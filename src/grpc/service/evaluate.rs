//! EvaluateProposal.

use super::{RedLines, bounded, check_revision};
use crate::grpc::convert::evaluation::from_evaluation;
use crate::grpc::convert::request::to_question;
use crate::grpc::error::ApiError;
use crate::grpc::names;
use crate::grpc::proto::v1::{self, evaluate_proposal_request::Subject};

impl RedLines {
    /// Does this proposal cross anyone's red line, whose, why, and who says so?
    ///
    /// # Errors
    /// As `ErrorReason` in the schema documents them.
    pub fn evaluate(&self, request: v1::EvaluateProposalRequest) -> Result<v1::EvaluateProposalResponse, ApiError> {
        // Without a scenario, a reference proposal's own is meant.
        let of_subject = match &request.subject {
            Some(Subject::ProposalName(name)) if request.scenario.is_empty() => {
                names::parse_proposal(name).map(|(scenario, _)| names::scenario(scenario))
            }
            _ => None,
        };
        let compiled = match of_subject {
            Some(name) => self.scenario(&name, "proposal_name"),
            None => self.scenario(&request.scenario, "scenario"),
        }?;
        check_revision(compiled, &request.revision)?;
        let question = to_question(compiled, &request)?;
        let not_covered = |cause| ApiError::DateNotCovered { field: "as_of", cause };
        let evaluation = compiled.evaluate(&question.given, question.day, question.detail).map_err(not_covered)?;
        let inputs = compiled.effective_inputs(&question.given, question.day).map_err(not_covered)?;
        bounded(v1::EvaluateProposalResponse {
            evaluation: Some(from_evaluation(compiled.scenario(), &evaluation, &inputs, question.detail)),
        })
    }
}
