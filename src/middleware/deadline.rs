//! Deadlines: the caller's `grpc-timeout` bounds the whole call, streams included.
//!
//! At the deadline the call ends with DEADLINE_EXCEEDED, and its work is dropped.
//!
//! The deadline is also in the request's extensions, for work that must stop by itself: a layer cannot interrupt a
//! thread. tonic's own transport has a deadline layer outside of all others, which answers CANCELLED and stops watching
//! once the headers are sent; this server does not use it. Must not know how a call is answered.

use crate::schema::proto::v1::ErrorReason;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, Request, Response};
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};
use tokio::time::Sleep;
use tonic::{Code, Status};
use tonic_types::{FieldViolation, StatusExt};
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
fn deadline(headers: &HeaderMap) -> Result<Option<Deadline>, Box<Status>> {
    let mut values = headers.get_all(GRPC_TIMEOUT).iter();
    let Some(value) = values.next() else { return Ok(None) };
    match parse(value.as_bytes()) {
        // A timeout beyond the clock's range sets no deadline.
        Some(timeout) if values.next().is_none() => Ok(Instant::now().checked_add(timeout).map(Deadline)),
        _ => {
            let message = "`grpc-timeout` must occur once, with one to eight digits and a unit (H, M, S, m, u or n)";
            let mut details = crate::middleware::details(ErrorReason::InvalidRequest, &[]);
            details.set_bad_request(vec![FieldViolation::new(GRPC_TIMEOUT.as_str(), message)]);
            Err(Box::new(Status::with_error_details(Code::InvalidArgument, message, details)))
        }
    }
}

fn exceeded() -> Status {
    let message = "deadline exceeded before the response was ready";
    crate::middleware::status(Code::DeadlineExceeded, ErrorReason::DeadlineExceeded, message, &[])
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
    type Future = DeadlineFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        match deadline(request.headers()) {
            Ok(deadline) => {
                if let Some(deadline) = deadline {
                    request.extensions_mut().insert(deadline);
                }
                let sleep = deadline.map(|Deadline(at)| tokio::time::sleep_until(at.into()));
                DeadlineFuture { inner: Some(self.inner.call(request)), sleep, refusal: None }
            }
            Err(status) => DeadlineFuture { inner: None, sleep: None, refusal: Some(status) },
        }
    }
}

pin_project! {
    /// The response future of [`DeadlineService`].
    #[derive(Debug)]
    pub struct DeadlineFuture<F> {
        #[pin]
        inner: Option<F>,
        #[pin]
        sleep: Option<Sleep>,
        refusal: Option<Box<Status>>,
    }
}

impl<F, R, E> Future for DeadlineFuture<F>
where
    F: Future<Output = Result<Response<R>, E>>,
{
    type Output = Result<Response<DeadlineBody<R>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let status = match (this.refusal.take(), this.inner.as_mut().as_pin_mut()) {
            (Some(status), _) => *status,
            (None, None) => return Poll::Pending,
            (None, Some(inner)) => match inner.poll(cx) {
                Poll::Ready(answer) => {
                    let deadline = this.sleep.as_pin_mut().map(|sleep| sleep.deadline());
                    return Poll::Ready(answer.map(|response| {
                        let sleep = deadline.map(tokio::time::sleep_until);
                        response.map(|inner| DeadlineBody { inner: Some(inner), sleep })
                    }));
                }
                Poll::Pending if has_passed(this.sleep.as_mut(), cx) => exceeded(),
                Poll::Pending => return Poll::Pending,
            },
        };
        this.inner.set(None);
        let (parts, ()) = status.into_http().into_parts();
        Poll::Ready(Ok(Response::from_parts(parts, DeadlineBody { inner: None, sleep: None })))
    }
}

fn has_passed(sleep: Pin<&mut Option<Sleep>>, cx: &mut Context<'_>) -> bool {
    sleep.as_pin_mut().is_some_and(|sleep| sleep.poll(cx).is_ready())
}

pin_project! {
    /// The response body of [`DeadlineService`], which ends at the deadline; empty without an inner body.
    #[derive(Debug)]
    pub struct DeadlineBody<B> {
        #[pin]
        inner: Option<B>,
        #[pin]
        sleep: Option<Sleep>,
    }
}

impl<B> Body for DeadlineBody<B>
where
    B: Body<Data = Bytes>,
{
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let mut this = self.project();
        let Some(inner) = this.inner.as_mut().as_pin_mut() else { return Poll::Ready(None) };
        match inner.poll_frame(cx) {
            Poll::Pending if has_passed(this.sleep, cx) => {
                this.inner.set(None);
                Poll::Ready(Some(Ok(Frame::trailers(crate::middleware::trailers(&exceeded())))))
            }
            poll => poll,
        }
    }

    fn is_end_stream(&self) -> bool {
        self.inner.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.as_ref().map_or_else(|| SizeHint::with_exact(0), Body::size_hint)
    }
}
