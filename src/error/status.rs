//! Converts errors to gRPC statuses: of a call, and of one item of a batch or stream.
//!
//! Owns how details are encoded. Must not know which errors have which details.

use super::api_error::{ApiError, reason_name};
use super::facts::{Detail, ErrorFacts};
use super::headers::{room_for_details, shortened};
use super::violations::Violations;
use prost::{Message, length_delimiter_len};
use prost_types::Any;
use std::error::Error;
use std::sync::Arc;
use std::time::Duration;
use tonic::metadata::{MetadataMap, MetadataValue};
use tonic::{Code, Status};
use tonic_types::{BadRequest, ErrorInfo, FieldViolation, RetryInfo, Status as RpcStatus, pb};

/// The domain of every `google.rpc.ErrorInfo` of this service.
const ERROR_DOMAIN: &str = "detente.dev";

/// The header that tells a client when to retry, in milliseconds; a negative number tells it not to.
///
/// gRPC clients obey it in place of their own backoff (gRFC A6). They ignore `google.rpc.RetryInfo`.
pub(crate) const RETRY_PUSHBACK: &str = "grpc-retry-pushback-ms";

/// Upper bound of the bytes that the lengths of the messages around the violations grow by when violations are added.
const AROUND_VIOLATIONS: usize = 8;

impl ApiError {
    /// Returns the error from which a status was made; `None` if it is a status of another origin, such as tonic's.
    pub fn of(status: &Status) -> Option<&Self> {
        status.source()?.downcast_ref()
    }
}

impl From<ApiError> for RpcStatus {
    /// Converts the error to the status of one item of a batch or stream, which is part of a message.
    fn from(error: ApiError) -> Self {
        encode(&error, error.to_string(), None)
    }
}

impl From<ApiError> for Status {
    /// Converts the error to the status of a call, whose headers have at most
    /// [`MAX_STATUS_BYTES`](super::MAX_STATUS_BYTES). The status keeps the error as its source; see [`ApiError::of`].
    fn from(error: ApiError) -> Self {
        let mut metadata = MetadataMap::new();
        if let Some(delay) = error.facts().pushback {
            let milliseconds = u64::try_from(with_jitter(delay).as_millis()).unwrap_or(u64::MAX);
            metadata.insert(RETRY_PUSHBACK, MetadataValue::from(milliseconds));
        }
        let message = shortened(&error.to_string()).into_owned();
        let room = room_for_details(&message);
        let encoded = encode(&error, message, Some(room));
        let (code, details) = (Code::from(encoded.code), encoded.encode_to_vec().into());
        let mut status = Status::with_details_and_metadata(code, encoded.message, details, metadata);
        status.set_source(Arc::new(error));
        status
    }
}

/// Varies a duration at random by up to a half in either direction.
///
/// Without this, clients that were refused at the same moment would return at the same moment.
fn with_jitter(duration: Duration) -> Duration {
    duration.mul_f64(0.5 + fastrand::f64())
}

/// Encodes an error as at most `room` bytes; `None` sets no limit. Violations that do not fit are left out.
fn encode(error: &ApiError, message: String, room: Option<usize>) -> RpcStatus {
    let ErrorFacts { code, reason, metadata, detail, pushback: _ } = error.facts();
    let info = pb::ErrorInfo {
        reason: reason_name(reason).to_owned(),
        domain: ERROR_DOMAIN.to_owned(),
        metadata: metadata.into_iter().map(|(key, value)| (key.to_owned(), value.to_string())).collect(),
    };
    let details = match detail {
        None => vec![any(ErrorInfo::TYPE_URL, &info)],
        Some(Detail::RetryAfter(delay)) => {
            let retry = any(RetryInfo::TYPE_URL, &pb::RetryInfo::from(RetryInfo::new(Some(delay))));
            vec![retry, any(ErrorInfo::TYPE_URL, &info)]
        }
        Some(Detail::FaultOf(field)) => {
            let faults = vec![field_violation(field, &message)];
            vec![
                any(ErrorInfo::TYPE_URL, &info),
                any(BadRequest::TYPE_URL, &pb::BadRequest { field_violations: faults }),
            ]
        }
        Some(Detail::Faults(violations)) => return with_violations(code, message, info, violations, room),
    };
    RpcStatus { code: code.into(), message, details }
}

/// Encodes an error with the violations that fit, in their order. If some are left out, the metadata counts them.
fn with_violations(
    code: Code,
    message: String,
    mut info: pb::ErrorInfo,
    violations: &Violations,
    room: Option<usize>,
) -> RpcStatus {
    let total = violations.count();
    let mut faults: Vec<_> = violations.iter().map(|(field, text)| field_violation(field, text)).collect();
    let status = |info: &pb::ErrorInfo, faults: &[pb::bad_request::FieldViolation]| {
        let bad_request = pb::BadRequest { field_violations: faults.to_vec() };
        let details = vec![any(ErrorInfo::TYPE_URL, info), any(BadRequest::TYPE_URL, &bad_request)];
        RpcStatus { code: code.into(), message: message.clone(), details }
    };
    let room = room.unwrap_or(usize::MAX);
    if faults.len() == total {
        let complete = status(&info, &faults);
        if complete.encoded_len() <= room {
            return complete;
        }
    }
    info.metadata.insert("violations_total".to_owned(), total.to_string());
    // At this point the number has as many digits as it can have.
    info.metadata.insert("violations_omitted".to_owned(), total.to_string());
    let mut left = room.saturating_sub(status(&info, &[]).encoded_len() + AROUND_VIOLATIONS);
    let fitting = faults.iter().take_while(|fault| {
        let bytes = fault.encoded_len();
        let after = left.checked_sub(1 + length_delimiter_len(bytes) + bytes);
        left = after.unwrap_or(left);
        after.is_some()
    });
    faults.truncate(fitting.count());
    info.metadata.insert("violations_omitted".to_owned(), (total - faults.len()).to_string());
    status(&info, &faults)
}

fn field_violation(field: &str, description: &str) -> pb::bad_request::FieldViolation {
    pb::bad_request::FieldViolation::from(FieldViolation::new(field, description))
}

fn any(type_url: &str, detail: &impl Message) -> Any {
    Any { type_url: type_url.to_owned(), value: detail.encode_to_vec() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::every_error::every_error;
    use serde_json::Value;
    use std::collections::BTreeSet;
    use tonic_types::{RpcStatusExt, StatusExt};

    #[test]
    fn a_status_keeps_its_error_and_has_the_details_of_an_item() {
        let errors = [
            ApiError::InvalidRequest(Violations::one("scenario", "unknown")),
            ApiError::InvalidTimeout,
            ApiError::PageTokenInvalid,
            ApiError::Overloaded,
            ApiError::QuotaExceeded { retry_after: Duration::from_millis(5) },
            ApiError::Internal { incident: "1".to_owned() },
        ];
        for error in errors {
            let (status, item) = (Status::from(error.clone()), RpcStatus::from(error.clone()));
            assert_eq!(status.code(), error.code());
            assert_eq!(RpcStatus::decode(status.details()).unwrap(), item);
            assert_eq!(status.get_details_error_info().unwrap().reason, reason_name(error.reason()));
            assert_eq!(ApiError::of(&status), Some(&error));
        }
        assert_eq!(ApiError::of(&Status::unavailable("of another origin")), None);
    }

    /// The codes that `deploy/service-config.json` retries, without underscores.
    fn retried() -> BTreeSet<String> {
        let config: Value = serde_json::from_str(include_str!("../../deploy/service-config.json")).unwrap();
        let methods = config["methodConfig"].as_array().unwrap().iter();
        let codes = methods.filter_map(|method| method["retryPolicy"]["retryableStatusCodes"].as_array()).flatten();
        codes.map(|code| code.as_str().unwrap().replace('_', "")).collect()
    }

    #[test]
    fn every_error_that_clients_retry_says_when_and_no_other_does() {
        let retried = retried();
        assert!(retried.contains("UNAVAILABLE"), "{retried:?}");
        let mut delays = 0;
        for error in every_error() {
            let status = Status::from(error.clone());
            let name = format!("{:?}", status.code()).to_uppercase();
            let pushback = status.metadata().get(RETRY_PUSHBACK).map(|delay| delay.to_str().unwrap().parse::<u64>());
            assert_eq!(pushback.is_some(), retried.contains(&name), "{error:?}");
            if let Some(delay) = pushback {
                assert!((10..=1_000).contains(&delay.unwrap()), "{error:?}");
                delays += 1;
            }
        }
        assert!(delays >= 2);
    }

    #[test]
    fn clients_that_are_refused_together_are_told_different_times() {
        let delay =
            |_| Status::from(ApiError::Overloaded).metadata().get(RETRY_PUSHBACK).unwrap().to_str().unwrap().to_owned();
        let delays: BTreeSet<String> = (0..64).map(delay).collect();
        assert!(delays.len() > 32, "{delays:?}");
    }

    #[test]
    fn an_item_lists_all_faults_and_a_call_those_that_fit() {
        let mut violations = Violations::of_item();
        for number in 0..500 {
            violations.add(format!("terms[{number}]"), "語".repeat(80));
        }
        let error = ApiError::InvalidRequest(violations);
        let item = RpcStatus::from(error.clone());
        let faults = |status: &RpcStatus| -> Vec<(String, String)> {
            let violations = status.get_details_bad_request().unwrap().field_violations.into_iter();
            violations.map(|violation| (violation.field, violation.description)).collect()
        };
        assert_eq!(faults(&item).len(), 500);
        assert!(item.get_details_error_info().unwrap().metadata.is_empty());

        let call = RpcStatus::decode(Status::from(error).details()).unwrap();
        let listed = faults(&call);
        assert_eq!(listed, faults(&item)[..listed.len()]);
        let metadata = call.get_details_error_info().unwrap().metadata;
        assert_eq!(metadata["violations_total"], "500");
        assert_eq!(metadata["violations_omitted"], (500 - listed.len()).to_string());
        // One more fault would not have fitted.
        let room = room_for_details(&call.message);
        let next = faults(&item)[listed.len()].1.len();
        assert!(
            call.encoded_len() <= room && call.encoded_len() + next + 40 > room,
            "{} of {room}",
            call.encoded_len()
        );
    }

    #[test]
    fn the_counts_of_violations_appear_exactly_when_some_are_omitted() {
        for length in 0..3_000 {
            let mut violations = Violations::one("short", "fault");
            violations.add("field", "x".repeat(length));
            let status = Status::from(ApiError::InvalidRequest(violations));
            let details = status.get_error_details();
            let (info, listed) = (details.error_info().unwrap(), details.bad_request().unwrap().field_violations.len());
            let omitted = info.metadata.get("violations_omitted").map(String::as_str);
            assert_eq!(omitted, (listed == 1).then_some("1"), "{length}");
            assert!(status.details().len() <= room_for_details(status.message()), "{length}");
        }
    }
}
