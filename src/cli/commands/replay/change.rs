//! How a decision differs from the one in the log.

use crate::cli::commands::replay::decision::Found;
use crate::error::Refusal;
use crate::schema::proto::v1;

/// A decision that is another now.
pub(super) enum Change<'a> {
    Changed(Difference<'a>),
    Refused(&'a Refusal),
}

/// What is answered now, and how that differs. Red lines by their names, with their firmness.
pub(super) struct Difference<'a> {
    pub(super) is: &'a Found,
    pub(super) newly_crossed: Vec<(&'a str, v1::Firmness)>,
    pub(super) no_longer_crossed: Vec<(&'a str, v1::Firmness)>,
    /// As they were, and as they are.
    pub(super) other_firmness: Vec<(&'a str, v1::Firmness, v1::Firmness)>,
}
