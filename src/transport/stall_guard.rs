//! A client that leaves an answer unread has its call reset, so that what the call holds is released.
//!
//! Flow control makes a transport wait for its client for ever, and a body that is not asked for frames can't end
//! itself. But the task that serves a call is ours to end: hyper runs each on an executor of the caller's choosing.
//! This one watches, around each poll, whether the answer's body was asked for more since it last gave something. What
//! it gives at once is little, so that a client that reads slowly is not taken for one that doesn't read.

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
    /// Of the call that is being polled on this thread.
    static GIVEN: Cell<Given> = const { Cell::new(Given { frames: 0, asked: true }) };
}

/// What the body of an answer has given.
#[derive(Clone, Copy, Debug)]
struct Given {
    /// How many frames, over the whole call.
    frames: u64,
    /// Whether it was asked for more since: then the wait is for us, not for the client.
    asked: bool,
}

/// Runs calls, and ends those whose answers are left unread.
#[derive(Clone, Debug)]
pub(crate) struct StallGuard {
    pub(crate) stall: Duration,
    /// How many were ended so.
    pub(crate) stalled: Arc<AtomicU64>,
}

impl<F> Executor<F> for StallGuard
where
    F: Future + Send + 'static,
    F::Output: Send,
{
    fn execute(&self, call: F) {
        let given = Given { frames: 0, asked: true };
        tokio::spawn(Patient { call, patience: self.clone(), given, timer: None });
    }
}

pin_project! {
    /// A call that is given up when its answer is left unread.
    struct Patient<F> {
        #[pin]
        call: F,
        patience: StallGuard,
        given: Given,
        // Since so many frames were given, the wait for the client.
        #[pin]
        timer: Option<Waiting>,
    }
}

pin_project! {
    struct Waiting {
        frames: u64,
        #[pin]
        sleep: Sleep,
    }
}

impl<F: Future> Future for Patient<F> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut this = self.project();
        GIVEN.set(*this.given);
        if this.call.poll(cx).is_ready() {
            return Poll::Ready(());
        }
        *this.given = GIVEN.get();
        if this.given.asked {
            this.timer.set(None);
            return Poll::Pending;
        }
        let frames = this.given.frames;
        if this.timer.as_ref().as_pin_ref().is_none_or(|waiting| waiting.frames != frames) {
            this.timer.set(Some(Waiting { frames, sleep: sleep_until(Instant::now() + this.patience.stall) }));
        }
        match this.timer.as_pin_mut().map(|waiting| waiting.project().sleep.poll(cx)) {
            Some(Poll::Ready(())) => {
                this.patience.stalled.fetch_add(1, Relaxed);
                debug!(
                    target: LOG_TARGET,
                    seconds = this.patience.stall.as_secs(),
                    "a call is reset: its answer was left unread"
                );
                Poll::Ready(())
            }
            _ => Poll::Pending,
        }
    }
}

/// What a body gives at once: a long answer is given as its client reads, not all of it to a transport that would keep
/// it, with the call over and nobody left to give it up.
const LARGEST_FRAME: usize = 32 * 1024;

pin_project! {
    /// A body that tells when it is asked.
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
        let frames = GIVEN.get().frames;
        GIVEN.set(match frame {
            Poll::Ready(Some(_)) => Given { frames: frames + 1, asked: false },
            Poll::Ready(None) | Poll::Pending => Given { frames, asked: true },
        });
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.inner.is_end_stream()
    }
}
