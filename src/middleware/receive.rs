//! A request must come in time: who sends a byte now and then would hold a place for ever.
//!
//! Streams are exempt: between their messages the server's own patience counts. Health is not: it is asked by strangers,
//! with one message, and a call that is open keeps its connection beyond its age.

use crate::error::ApiError;
use crate::middleware::admission::is_stream_of_evaluations;
use bytes::Bytes;
use http::Request;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use std::error::Error;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::{Instant, Sleep, sleep_until};
use tonic::Status;

/// The same request; its body ends with an error if it takes longer than `within`.
pub fn in_time<B>(request: Request<B>, within: Duration) -> Request<Timely<B>> {
    let path = request.uri().path();
    let open = is_stream_of_evaluations(path) || path.starts_with("/grpc.reflection.");
    let until = (!open).then(|| Instant::now() + within);
    request.map(|inner| Timely { inner, until, within, sleep: None })
}

pin_project! {
    /// A body that must come in time.
    #[derive(Debug)]
    pub struct Timely<B> {
        #[pin]
        inner: B,
        until: Option<Instant>,
        within: Duration,
        // Only of those that have to be waited for: most come whole.
        #[pin]
        sleep: Option<Sleep>,
    }
}

impl<B> Body for Timely<B>
where
    B: Body<Data = Bytes>,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    type Data = Bytes;
    type Error = Box<dyn Error + Send + Sync>;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let mut this = self.project();
        if let Poll::Ready(frame) = this.inner.poll_frame(cx) {
            return Poll::Ready(frame.map(|frame| frame.map_err(Into::into)));
        }
        let Some(until) = *this.until else { return Poll::Pending };
        if this.sleep.is_none() {
            this.sleep.set(Some(sleep_until(until)));
        }
        match this.sleep.as_pin_mut().map(|sleep| sleep.poll(cx)) {
            Some(Poll::Ready(())) => {
                *this.until = None;
                let error = ApiError::RequestTooSlow { seconds: this.within.as_secs() };
                Poll::Ready(Some(Err(Box::new(Status::from(error)))))
            }
            _ => Poll::Pending,
        }
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
