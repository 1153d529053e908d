//! Refused calls as text for users of the command line.
//!
//! Owns how the command line shows a status. Must not know whether a server or this process answered the call.

use super::api_error::ApiError;
use thiserror::Error;
use tonic::{Code, Status};
use tonic_types::{BadRequest, ErrorInfo, RpcStatusExt, Status as RpcStatus, StatusExt};

/// A refused call as text: the server's message, then one line for each fault.
#[derive(Clone, Debug, Error)]
#[error("{message}{}{}", faults.iter().map(line).collect::<String>(), self.rest())]
pub struct CallError {
    /// The `ErrorReason` if the server gives one, else the status code's name.
    reason: String,
    message: String,
    faults: Vec<(String, String)>,
    omitted: usize,
}

impl CallError {
    /// Returns the `ErrorReason` without its prefix, or the status code's name.
    pub fn reason(&self) -> &str {
        &self.reason
    }

    /// Returns the faults as (field path, description); empty if the server lists none.
    pub fn faults(&self) -> &[(String, String)] {
        &self.faults
    }

    /// Returns the number of faults, including those that the server does not list.
    pub fn fault_count(&self) -> usize {
        self.faults.len().saturating_add(self.omitted)
    }

    /// Returns a line about the faults that the server does not list; empty if there are none.
    pub fn rest(&self) -> String {
        match self.omitted {
            0 => String::new(),
            1 => "\n  1 more fault is not listed".to_owned(),
            count => format!("\n  {count} more faults are not listed"),
        }
    }

    fn new(code: Code, message: &str, info: Option<ErrorInfo>, bad_request: Option<BadRequest>) -> Self {
        let violations = bad_request.map(|request| request.field_violations).unwrap_or_default();
        let faults: Vec<_> = violations.into_iter().map(|violation| (violation.field, violation.description)).collect();
        let omitted = info.as_ref().and_then(|info| info.metadata.get("violations_omitted"));
        let omitted = omitted.and_then(|count| count.parse().ok()).unwrap_or(0);
        // The server's message repeats the first fault, which the list below shows together with its field.
        let message = match faults.len().saturating_add(omitted) {
            0 if message.is_empty() => code.description().to_owned(),
            0 => message.to_owned(),
            1 => "the request has a fault".to_owned(),
            count => format!("the request has {count} faults"),
        };
        let reason = info.map_or_else(|| code_text(code).to_owned(), |info| info.reason);
        Self { reason, message: format!("{message} ({})", code_text(code)), faults, omitted }
    }
}

impl From<&RpcStatus> for CallError {
    fn from(error: &RpcStatus) -> Self {
        let (info, bad_request) = (error.get_details_error_info(), error.get_details_bad_request());
        Self::new(Code::from(error.code), &error.message, info, bad_request)
    }
}

impl From<ApiError> for CallError {
    fn from(error: ApiError) -> Self {
        // The text is the same as if a server had sent the error.
        Self::from(Status::from(error))
    }
}

impl From<Status> for CallError {
    fn from(status: Status) -> Self {
        let (info, bad_request) = (status.get_details_error_info(), status.get_details_bad_request());
        Self::new(status.code(), status.message(), info, bad_request)
    }
}

fn line((field, fault): &(String, String)) -> String {
    format!("\n  {field}: {fault}")
}

/// Returns a status code as the command line prints it.
///
/// Scripts read it in the output of `sweep` and `replay`. It is spelt out here so that it does not change with the
/// names of tonic's variants.
fn code_text(code: Code) -> &'static str {
    match code {
        Code::Ok => "Ok",
        Code::Cancelled => "Cancelled",
        Code::Unknown => "Unknown",
        Code::InvalidArgument => "InvalidArgument",
        Code::DeadlineExceeded => "DeadlineExceeded",
        Code::NotFound => "NotFound",
        Code::AlreadyExists => "AlreadyExists",
        Code::PermissionDenied => "PermissionDenied",
        Code::ResourceExhausted => "ResourceExhausted",
        Code::FailedPrecondition => "FailedPrecondition",
        Code::Aborted => "Aborted",
        Code::OutOfRange => "OutOfRange",
        Code::Unimplemented => "Unimplemented",
        Code::Internal => "Internal",
        Code::Unavailable => "Unavailable",
        Code::DataLoss => "DataLoss",
        Code::Unauthenticated => "Unauthenticated",
    }
}
