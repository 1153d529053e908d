//! `AnalysisService`: questions that take milliseconds to seconds.
//!
//! Owns how a request becomes a question for the analysis crate. Must not know how questions are solved, or how their
//! threads are shared.

mod amend;
mod impasse;
mod packages;
mod robustness;
mod served;

pub use detente_analysis::MAX_SWEEP;
pub use served::{AnalysisThreads, Analyst};

use amend::suggest_amendments;
use impasse::explain_impasse;
use packages::find_packages;
use robustness::assess_robustness;

use crate::convert::aim::CommonFields;
use crate::convert::request::Subject;
use crate::error::ApiError;
use crate::schema::proto::v1;
use crate::services::RedLines;
use detente_analysis::Budget;
use detente_core::engine::Compiled;
use prost::Message;
use std::sync::Arc;

/// A request of `AnalysisService`.
pub trait AnalysisRequest: Message + Clone + 'static {
    /// The type of the response.
    type Answer: Clone + Send + Sync + 'static;

    /// Name of the method. It distinguishes requests of different methods that encode to the same bytes.
    const METHOD: &'static str;

    /// Returns the scenario's name and the revision; each is empty if the request does not give it.
    fn scenario(&self) -> (&str, &str);

    /// Returns the fields that all requests of the service have in common.
    fn fields(&self) -> CommonFields<'_>;

    /// Computes the answer, cut short when `budget` is used up.
    ///
    /// # Errors
    /// The errors that `ErrorReason` in the schema documents.
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

            fn fields(&self) -> CommonFields<'_> {
                let fields = CommonFields {
                    as_of: self.as_of.as_ref(),
                    circumstances: &self.circumstances,
                    hypotheses: &self.hypotheses,
                    aim: self.aim.as_ref(),
                    ..CommonFields::default()
                };
                $(
                    let fields = CommonFields {
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
    /// Answers a request of `AnalysisService` on the calling thread.
    ///
    /// # Errors
    /// The errors that `ErrorReason` in the schema documents.
    pub fn analyse<R: AnalysisRequest>(&self, request: &R, budget: &Budget<'_>) -> Result<R::Answer, ApiError> {
        request.answer(&self.scenario_of_analysis(request)?, budget)
    }

    /// Returns the scenario that a request of `AnalysisService` is about.
    pub(super) fn scenario_of_analysis<R: AnalysisRequest>(&self, request: &R) -> Result<Arc<Compiled>, ApiError> {
        let (scenario, revision) = request.scenario();
        let proposal_name = match request.fields().subject {
            Some(Subject::Named(name)) => name,
            _ => "",
        };
        self.scenario_of_subject(scenario, proposal_name, revision)
    }
}
