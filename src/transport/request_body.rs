//! The bodies of requests on HTTP/2 streams.
//!
//! Reading bytes opens the window for as many, so a client cannot send faster than its call reads. A call that does not
//! read, such as a stream of evaluations whose answers are not read, leaves frames to h2, which needs
//! `FRAME_BYTES` for each of them, however short. The connection therefore moves the bytes of unread frames to a
//! buffer of their stream each time it has read from its socket. Must not know what the bytes mean.

use crate::locks::lock;
use bytes::Bytes;
use h2::RecvStream;
use http_body::{Body, Frame};
use std::pin::Pin;
use std::sync::{Arc, Mutex, Weak};
use std::task::{Context, Poll, Waker};

/// Bytes that h2 0.4 needs for each frame that waits to be read, in addition to the frame's bytes: an entry of a table
/// whose largest entries are the headers of a request. The table never shrinks.
pub(super) const FRAME_BYTES: usize = 256;
/// Bytes other than data that a connection reads from its socket before it looks again for unread frames.
///
/// Most calls have read their bodies by then, so that only the bodies of slow calls are copied.
pub(super) const UNSORTED_BYTES: usize = 352;

/// The body of a request.
#[derive(Debug)]
pub struct RequestBody {
    // The call and its connection both read, each in its own task.
    incoming: Arc<Mutex<Incoming>>,
}

#[derive(Debug)]
struct Incoming {
    stream: RecvStream,
    /// Bytes that the call has not read yet, and for which the window is still closed.
    buffered: Vec<u8>,
    has_all_data: bool,
    /// Wakes the call that waits for bytes.
    reader: Option<Waker>,
}

impl RequestBody {
    pub(crate) fn new(stream: RecvStream) -> Self {
        let incoming = Incoming { stream, buffered: Vec::new(), has_all_data: false, reader: None };
        Self { incoming: Arc::new(Mutex::new(incoming)) }
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = h2::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, h2::Error>>> {
        lock(&self.incoming).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        let incoming = lock(&self.incoming);
        incoming.buffered.is_empty() && incoming.stream.is_end_stream()
    }
}

impl Incoming {
    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, h2::Error>>> {
        self.reader = None;
        if !self.buffered.is_empty() {
            let data = Bytes::from(std::mem::take(&mut self.buffered));
            return Poll::Ready(Some(Ok(self.release(data))));
        }
        if !self.has_all_data {
            let Poll::Ready(read) = self.stream.poll_data(cx) else {
                self.reader = Some(cx.waker().clone());
                return Poll::Pending;
            };
            match read {
                Some(Ok(data)) => return Poll::Ready(Some(Ok(self.release(data)))),
                // The client has reset the stream, or the connection has ended. The call then ends without an answer,
                // so nobody needs the error.
                Some(Err(_)) => return Poll::Pending,
                None => self.end(),
            }
        }
        Poll::Ready(None)
    }

    /// Notes that all data has arrived, and drops the trailers: requests of gRPC have none, and h2 would keep them.
    fn end(&mut self) {
        self.has_all_data = true;
        let _ = self.stream.poll_trailers(&mut Context::from_waker(Waker::noop()));
    }

    /// Opens the window for the bytes of a frame that the call reads now.
    fn release(&mut self, data: Bytes) -> Frame<Bytes> {
        // Fails only if more is released than was received.
        let _ = self.stream.flow_control().release_capacity(data.len());
        Frame::data(data)
    }

    /// Moves the bytes of all unread frames to the buffer; `false` once no further ones can arrive.
    fn buffer(&mut self) -> bool {
        let before = self.buffered.len();
        let goes_on = loop {
            if self.has_all_data {
                break false;
            }
            // A call that waits must be woken by the next frame, and h2 knows only the waker of the latest look.
            let waker = self.reader.as_ref().unwrap_or(Waker::noop());
            match self.stream.poll_data(&mut Context::from_waker(waker)) {
                Poll::Ready(Some(Ok(data))) => {
                    let needed = self.buffered.len() + data.len();
                    if needed > self.buffered.capacity() {
                        // A power of two, so that a full window fits exactly.
                        self.buffered.reserve_exact(needed.next_power_of_two() - self.buffered.len());
                    }
                    self.buffered.extend_from_slice(&data);
                }
                Poll::Ready(None) => self.end(),
                Poll::Ready(Some(Err(_))) => break false,
                Poll::Pending => break true,
            }
        };
        if (self.buffered.len() > before || self.has_all_data)
            && let Some(reader) = self.reader.take()
        {
            reader.wake();
        }
        goes_on
    }
}

/// The bodies of one connection that may still receive frames.
#[derive(Debug, Default)]
pub(super) struct IncomingBodies {
    bodies: Vec<Weak<Mutex<Incoming>>>,
    /// Bytes other than data that the connection has read since the last look for unread frames.
    read: usize,
}

impl IncomingBodies {
    pub(super) fn add(&mut self, body: &RequestBody) {
        self.bodies.push(Arc::downgrade(&body.incoming));
    }

    /// Moves the bytes of unread frames to buffers of their streams, after the connection has read further bytes.
    pub(super) fn note_read(&mut self, bytes: usize) {
        self.read += bytes;
        if self.read >= UNSORTED_BYTES {
            self.read = 0;
            self.bodies.retain(|body| body.upgrade().is_some_and(|body| lock(&body).buffer()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::FRAME_BYTES;
    use http::Request;

    #[test]
    fn an_entry_of_the_table_of_frames_has_the_size_of_a_request_and_a_link() {
        let link = size_of::<Option<usize>>();
        assert!((FRAME_BYTES - 24..=FRAME_BYTES).contains(&(size_of::<Request<()>>() + link)));
    }
}
