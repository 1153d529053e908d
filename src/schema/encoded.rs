//! Answers that are encoded already.
//!
//! On the wire, a message within a message and a field of bytes are the same: a tag, a length, the bytes. So an
//! evaluation that was encoded once is sent again as it is.

use bytes::Bytes;

/// `detente.v1.EvaluateProposalResponse`, with its evaluation encoded.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct EvaluateProposalResponse {
    /// An encoded `detente.v1.Evaluation`.
    #[prost(bytes = "bytes", optional, tag = "1")]
    pub evaluation: Option<Bytes>,
}
