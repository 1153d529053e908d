//! Rewrites the headers and trailers that carry a status.
//!
//! Status messages lose needless percent-escapes, and have a limited length. The errors that tonic returns for requests
//! or answers that are too large get a reason and the limit.
//!
//! Must not know how a call is answered.

use crate::error::{ApiError, MAX_MESSAGE_BYTES, RETRY_PUSHBACK, shortened};
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

/// Shortens a status message that proxies might not accept.
///
/// The messages of this service's errors are short enough. tonic repeats the value of `grpc-encoding` in a message.
pub(super) fn shorten_message(headers: &mut HeaderMap) {
    if headers.get(Status::GRPC_MESSAGE).is_none_or(|message| message.len() <= MAX_MESSAGE_BYTES) {
        return;
    }
    let Some(status) = Status::from_header_map(headers) else { return };
    let mut short = HeaderMap::new();
    if Status::new(status.code(), shortened(status.message())).add_header(&mut short).is_ok() {
        headers.extend(short);
    }
}

/// Whether a status tells the client when to retry.
pub(super) fn invites_retry(headers: &HeaderMap) -> bool {
    headers.contains_key(RETRY_PUSHBACK)
}

/// Tells the client not to retry.
pub(super) fn forbid_retry(headers: &mut HeaderMap) {
    headers.insert(RETRY_PUSHBACK, HeaderValue::from_static("-1"));
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::{MAX_STATUS_BYTES, every_error};
    use crate::middleware::refusal::refusal;
    use crate::middleware::request_id::{MAX_BYTES, REQUEST_ID};

    /// The size of a response's headers as HTTP/2 counts it.
    fn size(headers: &HeaderMap) -> usize {
        let status = ":status".len() + "200".len() + 32;
        status + headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 32).sum::<usize>()
    }

    #[test]
    fn every_error_fits_into_the_headers_that_proxies_accept() {
        let mut largest = 0;
        for error in every_error() {
            let mut headers = refusal::<()>(error.clone()).into_parts().0.headers;
            headers.insert(REQUEST_ID, HeaderValue::from_str(&"x".repeat(MAX_BYTES)).unwrap());
            make_plain(&mut headers);
            assert!(headers[Status::GRPC_MESSAGE].len() <= MAX_MESSAGE_BYTES, "{error:?}");
            assert!(size(&headers) <= MAX_STATUS_BYTES, "{} bytes: {error:?}", size(&headers));
            largest = largest.max(size(&headers));
        }
        // The limit is used: an error with many faults leaves less than one fault's room.
        assert!(largest > MAX_STATUS_BYTES - 1_000, "{largest}");
    }

    #[test]
    fn the_messages_of_other_statuses_are_shortened() {
        for (text, kept) in [("x".repeat(512), true), ("x".repeat(513), false), ("語?".repeat(5_000), false)] {
            let mut headers = HeaderMap::new();
            Status::unimplemented(&text).add_header(&mut headers).unwrap();
            shorten_message(&mut headers);
            make_plain(&mut headers);
            let message = Status::from_header_map(&headers).unwrap().message().to_owned();
            assert_eq!(message == text, kept);
            assert!(headers[Status::GRPC_MESSAGE].len() <= MAX_MESSAGE_BYTES);
            assert!(kept || text.starts_with(message.strip_suffix("...").unwrap()));
        }
    }
}
