//! The protobuf codec, with buffers that fit usual messages.
//!
//! Owns the buffer sizes. Must not know what messages contain.

use prost::Message;
use std::marker::PhantomData;
use tonic::codec::{BufferSettings, Codec};
use tonic_prost::ProstCodec;

/// Initial buffer size for a message, in bytes. Most messages are shorter; the buffer grows for longer ones.
const BUFFER_BYTES: usize = 1024;
/// Number of bytes of a stream's answers that are collected before the transport receives them.
const YIELD_BYTES: usize = 32 * 1024;

/// Decodes and encodes protobuf messages like tonic's own codec, which allocates buffers of 8 KiB instead of 1 KiB.
#[derive(Clone, Copy, Debug)]
pub struct SmallBuffers<Out, In>(PhantomData<(Out, In)>);

impl<Out, In> Default for SmallBuffers<Out, In> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

impl<Out, In> Codec for SmallBuffers<Out, In>
where
    Out: Message + Send + 'static,
    In: Message + Default + Send + 'static,
{
    type Encode = Out;
    type Decode = In;
    type Encoder = <ProstCodec<Out, In> as Codec>::Encoder;
    type Decoder = <ProstCodec<Out, In> as Codec>::Decoder;

    fn encoder(&mut self) -> Self::Encoder {
        ProstCodec::<Out, In>::raw_encoder(BufferSettings::new(BUFFER_BYTES, YIELD_BYTES))
    }

    fn decoder(&mut self) -> Self::Decoder {
        ProstCodec::<Out, In>::raw_decoder(BufferSettings::new(BUFFER_BYTES, YIELD_BYTES))
    }
}
