//! What calls take of the server's places and memory, who pays for it, and that all of it is given back.

use crate::support::{Answer, Client, EVALUATE, LIST, Server, frame, quick};
use bytes::Bytes;
use detente::middleware::call_limits::CallLimits;
use detente::middleware::quota::QuotaLimit;
use detente::schema::proto::v1::evaluate_proposal_request::Subject;
use detente::schema::proto::v1::{BatchEvaluateProposalsRequest, CompareProposalsRequest, EvaluateProposalRequest};
use detente::server::Settings;
use h2::SendStream;
use h2::client::ResponseFuture;
use prost::Message;
use std::net::{Ipv4Addr, SocketAddr};
use std::num::NonZeroU32;
use std::time::Duration;
use tokio::net::TcpSocket;
use tokio::time::sleep;
use tonic::Code;

const BATCH: &str = "/detente.v1.RedLineService/BatchEvaluateProposals";
const COMPARE: &str = "/detente.v1.RedLineService/CompareProposals";
const PACKAGES: &str = "/detente.v1.AnalysisService/FindPackages";
const STREAM: &str = "/detente.v1.RedLineService/StreamEvaluateProposals";
const MIB: usize = 1024 * 1024;

/// Settings with little room.
fn small() -> Settings {
    let calls = CallLimits { calls: 64, requests: 4 * MIB, answers: 16 * MIB };
    Settings { calls, receive: Duration::from_secs(2), drain: quick(), ..Settings::default() }
}

/// A client whose connection comes from this address of the loopback network.
async fn client_from(address: [u8; 4], server: &Server) -> Client {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(SocketAddr::from((Ipv4Addr::from(address), 0))).unwrap();
    Client::over(socket.connect(server.address).await.unwrap()).await.unwrap()
}

fn evaluation() -> EvaluateProposalRequest {
    let name = "scenarios/ukraine-2025/proposals/jeddah-ceasefire".to_owned();
    EvaluateProposalRequest { subject: Some(Subject::ProposalName(name)), ..EvaluateProposalRequest::default() }
}

fn reason(answer: &Answer) -> (Code, String) {
    (answer.code(), answer.error_info().reason)
}

/// Waits until no call takes anything.
async fn assert_all_given_back(server: &Server) {
    for metric in [
        "detente_calls_open",
        "detente_call_memory_bytes{use=\"requests\"}",
        "detente_call_memory_bytes{use=\"answers\"}",
        "detente_calls_waiting",
    ] {
        server.until(metric, |value| value == 0.0).await;
    }
}

#[tokio::test]
async fn trailers_of_a_request_are_ignored() {
    let server = Server::with(small()).await;
    let client = server.client().await;
    let (answer, mut body) = client.open(LIST, &[]).await;
    body.send_data(frame(&[]), false).unwrap();
    body.send_trailers([("x".parse().unwrap(), "y".parse().unwrap())].into_iter().collect()).unwrap();
    assert_eq!(Answer::read(answer).await.code(), Code::Ok);
    let (answer, mut body) = client.open(EVALUATE, &[]).await;
    body.send_data(frame(&evaluation().encode_to_vec()), false).unwrap();
    // The call waits for the end of its request.
    sleep(Duration::from_millis(100)).await;
    body.send_trailers(http::HeaderMap::new()).unwrap();
    assert_eq!(Answer::read(answer).await.code(), Code::Ok);
    assert_all_given_back(&server).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_that_never_end_fill_the_share_of_their_address_only() {
    let server = Server::with(small()).await;
    let attacker = client_from([127, 0, 0, 2], &server).await;
    let part = Bytes::from(vec![0; 60 * 1024]);
    let mut open: Vec<(ResponseFuture, SendStream<Bytes>)> = Vec::new();
    for _ in 0..15 {
        let (answer, mut send) = attacker.open(BATCH, &[]).await;
        // A message of 320 KiB begins, of which 20 KiB never arrive.
        send.send_data(Bytes::from_static(&[0, 0, 5, 0, 0]), false).unwrap();
        for _ in 0..5 {
            let _ = send.send_data(part.clone(), false);
        }
        open.push((answer, send));
    }
    server.until("detente_call_memory_bytes{use=\"requests\"}", |bytes| bytes > 1.2 * MIB as f64).await;
    let of_requests = server.value("detente_call_memory_bytes{use=\"requests\"}");
    assert!(of_requests <= 2.0 * MIB as f64, "{of_requests} bytes, of which one caller may have 2 MiB");
    for _ in 0..20 {
        let other = client_from([127, 0, 0, 3], &server).await;
        assert_eq!(other.call(EVALUATE, &[], frame(&evaluation().encode_to_vec())).await.code(), Code::Ok);
    }
    let mut refused = 0;
    for (answer, _send) in open {
        let answer = Answer::read(answer).await;
        match reason(&answer) {
            (Code::Unavailable, reason) if reason == "OVERLOADED" => refused += 1,
            (Code::DeadlineExceeded, reason) if reason == "REQUEST_TOO_SLOW" => {}
            other => panic!("{other:?}"),
        }
    }
    assert!(refused >= 5, "{refused} of 15 calls were refused for lack of room");
    assert_all_given_back(&server).await;
}

#[tokio::test]
async fn one_caller_has_a_quarter_of_the_open_calls() {
    let server = Server::with(small()).await;
    let attacker = client_from([127, 0, 0, 2], &server).await;
    let mut open = Vec::new();
    // Health, unknown methods and calls without a message count like all others.
    for path in [EVALUATE, "/grpc.health.v1.Health/Watch", "/un.known/Method", PACKAGES].iter().cycle().take(16) {
        open.push(attacker.open(path, &[]).await);
    }
    let other = client_from([127, 0, 0, 3], &server).await;
    assert_eq!(other.call(LIST, &[], frame(&[])).await.code(), Code::Ok);
    let watch = other.open("/grpc.health.v1.Health/Watch", &[]).await;
    drop((open, watch));
    assert_all_given_back(&server).await;
    let mut open = Vec::new();
    for _ in 0..16 {
        open.push(attacker.open(EVALUATE, &[]).await);
    }
    let refused = attacker.call(LIST, &[], frame(&[])).await;
    assert_eq!(reason(&refused), (Code::ResourceExhausted, "TOO_MANY_STREAMS".to_owned()));
    assert_eq!(refused.error_info().metadata["limit"], "16");
    drop(open);
    assert_all_given_back(&server).await;
    assert_eq!(attacker.call(LIST, &[], frame(&[])).await.code(), Code::Ok);
}

#[tokio::test]
async fn callers_behind_a_trusted_proxy_are_told_apart_by_their_addresses() {
    let quota = Some(QuotaLimit { per_second: NonZeroU32::MIN, burst: NonZeroU32::MIN });
    let with = |proxies: &str| Settings { quota, trusted_proxies: proxies.parse().unwrap(), ..small() };
    let code_of = async |client: &Client, forwarded: &str| {
        client.call(LIST, &[("x-forwarded-for", forwarded)], frame(&[])).await.code()
    };
    let server = Server::with(with("127.0.0.9")).await;
    let proxy = client_from([127, 0, 0, 9], &server).await;
    for (forwarded, expected) in [
        ("203.0.113.1", Code::Ok),
        ("203.0.113.1", Code::ResourceExhausted),
        ("203.0.113.2", Code::Ok),
        ("203.0.113.2, 203.0.113.1, 127.0.0.9", Code::ResourceExhausted),
        ("2001:db8::1", Code::Ok),
        ("2001:db8::2", Code::ResourceExhausted),
    ] {
        assert_eq!(code_of(&proxy, forwarded).await, expected, "{forwarded}");
    }
    // A client that is no trusted proxy cannot choose its address.
    let client = client_from([127, 0, 0, 10], &server).await;
    assert_eq!(code_of(&client, "203.0.113.7").await, Code::Ok);
    assert_eq!(code_of(&client, "203.0.113.8").await, Code::ResourceExhausted);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_that_would_take_too_much_memory_is_refused_before_it_is_decoded() {
    let server = Server::with(small()).await;
    let client = server.client().await;
    // Field 2 of a comparison is a list of messages; each element is empty.
    let empty = frame(&[0x12, 0].repeat(500_000));
    for path in [COMPARE, BATCH] {
        let refused = client.call(path, &[], empty.clone()).await;
        assert_eq!(reason(&refused), (Code::OutOfRange, "MESSAGE_TOO_LARGE".to_owned()), "{path}");
    }
    // Lighter than the maximum, but heavier than what one caller may have of the room.
    let heavy = frame(&[0x12, 0].repeat(4_000));
    assert_eq!(reason(&client.call(BATCH, &[], heavy).await), (Code::Unavailable, "OVERLOADED".to_owned()));
    assert_all_given_back(&server).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_of_all_kinds_give_everything_back() {
    let server = Server::with(small()).await;
    let client = server.client().await;
    let batch = BatchEvaluateProposalsRequest { requests: vec![evaluation(); 20], ..Default::default() };
    let compare = CompareProposalsRequest::default();
    let calls = [
        (EVALUATE, evaluation().encode_to_vec()),
        (LIST, Vec::new()),
        (BATCH, batch.encode_to_vec()),
        (COMPARE, compare.encode_to_vec()),
        (PACKAGES, Vec::new()),
        (STREAM, Vec::new()),
        ("/grpc.health.v1.Health/Check", Vec::new()),
        ("/un.known/Method", Vec::new()),
    ];
    for round in 0..3 {
        for (path, message) in &calls {
            match round {
                0 => drop(client.call(path, &[], frame(message)).await),
                // The client leaves before its request is complete, or before it has read the answer.
                1 => drop(client.open(path, &[]).await),
                _ => {
                    let (answer, mut send) = client.open(path, &[]).await;
                    let _ = send.send_data(frame(message), true);
                    sleep(Duration::from_millis(20)).await;
                    drop(answer);
                }
            }
        }
    }
    assert_all_given_back(&server).await;
}
