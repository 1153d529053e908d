//! Each limit on callers, tested just below and just above. A rejection has a reason and is counted.

use crate::support::pigeons::pigeons;
use crate::support::{Answer, Client, EVALUATE, LIST, PATIENCE, Server, frame, quick, until, value};
use detente::middleware::quota::QuotaLimit;
use detente::schema::proto::v1::evaluate_proposal_request::Subject;
use detente::schema::proto::v1::red_line_service_client::RedLineServiceClient;
use detente::schema::proto::v1::stream_evaluate_proposals_response::Result as Item;
use detente::schema::proto::v1::{
    BatchEvaluateProposalsRequest, CompareProposalsRequest, EvaluateProposalRequest, EvaluationView, Proposal,
    StreamEvaluateProposalsRequest, SuggestAmendmentsRequest, Term, suggest_amendments_request,
};
use detente::server::Settings;
use detente::serving::{Store, source};
use detente::telemetry::Metrics;
use detente::transport::config::ConnectionLimits;
use prost::Message;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};
use tonic::Code;
use tonic_types::StatusExt;

const AMEND: &str = "/detente.v1.AnalysisService/SuggestAmendments";
const BATCH: &str = "/detente.v1.RedLineService/BatchEvaluateProposals";
const COMPARE: &str = "/detente.v1.RedLineService/CompareProposals";

fn quota(per_second: u32, burst: u32) -> Option<QuotaLimit> {
    let [per_second, burst] = [per_second, burst].map(|count| NonZeroU32::new(count).unwrap());
    Some(QuotaLimit { per_second, burst })
}

/// A server and its metrics.
async fn counted(settings: Settings) -> (Server, Metrics) {
    let server = Server::with(Settings { drain: quick(), ..settings }).await;
    let metrics = server.metrics.clone();
    (server, metrics)
}

fn refusals(metrics: &Metrics, reason: &str) -> f64 {
    value(metrics, &format!("detente_refusals_total{{reason=\"{reason}\"}}"))
}

fn proposal() -> EvaluateProposalRequest {
    let name = "scenarios/ukraine-2025/proposals/jeddah-ceasefire".to_owned();
    EvaluateProposalRequest { subject: Some(Subject::ProposalName(name)), ..EvaluateProposalRequest::default() }
}

fn reason(answer: &Answer) -> String {
    answer.error_info().reason
}

/// A server with two scenarios: the bundled one, and one whose analyses take minutes. The server runs one analysis at a
/// time.
async fn slow(max_calls: usize) -> (Server, Metrics) {
    let hard = source::compile("pigeons.yaml", &pigeons(12, 11)).unwrap();
    let mut scenarios = source::load(&[]).unwrap();
    scenarios.push(hard);
    let settings = Settings { drain: quick(), analyses: 1, max_calls, ..Settings::default() };
    let server = Server::of(Arc::new(Store::new(scenarios).unwrap()), settings).await;
    let metrics = server.metrics.clone();
    (server, metrics)
}

/// A request whose analysis takes minutes. Each number makes a different request.
fn hard(number: i32) -> bytes::Bytes {
    let subject = Some(suggest_amendments_request::Subject::Proposal(Proposal::default()));
    let scenario = "scenarios/pigeons".to_owned();
    let request = SuggestAmendmentsRequest { scenario, subject, max_amendments: number, ..Default::default() };
    frame(&request.encode_to_vec())
}

async fn begin(client: &Client, number: i32) -> (h2::client::ResponseFuture, h2::SendStream<bytes::Bytes>) {
    let (answer, mut body) = client.open(AMEND, &[]).await;
    body.send_data(hard(number), true).unwrap();
    (answer, body)
}

#[tokio::test]
async fn calls_beyond_the_limit_are_shed_at_once_except_health_checks() {
    let (server, metrics) = slow(2).await;
    let client = server.client().await;
    // Each call needs a permit, and there are two. A running analysis has one, a waiting analysis the other.
    let first = begin(&client, 1).await;
    let _second = begin(&client, 2).await;
    let shed = timeout(PATIENCE, async {
        loop {
            let answer = client.call(EVALUATE, &[], frame(&proposal().encode_to_vec())).await;
            if answer.code() == Code::Unavailable {
                break answer;
            }
        }
    });
    let shed = shed.await.unwrap();
    assert_eq!(reason(&shed), "OVERLOADED");
    assert!(shed.headers.contains_key("grpc-retry-pushback-ms"), "{shed:?}");
    assert!(refusals(&metrics, "OVERLOADED") >= 1.0);
    assert_eq!(client.call("/grpc.health.v1.Health/Check", &[], frame(&[])).await.code(), Code::Ok);
    // A stream's message is rejected within the stream, which stays open.
    let mut streams = RedLineServiceClient::new(server.channel().await);
    let (send, requests) = tokio::sync::mpsc::channel(4);
    let requests = tokio_stream::wrappers::ReceiverStream::new(requests);
    let mut answers = streams.stream_evaluate_proposals(requests).await.unwrap().into_inner();
    let message = |id: &str| StreamEvaluateProposalsRequest { id: id.to_owned(), request: Some(proposal()) };
    send.send(message("shed")).await.unwrap();
    let answer = answers.message().await.unwrap().unwrap();
    let Some(Item::Error(error)) = answer.result else { panic!("{answer:?}") };
    assert_eq!((answer.id.as_str(), Code::from(error.code)), ("shed", Code::Unavailable));
    // A permit is released when its caller disconnects, and can be taken again.
    drop(first);
    let again = async {
        while client.call(EVALUATE, &[], frame(&proposal().encode_to_vec())).await.code() != Code::Ok {
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(PATIENCE, again).await.unwrap();
    send.send(message("answered")).await.unwrap();
    let answer = answers.message().await.unwrap().unwrap();
    assert!(matches!(answer.result, Some(Item::Evaluation(_))), "{answer:?}");
}

#[tokio::test]
async fn slow_senders_hold_no_permits() {
    let (server, _) = counted(Settings { max_calls: 1, ..Settings::default() }).await;
    let slow = server.client().await;
    let mut open = Vec::new();
    for _ in 0..100 {
        open.push(slow.open(EVALUATE, &[]).await);
    }
    let other = server.client().await;
    for _ in 0..20 {
        assert_eq!(other.call(LIST, &[], frame(&[])).await.code(), Code::Ok);
    }
}

#[tokio::test]
async fn a_caller_beyond_its_quota_gets_a_retry_delay() {
    let (server, metrics) = counted(Settings { quota: quota(5, 3), ..Settings::default() }).await;
    let client = server.client().await;
    for _ in 0..3 {
        assert_eq!(client.call(LIST, &[], frame(&[])).await.code(), Code::Ok);
    }
    let refused = client.call(LIST, &[], frame(&[])).await;
    assert_eq!((refused.code(), reason(&refused).as_str()), (Code::ResourceExhausted, "QUOTA_EXCEEDED"));
    let retry = refused.status().get_details_retry_info().unwrap().retry_delay.unwrap();
    assert!(retry <= Duration::from_millis(200), "{retry:?}");
    assert_eq!(refusals(&metrics, "QUOTA_EXCEEDED"), 1.0);
    assert_eq!(client.call("/grpc.health.v1.Health/Check", &[], frame(&[])).await.code(), Code::Ok);
    sleep(retry + Duration::from_millis(20)).await;
    assert_eq!(client.call(LIST, &[], frame(&[])).await.code(), Code::Ok);
}

#[tokio::test]
async fn a_batch_counts_each_of_its_requests_against_the_quota() {
    let (server, _) = counted(Settings { quota: quota(1, 10), ..Settings::default() }).await;
    let client = server.client().await;
    let batch = |count: usize| {
        let requests = vec![proposal(); count];
        frame(&BatchEvaluateProposalsRequest { requests, ..BatchEvaluateProposalsRequest::default() }.encode_to_vec())
    };
    for count in [11, 12] {
        let beyond = client.call(BATCH, &[], batch(count)).await;
        assert_eq!((beyond.code(), reason(&beyond).as_str()), (Code::ResourceExhausted, "QUOTA_EXCEEDED"), "{count}");
        let status = beyond.status();
        assert!(status.get_details_retry_info().is_none(), "a batch of {count} can never be admitted");
        assert_eq!(status.get_details_error_info().unwrap().metadata["asked"], count.to_string());
    }
    assert_eq!(client.call(BATCH, &[], batch(8)).await.code(), Code::Ok);
    assert_eq!(client.call(BATCH, &[], batch(8)).await.code(), Code::ResourceExhausted);
}

#[tokio::test]
async fn a_batch_and_a_comparison_pay_before_they_are_decoded() {
    let (server, _) = counted(Settings { quota: quota(1, 10), ..Settings::default() }).await;
    let client = server.client().await;
    // Ends within a field, so that it cannot be decoded.
    let truncated = |mut message: Vec<u8>| {
        message.extend([2 << 3 | 2, 100]);
        frame(&message)
    };
    let batch = |count| BatchEvaluateProposalsRequest { requests: vec![proposal(); count], ..Default::default() };
    let compared = |count| CompareProposalsRequest { proposals: vec![Default::default(); count], ..Default::default() };
    for (path, beyond, within) in [
        (BATCH, batch(11).encode_to_vec(), batch(2).encode_to_vec()),
        (COMPARE, compared(11).encode_to_vec(), compared(2).encode_to_vec()),
    ] {
        let refused = client.call(path, &[], truncated(beyond)).await;
        assert_eq!(reason(&refused), "QUOTA_EXCEEDED", "{path}");
        let malformed = client.call(path, &[], truncated(within)).await;
        assert_eq!(malformed.code(), Code::Internal, "{path}");
    }
}

#[tokio::test]
async fn incomplete_requests_time_out() {
    let receive = Duration::from_millis(300);
    let (server, metrics) = counted(Settings { receive, ..Settings::default() }).await;
    let client = server.client().await;
    let request = frame(&proposal().encode_to_vec());
    let (answer, mut body) = client.open(EVALUATE, &[]).await;
    // Send the request one byte at a time.
    let begun = Instant::now();
    for byte in 0..request.len() {
        if body.send_data(request.slice(byte..=byte), false).is_err() || begun.elapsed() > receive * 2 {
            break;
        }
        sleep(Duration::from_millis(20)).await;
    }
    let answer = Answer::read(answer).await;
    assert_eq!((answer.code(), reason(&answer).as_str()), (Code::DeadlineExceeded, "REQUEST_TOO_SLOW"));
    assert_eq!(refusals(&metrics, "REQUEST_TOO_SLOW"), 1.0);
    // A slow request that is complete in time is answered.
    let (answer, mut body) = client.open(EVALUATE, &[]).await;
    body.send_data(request.slice(..4), false).unwrap();
    sleep(receive / 3).await;
    body.send_data(request.slice(4..), true).unwrap();
    assert_eq!(Answer::read(answer).await.code(), Code::Ok);
}

#[tokio::test]
async fn incomplete_health_requests_time_out() {
    let receive = Duration::from_millis(100);
    let (server, _) = counted(Settings { receive, ..Settings::default() }).await;
    let client = server.client().await;
    for method in ["Check", "Watch"] {
        let (answer, _body) = client.open(&format!("/grpc.health.v1.Health/{method}"), &[]).await;
        let answer = timeout(PATIENCE, Answer::read(answer)).await.unwrap();
        assert_eq!(reason(&answer), "REQUEST_TOO_SLOW", "{method}");
    }
    // A stream of evaluations may wait for its first message.
    let (answer, mut body) = client.open("/detente.v1.RedLineService/StreamEvaluateProposals", &[]).await;
    sleep(receive * 3).await;
    body.send_data(frame(&[]), true).unwrap();
    assert_eq!(Answer::read(answer).await.code(), Code::Ok);
    // A watch whose request came in time stays open without a limit.
    let (answer, mut body) = client.open("/grpc.health.v1.Health/Watch", &[]).await;
    body.send_data(frame(&[]), true).unwrap();
    assert!(timeout(receive * 3, Answer::read(answer)).await.is_err());
}

#[tokio::test]
async fn messages_up_to_the_size_limit_are_accepted() {
    let max_request_bytes = 2048;
    let (server, metrics) = counted(Settings { max_request_bytes, ..Settings::default() }).await;
    let client = server.client().await;
    let of = |bytes: usize| {
        let mut request = proposal();
        request.scenario = "x".repeat(bytes - request.encoded_len() - 3);
        let encoded = request.encode_to_vec();
        assert_eq!(encoded.len(), bytes);
        frame(&encoded)
    };
    assert_eq!(client.call(EVALUATE, &[], of(max_request_bytes)).await.code(), Code::InvalidArgument);
    let refused = client.call(EVALUATE, &[], of(max_request_bytes + 1)).await;
    assert_eq!((refused.code(), reason(&refused).as_str()), (Code::OutOfRange, "MESSAGE_TOO_LARGE"));
    assert_eq!(refused.error_info().metadata["limit"], "2048");
    assert_eq!(refusals(&metrics, "MESSAGE_TOO_LARGE"), 1.0);
}

#[tokio::test]
async fn exceeded_request_limits_are_named_and_counted() {
    let (server, metrics) = counted(Settings::default()).await;
    let client = server.client().await;
    let term = Term { issue: "sanctions".to_owned(), ..Term::default() };
    let overrides = vec![term; 501];
    let hypotheses = vec![detente::schema::proto::v1::Hypothesis::default(); 33];
    let request = EvaluateProposalRequest { overrides, hypotheses, ..proposal() };
    let refused = client.call(EVALUATE, &[], frame(&request.encode_to_vec())).await;
    assert_eq!((refused.code(), reason(&refused).as_str()), (Code::InvalidArgument, "LIMIT_EXCEEDED"));
    assert_eq!(refused.error_info().metadata["limits"], "terms,hypotheses");
    let requests = vec![EvaluateProposalRequest::default(); 1_001];
    let batch = BatchEvaluateProposalsRequest { requests, ..BatchEvaluateProposalsRequest::default() };
    let refused = client.call(BATCH, &[], frame(&batch.encode_to_vec())).await;
    assert_eq!(refused.error_info().metadata["limits"], "batch_items");
    for limit in ["terms", "hypotheses", "batch_items"] {
        assert_eq!(value(&metrics, &format!("detente_limits_exceeded_total{{limit=\"{limit}\"}}")), 1.0, "{limit}");
    }
    assert_eq!(refusals(&metrics, "LIMIT_EXCEEDED"), 2.0);
    // Other faults are not counted as exceeded limits.
    let wrong = EvaluateProposalRequest { cleared_issues: vec!["no-such".to_owned()], ..proposal() };
    assert_eq!(reason(&client.call(EVALUATE, &[], frame(&wrong.encode_to_vec())).await), "INVALID_REQUEST");
}

#[tokio::test]
async fn connections_without_a_preface_are_closed_and_counted() {
    let connection = ConnectionLimits { handshake: Duration::from_millis(200), ..ConnectionLimits::default() };
    let (server, metrics) = counted(Settings { connection, ..Settings::default() }).await;
    let mut silent = TcpStream::connect(server.address).await.unwrap();
    let mut slow = TcpStream::connect(server.address).await.unwrap();
    slow.write_all(b"PRI * HTTP").await.unwrap();
    for stream in [&mut silent, &mut slow] {
        let mut read = Vec::new();
        timeout(PATIENCE, stream.read_to_end(&mut read)).await.unwrap().unwrap();
        assert!(read.is_empty());
    }
    let mut http1 = TcpStream::connect(server.address).await.unwrap();
    http1.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
    let mut read = String::new();
    timeout(PATIENCE, http1.read_to_string(&mut read)).await.unwrap().unwrap();
    assert!(read.starts_with("HTTP/1.1 505"), "{read}");
    server.until("detente_connections_refused_total{reason=\"not_http2\"}", |count| count == 1.0).await;
    server.until("detente_connections_refused_total{reason=\"silent\"}", |count| count >= 2.0).await;
    assert_eq!(value(&metrics, "detente_connections_refused_total{reason=\"silent\"}"), 2.0);
    server.assert_answers().await;
}

#[tokio::test]
async fn connections_at_their_maximum_age_finish_their_calls_and_close() {
    let connection = ConnectionLimits { max_age: Duration::from_millis(300), ..ConnectionLimits::default() };
    let (server, _) = counted(Settings { connection, ..Settings::default() }).await;
    let client = server.client().await;
    let (answer, mut body) = client.open(EVALUATE, &[]).await;
    sleep(Duration::from_millis(600)).await;
    body.send_data(frame(&proposal().encode_to_vec()), true).unwrap();
    assert_eq!(Answer::read(answer).await.code(), Code::Ok);
    let refused = async { while client.try_call(LIST, frame(&[])).await.is_some() {} };
    timeout(PATIENCE, refused).await.unwrap();
    server.assert_answers().await;
}

#[tokio::test]
async fn ends_of_connections_are_counted_by_reason() {
    let counts = async |metrics: &Metrics, reason: &str| {
        let metric = format!("detente_connections_ended_total{{reason=\"{reason}\"}}");
        until(metrics, &metric, |count| count >= 1.0).await;
        assert_eq!(value(metrics, &metric), 1.0, "{reason}");
    };
    let begun = async |server: &Server| {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").await.unwrap();
        stream
    };
    let short = Duration::from_millis(100);
    let (server, metrics) = counted(Settings::default()).await;
    let client = server.client().await;
    assert_eq!(client.call(LIST, &[], frame(&[])).await.code(), Code::Ok);
    drop(client);
    counts(&metrics, "left").await;
    let mut stream = begun(&server).await;
    for id in (1..40_000_u32).step_by(2) {
        // A call that is reset at once: POST, http and the path, all from the static table of HPACK.
        let call = [&[0, 0, 3, 1, 4][..], &id.to_be_bytes(), &[0x83, 0x86, 0x84]].concat();
        let reset = [&[0, 0, 4, 3, 0][..], &id.to_be_bytes(), &8_u32.to_be_bytes()].concat();
        if stream.write_all(&[call, reset].concat()).await.is_err() {
            break;
        }
    }
    counts(&metrics, "flood").await;
    let mut stream = begun(&server).await;
    stream.write_all(&[0xff; 64]).await.unwrap();
    counts(&metrics, "broken").await;
    let connection = ConnectionLimits { keepalive_interval: short, keepalive_timeout: short, ..Default::default() };
    let (server, metrics) = counted(Settings { connection, ..Settings::default() }).await;
    let _silent = begun(&server).await;
    counts(&metrics, "keepalive").await;
    let connection = ConnectionLimits { max_age: short, ..ConnectionLimits::default() };
    let (server, metrics) = counted(Settings { connection, ..Settings::default() }).await;
    let _old = server.client().await;
    counts(&metrics, "age").await;
    let (server, metrics) = counted(Settings::default()).await;
    let client = server.client().await;
    assert_eq!(client.call(LIST, &[], frame(&[])).await.code(), Code::Ok);
    server.stop().await.unwrap().unwrap();
    counts(&metrics, "drain").await;
}

#[tokio::test]
async fn the_number_of_calls_on_one_connection_is_limited() {
    let connection = ConnectionLimits { max_streams: 3, ..ConnectionLimits::default() };
    let (server, _) = counted(Settings { connection, ..Settings::default() }).await;
    let client = server.client().await;
    // From the first response on, the client knows the limit.
    assert_eq!(client.call(LIST, &[], frame(&[])).await.code(), Code::Ok);
    let mut open = Vec::new();
    for _ in 0..3 {
        open.push(client.open(EVALUATE, &[]).await);
    }
    // The client respects the limit: its next call waits, and is answered when another one has ended.
    let next = tokio::spawn({
        let client = client.clone();
        async move { client.call(LIST, &[], frame(&[])).await.code() }
    });
    sleep(Duration::from_millis(100)).await;
    assert!(!next.is_finished());
    open.pop();
    assert_eq!(timeout(PATIENCE, next).await.unwrap().unwrap(), Code::Ok);
}

#[tokio::test]
async fn headers_up_to_the_size_limit_are_accepted() {
    let connection = ConnectionLimits { max_header_bytes: 4096, ..ConnectionLimits::default() };
    let (server, _) = counted(Settings { connection, ..Settings::default() }).await;
    let client = server.client().await;
    let fits = "x".repeat(3_000);
    assert_eq!(client.call(LIST, &[("x-much", &fits)], frame(&[])).await.code(), Code::Ok);
    let beyond = "x".repeat(5_000);
    let answer = client.call(LIST, &[("x-much", &beyond)], frame(&[])).await;
    assert_eq!(answer.http.map(|status| status.as_u16()), Some(431), "{answer:?}");
}

#[tokio::test]
async fn calls_that_are_reset_at_once_leave_nothing_behind() {
    let (server, _) = counted(Settings { max_calls: 4, ..Settings::default() }).await;
    let other = server.client().await;
    let mut client = server.client().await;
    for _ in 0..2_000 {
        match client.try_open(EVALUATE, &[]).await {
            Ok((answer, mut body)) => {
                // Let the client's task send the headers.
                tokio::task::yield_now().await;
                body.send_reset(h2::Reason::CANCEL);
                drop(answer);
            }
            // The server closes a connection with too many resets, and leaves the other connections open.
            Err(_) => client = server.client().await,
        }
    }
    server.until("detente_calls_in_flight", |count| count == 0.0).await;
    assert_eq!(other.call(EVALUATE, &[], frame(&proposal().encode_to_vec())).await.code(), Code::Ok);
}

#[tokio::test]
async fn connections_beyond_the_limit_wait_and_are_counted() {
    let (server, metrics) = counted(Settings { max_connections: 2, ..Settings::default() }).await;
    let (first, second) = (server.client().await, server.client().await);
    let (of_first, _of_second) = (first.open(EVALUATE, &[]).await, second.open(EVALUATE, &[]).await);
    server.until("detente_calls_in_flight", |count| count == 2.0).await;
    let third = tokio::spawn(Client::connect(server.address));
    server.until("detente_connections_refused_total{reason=\"full\"}", |count| count >= 1.0).await;
    drop((first, of_first));
    let third = timeout(PATIENCE, third).await.unwrap().unwrap();
    assert_eq!(third.call(LIST, &[], frame(&[])).await.code(), Code::Ok);
    assert_eq!(value(&metrics, "detente_connections_total"), 3.0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unread_answers_end_when_their_caller_needs_their_memory_and_hold_no_permits() {
    let (server, metrics) = counted(Settings { max_calls: 2, ..Settings::default() }).await;
    let full = EvaluateProposalRequest { view: EvaluationView::Full.into(), ..proposal() };
    let batch = BatchEvaluateProposalsRequest { requests: vec![full; 180], ..BatchEvaluateProposalsRequest::default() };
    let batch = frame(&batch.encode_to_vec());
    let stream = TcpStream::connect(server.address).await.unwrap();
    let unread = Client::with_windows(stream, 1024).await.unwrap();
    let mut open = Vec::new();
    // The first ones fill the caller's share. Each further one waits until an unread one has ended.
    for _ in 0..8 {
        let (answer, mut body) = unread.open(BATCH, &[]).await;
        body.send_data(batch.clone(), true).unwrap();
        let answer = timeout(PATIENCE, answer).await.unwrap().unwrap();
        assert!(!answer.headers().contains_key("grpc-status"), "{answer:?}");
        open.push(answer.into_body());
    }
    let mut ended = 0;
    for body in &mut open {
        while let Ok(Some(data)) = timeout(Duration::from_millis(100), body.data()).await {
            if let Err(error) = data {
                assert_eq!(error.reason(), Some(h2::Reason::ENHANCE_YOUR_CALM));
                ended += 1;
                break;
            }
        }
    }
    assert!((4..8).contains(&ended), "{ended} of 8 unread answers ended");
    assert_eq!(value(&metrics, "detente_calls_evicted_total"), f64::from(ended));
    // A client at the same address that reads is not affected.
    let other = server.client().await;
    for _ in 0..10 {
        assert_eq!(other.call(BATCH, &[], batch.clone()).await.code(), Code::Ok);
        assert_eq!(other.call(LIST, &[], frame(&[])).await.code(), Code::Ok);
    }
}
