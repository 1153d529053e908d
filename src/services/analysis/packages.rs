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
use crate::middleware::call_limits::CallLimits;
use crate::schema::encoded::Encoded;
use crate::schema::names;
use crate::schema::proto::v1;
use crate::schema::proto::v1::find_packages_response::Part;
use crate::services::size::{Answer, MAX_ANSWER_BYTES};
use detente_analysis::{
    BargainingSolutions, Budget, EfficientPackage, PackageQuery, PackageResults, PackageSearchError,
};
use detente_condition::InputIndex;
use detente_core::engine::Compiled;
use prost::DecodeError;
use std::sync::Arc;

/// Maximum size of all parts of an answer together, in bytes.
///
/// It is within the room that one caller can have for large answers; without this limit, a larger answer would be
/// refused as if the server were overloaded, again and again.
const MAX_PACKAGES_BYTES: usize = 2 * MAX_ANSWER_BYTES;
// One caller can have half of the room, and three quarters of that for large answers.
const _: () = assert!(MAX_PACKAGES_BYTES <= CallLimits::DEFAULT.answers / 8 * 3);

/// The answer: packages, then efficient packages, then one summary.
///
/// The parts are encoded, because all of them are kept until the last one is made, and take much less memory so.
#[derive(Clone, Debug)]
pub struct PackageParts {
    pub(super) parts: Vec<Encoded<v1::FindPackagesResponse>>,
    /// The room that all parts take, in bytes.
    pub(super) bytes: usize,
}

impl PackageParts {
    /// Encodes each part as soon as it is made, and keeps none if they are too large together.
    fn of(made: impl Iterator<Item = v1::FindPackagesResponse>) -> Result<Self, ApiError> {
        let (mut parts, mut bytes) = (Vec::new(), 0);
        for part in made {
            bytes += part.bytes();
            if bytes > MAX_PACKAGES_BYTES {
                parts = Vec::new();
            } else {
                parts.push(part.into());
            }
        }
        if bytes > MAX_PACKAGES_BYTES {
            return Err(ApiError::AnswerTooLarge { bytes, limit: MAX_PACKAGES_BYTES });
        }
        Ok(Self { parts, bytes })
    }

    /// Decodes all parts.
    ///
    /// # Errors
    /// If a part is not what it was encoded from, which would be a fault of this program.
    pub fn decode(&self) -> Result<Vec<v1::FindPackagesResponse>, DecodeError> {
        self.parts.iter().map(Encoded::decode).collect()
    }
}

/// A request for packages, validated.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct PackageQuestion {
    pub(super) validated: ValidatedRequest,
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

/// Finds packages.
///
/// # Errors
/// The errors that `ErrorReason` in the schema documents; [`ApiError::AnswerTooLarge`] if the parts exceed
/// [`MAX_PACKAGES_BYTES`] together.
pub(super) fn find_packages(
    PackageQuestion { validated, query }: &PackageQuestion,
    budget: &Budget<'_>,
) -> Result<PackageParts, ApiError> {
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
    PackageParts::of(parts.map(|part| v1::FindPackagesResponse { part: Some(part) }))
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Two parts that take `bytes` together, as they take room.
    fn two_parts(bytes: usize) -> [v1::FindPackagesResponse; 2] {
        let part = |bytes: usize| {
            let issue = "i".repeat(bytes);
            let terms = vec![v1::Term { issue, ..v1::Term::default() }];
            v1::FindPackagesResponse { part: Some(Part::Package(v1::Package { terms, ..v1::Package::default() })) }
        };
        let around = part(bytes / 2).bytes() - bytes / 2;
        let parts = [part(bytes / 2 - around), part(bytes - bytes / 2 - around)];
        assert_eq!(parts.iter().map(Answer::bytes).sum::<usize>(), bytes);
        parts
    }

    #[test]
    fn parts_that_are_too_large_together_are_an_error() {
        let fitting = PackageParts::of(two_parts(MAX_PACKAGES_BYTES).into_iter()).unwrap();
        assert_eq!((fitting.parts.len(), fitting.bytes), (2, MAX_PACKAGES_BYTES));
        let (bytes, limit) = (MAX_PACKAGES_BYTES + 1, MAX_PACKAGES_BYTES);
        let error = PackageParts::of(two_parts(bytes).into_iter()).unwrap_err();
        assert_eq!(error, ApiError::AnswerTooLarge { bytes, limit });
    }
}
