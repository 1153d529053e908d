//! The errors of the API and their one mapping to gRPC statuses with details.
//!
//! Owns the code, the reason, the message and the metadata of every refused call. Must not know how requests are read
//! or evaluated.

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

/// Milliseconds after which a caller may retry when the server is overloaded.
const RETRY_AFTER_MS: &str = "200";

/// An error that is answered in place of a response, or in place of one item of a batch or stream.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ApiError {
    /// The request has faults. All of them are listed.
    #[error("{0}")]
    InvalidRequest(Violations),
    /// The day is outside the days that the scenario covers.
    #[error("{cause}")]
    DateNotCovered {
        /// The field that names the day.
        field: &'static str,
        /// The day, and the first and last day covered.
        cause: detente_core::engine::NotCoveredError,
    },
    /// The page token was not issued by this service, or was altered.
    #[error("the page token is not one that this service gave out; start again without one")]
    PageTokenInvalid,
    /// The page token belongs to a request with different fields.
    #[error("the page token belongs to another request; keep parent, filter, order and revision as they were")]
    PageTokenMismatch,
    /// The scenario does not exist, or the caller may not see it.
    #[error("there is no scenario `{name}`{}", did_you_mean(nearest.as_deref()))]
    ScenarioNotFound {
        /// The requested name.
        name: String,
        /// The most similar known name, if one is similar enough.
        nearest: Option<String>,
    },
    /// The red line does not exist in the scenario.
    #[error("there is no red line `{name}`{}", did_you_mean(nearest.as_deref()))]
    RedLineNotFound {
        /// The requested name.
        name: String,
        /// The most similar known name, if one is similar enough.
        nearest: Option<String>,
    },
    /// The reference proposal does not exist in the scenario.
    #[error("there is no proposal `{name}`{}", did_you_mean(nearest.as_deref()))]
    ProposalNotFound {
        /// The requested name.
        name: String,
        /// The most similar known name, if one is similar enough.
        nearest: Option<String>,
    },
    /// The server does not hold the requested revision.
    #[error("revision `{requested}` is not held; the current one is `{current}`")]
    RevisionNotHeld {
        /// The requested revision.
        requested: String,
        /// The current revision.
        current: String,
    },
    /// The answer would exceed the size limit.
    #[error(
        "the answer would have {bytes} bytes; at most {limit} are sent. Ask for the basic view, or for less at once"
    )]
    AnswerTooLarge {
        /// Size of the answer, in bytes.
        bytes: usize,
        /// Limit, in bytes.
        limit: usize,
    },
    /// The evaluations of a batch or history together would exceed the size limit.
    #[error(
        "only the first {fitting} of the evaluations asked for fit into the {limit} bytes that are sent at most. Ask \
         for the basic view, or for less at once"
    )]
    TooManyAnswers {
        /// Number of evaluations that fit.
        fitting: usize,
        /// Limit, in bytes.
        limit: usize,
    },
    /// The connection has as many streams of evaluations as it may have.
    #[error("a connection has at most {limit} streams of evaluations at a time: end one, or use another connection")]
    TooManyStreams {
        /// Streams that a connection may have at a time.
        limit: usize,
    },
    /// A stream of evaluations received no request within its idle time.
    #[error("no request came for {seconds} seconds; all that were read are answered, send the rest in a new stream")]
    StreamIdle {
        /// The idle time.
        seconds: u64,
    },
    /// The server is shutting down.
    #[error("the server is about to end; all requests that were read are answered, ask another one for the rest")]
    ShuttingDown,
    /// The caller's deadline, or the server's own time limit for one question, passed before the answer was ready.
    #[error("deadline exceeded before the response was ready")]
    Late,
    /// The server is at its concurrency limit, or the queue for longer work is full.
    #[error("the server is at its concurrency limit; retry later")]
    Overloaded,
    /// The answers that the client has not read yet fill the connection's response budget.
    #[error("answers of {limit} bytes wait on this connection to be read: read them, then ask again")]
    AnswersUnread {
        /// The budget, in bytes.
        limit: usize,
    },
    /// The call has no credentials, or credentials that are not valid.
    #[error("{denied}")]
    Unauthenticated {
        /// The reason, without anything that would help an attacker.
        denied: String,
    },
    /// The caller is identified, but its role does not allow the request.
    #[error("{what} need the role `analyst`; yours is `reader`")]
    RoleNotEnough {
        /// The part of the API that needs the role, in the plural.
        what: &'static str,
    },
    /// The caller's quota is used up for the moment.
    #[error("your quota of calls is used up; come back in {} ms", retry_after.as_millis() + 1)]
    QuotaExceeded {
        /// Time until the quota allows the next call.
        retry_after: Duration,
    },
    /// One call asks for more evaluations than the quota allows in one burst.
    #[error(
        "{asked} evaluations are asked for at once, and your quota holds {burst} at the most: ask for fewer at once"
    )]
    BeyondBurst {
        /// Evaluations requested.
        asked: u32,
        /// Evaluations that the quota allows in one burst.
        burst: u32,
    },
    /// The server did not receive the whole request in time.
    #[error("the request did not come whole within {seconds} seconds")]
    RequestTooSlow {
        /// Time that the server waits for a whole request.
        seconds: u64,
    },
}

impl Violations {
    /// Returns an error if there is at least one fault.
    ///
    /// # Errors
    /// [`ApiError::InvalidRequest`] with all faults.
    pub fn into_result(self) -> Result<(), ApiError> {
        if self.is_empty() { Ok(()) } else { Err(ApiError::InvalidRequest(self)) }
    }
}

impl ApiError {
    /// Returns the reason that the schema's `ErrorReason` documents.
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

    /// Returns the names of the limits that the request exceeds.
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
                // The message repeats only the first fault, because message and details both travel in trailers, and
                // clients limit their total size.
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
            // gRPC clients obey this trailer when they retry (gRFC A6). They ignore RetryInfo.
            metadata.insert("grpc-retry-pushback-ms", MetadataValue::from_static(RETRY_AFTER_MS));
        }
        Status::with_error_details_and_metadata(error.code(), message, details, metadata)
    }
}

impl From<ApiError> for RpcStatus {
    /// Converts the error for one item of a batch or stream.
    fn from(error: ApiError) -> Self {
        let status = Status::from(error);
        // INVARIANT: the details of every `Status` made from an `ApiError` are an encoded `google.rpc.Status`.
        RpcStatus::decode(status.details()).unwrap_or_else(|_| RpcStatus {
            code: status.code().into(),
            message: status.message().to_owned(),
            details: Vec::new(),
        })
    }
}

/// Returns a reason as it is sent: without the prefix `ERROR_REASON_`.
pub fn reason_name(reason: ErrorReason) -> &'static str {
    let name = reason.as_str_name();
    name.strip_prefix("ERROR_REASON_").unwrap_or(name)
}

/// The name of a reason of this service, as it is sent: without the prefix `ERROR_REASON_`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReasonName(pub &'static str);

impl ReasonName {
    /// Parses a name; `None` if the service has no such reason.
    pub fn read(name: &str) -> Option<Self> {
        ErrorReason::from_str_name(&format!("ERROR_REASON_{name}")).map(|reason| Self(reason_name(reason)))
    }
}
