//! Between the schema's messages and the engine's types: in with every fault named, out exhaustively.

pub mod aim;
pub mod analysis;
pub mod date;
pub mod evaluation;
pub mod hypotheses;
pub mod red_line;
pub mod request;
pub mod scenario;
pub mod term;
pub mod wording;

use crate::error::{ApiError, quoted};
use crate::schema::names;
use detente_condition::nearest;
use detente_core::scenario::Scenario;

/// The error for a reference proposal that is not there.
pub fn missing_proposal(scenario: &Scenario, id: &str) -> ApiError {
    let known = scenario.proposals.iter().map(|proposal| &*proposal.id);
    ApiError::ProposalNotFound {
        name: names::proposal(&scenario.id, &quoted(id)),
        nearest: nearest(id, known).map(|nearest| names::proposal(&scenario.id, nearest)),
    }
}

/// The error for a red line that is not there.
pub fn missing_red_line(scenario: &Scenario, id: &str) -> ApiError {
    let known = scenario.red_lines.iter().map(|red_line| &*red_line.id);
    ApiError::RedLineNotFound {
        name: names::red_line(&scenario.id, &quoted(id)),
        nearest: nearest(id, known).map(|nearest| names::red_line(&scenario.id, nearest)),
    }
}
