//! Converts between the schema's messages and the types of the core crates.
//!
//! Functions named `to_*` validate a part of a request and add every fault to [`Violations`](crate::error::Violations).
//! Functions named `from_*` build a part of an answer, with a match that lists every variant. Owns every sentence that
//! an answer contains. Must not know which method is called, or how an answer is sent.

pub mod aim;
pub mod analysis;
pub mod date;
pub mod evaluation;
pub mod hypotheses;
pub mod packages;
pub mod red_line;
pub mod request;
pub mod robustness;
pub mod scenario;
pub mod sizes;
pub mod term;
pub mod wording;

use crate::error::{ApiError, quoted};
use crate::schema::names;
use detente_condition::nearest;
use detente_core::scenario::Scenario;
use detente_core::scenario::ids::{ProposalId, RedLineId};

/// Returns the error for a reference proposal that does not exist, with the most similar known name.
///
/// A reference proposal is one that the scenario contains, so that requests can refer to it by name.
pub fn missing_proposal(scenario: &Scenario, id: &str) -> ApiError {
    let known = scenario.proposals.iter().map(|proposal| proposal.id.as_str());
    ApiError::ProposalNotFound {
        name: names::proposal(&scenario.id, &ProposalId::new(quoted(id))),
        nearest: nearest(id, known).map(|nearest| names::proposal(&scenario.id, &ProposalId::new(nearest))),
    }
}

/// Returns the error for a red line that does not exist, with the most similar known name.
pub fn missing_red_line(scenario: &Scenario, id: &str) -> ApiError {
    let known = scenario.red_lines.iter().map(|red_line| red_line.id.as_str());
    ApiError::RedLineNotFound {
        name: names::red_line(&scenario.id, &RedLineId::new(quoted(id))),
        nearest: nearest(id, known).map(|nearest| names::red_line(&scenario.id, &RedLineId::new(nearest))),
    }
}
