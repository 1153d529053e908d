//! `AnalysisService`: questions that take milliseconds to seconds, on threads of their own, each bounded and shared.

mod amend;
mod impasse;
mod packages;
mod robustness;
mod served;

pub use robustness::MAX_SWEEP;
pub use served::{AnalysisThreads, Analyst};

use amend::suggest_amendments;
use impasse::explain_impasse;
use packages::find_packages;
use robustness::assess_robustness;

use super::RedLines;
use crate::analysis::Budget;
use crate::engine::Compiled;
use crate::grpc::error::ApiError;
use prost::Message;
use std::sync::Arc;

/// A request of this service.
pub trait AnalysisRequest: Message + Clone + 'static {
    /// What answers it.
    type Answer: Clone + Send + Sync + 'static;

    /// The method's name: equal requests of different methods are different questions.
    const METHOD: &'static str;

    /// The scenario's name, that of a reference proposal, and the revision, as far as the request gives them.
    fn about(&self) -> (&str, &str, &str);

    /// The answer.
    ///
    /// # Errors
    /// As `ErrorReason` in the schema documents them.
    fn answer(&self, compiled: &Arc<Compiled>, budget: &Budget<'_>) -> Result<Self::Answer, ApiError>;
}

macro_rules! request {
    ($request:ty, $method:literal, $answer:ty, $function:path $(, $subject:path)?) => {
        impl AnalysisRequest for $request {
            type Answer = $answer;
            const METHOD: &'static str = $method;

            fn about(&self) -> (&str, &str, &str) {
                #[allow(unused_mut, unused_assignments, reason = "not every request has a subject")]
                let mut named = "";
                $(
                    use $subject as Subject;
                    if let Some(Subject::ProposalName(name)) = &self.subject {
                        named = name;
                    }
                )?
                (&self.scenario, named, &self.revision)
            }

            fn answer(&self, compiled: &Arc<Compiled>, budget: &Budget<'_>) -> Result<Self::Answer, ApiError> {
                $function(compiled, self, budget)
            }
        }
    };
}

mod requests {
    use super::{AnalysisRequest, assess_robustness, explain_impasse, find_packages, suggest_amendments};
    use crate::analysis::Budget;
    use crate::engine::Compiled;
    use crate::grpc::error::ApiError;
    use crate::grpc::proto::v1;
    use std::sync::Arc;

    request!(
        v1::SuggestAmendmentsRequest,
        "SuggestAmendments",
        v1::SuggestAmendmentsResponse,
        suggest_amendments,
        v1::suggest_amendments_request::Subject
    );
    request!(v1::FindPackagesRequest, "FindPackages", Vec<v1::FindPackagesResponse>, find_packages);
    request!(
        v1::ExplainImpasseRequest,
        "ExplainImpasse",
        v1::ExplainImpasseResponse,
        explain_impasse,
        v1::explain_impasse_request::Subject
    );
    request!(
        v1::AssessRobustnessRequest,
        "AssessRobustness",
        v1::AssessRobustnessResponse,
        assess_robustness,
        v1::assess_robustness_request::Subject
    );
}

impl RedLines {
    /// Answers a question of the analysis service, here and now.
    ///
    /// # Errors
    /// As `ErrorReason` in the schema documents them.
    pub fn analyse<R: AnalysisRequest>(&self, request: &R, budget: &Budget<'_>) -> Result<R::Answer, ApiError> {
        request.answer(&self.about(request)?, budget)
    }

    /// The scenario that a request of the analysis service is about.
    pub(super) fn about<R: AnalysisRequest>(&self, request: &R) -> Result<Arc<Compiled>, ApiError> {
        let (scenario, proposal_name, revision) = request.about();
        self.of_subject(scenario, proposal_name, revision)
    }
}
