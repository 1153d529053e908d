//! `AnalysisService`: questions that take milliseconds to seconds.
//!
//! Owns how a request becomes a question for the analysis crate. Must not know how questions are solved, or how the
//! questions share threads.

mod amend;
mod impasse;
mod packages;
mod request;
mod robustness;
mod served;

pub use crate::serving::AnalysisThreads;
pub use detente_analysis::{MAX_QUESTION_BYTES, MAX_SWEEP};
pub use packages::PackageParts;
pub use request::AnalysisRequest;
pub use served::Analyst;

use amend::{AmendmentQuestion, suggest_amendments, to_amendment_question};
use impasse::{ImpasseQuestion, explain_impasse, to_impasse_question};
use packages::{PackageQuestion, find_packages, to_package_question};
use robustness::{RobustnessQuestion, assess_robustness, to_robustness_question};

use crate::convert::aim::{CommonFields, ValidatedRequest, have_conditions};
use crate::convert::request::Subject;
use crate::error::ApiError;
use crate::schema::proto::v1;
use detente_analysis::Budget;
use detente_core::engine::Compiled;
use std::sync::Arc;

macro_rules! request {
    ($request:ident, $convert:path => $question:ty, $answer:path => $response:ty $(, $subject:ident)?) => {
        impl AnalysisRequest for v1::$request {
            type Question = $question;
            type Answer = $response;

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

            fn has_conditions(&self) -> bool {
                have_conditions(&self.hypotheses, self.aim.as_ref())
            }

            fn question(&self, compiled: &Arc<Compiled>, fields: CommonFields<'_>) -> Result<Self::Question, ApiError> {
                $convert(compiled, self, fields)
            }

            fn validated(question: &Self::Question) -> &ValidatedRequest {
                &question.validated
            }

            fn answer(question: &Self::Question, budget: &Budget<'_>) -> Result<Self::Answer, ApiError> {
                $answer(question, budget)
            }
        }
    };
}

request!(
    SuggestAmendmentsRequest,
    to_amendment_question => AmendmentQuestion,
    suggest_amendments => v1::SuggestAmendmentsResponse,
    subject
);
request!(
    FindPackagesRequest,
    to_package_question => PackageQuestion,
    find_packages => PackageParts
);
request!(
    ExplainImpasseRequest,
    to_impasse_question => ImpasseQuestion,
    explain_impasse => v1::ExplainImpasseResponse,
    subject
);
request!(
    AssessRobustnessRequest,
    to_robustness_question => RobustnessQuestion,
    assess_robustness => v1::AssessRobustnessResponse,
    subject
);
