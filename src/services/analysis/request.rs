//! What every request of `AnalysisService` can do: name its scenario, become a question, and be answered.
//!
//! Must not know which requests there are.

use crate::convert::aim::{CommonFields, ValidatedRequest};
use crate::error::ApiError;
use crate::services::RedLines;
use detente_analysis::Budget;
use detente_core::engine::Compiled;
use prost::Message;
use std::hash::Hash;
use std::sync::Arc;

/// A request of `AnalysisService`.
pub trait AnalysisRequest: Message + Clone + 'static {
    /// The validated request. Requests with equal questions share one computation.
    type Question: Eq + Hash + Send + Sync + 'static;

    /// The type of the response.
    type Answer: Clone + Send + Sync + 'static;

    /// Returns the scenario's name and the revision; each is empty if the request does not give it.
    fn scenario(&self) -> (&str, &str);

    /// Returns the fields that all requests of the service have in common.
    fn fields(&self) -> CommonFields<'_>;

    /// Whether the request has conditions, which take milliseconds to compile.
    fn has_conditions(&self) -> bool;

    /// Validates the request against the scenario that it is about. `fields` are those of the request.
    ///
    /// # Errors
    /// The errors that `ErrorReason` in the schema documents.
    fn question(&self, compiled: &Arc<Compiled>, fields: CommonFields<'_>) -> Result<Self::Question, ApiError>;

    /// Returns the fields of a question that all of them have in common.
    fn validated(question: &Self::Question) -> &ValidatedRequest;

    /// Computes the answer, which is incomplete if `budget` is used up before the end of the search.
    ///
    /// # Errors
    /// The errors that `ErrorReason` in the schema documents.
    fn answer(question: &Self::Question, budget: &Budget<'_>) -> Result<Self::Answer, ApiError>;
}

impl RedLines {
    /// Answers a request of `AnalysisService` on the calling thread.
    ///
    /// # Errors
    /// The errors that `ErrorReason` in the schema documents.
    pub fn analyse<R: AnalysisRequest>(&self, request: &R, budget: &Budget<'_>) -> Result<R::Answer, ApiError> {
        R::answer(&self.question_of_analysis(request)?, budget)
    }

    /// Validates a request of `AnalysisService`.
    pub(super) fn question_of_analysis<R: AnalysisRequest>(&self, request: &R) -> Result<R::Question, ApiError> {
        let ((scenario, revision), fields) = (request.scenario(), request.fields());
        let compiled = self.scenario_of_subject(scenario, fields.subject, revision)?;
        request.question(&compiled, fields)
    }
}
