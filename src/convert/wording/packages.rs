//! The summary of a search for packages.
//!
//! A package is a possible deal. It passes if it meets the request's aim and crosses no red line that the request takes
//! into account with at least the floor's firmness. Must not know how packages are found.

use super::search::{incomplete, not_recorded};
use detente_analysis::{PackageResults, SearchQuestion};

/// Puts the result of a search for packages into words.
pub fn summary(question: &SearchQuestion, found: &PackageResults) -> String {
    let floor = question.aim.floor.word();
    let lead = match &found.count {
        None => "The number of passing packages is not known.".to_owned(),
        Some(count) if count.bits() == 0 => {
            format!("No package passes at the floor `{floor}`. ExplainImpasse says why.")
        }
        Some(count) if count.bits() == 1 => {
            format!("1 package passes at the floor `{floor}`. That is not consent.")
        }
        Some(count) => format!("{count} packages pass at the floor `{floor}`. That is not consent."),
    };
    lead + &not_recorded(question.not_recorded().len()) + incomplete(found.cut_short)
}
