//! The maximum sizes of requests and answers.

use crate::error::ApiError;
use prost::Message;

/// Maximum size of a request, in bytes.
pub const MAX_REQUEST_BYTES: usize = 1024 * 1024;
/// Maximum size of an answer, in bytes: what gRPC clients accept by default.
pub const MAX_ANSWER_BYTES: usize = 4 * 1024 * 1024;
/// Room that the largest answer takes, in bytes.
pub(super) const LARGEST_ROOM: usize = MAX_ANSWER_BYTES + PREFIX_BYTES;

/// Checks that an answer is not larger than clients accept.
pub(super) fn bounded<M: Message>(answer: M) -> Result<M, ApiError> {
    match answer.encoded_len() {
        bytes if bytes > MAX_ANSWER_BYTES => Err(ApiError::AnswerTooLarge { bytes, limit: MAX_ANSWER_BYTES }),
        _ => Ok(answer),
    }
}

/// Bytes that gRPC adds to each message.
const PREFIX_BYTES: usize = 5;

/// An answer, or an item of a stream, whose size is known before it is encoded.
pub(crate) trait Answer: Send + 'static {
    /// Returns the bytes that it takes once it is encoded.
    fn bytes(&self) -> usize;
}

impl<M: Message + 'static> Answer for M {
    fn bytes(&self) -> usize {
        self.encoded_len() + PREFIX_BYTES
    }
}
