//! Validates the part of a request for packages that other analyses do not have.
//!
//! A package is a possible deal, with an answer to every issue that matters. Packages can be compared by the parties'
//! preferences; a party whose preferences give numbers to answers has a utility for each package, the sum of these
//! numbers. Must not know how packages are searched for.

use crate::convert::aim::to_party;
use crate::error::Violations;
use crate::schema::proto::v1;
use detente_analysis::{MAX_PACKAGES, PackageOrder, PackageQuery};
use detente_core::scenario::Scenario;
use detente_core::scenario::index::PartyIndex;
use detente_core::scenario::model::Ranking;
use std::collections::BTreeSet;

/// Number of packages that are sent if the request does not say how many.
const DEFAULT_PACKAGES: usize = 10;

/// Validates how many packages a request asks for, in which order, and how they are compared.
pub fn to_package_query(
    scenario: &Scenario,
    request: &v1::FindPackagesRequest,
    violations: &mut Violations,
) -> PackageQuery {
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

/// Validates the disagreement point, from which bargaining solutions start: each party's utility without a deal.
///
/// It must state one utility for each party with numeric preferences, and for no other party.
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
        violations.add("disagreement", "no party has numeric preferences, which bargaining solutions need");
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
            violations.add(format!("{field}.party"), format!("`{}` has no numeric preferences", utility.party));
        }
        stated.push((party, utility.utility));
    }
    for missing in with_numbers.iter().filter(|party| stated.iter().all(|(of, _)| of != *party)) {
        let party = scenario.parties.get(*missing).map_or("", |party| party.id.as_str());
        violations.add("disagreement.utilities", format!("give the utility of `{party}` without a deal"));
    }
    stated
}
