//! The maximum sizes of requests and answers.

use crate::error::ApiError;
use prost::Message;

/// Maximum size of a request, in bytes.
pub const MAX_REQUEST_BYTES: usize = 1024 * 1024;
/// Maximum size of an answer, in bytes: what gRPC clients accept by default.
pub const MAX_ANSWER_BYTES: usize = 4 * 1024 * 1024;

/// Checks that an answer is not larger than clients accept.
pub(super) fn bounded<M: Message>(answer: M) -> Result<M, ApiError> {
    match answer.encoded_len() {
        bytes if bytes > MAX_ANSWER_BYTES => Err(ApiError::AnswerTooLarge { bytes, limit: MAX_ANSWER_BYTES }),
        _ => Ok(answer),
    }
}
