//! The body of a request on an HTTP/2 stream.
//!
//! Reading a frame opens the window for as many bytes, so a client cannot send faster than its call reads. Must not
//! know what the bytes mean.

use bytes::Bytes;
use h2::RecvStream;
use http_body::{Body, Frame};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

/// The body of a request.
#[derive(Debug)]
pub struct RequestBody {
    stream: RecvStream,
    // After the data, a stream may still have trailers.
    has_all_data: bool,
}

impl RequestBody {
    pub(crate) fn new(stream: RecvStream) -> Self {
        Self { stream, has_all_data: false }
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = h2::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, h2::Error>>> {
        if !self.has_all_data {
            match ready!(self.stream.poll_data(cx)) {
                Some(Ok(data)) => {
                    // Fails only if more is released than was received.
                    let _ = self.stream.flow_control().release_capacity(data.len());
                    return Poll::Ready(Some(Ok(Frame::data(data))));
                }
                // The client has reset the stream, or the connection has ended. The call then ends without an answer, so
                // nobody needs the error.
                Some(Err(_)) => return Poll::Pending,
                None => self.has_all_data = true,
            }
        }
        self.stream.poll_trailers(cx).map(|trailers| trailers.map(|trailers| trailers.map(Frame::trailers)).transpose())
    }

    fn is_end_stream(&self) -> bool {
        self.stream.is_end_stream()
    }
}
