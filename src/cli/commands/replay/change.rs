//! The difference between a logged decision (an evaluation and its request) and the answer that the request gets now.

use crate::cli::commands::replay::decision::EvaluationSummary;
use crate::error::CallError;
use crate::schema::proto::v1;

/// How the answer to a logged request has changed.
pub(super) enum Change<'a> {
    /// The request is answered differently now.
    Changed(Difference<'a>),
    /// The request is refused now.
    Refused(&'a CallError),
}

/// The answer that the request gets now, and its differences from the log.
///
/// Each red line is given by its full name, with the firmness of its crossing.
pub(super) struct Difference<'a> {
    pub(super) is: &'a EvaluationSummary,
    pub(super) newly_crossed: Vec<(&'a str, v1::Firmness)>,
    pub(super) no_longer_crossed: Vec<(&'a str, v1::Firmness)>,
    /// Red lines that are still crossed, but with a different firmness: the one in the log, and the one now.
    pub(super) other_firmness: Vec<(&'a str, v1::Firmness, v1::Firmness)>,
}
