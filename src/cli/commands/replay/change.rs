//! The difference between a logged decision and the answer of today.

use crate::cli::commands::replay::decision::EvaluationSummary;
use crate::error::CallError;
use crate::schema::proto::v1;

/// A decision whose answer is different now.
pub(super) enum Change<'a> {
    Changed(Difference<'a>),
    Refused(&'a CallError),
}

/// The answer of today, and its differences from the log.
///
/// Red lines have their full names and their firmness.
pub(super) struct Difference<'a> {
    pub(super) is: &'a EvaluationSummary,
    pub(super) newly_crossed: Vec<(&'a str, v1::Firmness)>,
    pub(super) no_longer_crossed: Vec<(&'a str, v1::Firmness)>,
    /// Red lines that are still crossed, with their firmness in the log and now.
    pub(super) other_firmness: Vec<(&'a str, v1::Firmness, v1::Firmness)>,
}
