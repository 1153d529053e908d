//! Lets calls decompress their requests in turns.
//!
//! A kilobyte can become a megabyte, which takes a millisecond. tonic decompresses a message as soon as all of it has
//! arrived, so that many such messages at once would keep the threads from all other calls. A message therefore waits
//! for its turn before its last bytes are handed on: one message of each caller at a time, and few in all. Requests
//! that are not compressed pass unchanged. Must not know how messages are compressed.

use crate::middleware::account::CallAccount;
use crate::middleware::decompression_turn::Turn;
use bytes::Bytes;
use http::Request;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

/// Length of what precedes each message: whether it is compressed, and its length in four bytes.
const PREFIX_BYTES: usize = 5;

/// Lets the messages of a request wait for their turns if the request has an encoding.
pub fn in_turns<B>(request: Request<B>) -> Request<InTurns<B>> {
    let is_compressed = request.headers().get("grpc-encoding").is_some_and(|encoding| encoding != "identity");
    let account = CallAccount::of(request.extensions()).filter(|_| is_compressed);
    request.map(|inner| InTurns { inner, messages: account.map(Messages::new) })
}

pin_project! {
    /// The body of a request whose messages wait for their turns to be decompressed.
    pub struct InTurns<B> {
        #[pin]
        inner: B,
        // None if the request is not compressed.
        messages: Option<Messages>,
    }
}

/// The messages of a compressed request.
struct Messages {
    account: CallAccount,
    /// The prefix of the current message, as far as it has arrived.
    prefix: [u8; PREFIX_BYTES],
    /// Bytes of the current message, with its prefix, that have been handed on.
    handed_on: usize,
    /// Bytes that have arrived and that tonic has not received yet.
    arrived: Bytes,
    /// Waits for the turn of the message whose last bytes have arrived.
    turn: Option<Pin<Box<dyn Future<Output = Turn> + Send>>>,
}

impl Messages {
    fn new(account: CallAccount) -> Self {
        Self { account, prefix: [0; PREFIX_BYTES], handed_on: 0, arrived: Bytes::new(), turn: None }
    }

    /// Returns how many of the bytes that have arrived belong to the current message, and whether they complete it.
    fn current(&mut self) -> (usize, bool) {
        let known = self.handed_on.min(PREFIX_BYTES);
        for (place, byte) in self.prefix.iter_mut().skip(known).zip(&self.arrived) {
            *place = *byte;
        }
        let [_, length @ ..] = self.prefix;
        let length = PREFIX_BYTES.saturating_add(usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX));
        let is_known = known + self.arrived.len() >= PREFIX_BYTES;
        match length - self.handed_on {
            missing if is_known && missing <= self.arrived.len() => (missing, true),
            _ => (self.arrived.len(), false),
        }
    }

    /// Waits for the turn of the current message, and takes it.
    fn poll_turn(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let turn = match &mut self.turn {
            Some(turn) => turn,
            None => match self.account.decompression_turns() {
                Some((of_caller, of_all)) => self.turn.insert(Box::pin(Turn::take(of_caller, of_all))),
                None => return Poll::Ready(()),
            },
        };
        let turn = ready!(turn.as_mut().poll(cx));
        self.turn = None;
        self.account.begin_turn(turn);
        Poll::Ready(())
    }

    fn hand_on(&mut self, bytes: usize, is_complete: bool) -> Bytes {
        self.handed_on = if is_complete { 0 } else { self.handed_on + bytes };
        self.arrived.split_to(bytes)
    }
}

impl Drop for Messages {
    fn drop(&mut self) {
        self.account.end_turn();
    }
}

impl<B: Body<Data = Bytes>> Body for InTurns<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let this = self.project();
        let Some(messages) = this.messages else { return this.inner.poll_frame(cx) };
        // tonic reads on when it has decompressed the message before, or cannot do so yet.
        messages.account.end_turn();
        if messages.arrived.is_empty() {
            match ready!(this.inner.poll_frame(cx)) {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => messages.arrived = data,
                    Err(trailers) => return Poll::Ready(Some(Ok(trailers))),
                },
                end => return Poll::Ready(end),
            }
        }
        let (bytes, is_complete) = messages.current();
        // A message of a compressed request need not be compressed itself.
        if is_complete && messages.prefix[0] != 0 {
            ready!(messages.poll_turn(cx));
        }
        Poll::Ready(Some(Ok(Frame::data(messages.hand_on(bytes, is_complete)))))
    }

    fn is_end_stream(&self) -> bool {
        self.messages.as_ref().is_none_or(|messages| messages.arrived.is_empty()) && self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

#[cfg(test)]
mod tests;
