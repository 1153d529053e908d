//! Streams of evaluations over a real socket: order, how they end, and clients that do not read.

use crate::support::{Client, PATIENCE, Server, frame, quick};
use bytes::{Buf, Bytes, BytesMut};
use detente::middleware::call_limits::MAX_STREAMS_OF_CONNECTION;
use detente::middleware::quota::QuotaLimit;
use detente::schema::proto::v1;
use detente::schema::proto::v1::evaluate_proposal_request::Subject;
use detente::schema::proto::v1::red_line_service_client::RedLineServiceClient;
use detente::schema::proto::v1::stream_evaluate_proposals_response::Result as Item;
use detente::server::Settings;
use detente::shutdown::{Drain, DrainOutcome};
use detente::transport::config::ConnectionLimits;
use h2::client::SendRequest;
use prost::Message;
use std::num::NonZeroU32;
use std::time::{Duration, Instant};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};
use tokio_stream::StreamExt;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Status, Streaming};
use tonic_types::StatusExt;

const STREAM: &str = "/detente.v1.RedLineService/StreamEvaluateProposals";

fn request(id: &str) -> v1::StreamEvaluateProposalsRequest {
    v1::StreamEvaluateProposalsRequest {
        id: id.to_owned(),
        request: Some(v1::EvaluateProposalRequest {
            subject: Some(Subject::ProposalName("scenarios/ukraine-2025/proposals/european-force".to_owned())),
            ..v1::EvaluateProposalRequest::default()
        }),
    }
}

type Answers = Streaming<v1::StreamEvaluateProposalsResponse>;

async fn open(server: &Server) -> (mpsc::Sender<v1::StreamEvaluateProposalsRequest>, Answers) {
    let (send, receive) = mpsc::channel(16);
    let mut client = RedLineServiceClient::new(server.channel().await);
    // The server sends the response headers when it first polls the response body.
    let answers = client.stream_evaluate_proposals(ReceiverStream::new(receive)).await.unwrap();
    (send, answers.into_inner())
}

async fn next(answers: &mut Answers) -> Result<Option<v1::StreamEvaluateProposalsResponse>, Status> {
    timeout(PATIENCE, answers.message()).await.expect("an answer in time")
}

fn reason(status: &Status) -> String {
    status.get_error_details().error_info().map_or_else(String::new, |info| info.reason.clone())
}

fn limits_with_stall(stall: Duration) -> ConnectionLimits {
    ConnectionLimits { stall, ..ConnectionLimits::default() }
}

#[tokio::test]
async fn answers_come_in_order_with_their_ids_and_faulty_items_fail_alone() {
    const COUNT: usize = 3_000;
    let server = Server::start().await;
    let (send, mut answers) = open(&server).await;
    let sending = tokio::spawn(async move {
        for at in 0..COUNT {
            let mut request = request(&format!("id {at}"));
            match at % 10 {
                3 => request.request = None,
                5 => request.request.as_mut().unwrap().view = 9,
                7 => request.id = format!("{at} {}", "ö".repeat(200)),
                8 => {
                    let kind = v1::hypothesis::Kind::DropRedLine("ru-no-nato-forces".to_owned());
                    request.request.as_mut().unwrap().hypotheses = vec![v1::Hypothesis { kind: Some(kind) }];
                }
                _ => {}
            }
            send.send(request).await.unwrap();
        }
    });
    for at in 0..COUNT {
        let answer = next(&mut answers).await.unwrap().expect("as many answers as requests");
        match (at % 10, answer.result.unwrap()) {
            (3 | 5, Item::Error(status)) => {
                assert_eq!(answer.id, format!("id {at}"));
                assert_eq!(status.code, i32::from(Code::InvalidArgument));
            }
            (7, Item::Error(status)) => {
                assert!(answer.id.starts_with(&format!("{at} ö")) && answer.id.len() <= 256);
                assert_eq!(status.code, i32::from(Code::InvalidArgument));
            }
            (8, Item::Evaluation(evaluation)) => assert_eq!(evaluation.suppositions.len(), 1),
            (0..=2 | 4 | 6 | 9, Item::Evaluation(evaluation)) => {
                assert_eq!(answer.id, format!("id {at}"));
                assert_eq!(evaluation.verdict(), v1::Verdict::Blocked);
            }
            other => panic!("{at}: {other:?}"),
        }
    }
    assert_eq!(next(&mut answers).await.unwrap(), None, "the end of requests is the end of answers");
    sending.await.unwrap();
}

#[tokio::test]
async fn a_message_beyond_the_quota_is_answered_with_its_id_and_is_not_decoded() {
    let mut heavy = request("heavy");
    heavy.request.as_mut().unwrap().hypotheses = vec![v1::Hypothesis::default(); 200_000];
    let quota = Some(QuotaLimit { per_second: NonZeroU32::MIN, burst: NonZeroU32::MIN });
    let server = Server::with(Settings { quota, drain: quick(), ..Settings::default() }).await;
    let (send, mut answers) = open(&server).await;
    // The call has used up the quota.
    send.send(heavy.clone()).await.unwrap();
    let answer = next(&mut answers).await.unwrap().unwrap();
    let Some(Item::Error(error)) = answer.result else { panic!("{:?}", answer.result) };
    assert_eq!((answer.id.as_str(), error.code), ("heavy", i32::from(Code::ResourceExhausted)));
    sleep(Duration::from_millis(1100)).await;
    send.send(request("light")).await.unwrap();
    let answer = next(&mut answers).await.unwrap().unwrap();
    assert!(answer.id == "light" && matches!(answer.result, Some(Item::Evaluation(_))), "{answer:?}");
    // Within the quota, the message is weighed.
    sleep(Duration::from_millis(1100)).await;
    send.send(heavy).await.unwrap();
    let status = next(&mut answers).await.unwrap_err();
    assert_eq!((status.code(), reason(&status).as_str()), (Code::OutOfRange, "MESSAGE_TOO_LARGE"));
}

#[tokio::test]
async fn an_idle_stream_ends_with_a_reason() {
    let idle = Duration::from_secs(1);
    let server = Server::with(Settings { stream_idle: idle, drain: quick(), ..Settings::default() }).await;
    let (send, mut answers) = open(&server).await;
    // The idle limit applies to the wait for each message, not to the whole stream.
    for at in 0..3 {
        sleep(idle / 2).await;
        send.send(request(&at.to_string())).await.unwrap();
        assert_eq!(next(&mut answers).await.unwrap().unwrap().id, at.to_string());
    }
    let begun = Instant::now();
    let status = next(&mut answers).await.unwrap_err();
    assert_eq!((status.code(), reason(&status).as_str()), (Code::DeadlineExceeded, "STREAM_IDLE"));
    assert!((idle / 2..idle * 5).contains(&begun.elapsed()), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn a_stream_ends_when_the_server_shuts_down() {
    let drain = Drain { pause: Duration::ZERO, timeout: PATIENCE };
    let server = Server::with(Settings { drain, ..Settings::default() }).await;
    let (send, mut answers) = open(&server).await;
    send.send(request("last")).await.unwrap();
    assert_eq!(next(&mut answers).await.unwrap().unwrap().id, "last");
    let ended = server.stop();
    let status = next(&mut answers).await.unwrap_err();
    assert_eq!((status.code(), reason(&status).as_str()), (Code::Unavailable, "SHUTTING_DOWN"));
    let delay: u64 = status.metadata().get("grpc-retry-pushback-ms").unwrap().to_str().unwrap().parse().unwrap();
    assert!((50..=150).contains(&delay), "{delay}");
    assert_eq!(timeout(PATIENCE, ended).await.unwrap().unwrap().unwrap(), DrainOutcome::Complete);
}

/// A client with a small receive window, which reads only when the test tells it to.
async fn slow_reader(server: &Server) -> SendRequest<Bytes> {
    let stream = TcpStream::connect(server.address).await.unwrap();
    // With Nagle's algorithm, each window update would wait for an acknowledgement.
    stream.set_nodelay(true).unwrap();
    let (send, connection) = h2::client::Builder::new().initial_window_size(16 * 1024).handshake(stream).await.unwrap();
    tokio::spawn(connection);
    send
}

/// Opens a stream and sends requests until the server accepts no more. Returns the number of requests, and both halves
/// of the stream.
async fn send_until_blocked(reader: SendRequest<Bytes>) -> (usize, h2::SendStream<Bytes>, h2::RecvStream) {
    send_messages_until_blocked(reader, |sent| frame(&request(&sent.to_string()).encode_to_vec())).await
}

/// As [`send_until_blocked`], with the smallest requests that have an identifier.
async fn send_small_until_blocked(reader: SendRequest<Bytes>) -> (usize, h2::SendStream<Bytes>, h2::RecvStream) {
    let message = v1::StreamEvaluateProposalsRequest { id: "x".repeat(16), request: None };
    let message = frame(&message.encode_to_vec());
    assert_eq!(message.len(), 23);
    send_messages_until_blocked(reader, |_| message.clone()).await
}

async fn send_messages_until_blocked(
    reader: SendRequest<Bytes>,
    message: impl Fn(usize) -> Bytes,
) -> (usize, h2::SendStream<Bytes>, h2::RecvStream) {
    let head = http::Request::post(format!("http://detente{STREAM}"))
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .body(())
        .unwrap();
    let (answer, mut send) = reader.ready().await.unwrap().send_request(head, false).unwrap();
    let mut sent = 0;
    loop {
        let message = message(sent);
        send.reserve_capacity(message.len());
        let capacity = async {
            while send.capacity() < message.len() {
                std::future::poll_fn(|cx| send.poll_capacity(cx)).await.unwrap().unwrap();
            }
        };
        if timeout(Duration::from_millis(500), capacity).await.is_err() {
            break;
        }
        send.send_data(message, false).unwrap();
        sent += 1;
        assert!(sent < 100_000, "the server accepts requests without limit from a client that does not read");
    }
    (sent, send, answer.await.unwrap().into_body())
}

#[tokio::test]
async fn a_client_that_pauses_reading_gets_every_answer() {
    let server =
        Server::with(Settings { connection: limits_with_stall(PATIENCE), drain: quick(), ..Settings::default() }).await;
    let (sent, mut send, mut body) = send_until_blocked(slow_reader(&server).await).await;
    server.assert_answers().await;
    send.send_data(Bytes::new(), true).unwrap();
    let (mut data, mut answered) = (BytesMut::new(), 0);
    while let Some(chunk) = timeout(PATIENCE, body.data()).await.unwrap() {
        let chunk = chunk.unwrap();
        body.flow_control().release_capacity(chunk.len()).unwrap();
        data.extend_from_slice(&chunk);
        while data.len() >= 5 {
            let length = u32::from_be_bytes(data[1..5].try_into().unwrap()) as usize;
            if data.len() < 5 + length {
                break;
            }
            data.advance(5);
            let answer = v1::StreamEvaluateProposalsResponse::decode(data.split_to(length)).unwrap();
            assert_eq!(answer.id, answered.to_string());
            answered += 1;
        }
    }
    assert_eq!(answered, sent);
}

#[tokio::test]
async fn unread_streams_of_small_messages_do_not_close_their_connection() {
    let server =
        Server::with(Settings { connection: limits_with_stall(PATIENCE), drain: quick(), ..Settings::default() }).await;
    let reader = slow_reader(&server).await;
    let mut streams = Vec::new();
    for _ in 0..MAX_STREAMS_OF_CONNECTION {
        let (_, send, body) = send_small_until_blocked(reader.clone()).await;
        streams.push((send, body));
    }
    // The connection is open, and another call on it is answered: with headers only, because the client has no window.
    let other = Client::from(reader.clone());
    let answer = other.call("/detente.v1.RedLineService/Unknown", &[], frame(&[])).await;
    assert_eq!(answer.code(), Code::Unimplemented);
    for (send, body) in &mut streams {
        assert!(std::future::poll_fn(|cx| std::task::Poll::Ready(send.poll_reset(cx).is_pending())).await);
        assert!(!body.is_end_stream());
    }
}

#[tokio::test]
async fn a_client_that_never_reads_is_reset_without_affecting_others() {
    let stall = Duration::from_secs(1);
    let server =
        Server::with(Settings { connection: limits_with_stall(stall), drain: quick(), ..Settings::default() }).await;
    let reader = slow_reader(&server).await;
    let begun = Instant::now();
    let (_, mut send, _body) = send_until_blocked(reader.clone()).await;
    let reset = timeout(PATIENCE, std::future::poll_fn(|cx| send.poll_reset(cx))).await.expect("a reset").unwrap();
    assert_eq!(reset, h2::Reason::CANCEL);
    assert!(begun.elapsed() >= stall);
    server.assert_answers().await;
    // The connection stays open.
    let head = http::Request::post(format!("http://detente{STREAM}")).body(()).unwrap();
    assert!(reader.ready().await.unwrap().send_request(head, true).unwrap().0.await.is_ok());
}

#[tokio::test]
async fn every_stream_of_a_connection_may_be_unread() {
    let server =
        Server::with(Settings { connection: limits_with_stall(PATIENCE), drain: quick(), ..Settings::default() }).await;
    let reader = slow_reader(&server).await;
    let mut open = Vec::new();
    for _ in 0..MAX_STREAMS_OF_CONNECTION {
        open.push(send_until_blocked(reader.clone()).await);
    }
    let one_more = || {
        let head = http::Request::post(format!("http://detente{STREAM}")).header("content-type", "application/grpc");
        let reader = reader.clone();
        async move { reader.ready().await.unwrap().send_request(head.body(()).unwrap(), true).unwrap().0.await.unwrap() }
    };
    let refused = Status::from_header_map(one_more().await.headers()).unwrap();
    assert_eq!((refused.code(), reason(&refused).as_str()), (Code::ResourceExhausted, "TOO_MANY_STREAMS"));
    // The other streams and other connections are unaffected, and a closed stream makes room for a new one.
    assert!(open.iter().all(|(sent, _, _)| *sent > 500));
    drop(open.pop());
    let again = async {
        while one_more().await.headers().contains_key("grpc-status") {
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(PATIENCE, again).await.unwrap();
    server.assert_answers().await;
}

#[tokio::test]
async fn a_stream_waiting_for_requests_is_not_treated_as_unread() {
    let stall = Duration::from_secs(1);
    let server =
        Server::with(Settings { connection: limits_with_stall(stall), drain: quick(), ..Settings::default() }).await;
    let (send, mut answers) = open(&server).await;
    send.send(request("first")).await.unwrap();
    assert_eq!(next(&mut answers).await.unwrap().unwrap().id, "first");
    sleep(stall * 3).await;
    send.send(request("second")).await.unwrap();
    assert_eq!(next(&mut answers).await.unwrap().unwrap().id, "second");
}

#[tokio::test]
async fn clients_that_die_leave_nothing_behind() {
    let drain = Drain { pause: Duration::ZERO, timeout: PATIENCE };
    let server = Server::with(Settings { drain, ..Settings::default() }).await;
    for _ in 0..20 {
        let reader = slow_reader(&server).await;
        let dying = tokio::spawn(send_until_blocked(reader));
        sleep(Duration::from_millis(20)).await;
        // Aborting its task drops the connection.
        dying.abort();
    }
    let begun = Instant::now();
    server.assert_answers().await;
    assert_eq!(timeout(PATIENCE, server.stop()).await.unwrap().unwrap().unwrap(), DrainOutcome::Complete);
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn a_streams_deadline_ends_it() {
    let server = Server::start().await;
    let (_send, receive) = mpsc::channel(1);
    let mut client = RedLineServiceClient::new(server.channel().await);
    let mut asked = tonic::Request::new(ReceiverStream::new(receive));
    asked.set_timeout(Duration::from_millis(300));
    let mut answers = client.stream_evaluate_proposals(asked).await.unwrap().into_inner();
    assert_eq!(next(&mut answers).await.unwrap_err().code(), Code::DeadlineExceeded);
    assert!(answers.next().await.is_none());
}

#[tokio::test]
async fn a_batch_over_the_wire_answers_as_its_items_would_alone() {
    let server = Server::start().await;
    let mut client = RedLineServiceClient::new(server.channel().await);
    let mut requests: Vec<_> = (0..40).map(|at| request(&at.to_string()).request.unwrap()).collect();
    requests[3].view = 9;
    requests[5].hypotheses =
        vec![v1::Hypothesis { kind: Some(v1::hypothesis::Kind::DropRedLine("ru-no-nato-forces".to_owned())) }];
    let asked = v1::BatchEvaluateProposalsRequest { requests: requests.clone(), ..Default::default() };
    let answer = client.batch_evaluate_proposals(asked).await.unwrap().into_inner();
    assert_eq!(answer.results.len(), requests.len());
    for (request, result) in requests.into_iter().zip(answer.results) {
        match (client.evaluate_proposal(request).await, result.result.unwrap()) {
            (Ok(alone), v1::evaluation_result::Result::Evaluation(found)) => {
                assert_eq!(alone.into_inner().evaluation, Some(found));
            }
            (Err(status), v1::evaluation_result::Result::Error(found)) => {
                assert_eq!((i32::from(status.code()), status.message()), (found.code, found.message.as_str()));
            }
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn an_unread_unary_answer_is_reset() {
    let stall = Duration::from_secs(1);
    let server =
        Server::with(Settings { connection: limits_with_stall(stall), drain: quick(), ..Settings::default() }).await;
    let mut full = request("").request.unwrap();
    full.view = v1::EvaluationView::Full.into();
    let asked = v1::BatchEvaluateProposalsRequest { requests: vec![full; 60], ..Default::default() };
    let reader = slow_reader(&server).await;
    let head = http::Request::post("http://detente/detente.v1.RedLineService/BatchEvaluateProposals")
        .header("content-type", "application/grpc")
        .header("te", "trailers");
    let (answer, mut send) = reader.ready().await.unwrap().send_request(head.body(()).unwrap(), false).unwrap();
    send.send_data(frame(&asked.encode_to_vec()), true).unwrap();
    let mut body = answer.await.unwrap().into_body();
    // The client never enlarges its flow-control window, so it receives one window of data, and then the reset.
    let reset = async {
        loop {
            match body.data().await {
                Some(Ok(_)) => {}
                other => return other.unwrap().unwrap_err().reason(),
            }
        }
    };
    assert_eq!(timeout(PATIENCE, reset).await.unwrap(), Some(h2::Reason::CANCEL));
}
