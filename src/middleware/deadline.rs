//! Deadlines: the caller's `grpc-timeout` bounds the whole call, streams included.
//!
//! At the deadline the call ends with DEADLINE_EXCEEDED, and its work is dropped.
//!
//! The deadline is also in the request's extensions, for work that must stop by itself: a layer cannot interrupt a
//! thread. tonic's own transport has a deadline layer outside of all others, which answers CANCELLED and stops watching
//! once the headers are sent; this server does not use it. Must not know how a call is answered.

use crate::error::ApiError;
use crate::middleware::call::Call;
use crate::middleware::refusal::{OptionalBody, OrRefusal, refusal, refuse, trailers};
use bytes::Bytes;
use futures_util::future::Either;
use http::{HeaderMap, HeaderName, Request, Response};
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};
use tokio::time::{Sleep, sleep_until};
use tower::{Layer, Service};

/// The header in which a caller sets the time limit of a call.
pub const GRPC_TIMEOUT: HeaderName = HeaderName::from_static("grpc-timeout");

/// The time after which the caller no longer waits for the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deadline(pub Instant);

/// Parses a `grpc-timeout`; `None` if it is invalid.
///
/// A valid timeout has one to eight digits and a unit of H, M, S, m, u or n.
fn parse(text: &[u8]) -> Option<Duration> {
    let (unit, digits) = text.split_last()?;
    if !(1..=8).contains(&digits.len()) || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let amount: u64 = std::str::from_utf8(digits).ok()?.parse().ok()?;
    Some(match unit {
        b'H' => Duration::from_secs(amount * 3_600),
        b'M' => Duration::from_secs(amount * 60),
        b'S' => Duration::from_secs(amount),
        b'm' => Duration::from_millis(amount),
        b'u' => Duration::from_micros(amount),
        b'n' => Duration::from_nanos(amount),
        _ => return None,
    })
}

/// Reads a call's deadline from its headers; `None` if there is no `grpc-timeout`.
///
/// # Errors
/// If the timeout is invalid or occurs twice, or if it is zero: a caller that waits no time gets no work done.
fn deadline(headers: &HeaderMap) -> Result<Option<Deadline>, ApiError> {
    let mut values = headers.get_all(GRPC_TIMEOUT).iter();
    let Some(value) = values.next() else { return Ok(None) };
    match parse(value.as_bytes()).filter(|_| values.next().is_none()) {
        None => Err(ApiError::InvalidTimeout),
        Some(Duration::ZERO) => Err(ApiError::Late),
        // A timeout beyond the clock's range sets no deadline.
        Some(timeout) => Ok(Instant::now().checked_add(timeout).map(Deadline)),
    }
}

/// Layer that ends calls at their deadlines.
#[derive(Clone, Copy, Debug, Default)]
pub struct DeadlineLayer;

impl<S> Layer<S> for DeadlineLayer {
    type Service = DeadlineService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        DeadlineService { inner }
    }
}

/// The service of [`DeadlineLayer`].
#[derive(Clone, Debug)]
pub struct DeadlineService<S> {
    inner: S,
}

impl<S, B, R> Service<Request<B>> for DeadlineService<S>
where
    S: Service<Request<B>, Response = Response<R>>,
{
    type Response = Response<DeadlineBody<R>>;
    type Error = S::Error;
    type Future = OrRefusal<DeadlineFuture<S::Future>, DeadlineBody<R>, S::Error>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let timer = match deadline(request.headers()) {
            Ok(deadline) => deadline.map(|deadline| {
                let extensions = request.extensions_mut();
                extensions.insert(deadline);
                Timer { sleep: sleep_until(deadline.0.into()), call: extensions.get::<Call>().cloned() }
            }),
            Err(error) => return refuse(error),
        };
        Either::Left(DeadlineFuture { inner: Some(self.inner.call(request)), timer })
    }
}

pin_project! {
    /// The timer of a call, which completes at the call's deadline.
    #[derive(Debug)]
    struct Timer {
        #[pin]
        sleep: Sleep,
        call: Option<Call>,
    }
}

impl Timer {
    /// Whether the deadline has passed.
    fn has_passed(self: Pin<&mut Self>, cx: &mut Context<'_>) -> bool {
        self.project().sleep.poll(cx).is_ready()
    }
}

pin_project! {
    /// The response future of [`DeadlineService`].
    #[derive(Debug)]
    pub struct DeadlineFuture<F> {
        #[pin]
        inner: Option<F>,
        #[pin]
        timer: Option<Timer>,
    }
}

impl<F, R, E> Future for DeadlineFuture<F>
where
    F: Future<Output = Result<Response<R>, E>>,
{
    type Output = Result<Response<DeadlineBody<R>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let Some(inner) = this.inner.as_mut().as_pin_mut() else { return Poll::Pending };
        match inner.poll(cx) {
            Poll::Ready(answer) => {
                let timer = this.timer.as_pin_mut().map(|timer| {
                    let timer = timer.project();
                    Timer { sleep: sleep_until(timer.sleep.deadline()), call: timer.call.take() }
                });
                Poll::Ready(
                    answer
                        .map(|response| response.map(|inner| DeadlineBody { inner: OptionalBody::new(inner), timer })),
                )
            }
            Poll::Pending if this.timer.as_pin_mut().is_some_and(|timer| timer.has_passed(cx)) => {
                this.inner.set(None);
                Poll::Ready(Ok(refusal(ApiError::Late)))
            }
            Poll::Pending => Poll::Pending,
        }
    }
}

pin_project! {
    /// The response body of [`DeadlineService`], which ends at the deadline.
    #[derive(Debug)]
    pub struct DeadlineBody<B> {
        #[pin]
        inner: OptionalBody<B>,
        #[pin]
        timer: Option<Timer>,
    }
}

impl<B> Default for DeadlineBody<B> {
    fn default() -> Self {
        Self { inner: OptionalBody::default(), timer: None }
    }
}

impl<B: Body<Data = Bytes>> Body for DeadlineBody<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let mut this = self.project();
        let poll = this.inner.as_mut().poll_frame(cx);
        if poll.is_pending()
            && let Some(mut timer) = this.timer.as_pin_mut()
            && timer.as_mut().has_passed(cx)
        {
            this.inner.end();
            return Poll::Ready(Some(Ok(trailers(timer.call.as_ref(), ApiError::Late))));
        }
        poll
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
