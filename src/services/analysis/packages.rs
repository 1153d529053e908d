//! `FindPackages`: how many packages pass, some of them, the efficient ones, and bargaining solutions.
//!
//! A package is a possible deal that meets the request's aim. It passes if it crosses no red line that counts, by its
//! party and its firmness. It is efficient if no other passing package is at least as good by all preferences that the
//! scenario states, and better by one. A bargaining solution is an efficient package that a rule of bargaining theory
//! (Nash, or Kalai and Smorodinsky) selects, given the parties' utilities without a deal. Must not know how packages
//! are searched for.

use crate::convert::aim::{CommonFields, ValidatedRequest, to_validated};
use crate::convert::analysis::{from_cut, from_efficient, from_package, from_utilities, not_recorded};
use crate::convert::date::from_date;
use crate::convert::packages::to_package_query;
use crate::convert::wording;
use crate::error::{ApiError, Violations};
use crate::schema::names;
use crate::schema::proto::v1;
use crate::schema::proto::v1::find_packages_response::Part;
use detente_analysis::{
    BargainingSolutions, Budget, EfficientPackage, PackageQuery, PackageResults, PackageSearchError,
};
use detente_condition::InputIndex;
use detente_core::engine::Compiled;
use std::sync::Arc;

/// A request for packages, validated.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct PackageQuestion {
    validated: ValidatedRequest,
    query: PackageQuery,
}

/// Validates a request for packages.
///
/// # Errors
/// The errors that `ErrorReason` in the schema documents.
pub(super) fn to_package_question(
    compiled: &Arc<Compiled>,
    request: &v1::FindPackagesRequest,
    fields: CommonFields<'_>,
) -> Result<PackageQuestion, ApiError> {
    let mut violations = Violations::default();
    let validated = to_validated(compiled, fields, &mut violations)?;
    let query = to_package_query(compiled.scenario(), request, &mut violations);
    violations.into_result()?;
    Ok(PackageQuestion { validated, query })
}

/// Finds packages. The parts are packages, then efficient packages, then one summary.
///
/// # Errors
/// The errors that `ErrorReason` in the schema documents.
pub(super) fn find_packages(
    PackageQuestion { validated, query }: &PackageQuestion,
    budget: &Budget<'_>,
) -> Result<Vec<v1::FindPackagesResponse>, ApiError> {
    let problem = validated.comparing()?;
    let found = problem.packages(query, budget).map_err(|cause| match cause {
        PackageSearchError::Numbers(cause) => {
            let field = if query.disagreement.is_some() { "disagreement" } else { "efficient" };
            ApiError::InvalidRequest(Violations::one(field, cause.to_string()))
        }
        PackageSearchError::Day(cause) => ApiError::DateNotCovered { field: "as_of", cause },
    })?;
    let packages = found.packages.iter().map(|package| Part::Package(from_package(&validated.question, package)));
    let efficient = found.efficient.iter();
    let efficient = efficient.map(|efficient| Part::EfficientPackage(from_efficient(&validated.question, efficient)));
    let parts = packages.chain(efficient).chain([Part::Summary(summary(validated, query, &found))]);
    Ok(parts.map(|part| v1::FindPackagesResponse { part: Some(part) }).collect())
}

fn summary(validated: &ValidatedRequest, query: &PackageQuery, found: &PackageResults) -> v1::PackagesSummary {
    let scenario = validated.question.compiled.scenario();
    let ids = |is_found: bool| -> Vec<String> {
        let issues = (0..).map(InputIndex).zip(scenario.issues());
        issues
            .filter(|(input, _)| found.issues.contains(input) == is_found)
            .map(|(_, issue)| issue.id.to_string())
            .collect()
    };
    let digits = |number: Option<String>| number.unwrap_or_default();
    let compared = (query.efficient || query.disagreement.is_some()) && found.compared;
    v1::PackagesSummary {
        scenario: names::scenario(&scenario.id),
        revision: scenario.revision.to_string(),
        packages: digits(found.count.as_ref().map(ToString::to_string)),
        packages_by_integer: digits(found.by_integer.as_ref().map(ToString::to_string)),
        issues: ids(true),
        left_out: ids(false),
        sent: i32::try_from(found.packages.len()).unwrap_or(i32::MAX),
        efficient_points: digits(compared.then(|| found.efficient_points.to_string())),
        efficient_packages: digits(compared.then(|| found.efficient_packages.to_string())),
        bargaining: found.bargain.as_ref().map(|bargain| from_bargaining(validated, bargain)),
        complete: found.cut_short.is_none(),
        cut_short: from_cut(found.cut_short).into(),
        suppositions: validated.suppositions.clone(),
        summary: wording::packages::summary(&validated.question, found),
        as_of: Some(from_date(validated.question.day)),
        not_recorded: not_recorded(&validated.question),
    }
}

fn from_bargaining(validated: &ValidatedRequest, bargain: &BargainingSolutions) -> v1::BargainingPoints {
    let scenario = validated.question.compiled.scenario();
    let all = |efficient: &[EfficientPackage]| {
        efficient.iter().map(|efficient| from_efficient(&validated.question, efficient)).collect()
    };
    v1::BargainingPoints {
        nash: all(&bargain.nash),
        kalai_smorodinsky: all(&bargain.kalai_smorodinsky),
        ideal: from_utilities(scenario, &bargain.ideal),
        disagreement: from_utilities(scenario, &bargain.disagreement),
    }
}
