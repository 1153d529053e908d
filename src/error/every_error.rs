//! One error of each kind, for tests that concern all of them. Each text has the maximum length.

use super::api_error::ApiError;
use super::violations::{Violations, quoted};
use detente_core::engine::NotCoveredError;
use detente_core::scenario::DateRange;
use jiff::civil::Date;
use std::iter::successors;
use std::time::Duration;
use tonic::Code;

/// Returns an error of each kind.
pub(crate) fn every_error() -> impl Iterator<Item = ApiError> {
    successors(Some(ApiError::InvalidRequest(many_violations())), following)
}

/// Returns the error after this one.
///
/// A new kind of error does not compile until it has an arm here. Let the arm before it return it.
fn following(error: &ApiError) -> Option<ApiError> {
    Some(match error {
        ApiError::InvalidRequest(_) => {
            let cause = NotCoveredError { day: Date::MIN, covers: DateRange::of_day(Date::MAX) };
            ApiError::DateNotCovered { field: "filter.held_on", cause }
        }
        ApiError::DateNotCovered { .. } => ApiError::PageTokenInvalid,
        ApiError::PageTokenInvalid => ApiError::PageTokenMismatch,
        ApiError::PageTokenMismatch => {
            ApiError::ScenarioNotFound { name: format!("scenarios/{}", long_name()), nearest: Some(known_name("")) }
        }
        ApiError::ScenarioNotFound { .. } => ApiError::NoDefaultScenario,
        ApiError::NoDefaultScenario => ApiError::RedLineNotFound {
            name: format!("{}/redLines/{}", known_name(""), long_name()),
            nearest: Some(known_name("/redLines/")),
        },
        ApiError::RedLineNotFound { .. } => ApiError::ProposalNotFound {
            name: format!("{}/proposals/{}", known_name(""), long_name()),
            nearest: Some(known_name("/proposals/")),
        },
        ApiError::ProposalNotFound { .. } => {
            ApiError::RevisionNotHeld { requested: long_name(), current: "0".repeat(32) }
        }
        ApiError::RevisionNotHeld { .. } => ApiError::AnswerTooLarge { bytes: usize::MAX, limit: usize::MAX },
        ApiError::AnswerTooLarge { .. } => ApiError::TooManyAnswers { fitting: usize::MAX, limit: usize::MAX },
        ApiError::TooManyAnswers { .. } => {
            ApiError::TooManyStreams { what: "streams of evaluations", limit: usize::MAX }
        }
        ApiError::TooManyStreams { .. } => ApiError::TooManyCalls { limit: usize::MAX },
        ApiError::TooManyCalls { .. } => ApiError::TooManyWatches { limit: usize::MAX },
        ApiError::TooManyWatches { .. } => ApiError::StreamIdle { seconds: u64::MAX },
        ApiError::StreamIdle { .. } => ApiError::ShuttingDown,
        ApiError::ShuttingDown => ApiError::RequestTooHeavy { limit: usize::MAX },
        ApiError::RequestTooHeavy { .. } => ApiError::InvalidTimeout,
        ApiError::InvalidTimeout => {
            ApiError::MessageTooLarge { code: Code::OutOfRange, message: "語".repeat(5_000), limit: usize::MAX }
        }
        ApiError::MessageTooLarge { .. } => ApiError::Late,
        ApiError::Late => ApiError::Overloaded,
        ApiError::Overloaded => ApiError::AnswersUnread { limit: usize::MAX },
        ApiError::AnswersUnread { .. } => ApiError::Unauthenticated { denied: "x".repeat(5_000) },
        ApiError::Unauthenticated { .. } => ApiError::RoleNotEnough { what: "hypotheses" },
        ApiError::RoleNotEnough { .. } => ApiError::QuotaExceeded { retry_after: Duration::MAX / 2 },
        ApiError::QuotaExceeded { .. } => ApiError::BeyondBurst { asked: u32::MAX, burst: u32::MAX },
        ApiError::BeyondBurst { .. } => ApiError::RequestTooSlow { seconds: u64::MAX },
        ApiError::RequestTooSlow { .. } => ApiError::Internal { incident: "f".repeat(32) },
        ApiError::Internal { .. } => return None,
    })
}

/// The violations of a request that exceeds every limit, and in which 500 names are unknown.
fn many_violations() -> Violations {
    let mut violations = Violations::default();
    for limit in [
        "terms",
        "cleared_issues",
        "hypotheses",
        "conditions",
        "intervals",
        "batch_items",
        "compared_proposals",
        "history_findings",
        "filter_text",
        "order_by",
        "stream_id",
        "probabilities",
        "sweep",
    ] {
        violations.over(limit, limit, "the limit is exceeded");
    }
    for number in 0..500 {
        violations.add(format!("proposal.terms[{number}].issue"), format!("there is no issue `{}`", long_name()));
    }
    violations
}

/// The name of an existing resource, as long as ids can be.
fn known_name(collection: &str) -> String {
    let id = "x".repeat(detente_core::scenario::limits::MAX_ID);
    match collection {
        "" => format!("scenarios/{id}"),
        _ => format!("scenarios/{id}{collection}{id}"),
    }
}

/// The longest text that an error repeats: each character is escaped with ten others.
fn long_name() -> String {
    quoted(&"\u{10ffff}".repeat(300))
}
