//! Converts errors to gRPC statuses: of a call, and of one item of a batch or stream.
//!
//! Owns how details are encoded. Must not know which errors have which details.

use super::api_error::{ApiError, reason_name};
use super::facts::{Detail, ErrorFacts};
use prost::Message;
use prost_types::Any;
use std::error::Error;
use std::sync::Arc;
use tonic::metadata::{MetadataMap, MetadataValue};
use tonic::{Code, Status};
use tonic_types::{BadRequest, ErrorInfo, FieldViolation, RetryInfo, Status as RpcStatus, pb};

/// The domain of every `google.rpc.ErrorInfo` of this service.
const ERROR_DOMAIN: &str = "detente.dev";

/// Milliseconds after which a caller may retry when the server is overloaded.
const RETRY_AFTER_MS: &str = "200";

impl ApiError {
    /// Returns the error from which a status was made; `None` if it is a status of another origin, such as tonic's.
    pub fn of(status: &Status) -> Option<&Self> {
        status.source()?.downcast_ref()
    }
}

impl From<ApiError> for RpcStatus {
    /// Converts the error to the status of one item of a batch or stream.
    fn from(error: ApiError) -> Self {
        encode(&error)
    }
}

impl From<ApiError> for Status {
    /// Converts the error to the status of a call. The status keeps the error as its source; see [`ApiError::of`].
    fn from(error: ApiError) -> Self {
        let mut metadata = MetadataMap::new();
        if error == ApiError::Overloaded {
            // gRPC clients obey this trailer when they retry (gRFC A6). They ignore RetryInfo.
            metadata.insert("grpc-retry-pushback-ms", MetadataValue::from_static(RETRY_AFTER_MS));
        }
        let encoded = encode(&error);
        let (code, details) = (Code::from(encoded.code), encoded.encode_to_vec().into());
        let mut status = Status::with_details_and_metadata(code, encoded.message, details, metadata);
        status.set_source(Arc::new(error));
        status
    }
}

fn encode(error: &ApiError) -> RpcStatus {
    let ErrorFacts { code, reason, metadata, detail } = error.facts();
    let info = pb::ErrorInfo {
        reason: reason_name(reason).to_owned(),
        domain: ERROR_DOMAIN.to_owned(),
        metadata: metadata.into_iter().map(|(key, value)| (key.to_owned(), value.to_string())).collect(),
    };
    let info = any(ErrorInfo::TYPE_URL, &info);
    let bad_request = |faults| any(BadRequest::TYPE_URL, &pb::BadRequest::from(BadRequest::new(faults)));
    let mut message = error.to_string();
    let details = match detail {
        None => vec![info],
        Some(Detail::RetryAfter(delay)) => {
            vec![any(RetryInfo::TYPE_URL, &pb::RetryInfo::from(RetryInfo::new(Some(delay)))), info]
        }
        Some(Detail::FaultOf(field)) => vec![info, bad_request(vec![FieldViolation::new(field, &message)])],
        Some(Detail::Faults(violations)) => {
            let faults: Vec<_> =
                violations.iter().map(|(field, description)| FieldViolation::new(field, description)).collect();
            // The message repeats only the first fault, because message and details both travel in trailers, and
            // clients limit their total size.
            if let ([first, _, ..], count) = (faults.as_slice(), violations.listed.len() + violations.unlisted) {
                message = format!("the request has {count} faults; the first: {}: {}", first.field, first.description);
            }
            vec![info, bad_request(faults)]
        }
    };
    RpcStatus { code: code.into(), message, details }
}

fn any(type_url: &str, detail: &impl Message) -> Any {
    Any { type_url: type_url.to_owned(), value: detail.encode_to_vec() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;
    use tonic_types::StatusExt;

    #[test]
    fn a_status_keeps_its_error_and_has_the_details_of_an_item() {
        let errors = [
            ApiError::InvalidRequest(crate::error::Violations::one("scenario", "unknown")),
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
}
