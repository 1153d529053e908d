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

use crate::convert::aim::Fields;
use crate::convert::request::Subject;
use crate::error::ApiError;
use crate::schema::proto::v1;
use crate::services::RedLines;
use detente_analysis::Budget;
use detente_core::engine::Compiled;
use prost::Message;
use std::sync::Arc;

/// A request of this service.
pub trait AnalysisRequest: Message + Clone + 'static {
    /// What answers it.
    type Answer: Clone + Send + Sync + 'static;

    /// The method's name: equal requests of different methods are different questions.
    const METHOD: &'static str;

    /// The scenario's name and the revision, as far as the request gives them.
    fn scenario(&self) -> (&str, &str);

    /// What it has in common with the others.
    fn fields(&self) -> Fields<'_>;

    /// The answer.
    ///
    /// # Errors
    /// As `ErrorReason` in the schema documents them.
    fn answer(&self, compiled: &Arc<Compiled>, budget: &Budget<'_>) -> Result<Self::Answer, ApiError>;
}

macro_rules! request {
    ($request:ident, $method:literal, $answer:ty, $function:path $(, $subject:ident)?) => {
        impl AnalysisRequest for v1::$request {
            type Answer = $answer;
            const METHOD: &'static str = $method;

            fn scenario(&self) -> (&str, &str) {
                (&self.scenario, &self.revision)
            }

            fn fields(&self) -> Fields<'_> {
                let fields = Fields {
                    as_of: self.as_of.as_ref(),
                    circumstances: &self.circumstances,
                    hypotheses: &self.hypotheses,
                    aim: self.aim.as_ref(),
                    ..Fields::default()
                };
                $(
                    let fields = Fields {
                        subject: self.$subject.as_ref().map(Subject::from),
                        overrides: &self.overrides,
                        cleared_issues: &self.cleared_issues,
                        ..fields
                    };
                )?
                fields
            }

            fn answer(&self, compiled: &Arc<Compiled>, budget: &Budget<'_>) -> Result<Self::Answer, ApiError> {
                $function(compiled, self, budget)
            }
        }
    };
}

request!(SuggestAmendmentsRequest, "SuggestAmendments", v1::SuggestAmendmentsResponse, suggest_amendments, subject);
request!(FindPackagesRequest, "FindPackages", Vec<v1::FindPackagesResponse>, find_packages);
request!(ExplainImpasseRequest, "ExplainImpasse", v1::ExplainImpasseResponse, explain_impasse, subject);
request!(AssessRobustnessRequest, "AssessRobustness", v1::AssessRobustnessResponse, assess_robustness, subject);

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
        let (scenario, revision) = request.scenario();
        let proposal_name = match request.fields().subject {
            Some(Subject::Named(name)) => name,
            _ => "",
        };
        self.of_subject(scenario, proposal_name, revision)
    }
}
