//! The protobuf codec, with buffers that fit usual messages, and a limit of the memory that a request takes.
//!
//! Must not know what messages mean.

use crate::error::ApiError;
use crate::middleware::account::CallAccount;
use crate::schema::weight::{Weighed, count_parts, weigh};
use bytes::Buf;
use prost::Message;
use prost::encoding::decode_varint;
use std::marker::PhantomData;
use tonic::Status;
use tonic::codec::{BufferSettings, Codec, DecodeBuf, Decoder};
use tonic_prost::{ProstCodec, ProstDecoder};

/// Initial buffer size for a message, in bytes. Most messages are shorter; the buffer grows for longer ones.
const BUFFER_BYTES: usize = 1024;
/// Number of bytes of a stream's answers that are collected before the transport receives them.
const YIELD_BYTES: usize = 32 * 1024;

/// Maximum memory that a decoded request may take, in bytes.
pub(crate) const MAX_REQUEST_WEIGHT: usize = 8 * 1024 * 1024;

/// Decodes and encodes protobuf messages like tonic's own codec, but with buffers of 1 KiB instead of 8 KiB, and without
/// decoding requests that would take too much memory.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SmallBuffers<Out, In>(PhantomData<(Out, In)>);

impl<Out, In> Default for SmallBuffers<Out, In> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

impl<Out, In> Codec for SmallBuffers<Out, In>
where
    Out: Message + Send + 'static,
    In: Message + Default + Weighed + Send + 'static,
{
    type Encode = Out;
    type Decode = In;
    type Encoder = <ProstCodec<Out, In> as Codec>::Encoder;
    type Decoder = WeighingDecoder<In>;

    fn encoder(&mut self) -> Self::Encoder {
        // An answer of a stream of requests is handed on before the next request is read. Otherwise, tonic would begin to
        // read it, and then might not go on for as long as the client does not read the answers before it, although the
        // request has its turn to be decompressed.
        let yield_bytes = if In::IS_STREAMED { 1 } else { YIELD_BYTES };
        ProstCodec::<Out, In>::raw_encoder(BufferSettings::new(BUFFER_BYTES, yield_bytes))
    }

    fn decoder(&mut self) -> Self::Decoder {
        let inner = ProstCodec::<Out, In>::raw_decoder(BufferSettings::new(BUFFER_BYTES, YIELD_BYTES));
        WeighingDecoder { inner, has_message: false }
    }
}

/// Decodes requests, except those that would take too much memory.
#[derive(Clone, Debug)]
pub(crate) struct WeighingDecoder<In> {
    inner: ProstDecoder<In>,
    /// Whether the message of a call with one message has been decoded.
    has_message: bool,
}

impl<In: Message + Default + Weighed> Decoder for WeighingDecoder<In> {
    type Item = In;
    type Error = Status;

    fn decode(&mut self, source: &mut DecodeBuf<'_>) -> Result<Option<In>, Status> {
        // tonic reads the messages after the first one, too, for which no quota pays.
        if self.has_message && !In::IS_STREAMED {
            return Err(Status::internal("a call of this method has one request message"));
        }
        self.has_message = true;
        // tonic collects a message in one piece before it decodes it.
        let encoded = source.chunk();
        debug_assert_eq!(encoded.len(), source.remaining(), "the message is in one piece");
        // The headers of a call pay the quota of its only message, and each message of a stream pays its own.
        if In::IS_STREAMED && CallAccount::with_current(CallAccount::admit_message) == Some(false) {
            let (encoded, id) = (encoded.len(), leading_id(encoded));
            let weight = id.len() + size_of::<In>();
            CallAccount::with_current(|account| account.decode(encoded, weight)).transpose()?;
            let refused = In::decode(id).unwrap_or_default();
            source.advance(encoded);
            return Ok(Some(refused));
        }
        // More parts than the method permits are not paid: the call is refused for their number.
        if let Some(parts) = count_parts::<In>(encoded) {
            CallAccount::with_current(|account| account.pay_parts(parts)).transpose()?;
        }
        let weight = weigh::<In>(encoded, MAX_REQUEST_WEIGHT);
        let weight = weight.ok_or(ApiError::RequestTooHeavy { limit: MAX_REQUEST_WEIGHT })?;
        CallAccount::with_current(|account| account.decode(encoded.len(), weight)).transpose()?;
        self.inner.decode(source)
    }

    fn buffer_settings(&self) -> BufferSettings {
        self.inner.buffer_settings()
    }
}

/// Returns the field with which a message of a stream begins, if it is its id: field 1, a text. Otherwise, nothing.
///
/// It is all that is decoded of a message that is refused, so that the answer has its id. Encoders write fields in
/// their order, and an id that comes later is not worth the time to look for it.
fn leading_id(encoded: &[u8]) -> &[u8] {
    const ID: u8 = 1 << 3 | 2;
    let Some((&ID, mut rest)) = encoded.split_first() else { return &[] };
    let length = decode_varint(&mut rest).ok().and_then(|length| usize::try_from(length).ok());
    let end = length.and_then(|length| (encoded.len() - rest.len()).checked_add(length));
    end.and_then(|end| encoded.get(..end)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use crate::middleware::codec::leading_id;
    use crate::schema::proto::v1::{EvaluateProposalRequest, StreamEvaluateProposalsRequest};
    use prost::Message;

    #[test]
    fn the_id_of_a_refused_message_is_found_at_its_beginning_only() {
        let request = Some(EvaluateProposalRequest { scenario: "s".repeat(300), ..Default::default() });
        for length in [0, 1, 127, 128, 300] {
            let message = StreamEvaluateProposalsRequest { id: "i".repeat(length), request: request.clone() };
            let found = StreamEvaluateProposalsRequest::decode(leading_id(&message.encode_to_vec())).unwrap();
            assert_eq!(found, StreamEvaluateProposalsRequest { id: message.id, request: None });
        }
        for other in [&[][..], &[10], &[10, 5, b'a'], &[10, 0x80], &[8, 1], &[18, 0, 10, 1, b'a'], &[10; 20]] {
            let found = StreamEvaluateProposalsRequest::decode(leading_id(other)).unwrap_or_default();
            assert!(found.request.is_none() && found.id.len() <= 10, "{other:?}");
        }
    }
}
