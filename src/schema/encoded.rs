//! Responses in encoded form, or with an evaluation in encoded form.
//!
//! On the wire, a nested message and a `bytes` field look alike: a tag, a length, the bytes. The cache can therefore
//! send an encoded evaluation again without encoding it again.

use bytes::{Buf, BufMut, Bytes};
use prost::encoding::{DecodeContext, WireType, skip_field};
use prost::{DecodeError, Message};
use std::fmt::{self, Debug, Formatter};
use std::marker::PhantomData;

/// `detente.v1.EvaluateProposalResponse` with an encoded evaluation.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct EvaluateProposalResponse {
    /// An encoded `detente.v1.Evaluation`.
    #[prost(bytes = "bytes", optional, tag = "1")]
    pub evaluation: Option<Bytes>,
}

/// A message in encoded form, which takes less memory than the message itself.
#[derive(Clone, PartialEq, Eq)]
pub struct Encoded<M> {
    bytes: Bytes,
    message: PhantomData<fn() -> M>,
}

impl<M> Encoded<M> {
    pub(crate) fn new(bytes: Bytes) -> Self {
        Self { bytes, message: PhantomData }
    }
}

impl<M: Message + Default> Encoded<M> {
    /// Decodes the message.
    ///
    /// # Errors
    /// If the bytes are not the message.
    pub fn decode(&self) -> Result<M, DecodeError> {
        M::decode(self.bytes.clone())
    }
}

impl<M: Message> From<M> for Encoded<M> {
    fn from(message: M) -> Self {
        Self::new(message.encode_to_vec().into())
    }
}

impl<M> Default for Encoded<M> {
    fn default() -> Self {
        Self::new(Bytes::new())
    }
}

impl<M> Debug for Encoded<M> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("Encoded").field("bytes", &self.bytes.len()).finish()
    }
}

impl<M> Message for Encoded<M> {
    fn encode_raw(&self, buffer: &mut impl BufMut) {
        buffer.put_slice(&self.bytes);
    }

    fn encoded_len(&self) -> usize {
        self.bytes.len()
    }

    /// Ignores the field: the server sends these messages and never receives them.
    fn merge_field(
        &mut self,
        tag: u32,
        wire_type: WireType,
        buffer: &mut impl Buf,
        context: DecodeContext,
    ) -> Result<(), DecodeError> {
        skip_field(wire_type, tag, buffer, context)
    }

    fn clear(&mut self) {
        self.bytes.clear();
    }
}
