//! The caller's `grpc-timeout` bounds the whole call, streams included: then DEADLINE_EXCEEDED, and the work is dropped.
//!
//! The deadline is in the request's extensions, for work that must stop by itself: a layer can't interrupt a thread.
//! tonic's own transport has such a layer outside of all others, which answers CANCELLED and stops watching when the
//! headers are sent; this server runs without it.

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

/// The header.
pub const GRPC_TIMEOUT: HeaderName = HeaderName::from_static("grpc-timeout");

/// When the answer is of no more use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deadline(pub Instant);

/// Reads a `grpc-timeout`: one to eight digits and a unit of H, M, S, m, u, n; `None` for anything else.
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

/// The call's deadline, if it has one.
fn deadline(headers: &HeaderMap) -> Result<Option<Deadline>, Box<Status>> {
    let mut values = headers.get_all(GRPC_TIMEOUT).iter();
    let Some(value) = values.next() else { return Ok(None) };
    match parse(value.as_bytes()) {
        // A deadline beyond the clock's range is none.
        Some(timeout) if values.next().is_none() => Ok(Instant::now().checked_add(timeout).map(Deadline)),
        _ => {
            let message = "`grpc-timeout` must be one to eight digits and a unit (H, M, S, m, u or n), once";
            let mut details = crate::middleware::details(ErrorReason::InvalidRequest, &[]);
            details.set_bad_request(vec![FieldViolation::new(GRPC_TIMEOUT.as_str(), message)]);
            Err(Box::new(Status::with_error_details(Code::InvalidArgument, message, details)))
        }
    }
}

fn exceeded() -> Status {
    let message = "the caller's deadline passed before the answer was there";
    crate::middleware::status(Code::DeadlineExceeded, ErrorReason::DeadlineExceeded, message, &[])
}

/// Ends calls at their deadlines.
#[derive(Clone, Copy, Debug, Default)]
pub struct DeadlineLayer;

impl<S> Layer<S> for DeadlineLayer {
    type Service = Deadlines<S>;

    fn layer(&self, inner: S) -> Self::Service {
        Deadlines { inner }
    }
}

/// A service whose calls end at their deadlines.
#[derive(Clone, Debug)]
pub struct Deadlines<S> {
    inner: S,
}

impl<S, B, R> Service<Request<B>> for Deadlines<S>
where
    S: Service<Request<B>, Response = Response<R>>,
{
    type Response = Response<Bounded<R>>;
    type Error = S::Error;
    type Future = Bounding<S::Future>;

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
                Bounding { inner: Some(self.inner.call(request)), sleep, refusal: None }
            }
            Err(status) => Bounding { inner: None, sleep: None, refusal: Some(status) },
        }
    }
}

pin_project! {
    /// An answer in time, or none.
    #[derive(Debug)]
    pub struct Bounding<F> {
        #[pin]
        inner: Option<F>,
        #[pin]
        sleep: Option<Sleep>,
        refusal: Option<Box<Status>>,
    }
}

impl<F, R, E> Future for Bounding<F>
where
    F: Future<Output = Result<Response<R>, E>>,
{
    type Output = Result<Response<Bounded<R>>, E>;

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
                        response.map(|inner| Bounded { inner: Some(inner), sleep })
                    }));
                }
                Poll::Pending if passed(this.sleep.as_mut(), cx) => exceeded(),
                Poll::Pending => return Poll::Pending,
            },
        };
        this.inner.set(None);
        let (parts, ()) = status.into_http().into_parts();
        Poll::Ready(Ok(Response::from_parts(parts, Bounded { inner: None, sleep: None })))
    }
}

fn passed(sleep: Pin<&mut Option<Sleep>>, cx: &mut Context<'_>) -> bool {
    sleep.as_pin_mut().is_some_and(|sleep| sleep.poll(cx).is_ready())
}

pin_project! {
    /// A body that is cut at the deadline; without an inner one, an empty body.
    #[derive(Debug)]
    pub struct Bounded<B> {
        #[pin]
        inner: Option<B>,
        #[pin]
        sleep: Option<Sleep>,
    }
}

impl<B> Body for Bounded<B>
where
    B: Body<Data = Bytes>,
{
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let mut this = self.project();
        let Some(inner) = this.inner.as_mut().as_pin_mut() else { return Poll::Ready(None) };
        match inner.poll_frame(cx) {
            Poll::Pending if passed(this.sleep, cx) => {
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
