//! Who gets room for large answers beside clients that read slowly, and that an honest client with many large answers
//! gets all of them.

use crate::support::{Answer, Client, PATIENCE, Server, frame, quick};
use bytes::Bytes;
use detente::middleware::call_limits::CallLimits;
use detente::schema::proto::v1::evaluate_proposal_request::Subject;
use detente::schema::proto::v1::{BatchEvaluateProposalsRequest, EvaluateProposalRequest, EvaluationView};
use detente::server::Settings;
use futures_util::future::join_all;
use h2::{Reason, RecvStream};
use prost::Message;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};
use tokio::net::TcpSocket;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};
use tonic::Code;

const BATCH: &str = "/detente.v1.RedLineService/BatchEvaluateProposals";
const MIB: usize = 1024 * 1024;

/// A server with room for three largest answers, one of each caller.
async fn server() -> Server {
    let calls = CallLimits { answers: 16 * MIB, ..CallLimits::default() };
    Server::with(Settings { calls, drain: quick(), ..Settings::default() }).await
}

/// A client whose connection comes from this host of the loopback network, with this flow-control window.
async fn client_from(host: u8, window: u32, server: &Server) -> Client {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(SocketAddr::from((Ipv4Addr::new(127, 0, 0, host), 0))).unwrap();
    Client::with_windows(socket.connect(server.address).await.unwrap(), window).await.unwrap()
}

/// A batch whose answer has at most this size, and at least half of it.
async fn batch(bytes: usize, server: &Server) -> Bytes {
    let name = "scenarios/ukraine-2025/proposals/jeddah-ceasefire".to_owned();
    let view = EvaluationView::Full.into();
    let request = EvaluateProposalRequest { subject: Some(Subject::ProposalName(name)), view, ..Default::default() };
    let of = |count| {
        let requests = vec![request.clone(); count];
        frame(&BatchEvaluateProposalsRequest { requests, ..Default::default() }.encode_to_vec())
    };
    let one = server.client().await.call(BATCH, &[], of(1)).await.data.len();
    of((bytes / one).min(1000))
}

/// Reads the answer at this pace. Returns the bytes that arrived, and the reason of a reset.
async fn read_slowly(mut body: RecvStream, bytes_per_second: usize) -> (usize, Option<Reason>) {
    let (mut read, began) = (0, Instant::now());
    while let Some(data) = body.data().await {
        let data = match data {
            Ok(data) => data,
            Err(error) => return (read, error.reason()),
        };
        read += data.len();
        let due = Duration::from_secs_f64(read as f64 / bytes_per_second as f64);
        sleep(due.saturating_sub(began.elapsed())).await;
        let _ = body.flow_control().release_capacity(data.len());
    }
    (read, None)
}

/// Begins a call, and reads its answer at this pace.
async fn begin(client: &Client, batch: &Bytes, pace: usize) -> JoinHandle<(usize, Option<Reason>)> {
    let (answer, mut send) = client.open(BATCH, &[]).await;
    send.send_data(batch.clone(), true).unwrap();
    let body = timeout(PATIENCE, answer).await.unwrap().unwrap().into_body();
    tokio::spawn(read_slowly(body, pace))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slow_readers_end_when_others_have_waited_for_room_and_not_before() {
    let server = server().await;
    let batch = batch(3 * MIB, &server).await;
    let mut slow = Vec::new();
    for host in 2..5 {
        let client = client_from(host, 64 * 1024, &server).await;
        slow.push((begin(&client, &batch, 64 * 1024).await, client));
    }
    sleep(Duration::from_millis(2500)).await;
    assert!(slow.iter().all(|(reading, _)| !reading.is_finished()), "nobody waits for room");
    assert_eq!(server.value("detente_calls_evicted_total"), 0.0);
    let other = client_from(9, MIB as u32, &server).await;
    let answer = other.call(BATCH, &[], batch.clone()).await;
    assert_eq!(answer.code(), Code::Ok);
    assert!(answer.data.len() > 2 * MIB, "three answers must fill the room: {}", answer.data.len());
    assert_eq!(server.value("detente_calls_evicted_total"), 1.0, "one answer is room enough");
    // The reader first takes its time for what had arrived before.
    let ended = async {
        loop {
            match slow.iter().position(|(reading, _)| reading.is_finished()) {
                Some(at) => break slow.swap_remove(at).0.await.unwrap(),
                None => sleep(Duration::from_millis(50)).await,
            }
        }
    };
    let (read, reason) = timeout(PATIENCE, ended).await.unwrap();
    assert!(read < answer.data.len() / 2 && reason == Some(Reason::ENHANCE_YOUR_CALM), "{read} {reason:?}");
    slow.iter().for_each(|(reading, _)| reading.abort());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_honest_client_gets_eight_large_answers_at_10_mb_a_second_beside_slow_readers() {
    let server = server().await;
    let batch = batch(MIB, &server).await;
    let mut slow = Vec::new();
    for host in 2..5 {
        let client = client_from(host, 64 * 1024, &server).await;
        slow.push((begin(&client, &batch, 40 * 1024).await, client));
    }
    let honest = client_from(9, MIB as u32, &server).await;
    let read = async || {
        let (answer, mut send) = honest.open(BATCH, &[]).await;
        send.send_data(batch.clone(), true).unwrap();
        let response = timeout(PATIENCE, answer).await.unwrap().unwrap();
        match response.headers().contains_key("grpc-status") {
            true => Err(Answer::rest(response).await.status()),
            false => Ok(read_slowly(response.into_body(), 10_000_000 / 8).await),
        }
    };
    for answer in join_all((0..8).map(|_| read())).await {
        let (bytes, reason) = answer.unwrap();
        assert!(reason.is_none() && bytes > MIB / 2, "{bytes} {reason:?}");
    }
    slow.into_iter().for_each(|(reading, _)| reading.abort());
}
