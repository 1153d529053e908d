//! Rejects requests that are not gRPC calls, with the HTTP statuses that the gRPC specification names for them.
//!
//! <https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md>: a call is a POST whose content type begins with
//! `application/grpc`; without such a content type, the server should answer 415. A request of another kind, such as
//! one of a browser or a scanner, is no call: it is answered before its caller is identified, whatever its path, and is
//! neither logged nor counted with the calls. `application/grpc-web` and encodings other than protobuf would otherwise
//! reach the decoder, which would report them as faults of the server.
//!
//! Must not know which methods there are.

use crate::middleware::refusal::OrRefusal;
use crate::telemetry::Metrics;
use futures_util::future::Either;
use http::header::{ACCEPT, ALLOW, CONTENT_TYPE, HeaderName};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use std::future::ready;
use std::task::{Context, Poll};
use tower::{Layer, Service};

/// The content types of calls: gRPC, and gRPC with messages in protobuf, which is its default.
const CONTENT_TYPES: [&str; 2] = ["application/grpc", "application/grpc+proto"];
/// The content type that the answer to another one names.
const ACCEPTED: HeaderValue = HeaderValue::from_static("application/grpc");
const POST: HeaderValue = HeaderValue::from_static("POST");

/// Layer that rejects requests that are not gRPC calls.
#[derive(Clone, Debug)]
pub struct GrpcOnlyLayer {
    metrics: Metrics,
}

impl GrpcOnlyLayer {
    /// Creates the layer. `metrics` counts the rejected requests.
    pub fn new(metrics: Metrics) -> Self {
        Self { metrics }
    }
}

impl<S> Layer<S> for GrpcOnlyLayer {
    type Service = GrpcOnlyService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        GrpcOnlyService { inner, metrics: self.metrics.clone() }
    }
}

/// The service of [`GrpcOnlyLayer`].
#[derive(Clone, Debug)]
pub struct GrpcOnlyService<S> {
    inner: S,
    metrics: Metrics,
}

impl<S, B, R> Service<Request<B>> for GrpcOnlyService<S>
where
    S: Service<Request<B>, Response = Response<R>>,
    R: Default,
{
    type Response = Response<R>;
    type Error = S::Error;
    type Future = OrRefusal<S::Future, R, S::Error>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let (status, name, value) = match (request.method() == Method::POST, is_grpc(request.headers())) {
            (true, true) => return Either::Left(self.inner.call(request)),
            (true, false) => (StatusCode::UNSUPPORTED_MEDIA_TYPE, ACCEPT, ACCEPTED),
            (false, _) => (StatusCode::METHOD_NOT_ALLOWED, ALLOW, POST),
        };
        self.metrics.refused("TRANSPORT");
        Either::Right(ready(Ok(rejection(status, name, value))))
    }
}

fn rejection<R: Default>(status: StatusCode, name: HeaderName, value: HeaderValue) -> Response<R> {
    let mut response = Response::new(R::default());
    *response.status_mut() = status;
    response.headers_mut().insert(name, value);
    response
}

/// Whether the headers have one content type, and it is one of gRPC, in upper or lower case, with or without parameters.
fn is_grpc(headers: &HeaderMap) -> bool {
    let mut values = headers.get_all(CONTENT_TYPE).iter();
    let (first, has_duplicate) = (values.next(), values.next().is_some());
    let Some(text) = first.filter(|_| !has_duplicate).and_then(|value| value.to_str().ok()) else { return false };
    let essence = text.split(';').next().unwrap_or_default().trim();
    CONTENT_TYPES.iter().any(|accepted| essence.eq_ignore_ascii_case(accepted))
}

#[cfg(test)]
mod tests {
    use super::is_grpc;
    use http::header::CONTENT_TYPE;
    use http::{HeaderMap, HeaderValue};

    #[test]
    fn only_content_types_of_grpc_with_protobuf_are_accepted() {
        let read = |values: &[&'static str]| {
            let values = values.iter().map(|value| (CONTENT_TYPE, HeaderValue::from_static(value)));
            is_grpc(&HeaderMap::from_iter(values))
        };
        for accepted in [
            "application/grpc",
            "application/grpc+proto",
            "Application/GRPC",
            "application/grpc; charset=utf-8",
            "application/grpc+PROTO ;a=b;c=d",
            "application/grpc;",
        ] {
            assert!(read(&[accepted]), "{accepted}");
        }
        for rejected in [
            "",
            "application/grpc-web",
            "application/grpc-web+proto",
            "application/grpc-web-text",
            "application/grpc+json",
            "application/grpc+",
            "application/grpcx",
            "application/json; application/grpc",
            "application/grpc, text/html",
            "text/html",
        ] {
            assert!(!read(&[rejected]), "{rejected}");
        }
        assert!(!read(&[]), "no content type");
        let mut twice = HeaderMap::new();
        twice.append(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
        twice.append(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
        assert!(!is_grpc(&twice), "two content types");
    }
}
