//! The one mapping from what can go wrong to a gRPC status with its details.

mod refusal;
mod violations;

pub use refusal::Refusal;
pub use violations::{Violations, quoted};

use crate::schema::proto::v1::ErrorReason;
use detente_condition::did_you_mean;
use prost::Message;
use std::collections::HashMap;
use std::time::Duration;
use thiserror::Error;
use tonic::metadata::{MetadataMap, MetadataValue};
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, FieldViolation, Status as RpcStatus, StatusExt};

/// The domain of every `google.rpc.ErrorInfo` of this service.
pub const ERROR_DOMAIN: &str = "detente.dev";

/// When a caller may try again that was turned away.
const RETRY_AFTER_MS: &str = "200";

/// Why a call is not answered.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ApiError {
    /// The request has faults: all of them.
    #[error("{0}")]
    InvalidRequest(Violations),
    /// The day is outside of what the scenario covers.
    #[error("{cause}")]
    DateNotCovered {
        /// Where the request names the day.
        field: &'static str,
        /// The day, and what is covered.
        cause: detente_core::engine::NotCoveredError,
    },
    /// Not a page token of this service, or changed on its way.
    #[error("the page token is not one that this service gave out; start again without one")]
    PageTokenInvalid,
    /// A page token of another request.
    #[error("the page token belongs to another request; keep parent, filter, order and revision as they were")]
    PageTokenMismatch,
    /// No such scenario.
    #[error("there is no scenario `{name}`{}", did_you_mean(nearest.as_deref()))]
    ScenarioNotFound {
        /// The name asked for.
        name: String,
        /// The nearest known name.
        nearest: Option<String>,
    },
    /// No such red line.
    #[error("there is no red line `{name}`{}", did_you_mean(nearest.as_deref()))]
    RedLineNotFound {
        /// The name asked for.
        name: String,
        /// The nearest known name.
        nearest: Option<String>,
    },
    /// No such reference proposal.
    #[error("there is no proposal `{name}`{}", did_you_mean(nearest.as_deref()))]
    ProposalNotFound {
        /// The name asked for.
        name: String,
        /// The nearest known name.
        nearest: Option<String>,
    },
    /// The revision asked for is not held.
    #[error("revision `{requested}` is not held; the current one is `{current}`")]
    RevisionNotHeld {
        /// The revision asked for.
        requested: String,
        /// The current one.
        current: String,
    },
    /// The answer would be too large.
    #[error(
        "the answer would have {bytes} bytes; at most {limit} are sent. Ask for the basic view, or for less at once"
    )]
    AnswerTooLarge {
        /// Its size.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
    /// The answer would have too many parts.
    #[error(
        "only the first {fitting} of the evaluations asked for fit into the {limit} bytes that are sent at most. Ask \
         for the basic view, or for less at once"
    )]
    TooManyAnswers {
        /// How many fit.
        fitting: usize,
        /// The limit, in bytes.
        limit: usize,
    },
    /// Too many streams of evaluations on one connection.
    #[error("a connection has at most {limit} streams of evaluations at a time: end one, or use another connection")]
    TooManyStreams {
        /// The limit.
        limit: usize,
    },
    /// Nothing came in for too long.
    #[error("no request came for {seconds} seconds; all that were read are answered, send the rest in a new stream")]
    StreamIdle {
        /// How long the server waits.
        seconds: u64,
    },
    /// The server is about to end.
    #[error("the server is about to end; all requests that were read are answered, ask another one for the rest")]
    ShuttingDown,
    /// The caller's deadline, or the longest that the server works on one question, passed without an answer.
    #[error("deadline exceeded before the response was ready")]
    Late,
    /// As many calls as the server takes are under way, or waiting for longer work.
    #[error("the server is at its concurrency limit; retry later")]
    Overloaded,
    /// The connection's client reads too little.
    #[error("answers of {limit} bytes wait on this connection to be read: read them, then ask again")]
    AnswersUnread {
        /// How much may wait.
        limit: usize,
    },
    /// The caller is not known.
    #[error("{denied}")]
    Unauthenticated {
        /// Why, as far as a stranger may know.
        denied: String,
    },
    /// The caller is known, but may not do this.
    #[error("{what} need the role `analyst`; yours is `reader`")]
    RoleNotEnough {
        /// What.
        what: &'static str,
    },
    /// The caller asks too much in too short a time.
    #[error("your quota of calls is used up; come back in {} ms", retry_after.as_millis() + 1)]
    QuotaExceeded {
        /// Until there is room again.
        retry_after: Duration,
    },
    /// The caller asks for more at once than its quota ever holds.
    #[error(
        "{asked} evaluations are asked for at once, and your quota holds {burst} at the most: ask for fewer at once"
    )]
    BeyondBurst {
        /// How many.
        asked: u32,
        /// How many there may be.
        burst: u32,
    },
    /// The request did not come whole in time.
    #[error("the request did not come whole within {seconds} seconds")]
    RequestTooSlow {
        /// How long the server waits.
        seconds: u64,
    },
}

impl Violations {
    /// Nothing, or the error.
    ///
    /// # Errors
    /// If there is a fault.
    pub fn into_result(self) -> Result<(), ApiError> {
        if self.is_empty() { Ok(()) } else { Err(ApiError::InvalidRequest(self)) }
    }
}

impl ApiError {
    /// The reason of the documented enum.
    pub fn reason(&self) -> ErrorReason {
        match self {
            ApiError::InvalidRequest(violations) if !violations.limits.is_empty() => ErrorReason::LimitExceeded,
            ApiError::InvalidRequest(_) => ErrorReason::InvalidRequest,
            ApiError::DateNotCovered { .. } => ErrorReason::DateNotCovered,
            ApiError::PageTokenInvalid => ErrorReason::PageTokenInvalid,
            ApiError::PageTokenMismatch => ErrorReason::PageTokenMismatch,
            ApiError::ScenarioNotFound { .. } => ErrorReason::ScenarioNotFound,
            ApiError::RedLineNotFound { .. } => ErrorReason::RedLineNotFound,
            ApiError::ProposalNotFound { .. } => ErrorReason::ProposalNotFound,
            ApiError::RevisionNotHeld { .. } => ErrorReason::RevisionNotHeld,
            ApiError::AnswerTooLarge { .. } | ApiError::TooManyAnswers { .. } => ErrorReason::AnswerTooLarge,
            ApiError::TooManyStreams { .. } => ErrorReason::TooManyStreams,
            ApiError::StreamIdle { .. } => ErrorReason::StreamIdle,
            ApiError::ShuttingDown => ErrorReason::ShuttingDown,
            ApiError::Late => ErrorReason::DeadlineExceeded,
            ApiError::Overloaded => ErrorReason::Overloaded,
            ApiError::AnswersUnread { .. } => ErrorReason::AnswersUnread,
            ApiError::Unauthenticated { .. } => ErrorReason::Unauthenticated,
            ApiError::RoleNotEnough { .. } => ErrorReason::RoleNotEnough,
            ApiError::QuotaExceeded { .. } | ApiError::BeyondBurst { .. } => ErrorReason::QuotaExceeded,
            ApiError::RequestTooSlow { .. } => ErrorReason::RequestTooSlow,
        }
    }

    /// The limits beyond which the request is, by name.
    pub fn limits(&self) -> &[&'static str] {
        match self {
            ApiError::InvalidRequest(violations) => &violations.limits,
            _ => &[],
        }
    }

    fn code(&self) -> Code {
        match self {
            ApiError::InvalidRequest(_)
            | ApiError::DateNotCovered { .. }
            | ApiError::PageTokenInvalid
            | ApiError::PageTokenMismatch => Code::InvalidArgument,
            ApiError::ScenarioNotFound { .. }
            | ApiError::RedLineNotFound { .. }
            | ApiError::ProposalNotFound { .. } => Code::NotFound,
            ApiError::RevisionNotHeld { .. } => Code::FailedPrecondition,
            ApiError::AnswerTooLarge { .. }
            | ApiError::TooManyAnswers { .. }
            | ApiError::TooManyStreams { .. }
            | ApiError::AnswersUnread { .. }
            | ApiError::QuotaExceeded { .. }
            | ApiError::BeyondBurst { .. } => Code::ResourceExhausted,
            ApiError::StreamIdle { .. } | ApiError::Late | ApiError::RequestTooSlow { .. } => Code::DeadlineExceeded,
            ApiError::Unauthenticated { .. } => Code::Unauthenticated,
            ApiError::RoleNotEnough { .. } => Code::PermissionDenied,
            ApiError::ShuttingDown | ApiError::Overloaded => Code::Unavailable,
        }
    }

    fn metadata(&self) -> Vec<(&'static str, String)> {
        match self {
            ApiError::InvalidRequest(violations) if !violations.limits.is_empty() => {
                vec![("limits", violations.limits.join(","))]
            }
            ApiError::InvalidRequest(_)
            | ApiError::PageTokenInvalid
            | ApiError::PageTokenMismatch
            | ApiError::ShuttingDown
            | ApiError::Late
            | ApiError::Overloaded
            | ApiError::Unauthenticated { .. }
            | ApiError::RoleNotEnough { .. }
            | ApiError::QuotaExceeded { .. } => Vec::new(),
            ApiError::BeyondBurst { asked, burst } => {
                vec![("asked", asked.to_string()), ("limit", burst.to_string())]
            }
            ApiError::RequestTooSlow { seconds } => vec![("seconds", seconds.to_string())],
            ApiError::DateNotCovered { field, cause } => vec![
                (field.strip_prefix("filter.").unwrap_or(field), cause.day.to_string()),
                ("covers_from", cause.from.to_string()),
                ("covers_to", cause.to.to_string()),
            ],
            ApiError::ScenarioNotFound { name, nearest }
            | ApiError::RedLineNotFound { name, nearest }
            | ApiError::ProposalNotFound { name, nearest } => {
                let nearest = nearest.clone().map(|nearest| ("nearest", nearest));
                std::iter::once(("name", name.clone())).chain(nearest).collect()
            }
            ApiError::RevisionNotHeld { requested, current } => {
                vec![("requested", requested.clone()), ("current", current.clone())]
            }
            ApiError::AnswerTooLarge { bytes, limit } => {
                vec![("bytes", bytes.to_string()), ("limit", limit.to_string())]
            }
            ApiError::TooManyAnswers { fitting, limit } => {
                vec![("fitting", fitting.to_string()), ("limit", limit.to_string())]
            }
            ApiError::TooManyStreams { limit } | ApiError::AnswersUnread { limit } => {
                vec![("limit", limit.to_string())]
            }
            ApiError::StreamIdle { seconds } => vec![("seconds", seconds.to_string())],
        }
    }
}

impl From<ApiError> for Status {
    fn from(error: ApiError) -> Self {
        let metadata: HashMap<String, String> =
            error.metadata().into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
        let mut details = ErrorDetails::with_error_info(reason_name(error.reason()), ERROR_DOMAIN, metadata);
        let field = |field: &str| vec![FieldViolation::new(field, error.to_string())];
        let mut message = error.to_string();
        match &error {
            ApiError::InvalidRequest(violations) => {
                let listed: Vec<_> =
                    violations.iter().map(|(field, description)| FieldViolation::new(field, description)).collect();
                // The message repeats one fault only: both are headers, and clients bound their sum.
                if let ([first, _, ..], count) = (listed.as_slice(), violations.listed.len() + violations.unlisted) {
                    message =
                        format!("the request has {count} faults; the first: {}: {}", first.field, first.description);
                }
                details.set_bad_request(listed);
            }
            ApiError::DateNotCovered { field: day, .. } => {
                details.set_bad_request(field(day));
            }
            ApiError::PageTokenInvalid | ApiError::PageTokenMismatch => {
                details.set_bad_request(field("page_token"));
            }
            ApiError::QuotaExceeded { retry_after } => {
                details.set_retry_info(Some(*retry_after));
            }
            _ => {}
        }
        let mut metadata = MetadataMap::new();
        if error == ApiError::Overloaded {
            // What gRPC clients heed when they retry; they ignore RetryInfo.
            metadata.insert("grpc-retry-pushback-ms", MetadataValue::from_static(RETRY_AFTER_MS));
        }
        Status::with_error_details_and_metadata(error.code(), message, details, metadata)
    }
}

impl From<ApiError> for RpcStatus {
    /// As an item among others carries it.
    fn from(error: ApiError) -> Self {
        let status = Status::from(error);
        // INVARIANT: the details of our statuses are an encoded `google.rpc.Status`.
        RpcStatus::decode(status.details()).unwrap_or_else(|_| RpcStatus {
            code: status.code().into(),
            message: status.message().to_owned(),
            details: Vec::new(),
        })
    }
}

/// A reason as it is sent: without the enum's prefix.
pub fn reason_name(reason: ErrorReason) -> &'static str {
    let name = reason.as_str_name();
    name.strip_prefix("ERROR_REASON_").unwrap_or(name)
}

/// A reason's name that is one of ours, as it is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReasonName(pub &'static str);

impl ReasonName {
    /// The reason of this name.
    pub fn read(name: &str) -> Option<Self> {
        ErrorReason::from_str_name(&format!("ERROR_REASON_{name}")).map(|reason| Self(reason_name(reason)))
    }
}
