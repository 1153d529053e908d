//! The errors of the API and their one mapping to gRPC statuses with details.
//!
//! Owns the code, the reason, the message and the metadata of every refused call. Must not know how requests are read
//! or evaluated.

mod api_error;
mod call_error;
mod facts;
mod status;
mod violations;

pub use api_error::{ApiError, reason_name};
pub use call_error::CallError;
pub use violations::{Violations, quoted};
