//! ExplainImpasse.

use crate::convert::aim::{fix, to_asked, to_most};
use crate::convert::analysis::from_impasse;
use crate::convert::date::from_date;
use crate::error::{ApiError, Violations};
use crate::schema::names;
use crate::schema::proto::v1;
use crate::services::analysis::AnalysisRequest;
use detente_analysis::{Budget, MAX_IMPASSE_RESULTS};
use detente_core::engine::Compiled;
use std::sync::Arc;

/// How many conflicts, and how many concessions, are answered by default.
const DEFAULT_RESULTS: usize = 100;

/// Why no package passes.
///
/// # Errors
/// As `ErrorReason` in the schema documents them.
pub(super) fn explain_impasse(
    compiled: &Arc<Compiled>,
    request: &v1::ExplainImpasseRequest,
    budget: &Budget<'_>,
) -> Result<v1::ExplainImpasseResponse, ApiError> {
    let mut violations = Violations::default();
    let mut asked = to_asked(compiled, request.fields(), &mut violations)?;
    let most = to_most(request.max_results, DEFAULT_RESULTS, MAX_IMPASSE_RESULTS, "max_results", &mut violations);
    fix(&mut asked, &mut violations);
    violations.into_result()?;
    let problem = asked.problem()?;
    let impasse = problem.impasse(most, budget);
    let scenario = compiled.scenario();
    Ok(v1::ExplainImpasseResponse {
        scenario: names::scenario(&scenario.id),
        revision: scenario.revision.to_string(),
        as_of: Some(from_date(asked.question.day)),
        impasse: Some(from_impasse(&problem, &impasse)),
        suppositions: asked.suppositions,
    })
}
