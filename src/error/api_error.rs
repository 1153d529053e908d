//! The errors with which calls are refused: their messages, and the fields that fill them.
//!
//! Must not know how an error becomes a status.

use super::violations::Violations;
use crate::schema::proto::v1::ErrorReason;
use detente_condition::did_you_mean;
use std::time::Duration;
use thiserror::Error;
use tonic::Code;

/// An error that a caller receives in place of a response.
///
/// In a batch or stream, an error can also take the place of the answer to one item.
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
    #[error("the page token was not issued by this service, or was altered; list again without a page token")]
    PageTokenInvalid,
    /// The page token belongs to a request with different fields.
    #[error("the page token belongs to a request with different fields; keep parent, filter, order_by and revision")]
    PageTokenMismatch,
    /// The scenario does not exist, or the caller may not see it.
    #[error("there is no scenario `{name}`{}", did_you_mean(nearest.as_deref()))]
    ScenarioNotFound {
        /// The requested name.
        name: String,
        /// The most similar known name, if one is similar enough.
        nearest: Option<String>,
    },
    /// The request names no scenario, and the server has no default one that the caller may see.
    #[error("the server has no default scenario; name a scenario, as `scenarios/{{scenario}}`")]
    NoDefaultScenario,
    /// The red line does not exist in the scenario.
    #[error("there is no red line `{name}`{}", did_you_mean(nearest.as_deref()))]
    RedLineNotFound {
        /// The requested name.
        name: String,
        /// The most similar known name, if one is similar enough.
        nearest: Option<String>,
    },
    /// The scenario does not contain the requested proposal.
    #[error("there is no proposal `{name}`{}", did_you_mean(nearest.as_deref()))]
    ProposalNotFound {
        /// The requested name.
        name: String,
        /// The most similar known name, if one is similar enough.
        nearest: Option<String>,
    },
    /// The server does not have the requested revision of the scenario, or no longer keeps it.
    #[error("the server does not hold revision `{requested}`; the current revision is `{current}`")]
    RevisionNotHeld {
        /// The requested revision.
        requested: String,
        /// The revision that the server uses now.
        current: String,
    },
    /// The answer would exceed the size limit.
    #[error("the answer has {bytes} bytes; the limit is {limit}. Request the basic view, or less in one call")]
    AnswerTooLarge {
        /// Size of the answer, in bytes.
        bytes: usize,
        /// Limit, in bytes.
        limit: usize,
    },
    /// The evaluations of a batch or history together would exceed the size limit.
    #[error(
        "only the first {fitting} of the evaluations fit into an answer, which may have {limit} bytes. Request the \
         basic view, or less in one call"
    )]
    TooManyAnswers {
        /// Number of evaluations that fit.
        fitting: usize,
        /// Limit, in bytes.
        limit: usize,
    },
    /// The connection already has the maximum number of open streams of one kind.
    #[error("a connection can have {limit} {what} open at a time; end one, or use another connection")]
    TooManyStreams {
        /// The kind of streams, in the plural.
        what: &'static str,
        /// Maximum number of such streams that a connection may have open at a time.
        limit: usize,
    },
    /// The caller already has the maximum number of open calls.
    #[error("a caller can have {limit} calls open at a time; wait for the answers, or end some")]
    TooManyCalls {
        /// Maximum number of calls that a caller may have open at a time.
        limit: usize,
    },
    /// The server already has the maximum number of open `Watch` calls of the health service.
    #[error("the server has {limit} `Watch` calls open, which is its limit; retry later, or call `Check`")]
    TooManyWatches {
        /// Maximum number of `Watch` calls that may be open at a time, over all connections.
        limit: usize,
    },
    /// A stream of evaluations or reflection received no request within its idle time.
    #[error("no request arrived for {seconds} seconds; earlier requests are answered; send the others in a new stream")]
    StreamIdle {
        /// The time without a request after which the server ends the stream, in seconds.
        seconds: u64,
    },
    /// The server is shutting down.
    #[error("the server is shutting down; requests that it has read are answered; send the others to another server")]
    ShuttingDown,
    /// The request would take too much memory.
    #[error(
        "the request would take more than {limit} bytes of memory, because it has very many fields or messages; send \
         less in one message"
    )]
    RequestTooHeavy {
        /// Limit, in bytes.
        limit: usize,
    },
    /// The header `grpc-timeout` is invalid, or occurs twice.
    #[error("`grpc-timeout` must occur once, with one to eight digits and a unit (H, M, S, m, u or n)")]
    InvalidTimeout,
    /// A message exceeds the size limit. tonic detects it, and chooses the code and the message.
    #[error("{message}")]
    MessageTooLarge {
        /// The code of tonic's status.
        code: Code,
        /// The message of tonic's status.
        message: String,
        /// Size limit of a request, in bytes.
        limit: usize,
    },
    /// The caller's deadline, or the server's own time limit for one question, passed before the answer was ready.
    #[error("deadline exceeded before the response was ready")]
    Late,
    /// The server is at its concurrency limit, or the queue for longer work is full.
    #[error("the server is at its concurrency limit; retry later")]
    Overloaded,
    /// The answers that the caller has not read yet fill the memory that it may use for them.
    #[error("unread answers fill the {limit} bytes that one caller may hold; read them, then retry")]
    AnswersUnread {
        /// The memory for unread answers that one caller may use, in bytes.
        limit: usize,
    },
    /// The call has no credentials, or credentials that are not valid.
    #[error("{denied}")]
    Unauthenticated {
        /// The reason, without anything that would help an attacker.
        denied: String,
    },
    /// The caller is identified, but its role does not allow the request.
    #[error("{what} require the role `analyst`; your role is `reader`")]
    RoleNotEnough {
        /// What the role `reader` may not use, in the plural: `analyses` or `hypotheses`.
        what: &'static str,
    },
    /// The caller's quota is used up for the moment.
    #[error("your quota of calls is exhausted; retry in {} ms", retry_after.as_millis() + 1)]
    QuotaExceeded {
        /// Time until the quota allows the next call.
        retry_after: Duration,
    },
    /// One call asks for more evaluations than the quota allows in one burst.
    #[error("the call requests {asked} evaluations; your quota allows {burst} in one burst. Request fewer in one call")]
    BeyondBurst {
        /// Evaluations requested.
        asked: u32,
        /// Evaluations that the quota allows in one burst.
        burst: u32,
    },
    /// The server did not receive the whole request in time.
    #[error("the request did not arrive completely within {seconds} seconds")]
    RequestTooSlow {
        /// Time that the server waits for a whole request, in seconds.
        seconds: u64,
    },
    /// The handler of the call panicked.
    #[error("internal error; see incident {incident} in the server log")]
    Internal {
        /// The id under which the log has the details.
        incident: String,
    },
}

impl ApiError {
    /// Returns the reason that the schema's `ErrorReason` documents.
    pub fn reason(&self) -> ErrorReason {
        self.facts().reason
    }

    /// Returns the status code.
    pub fn code(&self) -> Code {
        self.facts().code
    }

    /// Returns the names of the limits that the request exceeds.
    pub fn limits(&self) -> &[&'static str] {
        match self {
            ApiError::InvalidRequest(violations) => violations.limits(),
            _ => &[],
        }
    }
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

/// Returns a reason as it is sent: without the prefix `ERROR_REASON_`.
pub fn reason_name(reason: ErrorReason) -> &'static str {
    let name = reason.as_str_name();
    name.strip_prefix("ERROR_REASON_").unwrap_or(name)
}
