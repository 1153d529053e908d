//! Rewrites the headers and trailers that carry a status.
//!
//! Status messages lose needless percent-escapes. The errors that tonic returns for requests or answers that are too
//! large get a reason and the limit.
//!
//! Must not know how a call is answered.

use crate::error::ApiError;
use http::{HeaderMap, HeaderValue};
use tonic::{Code, Status};

/// Removes needless escapes from a status message.
///
/// gRPC lets printable ASCII except `%` stand for itself; tonic also escapes `?` and `#`, and some clients then show
/// the escapes.
pub(super) fn make_plain(headers: &mut HeaderMap) {
    let Some(message) = headers.get(Status::GRPC_MESSAGE) else { return };
    let Ok(text) = message.to_str() else { return };
    if !text.contains('%') {
        return;
    }
    let (mut plain, mut rest) = (String::with_capacity(text.len()), text);
    while let Some((before, after)) = rest.split_once('%') {
        plain.push_str(before);
        let escaped = after.get(..2).and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match escaped.map(char::from).filter(|character| matches!(character, ' '..='~') && *character != '%') {
            Some(character) => {
                plain.push(character);
                rest = after.get(2..).unwrap_or_default();
            }
            None => {
                plain.push('%');
                rest = after;
            }
        }
    }
    plain.push_str(rest);
    if let Ok(plain) = HeaderValue::from_str(&plain) {
        headers.insert(Status::GRPC_MESSAGE, plain);
    }
}

/// Adds the reason and the limit to a status that tonic returned for a message that is too large.
///
/// Returns the error that the headers then describe.
pub(super) fn explain(headers: &mut HeaderMap, max_request_bytes: usize) -> Option<ApiError> {
    let code = headers.get(Status::GRPC_STATUS).map(|status| Code::from_bytes(status.as_bytes()))?;
    // Errors of this service always have details, and none is OUT_OF_RANGE, so a status without details is tonic's.
    if !matches!(code, Code::OutOfRange | Code::ResourceExhausted) || headers.contains_key(Status::GRPC_STATUS_DETAILS)
    {
        return None;
    }
    let message = Status::from_header_map(headers)?.message().to_owned();
    let error = ApiError::MessageTooLarge { code, message, limit: max_request_bytes };
    let mut explained = HeaderMap::new();
    if Status::from(error.clone()).add_header(&mut explained).is_ok() {
        headers.extend(explained);
    }
    Some(error)
}

/// Returns the name of a code as gRPC writes it.
pub(super) fn code_name(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::Unknown => "UNKNOWN",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists => "ALREADY_EXISTS",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Aborted => "ABORTED",
        Code::OutOfRange => "OUT_OF_RANGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHENTICATED",
    }
}
