//! `SuggestAmendments`: the passing packages nearest to a proposal.
//!
//! A package is a possible deal that meets the request's aim. It passes if it crosses no red line that counts, by its
//! party and its firmness. If no package passes, the answer explains this impasse by conflicts (sets of red lines of
//! which every package crosses at least one) and concessions (sets of red lines whose softening lets a package pass).
//! Must not know how packages are searched for.

use crate::convert::aim::{CommonFields, ValidatedRequest, to_most, to_validated};
use crate::convert::analysis::{from_amended, from_cut, from_impasse, not_recorded};
use crate::convert::date::from_date;
use crate::convert::wording;
use crate::error::{ApiError, Violations};
use crate::schema::names;
use crate::schema::proto::v1;
use detente_analysis::{Budget, MAX_AMENDMENTS};
use detente_core::engine::Compiled;
use std::sync::Arc;

/// Number of amendments in an answer if the request does not say how many.
const DEFAULT_AMENDMENTS: usize = 3;
/// Maximum number of conflicts, and of concessions, in the explanation of an impasse.
const EXPLAINED: usize = 20;

/// A request for amendments, validated.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct AmendmentQuestion {
    pub(super) validated: ValidatedRequest,
    most: usize,
}

/// Validates a request for amendments.
///
/// # Errors
/// The errors that `ErrorReason` in the schema documents.
pub(super) fn to_amendment_question(
    compiled: &Arc<Compiled>,
    request: &v1::SuggestAmendmentsRequest,
    fields: CommonFields<'_>,
) -> Result<AmendmentQuestion, ApiError> {
    let mut violations = Violations::default();
    if request.subject.is_none() {
        violations.add("subject", "give a `proposal` of your own, or a reference proposal's `proposal_name`");
    }
    let validated = to_validated(compiled, fields, &mut violations)?;
    let most = to_most(request.max_amendments, DEFAULT_AMENDMENTS, MAX_AMENDMENTS, "max_amendments", &mut violations);
    violations.into_result()?;
    Ok(AmendmentQuestion { validated, most })
}

/// Finds the passing packages nearest to a proposal; explains the impasse if no package passes.
///
/// # Errors
/// The errors that `ErrorReason` in the schema documents.
pub(super) fn suggest_amendments(
    AmendmentQuestion { validated, most }: &AmendmentQuestion,
    budget: &Budget<'_>,
) -> Result<v1::SuggestAmendmentsResponse, ApiError> {
    let terms = validated.terms.clone().unwrap_or_default();
    let problem = validated.problem()?;
    let not_covered = |cause| ApiError::DateNotCovered { field: "as_of", cause };
    let found = problem.amendments(&terms, *most, budget).map_err(not_covered)?;
    let impasse = (found.any == Some(false)).then(|| problem.impasse(EXPLAINED, budget));
    let (scenario, day) = (validated.question.compiled.scenario(), validated.question.day);
    // Only the search for amendments decides whether the answer is complete. "No package passes" is a complete answer,
    // even if the explanation of the impasse is not complete.
    let cut_short = found.cut_short;
    Ok(v1::SuggestAmendmentsResponse {
        scenario: names::scenario(&scenario.id),
        revision: scenario.revision.to_string(),
        as_of: Some(from_date(day)),
        amendments: found.found.iter().map(|amended| from_amended(&problem, &terms, amended)).collect(),
        impasse: impasse.as_ref().map(|impasse| from_impasse(&problem, impasse)),
        complete: cut_short.is_none(),
        cut_short: from_cut(cut_short).into(),
        suppositions: validated.suppositions.clone(),
        summary: wording::amendments::summary(&found, problem.question.not_recorded().len()),
        not_recorded: not_recorded(&problem.question),
    })
}
