//! `FindPackages`: how many packages pass, some of them, the efficient ones, and bargaining solutions.
//!
//! Must not know how packages are searched for.

use crate::convert::aim::{ValidatedRequest, to_party, to_validated};
use crate::convert::analysis::{from_cut, from_efficient, from_package, from_utilities, not_recorded};
use crate::convert::date::from_date;
use crate::convert::wording;
use crate::error::{ApiError, Violations};
use crate::schema::names;
use crate::schema::proto::v1;
use crate::schema::proto::v1::find_packages_response::Part;
use crate::services::analysis::AnalysisRequest;
use detente_analysis::{
    BargainingSolutions, Budget, EfficientPackage, MAX_PACKAGES, PackageOrder, PackageQuery, PackageResults,
    PackageSearchError,
};
use detente_condition::InputIndex;
use detente_core::engine::Compiled;
use detente_core::scenario::Scenario;
use detente_core::scenario::index::PartyIndex;
use detente_core::scenario::model::Ranking;
use std::collections::BTreeSet;
use std::sync::Arc;

/// Packages that are sent if the request does not say how many.
const DEFAULT_PACKAGES: usize = 10;

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
) -> Result<PackageQuestion, ApiError> {
    let mut violations = Violations::default();
    let validated = to_validated(compiled, request.fields(), &mut violations)?;
    let query = to_query(compiled.scenario(), request, &mut violations);
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

fn to_query(scenario: &Scenario, request: &v1::FindPackagesRequest, violations: &mut Violations) -> PackageQuery {
    let most = match request.max_packages.map(usize::try_from) {
        None => DEFAULT_PACKAGES,
        Some(Ok(most)) if most <= MAX_PACKAGES => most,
        Some(_) => {
            violations.add("max_packages", format!("give a number from 0 to {MAX_PACKAGES}"));
            0
        }
    };
    let order = match v1::PackageOrder::try_from(request.order) {
        Ok(v1::PackageOrder::Unspecified | v1::PackageOrder::Stable) => PackageOrder::Stable,
        Ok(v1::PackageOrder::Diverse) => PackageOrder::Diverse,
        Err(_) => {
            violations.add("order", format!("there is no order {}; 1 is stable, 2 is diverse", request.order));
            PackageOrder::Stable
        }
    };
    if request.efficient && scenario.preferences.is_empty() {
        violations.add("efficient", "this scenario has no preferences by which packages could be compared");
    }
    let disagreement = request.disagreement.as_ref().map(|point| to_disagreement(scenario, point, violations));
    PackageQuery { most, order, efficient: request.efficient, disagreement }
}

/// Validates the disagreement point. It must state one number for each party that has numbers, and for no other party.
fn to_disagreement(
    scenario: &Scenario,
    point: &v1::DisagreementPoint,
    violations: &mut Violations,
) -> Vec<(PartyIndex, f64)> {
    let with_numbers: BTreeSet<PartyIndex> = scenario
        .preferences
        .iter()
        .filter(|preference| matches!(preference.ranking, Ranking::Cardinal(_)))
        .map(|preference| preference.party)
        .collect();
    if with_numbers.is_empty() {
        violations.add("disagreement", "no party of this scenario has numbers to bargain with");
        return Vec::new();
    }
    let mut stated: Vec<(PartyIndex, f64)> = Vec::new();
    for (at, utility) in point.utilities.iter().take(scenario.parties.len() + 1).enumerate() {
        let field = format!("disagreement.utilities[{at}]");
        if !utility.utility.is_finite() {
            violations.add(format!("{field}.utility"), "give a number");
        }
        let Some(party) = to_party(scenario, &utility.party, &format!("{field}.party"), violations) else { continue };
        if stated.iter().any(|(of, _)| *of == party) {
            violations.add(format!("{field}.party"), format!("`{}` is already in the list", utility.party));
        } else if !with_numbers.contains(&party) {
            violations.add(format!("{field}.party"), format!("`{}` has no numbers to bargain with", utility.party));
        }
        stated.push((party, utility.utility));
    }
    for missing in with_numbers.iter().filter(|party| stated.iter().all(|(of, _)| of != *party)) {
        let party = scenario.parties.get(*missing).map_or("", |party| party.id.as_str());
        violations.add("disagreement.utilities", format!("say what `{party}` has without a deal"));
    }
    stated
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
