//! What the middleware adds to each call (id, deadline, panic handling), tested around slow and broken services.

use crate::support::{Answer, Client, LIST, Server, frame};
use bytes::Bytes;
use detente::middleware::deadline::Deadline;
use detente::middleware::decompression::InTurns;
use detente::middleware::receive::TimedBody;
use detente::middleware::request_id::RequestId;
use detente::server::health::Readiness;
use detente::server::{Gates, Settings, serve_routes};
use detente::telemetry::Metrics;
use detente::transport::request_body::RequestBody;
use futures_util::future::join_all;
use http::{HeaderMap, Request, Response};
use http_body::{Body, Frame};
use std::convert::Infallible;
use std::future::poll_fn;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tonic::Code;
use tonic_types::StatusExt;
use tower::Service;

/// A service that misbehaves in a way that the path selects.
async fn misbehave(request: Request<InTurns<TimedBody<RequestBody>>>) -> Result<Response<TestBody>, Infallible> {
    let body = match request.uri().path() {
        "/slow" => {
            tokio::time::sleep(Duration::from_secs(60)).await;
            TestBody::Ends
        }
        "/endless" => TestBody::Waits,
        "/panic" => panic!("secret of /panic"),
        "/panic-later" => TestBody::Panics,
        "/extensions" => {
            let id = request.extensions().get::<RequestId>().unwrap().as_str().to_owned();
            let left = request.extensions().get::<Deadline>().map(|deadline| deadline.0 - Instant::now());
            return Ok(Response::builder()
                .header("seen-id", id)
                .header("seen-seconds", left.map_or("none".to_owned(), |left| left.as_secs().to_string()))
                .body(TestBody::Ends)
                .unwrap());
        }
        _ => TestBody::Ends,
    };
    Ok(Response::new(body))
}

enum TestBody {
    Ends,
    Waits,
    Panics,
    Over,
}

impl Body for TestBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match *self {
            TestBody::Ends => {
                *self = TestBody::Over;
                let mut trailers = HeaderMap::new();
                trailers.insert("grpc-status", "0".parse().unwrap());
                Poll::Ready(Some(Ok(Frame::trailers(trailers))))
            }
            TestBody::Waits => Poll::Pending,
            TestBody::Panics => panic!("secret of the body"),
            TestBody::Over => Poll::Ready(None),
        }
    }
}

async fn test_server() -> SocketAddr {
    serve(tower::service_fn(misbehave)).await
}

async fn serve<S>(service: S) -> SocketAddr
where
    S: Service<Request<InTurns<TimedBody<RequestBody>>>, Response = Response<TestBody>, Error = Infallible>
        + Clone
        + Send
        + 'static,
    S::Future: Send,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let readiness = Readiness::default();
    tokio::spawn(serve_routes(
        listener,
        service,
        readiness,
        Settings::default(),
        Gates::open(Metrics::new(None).unwrap()),
        CancellationToken::new(),
        std::future::pending(),
    ));
    address
}

#[tokio::test]
async fn a_connection_begins_few_calls_before_other_tasks_have_a_turn() {
    // Counts the turns of other tasks.
    let turns = Arc::new(AtomicUsize::default());
    let other = turns.clone();
    // `yield_now` would also wait until the runtime has looked for arrivals.
    tokio::spawn(poll_fn(move |cx| {
        other.fetch_add(1, Relaxed);
        cx.waker().wake_by_ref();
        Poll::<()>::Pending
    }));
    let begun = Arc::new(Mutex::new(Vec::new()));
    let (seen, noted) = (turns.clone(), begun.clone());
    let service = tower::service_fn(move |_: Request<InTurns<TimedBody<RequestBody>>>| {
        noted.lock().unwrap().push(seen.load(Relaxed));
        async { Ok::<_, Infallible>(Response::new(TestBody::Ends)) }
    });
    let client = Client::connect(serve(service).await).await;
    // Once the client has sent these calls together, later ones have the same headers, and only few bytes each.
    for _ in 0..2 {
        let answers = (0..60).map(|_| client.call("/x", &[], Bytes::new()));
        join_all(answers).await;
    }
    let begun = begun.lock().unwrap();
    assert_eq!(begun.len(), 120);
    let most = begun.chunk_by(|before, after| before == after).map(<[usize]>::len).max().unwrap();
    assert!((2..=4).contains(&most), "{most} calls in one turn: {begun:?}");
}

async fn call_test_server(path: &str, headers: &[(&str, &str)]) -> Answer {
    Client::connect(test_server().await).await.call(path, headers, frame(&[])).await
}

fn is_made(id: &str) -> bool {
    id.len() == 32 && id.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

#[tokio::test]
async fn a_callers_request_id_is_returned_and_passed_to_the_service() {
    let longest = "x".repeat(128);
    for id in ["a", "order 66/!~", &longest] {
        let answer = call_test_server("/extensions", &[("x-request-id", id)]).await;
        assert_eq!(answer.request_id(), id);
        assert_eq!(answer.headers["seen-id"], id);
    }
}

#[tokio::test]
async fn an_absent_or_unfit_request_id_is_replaced() {
    let long = "x".repeat(129);
    let mut seen = std::collections::HashSet::new();
    for headers in [&[][..], &[("x-request-id", "")], &[("x-request-id", long.as_str())], &[("x-request-id", "é")]] {
        let answer = call_test_server("/extensions", headers).await;
        assert!(is_made(answer.request_id()), "{answer:?}");
        assert_eq!(answer.headers["seen-id"], answer.request_id());
        assert!(seen.insert(answer.request_id().to_owned()));
    }
}

#[tokio::test]
async fn errors_carry_the_request_id_too() {
    let server = Server::start().await;
    for (path, headers) in
        [("/none/None", &[][..]), (LIST, &[("grpc-timeout", "x")]), (LIST, &[("grpc-encoding", "br")])]
    {
        let headers = [headers, &[("x-request-id", "mine")]].concat();
        let answer = server.client().await.call(path, &headers, frame(&[])).await;
        assert_ne!(answer.code(), Code::Ok);
        assert_eq!(answer.request_id(), "mine");
    }
    for path in ["/panic", "/slow"] {
        let answer = call_test_server(path, &[("x-request-id", "mine"), ("grpc-timeout", "50m")]).await;
        assert_ne!(answer.code(), Code::Ok);
        assert_eq!(answer.request_id(), "mine");
    }
}

#[tokio::test]
async fn a_deadline_is_exceeded_before_the_headers() {
    let begun = Instant::now();
    let answer = call_test_server("/slow", &[("grpc-timeout", "100m")]).await;
    assert_exceeded(&answer);
    assert!(answer.trailers.is_none(), "an error before the first message is in the headers");
    assert!((100..5_000).contains(&begun.elapsed().as_millis()));
}

#[tokio::test]
async fn a_deadline_cuts_a_stream() {
    let answer = call_test_server("/endless", &[("grpc-timeout", "100m")]).await;
    assert_exceeded(&answer);
    assert!(answer.trailers.is_some());
}

#[tokio::test]
async fn a_deadline_bounds_a_request_that_never_ends() {
    let server = Server::start().await;
    let (answer, _open) = server.client().await.open(LIST, &[("grpc-timeout", "100m")]).await;
    assert_exceeded(&Answer::read(answer).await);
    server.assert_answers().await;
}

#[tokio::test]
async fn a_timeout_of_zero_is_exceeded() {
    for timeout in ["0n", "0S", "1n"] {
        assert_exceeded(&call_test_server("/slow", &[("grpc-timeout", timeout)]).await);
    }
    // The service could answer this call at once, and is not asked.
    for timeout in ["0n", "0m", "00000000H"] {
        let answer = call_test_server("/extensions", &[("grpc-timeout", timeout)]).await;
        assert_exceeded(&answer);
        assert!(!answer.headers.contains_key("seen-seconds"), "{answer:?}");
    }
}

fn assert_exceeded(answer: &Answer) {
    assert_eq!(answer.code(), Code::DeadlineExceeded, "{answer:?}");
    let info = answer.error_info();
    assert_eq!((info.reason.as_str(), info.domain.as_str()), ("DEADLINE_EXCEEDED", "detente.dev"));
}

#[tokio::test]
async fn the_deadline_is_passed_to_the_service() {
    let timeouts =
        [("1H", "3599"), ("2M", "119"), ("30S", "29"), ("90000m", "89"), ("90000000u", "89"), ("99999999n", "0")];
    for (timeout, seconds) in timeouts {
        assert_eq!(
            call_test_server("/extensions", &[("grpc-timeout", timeout)]).await.headers["seen-seconds"],
            seconds
        );
    }
    assert_eq!(call_test_server("/extensions", &[]).await.headers["seen-seconds"], "none");
    assert_eq!(call_test_server("/extensions", &[("grpc-timeout", "99999999H")]).await.code(), Code::Ok);
}

#[tokio::test]
async fn a_malformed_deadline_is_rejected() {
    for timeout in ["", "S", "1", "-1S", "+1S", "1.5S", "1s", "1 S", " 1S", "123456789S", "١S", "1SS"] {
        let answer = call_test_server("/extensions", &[("grpc-timeout", timeout)]).await;
        assert_eq!(answer.code(), Code::InvalidArgument, "{timeout:?}: {answer:?}");
        assert_eq!(answer.error_info().reason, "INVALID_REQUEST");
        let details = answer.status().get_error_details();
        assert_eq!(details.bad_request().unwrap().field_violations[0].field, "grpc-timeout");
    }
    for first in ["1S", "0S"] {
        let twice = call_test_server("/extensions", &[("grpc-timeout", first), ("grpc-timeout", "2S")]).await;
        assert_eq!(twice.code(), Code::InvalidArgument);
    }
}

#[tokio::test]
async fn a_panic_becomes_an_internal_error_with_an_incident() {
    let address = test_server().await;
    let client = Client::connect(address).await;
    for path in ["/panic", "/panic-later"] {
        let answer = client.call(path, &[], frame(&[])).await;
        assert_eq!(answer.code(), Code::Internal, "{path}: {answer:?}");
        let info = answer.error_info();
        assert_eq!((info.reason.as_str(), info.domain.as_str()), ("INTERNAL", "detente.dev"));
        assert!(is_made(&info.metadata["incident"]));
        assert!(answer.status().message().contains(&info.metadata["incident"]));
        assert!(!answer.status().message().contains("secret"));
    }
    assert_eq!(client.call("/fine", &[], frame(&[])).await.code(), Code::Ok, "the connection stays open");
}

#[tokio::test]
async fn a_message_is_escaped_only_as_far_as_grpc_requires() {
    let server = Server::start().await;
    // GetScenario with a name that resembles an existing one and contains a `%` and a non-ASCII letter.
    let name = "scenarios/ukraine-2025%ö";
    let request: Vec<u8> =
        std::iter::once(0x0a).chain(std::iter::once(u8::try_from(name.len()).unwrap())).chain(name.bytes()).collect();
    let path = "/detente.v1.RedLineService/GetScenario";
    let answer = server.client().await.call(path, &[], frame(&request)).await;
    let message = answer.headers.get("grpc-message").unwrap().to_str().unwrap();
    let expected = "there is no scenario `scenarios/ukraine-2025%25%C3%B6`; did you mean `scenarios/ukraine-2025`?";
    assert_eq!(message, expected);
    assert_eq!(answer.status().message(), expected.replace("%25%C3%B6", "%ö"));
}
