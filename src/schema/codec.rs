//! Protobuf, with buffers that fit usual messages.

use prost::Message;
use std::marker::PhantomData;
use tonic::codec::{BufferSettings, Codec};
use tonic_prost::ProstCodec;

/// What is allocated for a message at first: most are shorter, and longer ones let it grow.
const BUFFER_BYTES: usize = 1024;
/// Answers of a stream are collected up to this size before they are handed to the transport.
const YIELD_BYTES: usize = 32 * 1024;

/// Protobuf messages in and out, as tonic's own codec does it but for the size of its buffers (8 KiB each).
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
