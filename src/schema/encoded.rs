//! A response that contains an evaluation in encoded form.
//!
//! On the wire, a nested message and a `bytes` field look alike: a tag, a length, the bytes. The cache can therefore
//! send an encoded evaluation again without encoding it again.

use bytes::Bytes;

/// `detente.v1.EvaluateProposalResponse` with an encoded evaluation.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct EvaluateProposalResponse {
    /// An encoded `detente.v1.Evaluation`.
    #[prost(bytes = "bytes", optional, tag = "1")]
    pub evaluation: Option<Bytes>,
}
