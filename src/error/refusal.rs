//! A refused call as people read it.

use super::ApiError;
use prost::Message;
use thiserror::Error;
use tonic::{Code, Status};
use tonic_types::{Status as RpcStatus, StatusExt};

/// A refused call as people read it: what the server says, and every fault on a line of its own.
#[derive(Clone, Debug, Error)]
#[error("{message}{}", faults.iter().map(|(field, fault)| format!("\n  {field}: {fault}")).collect::<String>())]
pub struct Refusal {
    /// An `ErrorReason`, where the server gives one.
    reason: String,
    message: String,
    faults: Vec<(String, String)>,
}

impl Refusal {
    /// The `ErrorReason` without its prefix, or the status code's name.
    pub fn reason(&self) -> &str {
        &self.reason
    }
}

impl From<&RpcStatus> for Refusal {
    fn from(error: &RpcStatus) -> Self {
        let code = Code::from(error.code);
        Self::from(Status::with_details(code, error.message.clone(), error.encode_to_vec().into()))
    }
}

impl From<ApiError> for Refusal {
    fn from(error: ApiError) -> Self {
        Self::from(Status::from(error))
    }
}

impl From<Status> for Refusal {
    fn from(status: Status) -> Self {
        let violations = status.get_details_bad_request().map(|request| request.field_violations).unwrap_or_default();
        let faults: Vec<_> = violations.into_iter().map(|violation| (violation.field, violation.description)).collect();
        // The message repeats the first fault; the list says it with its field.
        let message = match faults.len() {
            0 => status.message().to_owned(),
            1 => "the request has a fault".to_owned(),
            count => format!("the request has {count} faults"),
        };
        let message = if message.is_empty() { status.code().description().to_owned() } else { message };
        let info = status.get_details_error_info();
        let reason = info.map_or_else(|| format!("{:?}", status.code()), |info| info.reason);
        Self { reason, message: format!("{message} ({:?})", status.code()), faults }
    }
}
