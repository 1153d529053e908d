//! The errors of the API and their one mapping to gRPC statuses with details.
//!
//! Owns the code, the reason, the message and the metadata of every refused call. Must not know how requests are read
//! or evaluated.

mod api_error;
mod call_error;
#[cfg(test)]
mod every_error;
mod facts;
mod headers;
mod status;
mod violations;

pub use api_error::{ApiError, reason_name};
pub use call_error::CallError;
#[cfg(test)]
pub(crate) use every_error::every_error;
pub use headers::{MAX_MESSAGE_BYTES, MAX_STATUS_BYTES};
pub(crate) use headers::{MAX_REQUEST_ID_BYTES, shortened};
pub(crate) use status::RETRY_PUSHBACK;
pub use violations::{Violations, quoted};
