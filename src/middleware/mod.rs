//! The middleware that every call passes.
//!
//! The layers, outermost first: [`request_id`], [`calls`], [`panics`], [`deadline`], [`access`] (with [`quota`]),
//! [`admission`], [`compression`], [`receive`].
//!
//! Each layer is a generic tower service over any HTTP body, so that no call pays for boxed bodies between the layers.
//! The middleware names, observes and bounds calls; it must not know how a call is answered.

pub mod access;
pub mod admission;
pub mod call;
pub mod calls;
pub mod compression;
pub mod connection_context;
pub mod deadline;
mod gate;
pub mod panics;
pub mod quota;
pub mod receive;
pub mod request_id;
pub mod response_budget;
mod status_headers;

pub use gate::{Gate, GateLayer};

use crate::error::{ERROR_DOMAIN, reason_name};
use crate::schema::proto::v1::ErrorReason;
use data_encoding::HEXLOWER;
use http::{HeaderMap, HeaderValue};
use std::time::{SystemTime, UNIX_EPOCH};
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};

/// Creates a status with `google.rpc.ErrorInfo` in its details.
pub fn status(code: Code, reason: ErrorReason, message: impl Into<String>, metadata: &[(&str, &str)]) -> Status {
    Status::with_error_details(code, message, details(reason, metadata))
}

fn details(reason: ErrorReason, metadata: &[(&str, &str)]) -> ErrorDetails {
    let metadata: std::collections::HashMap<String, String> =
        metadata.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    ErrorDetails::with_error_info(reason_name(reason), ERROR_DOMAIN, metadata)
}

/// Encodes a status as the trailers that end a body.
fn trailers(status: &Status) -> HeaderMap {
    let mut trailers = HeaderMap::new();
    // It fails only if the message is not a header value, but messages are percent-encoded. 13 is INTERNAL.
    if status.add_header(&mut trailers).is_err() {
        trailers.insert(Status::GRPC_STATUS, HeaderValue::from_static("13"));
    }
    trailers
}

/// Returns 128 random bits as 32 hexadecimal digits.
fn random_id() -> String {
    let mut bytes = [0; 16];
    if getrandom::fill(&mut bytes).is_err() {
        // Without a source of randomness, the time makes the id differ from other ids.
        bytes = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos().to_be_bytes();
    }
    HEXLOWER.encode(&bytes)
}
