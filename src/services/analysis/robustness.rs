//! `AssessRobustness`: how probable it is that no binding red line is crossed.
//!
//! A red line binds if a crossing would in fact undo the deal. The request or the scenario's author states the
//! probability that it does. A sweep repeats the computation for every combination of values of some circumstances.
//! Must not know how probabilities are combined.

use crate::convert::aim::{CommonFields, ValidatedRequest, to_validated};
use crate::convert::analysis::{from_cut, not_recorded};
use crate::convert::date::from_date;
use crate::convert::robustness::{
    from_best, from_case, from_importance, from_range, from_used, to_stated, to_sweep, unstated,
};
use crate::convert::wording;
use crate::error::{ApiError, Violations};
use crate::schema::names;
use crate::schema::proto::v1;
use detente_analysis::{BindingProbabilities, Budget, MAX_SWEEP, StatedProbabilities, Sweep};
use detente_condition::InputIndex;
use detente_core::engine::Compiled;
use std::sync::Arc;

/// A request for robustness, validated.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct RobustnessQuestion {
    pub(super) validated: ValidatedRequest,
    stated: StatedProbabilities,
    swept: Vec<InputIndex>,
}

/// Validates a request for robustness.
///
/// # Errors
/// The errors that `ErrorReason` in the schema documents.
pub(super) fn to_robustness_question(
    compiled: &Arc<Compiled>,
    request: &v1::AssessRobustnessRequest,
    fields: CommonFields<'_>,
) -> Result<RobustnessQuestion, ApiError> {
    let mut violations = Violations::default();
    let validated = to_validated(compiled, fields, &mut violations)?;
    let stated = to_stated(&validated.question, &request.probabilities, &mut violations);
    let swept = to_sweep(&validated.question, &request.sweep, &mut violations);
    violations.into_result()?;
    Ok(RobustnessQuestion { validated, stated, swept })
}

/// Computes how probable it is that no binding red line is crossed, for the proposal and for the best package.
///
/// The best package is the possible deal with the greatest probability.
///
/// # Errors
/// The errors that `ErrorReason` in the schema documents.
pub(super) fn assess_robustness(
    RobustnessQuestion { validated, stated, swept }: &RobustnessQuestion,
    budget: &Budget<'_>,
) -> Result<v1::AssessRobustnessResponse, ApiError> {
    let problem = validated.problem()?;
    let used = problem
        .binding_probabilities(stated)
        .map_err(|unstated_lines| ApiError::InvalidRequest(unstated(&problem, &unstated_lines)))?;
    let cases = problem.combinations(swept).map_err(|_| {
        let text = format!("there are more than {MAX_SWEEP} combinations of values: sweep over fewer circumstances");
        ApiError::InvalidRequest(Violations::one("sweep", text))
    })?;
    let probabilities: BindingProbabilities = used.iter().map(|used| used.probability).collect();
    let terms = validated.terms.as_deref();
    let not_covered = |cause| ApiError::DateNotCovered { field: "as_of", cause };
    let found = problem.robustness(terms, &probabilities, true, budget).map_err(not_covered)?;
    let sweep = match found.cut_short {
        None => problem.sweep(terms, &probabilities, cases, budget).map_err(|cause| validated.not_ready(cause))?,
        cut_short => Sweep { cases: Vec::new(), cut_short },
    };
    let (scenario, cut_short) = (validated.question.compiled.scenario(), sweep.cut_short);
    Ok(v1::AssessRobustnessResponse {
        scenario: names::scenario(&scenario.id),
        revision: scenario.revision.to_string(),
        as_of: Some(from_date(validated.question.day)),
        proposal: found.proposal.map(from_range),
        best: found.best.as_ref().map(|best| from_best(&problem, best)),
        importance: from_importance(&problem, &found),
        sweep: sweep.cases.iter().map(|case| from_case(&problem, case)).collect(),
        probabilities: from_used(&problem, &used),
        assumptions: wording::robustness::assumptions(&used),
        complete: cut_short.is_none(),
        cut_short: from_cut(cut_short).into(),
        suppositions: validated.suppositions.clone(),
        summary: wording::robustness::summary(&found, problem.question.not_recorded().len(), cut_short),
        not_recorded: not_recorded(&problem.question),
    })
}
