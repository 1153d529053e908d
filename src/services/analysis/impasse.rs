//! `ExplainImpasse`: why no package passes.
//!
//! A package is a possible deal that meets the request's aim. It passes if it crosses no red line that counts, by its
//! party and its firmness. The answer consists of conflicts (sets of red lines of which every package crosses at least
//! one) and concessions (sets of red lines whose softening lets a package pass).
//!
//! Must not know how conflicts are searched for.

use crate::convert::aim::{CommonFields, ValidatedRequest, pin_terms, to_most, to_validated};
use crate::convert::analysis::from_impasse;
use crate::convert::date::from_date;
use crate::error::{ApiError, Violations};
use crate::schema::names;
use crate::schema::proto::v1;
use detente_analysis::{Budget, MAX_IMPASSE_RESULTS};
use detente_core::engine::Compiled;
use std::sync::Arc;

/// Maximum number of conflicts, and of concessions, in an answer if the request does not say how many.
const DEFAULT_RESULTS: usize = 100;

/// A request for the explanation of an impasse, validated.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct ImpasseQuestion {
    pub(super) validated: ValidatedRequest,
    most: usize,
}

/// Validates a request for the explanation of an impasse.
///
/// # Errors
/// The errors that `ErrorReason` in the schema documents.
pub(super) fn to_impasse_question(
    compiled: &Arc<Compiled>,
    request: &v1::ExplainImpasseRequest,
    fields: CommonFields<'_>,
) -> Result<ImpasseQuestion, ApiError> {
    let mut violations = Violations::default();
    let mut validated = to_validated(compiled, fields, &mut violations)?;
    let most = to_most(request.max_results, DEFAULT_RESULTS, MAX_IMPASSE_RESULTS, "max_results", &mut violations);
    pin_terms(&mut validated, &mut violations);
    violations.into_result()?;
    Ok(ImpasseQuestion { validated, most })
}

/// Explains why no package passes.
///
/// # Errors
/// The errors that `ErrorReason` in the schema documents.
pub(super) fn explain_impasse(
    ImpasseQuestion { validated, most }: &ImpasseQuestion,
    budget: &Budget<'_>,
) -> Result<v1::ExplainImpasseResponse, ApiError> {
    let problem = validated.problem()?;
    let impasse = problem.impasse(*most, budget);
    let scenario = validated.question.compiled.scenario();
    Ok(v1::ExplainImpasseResponse {
        scenario: names::scenario(&scenario.id),
        revision: scenario.revision.to_string(),
        as_of: Some(from_date(validated.question.day)),
        impasse: Some(from_impasse(&problem, &impasse)),
        suppositions: validated.suppositions.clone(),
    })
}
