//! The protobuf codec, with buffers that fit usual messages, and a limit of the memory that a request takes.
//!
//! Must not know what messages mean.

use crate::error::ApiError;
use crate::middleware::account::CallAccount;
use crate::schema::weight::{Weighed, weigh};
use bytes::Buf;
use prost::Message;
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
        ProstCodec::<Out, In>::raw_encoder(BufferSettings::new(BUFFER_BYTES, YIELD_BYTES))
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
        let weight = weigh::<In>(encoded, MAX_REQUEST_WEIGHT);
        let weight = weight.ok_or(ApiError::RequestTooHeavy { limit: MAX_REQUEST_WEIGHT })?;
        CallAccount::with_current(|account| account.decode(encoded.len(), weight)).transpose()?;
        self.inner.decode(source)
    }

    fn buffer_settings(&self) -> BufferSettings {
        self.inner.buffer_settings()
    }
}
