//! Resets a call whose client leaves the answer unread, so that its memory is released.
//!
//! Because of HTTP/2 flow control, hyper waits for a client that does not read, without a time limit. Meanwhile it does
//! not poll the body of the answer, so the body cannot end the call. But hyper runs the task of each call on an
//! executor that the server supplies. The executor in this module checks, after each poll of a call, whether the
//! answer's body was polled again after its last frame. If not, the frame still waits for the client, and after a time
//! the executor drops the call. Frames are small, so that a slow client is not mistaken for one that does not read.
//! Must not know about RPC methods or messages.
use bytes::Bytes;
use http_body::{Body, Frame};
use hyper::rt::Executor;
use pin_project_lite::pin_project;
use std::cell::Cell;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::{Instant, Sleep, sleep_until};
use tracing::debug;

/// The target of this module's log events. Log filters name it, so it stays as it is when the module moves.
const LOG_TARGET: &str = "detente::grpc::stall";

thread_local! {
    /// Progress of the answer's body, for the call that is being polled on this thread.
    static PROGRESS: Cell<BodyProgress> = const { Cell::new(BodyProgress { frames: 0, is_polled_again: true }) };
}

/// Progress of an answer's body.
#[derive(Clone, Copy, Debug)]
struct BodyProgress {
    /// Number of frames produced over the whole call.
    frames: u64,
    /// Whether the body was polled after its last frame.
    ///
    /// If so, the call waits for the server and not for its client.
    is_polled_again: bool,
}

/// Executor that runs calls and resets those whose answers are left unread.
#[derive(Clone, Debug)]
pub(crate) struct StallGuard {
    /// Time that a client may leave an answer unread.
    pub(crate) stall: Duration,
    /// Number of calls reset.
    pub(crate) stalled: Arc<AtomicU64>,
}

impl<F> Executor<F> for StallGuard
where
    F: Future + Send + 'static,
    F::Output: Send,
{
    fn execute(&self, call: F) {
        let progress = BodyProgress { frames: 0, is_polled_again: true };
        tokio::spawn(GuardedCall { call, guard: self.clone(), progress, timer: None });
    }
}

pin_project! {
    /// A call that ends when its answer is left unread.
    struct GuardedCall<F> {
        #[pin]
        call: F,
        guard: StallGuard,
        progress: BodyProgress,
        // Runs while the last frame waits for the client.
        #[pin]
        timer: Option<StallTimer>,
    }
}

pin_project! {
    struct StallTimer {
        frames: u64,
        #[pin]
        sleep: Sleep,
    }
}

impl<F: Future> Future for GuardedCall<F> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut this = self.project();
        PROGRESS.set(*this.progress);
        if this.call.poll(cx).is_ready() {
            return Poll::Ready(());
        }
        *this.progress = PROGRESS.get();
        if this.progress.is_polled_again {
            this.timer.set(None);
            return Poll::Pending;
        }
        let frames = this.progress.frames;
        if this.timer.as_ref().as_pin_ref().is_none_or(|timer| timer.frames != frames) {
            this.timer.set(Some(StallTimer { frames, sleep: sleep_until(Instant::now() + this.guard.stall) }));
        }
        match this.timer.as_pin_mut().map(|timer| timer.project().sleep.poll(cx)) {
            Some(Poll::Ready(())) => {
                this.guard.stalled.fetch_add(1, Relaxed);
                debug!(
                    target: LOG_TARGET,
                    seconds = this.guard.stall.as_secs(),
                    "call reset: the client left the answer unread"
                );
                Poll::Ready(())
            }
            _ => Poll::Pending,
        }
    }
}

/// Largest frame, in bytes.
///
/// A longer frame is split, so that the transport takes a long answer in parts while the client reads. If the transport
/// buffered the whole answer at once, the body would be at its end, and this module could not detect that the client
/// does not read.
const LARGEST_FRAME: usize = 32 * 1024;

pin_project! {
    /// A body that records when it is polled and when it produces a frame.
    pub(crate) struct PollTracked<B> {
        #[pin]
        inner: B,
        rest: Bytes,
    }
}

impl<B> PollTracked<B> {
    pub(crate) fn new(inner: B) -> Self {
        Self { inner, rest: Bytes::new() }
    }
}

impl<B: Body<Data = Bytes>> Body for PollTracked<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let this = self.project();
        let mut frame = match this.rest.is_empty() {
            true => this.inner.poll_frame(cx),
            false => Poll::Ready(Some(Ok(Frame::data(std::mem::take(this.rest))))),
        };
        if let Poll::Ready(Some(Ok(frame))) = &mut frame
            && let Some(data) = frame.data_mut()
            && data.len() > LARGEST_FRAME
        {
            *this.rest = data.split_off(LARGEST_FRAME);
        }
        let frames = PROGRESS.get().frames;
        PROGRESS.set(match frame {
            Poll::Ready(Some(_)) => BodyProgress { frames: frames + 1, is_polled_again: false },
            Poll::Ready(None) | Poll::Pending => BodyProgress { frames, is_polled_again: true },
        });
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.inner.is_end_stream()
    }
}
