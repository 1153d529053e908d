//! The code, the reason, the metadata and the standard details of each error.
//!
//! Owns the only match over all errors, so that these facts are stated in one place. Must not know how a status is
//! encoded.

use super::api_error::ApiError;
use super::violations::Violations;
use crate::schema::proto::v1::ErrorReason;
use jiff::civil::Date;
use std::fmt::{self, Display};
use std::time::Duration;
use tonic::Code;

/// Time after which a caller may retry a call that the server refused because it has too much to do.
///
/// The time is long enough for the calls in progress to end, and short beside the deadlines in
/// `deploy/service-config.json` (5 s and longer), so that all attempts fit into them.
const RETRY_AFTER_OVERLOAD: Duration = Duration::from_millis(500);

/// Time after which a caller may retry a call that the server refused because it is shutting down.
///
/// Another server answers the retry. The time is that of the first retry without a stated time in
/// `deploy/service-config.json`: long enough for the client to notice that this server is leaving.
const RETRY_AFTER_SHUTDOWN: Duration = Duration::from_millis(100);

/// The facts about an error.
///
/// They borrow from the error, so that no text is formatted for code that reads only the status code or the reason.
pub(super) struct ErrorFacts<'a> {
    pub(super) code: Code,
    pub(super) reason: ErrorReason,
    /// The metadata of `google.rpc.ErrorInfo`.
    pub(super) metadata: Vec<(&'static str, MetadataValue<'a>)>,
    pub(super) detail: Option<Detail<'a>>,
    /// The time after which gRPC clients that retry the code are told to retry.
    ///
    /// Every error with a code that `deploy/service-config.json` retries has one.
    pub(super) pushback: Option<Duration>,
}

/// A value of the metadata; its text is made when the error is encoded.
pub(super) enum MetadataValue<'a> {
    Single(&'a dyn Display),
    Day(Date),
    /// Several words, separated by commas.
    List(&'a [&'static str]),
}

impl Display for MetadataValue<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Single(value) => value.fmt(f),
            Self::Day(day) => day.fmt(f),
            Self::List(words) => f.write_str(&words.join(",")),
        }
    }
}

/// A standard detail besides `google.rpc.ErrorInfo`.
pub(super) enum Detail<'a> {
    /// `google.rpc.BadRequest` with these faults.
    Faults(&'a Violations),
    /// `google.rpc.BadRequest` with the error's message as the fault of this field.
    FaultOf(&'static str),
    /// `google.rpc.RetryInfo` with this delay.
    RetryAfter(Duration),
}

impl<'a> ErrorFacts<'a> {
    fn new(code: Code, reason: ErrorReason) -> Self {
        Self { code, reason, metadata: Vec::new(), detail: None, pushback: None }
    }

    /// The facts about an error with the code UNAVAILABLE, which clients retry.
    fn unavailable(reason: ErrorReason, retry_after: Duration) -> Self {
        Self { pushback: Some(retry_after), ..Self::new(Code::Unavailable, reason) }
    }

    fn with(mut self, key: &'static str, value: &'a dyn Display) -> Self {
        self.metadata.push((key, MetadataValue::Single(value)));
        self
    }

    fn with_day(mut self, key: &'static str, day: Date) -> Self {
        self.metadata.push((key, MetadataValue::Day(day)));
        self
    }

    fn with_list(mut self, key: &'static str, words: &'a [&'static str]) -> Self {
        self.metadata.push((key, MetadataValue::List(words)));
        self
    }

    fn with_name<T: Display>(self, name: &'a T, nearest: Option<&'a T>) -> Self {
        let facts = self.with("name", name);
        match nearest {
            Some(nearest) => facts.with("nearest", nearest),
            None => facts,
        }
    }

    fn with_detail(mut self, detail: Detail<'a>) -> Self {
        self.detail = Some(detail);
        self
    }
}

impl ApiError {
    pub(super) fn facts(&self) -> ErrorFacts<'_> {
        use ErrorReason as Reason;
        let facts = ErrorFacts::new;
        match self {
            Self::InvalidRequest(violations) => match violations.limits() {
                [] => facts(Code::InvalidArgument, Reason::InvalidRequest),
                limits => facts(Code::InvalidArgument, Reason::LimitExceeded).with_list("limits", limits),
            }
            .with_detail(Detail::Faults(violations)),
            Self::InvalidTimeout => {
                facts(Code::InvalidArgument, Reason::InvalidRequest).with_detail(Detail::FaultOf("grpc-timeout"))
            }
            Self::DateNotCovered { field, cause } => facts(Code::InvalidArgument, Reason::DateNotCovered)
                .with(field.strip_prefix("filter.").unwrap_or(field), &cause.day)
                .with_day("covers_from", cause.covers.first())
                .with_day("covers_to", cause.covers.last())
                .with_detail(Detail::FaultOf(field)),
            Self::PageTokenInvalid => {
                facts(Code::InvalidArgument, Reason::PageTokenInvalid).with_detail(Detail::FaultOf("page_token"))
            }
            Self::PageTokenMismatch => {
                facts(Code::InvalidArgument, Reason::PageTokenMismatch).with_detail(Detail::FaultOf("page_token"))
            }
            Self::ScenarioNotFound { name, nearest } => {
                facts(Code::NotFound, Reason::ScenarioNotFound).with_name(name, nearest.as_ref())
            }
            Self::NoDefaultScenario => facts(Code::NotFound, Reason::ScenarioNotFound).with("name", &"(default)"),
            Self::RedLineNotFound { name, nearest } => {
                facts(Code::NotFound, Reason::RedLineNotFound).with_name(name, nearest.as_ref())
            }
            Self::ProposalNotFound { name, nearest } => {
                facts(Code::NotFound, Reason::ProposalNotFound).with_name(name, nearest.as_ref())
            }
            Self::RevisionNotHeld { requested, current } => facts(Code::FailedPrecondition, Reason::RevisionNotHeld)
                .with("requested", requested)
                .with("current", current),
            Self::MessageTooLarge { code, limit, .. } => facts(*code, Reason::MessageTooLarge).with("limit", limit),
            Self::RequestTooHeavy { limit } => facts(Code::OutOfRange, Reason::MessageTooLarge).with("limit", limit),
            Self::AnswerTooLarge { bytes, limit } => {
                facts(Code::ResourceExhausted, Reason::AnswerTooLarge).with("bytes", bytes).with("limit", limit)
            }
            Self::TooManyAnswers { fitting, limit } => {
                facts(Code::ResourceExhausted, Reason::AnswerTooLarge).with("fitting", fitting).with("limit", limit)
            }
            Self::TooManyStreams { limit, .. } | Self::TooManyWatches { limit } => {
                facts(Code::ResourceExhausted, Reason::TooManyStreams).with("limit", limit)
            }
            Self::TooManyCalls { limit } => facts(Code::ResourceExhausted, Reason::TooManyStreams).with("limit", limit),
            Self::AnswersUnread { limit } => facts(Code::ResourceExhausted, Reason::AnswersUnread).with("limit", limit),
            Self::QuotaExceeded { retry_after } => {
                facts(Code::ResourceExhausted, Reason::QuotaExceeded).with_detail(Detail::RetryAfter(*retry_after))
            }
            Self::BeyondBurst { asked, burst } => {
                facts(Code::ResourceExhausted, Reason::QuotaExceeded).with("asked", asked).with("limit", burst)
            }
            Self::StreamIdle { seconds } => facts(Code::DeadlineExceeded, Reason::StreamIdle).with("seconds", seconds),
            Self::RequestTooSlow { seconds } => {
                facts(Code::DeadlineExceeded, Reason::RequestTooSlow).with("seconds", seconds)
            }
            Self::Late => facts(Code::DeadlineExceeded, Reason::DeadlineExceeded),
            Self::ShuttingDown => ErrorFacts::unavailable(Reason::ShuttingDown, RETRY_AFTER_SHUTDOWN),
            Self::Overloaded => ErrorFacts::unavailable(Reason::Overloaded, RETRY_AFTER_OVERLOAD),
            Self::Unauthenticated { .. } => facts(Code::Unauthenticated, Reason::Unauthenticated),
            Self::RoleNotEnough { .. } => facts(Code::PermissionDenied, Reason::RoleNotEnough),
            Self::Internal { incident } => facts(Code::Internal, Reason::Internal).with("incident", incident),
        }
    }
}
