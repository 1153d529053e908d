//! The cost of streams in the real program. Measures a sweep (a million proposals over one stream), a client that stops
//! reading for half a minute, and clients that die.
//!
//! `cargo bench --bench sweeps`. The first argument is the number of proposals, the second the number of seconds for
//! which the client stops reading; `--quick` only checks that the bench works, which takes seconds. The bench prints
//! its measurements, and fails if an answer is missing, duplicated, out of order or for a different proposal.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a failed measurement panics, and the panic shows where"
)]

use bytes::Bytes;
use detente::schema::proto::v1;
use detente::schema::proto::v1::evaluate_proposal_request::Subject;
use detente::schema::proto::v1::red_line_service_client::RedLineServiceClient;
use detente::schema::proto::v1::stream_evaluate_proposals_response::Result as Item;
use detente::schema::proto::v1::term::Value;
use detente::services::RedLines;
use detente::serving::Store;
use detente::serving::source;
use prost::Message;
use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::{interval, sleep, timeout};
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::{Channel, Endpoint};

struct Server {
    child: Child,
    url: String,
    address: String,
}

impl Server {
    fn start() -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_detente"))
            .args(["serve", "--listen", "127.0.0.1:0", "--admin-listen", "off", "--log-format", "json"])
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let line = lines.by_ref().map(Result::unwrap).find(|line| line.contains("listening on")).unwrap();
        let (_, rest) = line.split_once("127.0.0.1:").unwrap();
        let port: String = rest.chars().take_while(char::is_ascii_digit).collect();
        std::thread::spawn(move || lines.for_each(drop));
        let address = format!("127.0.0.1:{port}");
        Self { child, url: format!("http://{address}"), address }
    }

    /// The resident memory of the server, in KiB.
    fn memory(&self) -> i64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }

    fn open_files(&self) -> usize {
        fs::read_dir(format!("/proc/{}/fd", self.child.id())).unwrap().count()
    }

    async fn client(&self) -> RedLineServiceClient<Channel> {
        RedLineServiceClient::new(Endpoint::from_shared(self.url.clone()).unwrap().connect().await.unwrap())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The request at a position of the sweep. After 43,800 requests, the proposals repeat.
fn request(at: usize) -> v1::StreamEvaluateProposalsRequest {
    let term = |issue: &str, value| v1::Term { issue: issue.to_owned(), value: Some(value) };
    let scopes = ["none", "air_and_sea", "all_fronts"];
    let terms = vec![
        term("ceasefire_scope", Value::Choice(scopes[at % 3].to_owned())),
        term("ceasefire_days", Value::Quantity(i64::try_from(at / 3 % 3_650 + 1).unwrap())),
        term("ceasefire_reciprocal", Value::Flag((at / 10_950).is_multiple_of(2))),
        term("us_backs_force", Value::Flag((at / 21_900).is_multiple_of(2))),
    ];
    let proposal = v1::Proposal { terms, ..v1::Proposal::default() };
    v1::StreamEvaluateProposalsRequest {
        id: at.to_string(),
        request: Some(v1::EvaluateProposalRequest { subject: Some(Subject::Proposal(proposal)), ..Default::default() }),
    }
}

async fn sweep(server: &Server, count: usize) {
    println!("A sweep of {count} proposals over one stream");
    let (send, receive) = mpsc::channel(256);
    tokio::spawn(async move {
        for at in 0..count {
            send.send(request(at)).await.unwrap();
        }
    });
    let mut client = server.client().await;
    let begun = Instant::now();
    let mut answers = client.stream_evaluate_proposals(ReceiverStream::new(receive)).await.unwrap().into_inner();
    let here = RedLines::new(Arc::new(Store::new(source::load(&[]).unwrap()).unwrap()));
    let (mut next, mut highest, mut early) = (0usize, 0, 0);
    while let Some(answer) = answers.message().await.unwrap() {
        assert_eq!(answer.id, next.to_string(), "every id once, in order");
        assert!(matches!(answer.result, Some(Item::Evaluation(_))), "{answer:?}");
        if next.is_multiple_of(997) {
            assert_eq!(answer, here.stream_item(&request(next)), "the answer belongs to another proposal");
        }
        next += 1;
        if next.is_multiple_of((count / 20).max(1)) {
            let memory = server.memory();
            highest = highest.max(memory);
            if next == (count / 20).max(1) {
                early = memory;
            }
        }
    }
    assert_eq!(next, count, "every id answered");
    let rate = count as f64 / begun.elapsed().as_secs_f64();
    println!("  {rate:.0} evaluations a second; server memory {early} KiB after a twentieth, at most {highest} KiB");
}

/// Makes unary calls at a fixed rate, and returns their durations in microseconds, sorted. The calls repeat a hundred
/// requests, so that the server's cache of answers does not grow further.
async fn latencies(server: &Server, seconds: u64) -> Vec<u128> {
    let mut client = server.client().await;
    let mut ticks = interval(Duration::from_millis(2));
    let end = Instant::now() + Duration::from_secs(seconds);
    let mut found = Vec::new();
    while Instant::now() < end {
        ticks.tick().await;
        let begun = Instant::now();
        client.evaluate_proposal(request(found.len() % 100).request.unwrap()).await.unwrap();
        found.push(begun.elapsed().as_micros());
    }
    found.sort_unstable();
    found
}

fn summary(latencies: &[u128]) -> String {
    let at = |share: f64| latencies[(latencies.len() as f64 * share) as usize];
    format!("p50 {} us, p99 {} us, of {} calls", at(0.5), at(0.99), latencies.len())
}

/// Sends requests on a stream until the server accepts no more, and reads no answer. Returns the number of requests
/// sent, and both directions of the stream.
async fn unread(server: &Server) -> (usize, h2::SendStream<Bytes>, h2::client::ResponseFuture) {
    let stream = TcpStream::connect(&server.address).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let (client, connection) = h2::client::handshake(stream).await.unwrap();
    tokio::spawn(connection);
    let head = http::Request::post(format!("{}/detente.v1.RedLineService/StreamEvaluateProposals", server.url))
        .header("content-type", "application/grpc")
        .header("te", "trailers");
    let (answer, mut send) = client.ready().await.unwrap().send_request(head.body(()).unwrap(), false).unwrap();
    let mut sent = 0;
    loop {
        let message = request(sent).encode_to_vec();
        let length = u32::try_from(message.len()).unwrap().to_be_bytes();
        let framed: Vec<u8> = std::iter::once(0).chain(length).chain(message).collect();
        send.reserve_capacity(framed.len());
        let capacity = async {
            while send.capacity() < framed.len() {
                std::future::poll_fn(|cx| send.poll_capacity(cx)).await.unwrap().unwrap();
            }
        };
        if timeout(Duration::from_millis(500), capacity).await.is_err() {
            return (sent, send, answer);
        }
        send.send_data(framed.into(), false).unwrap();
        sent += 1;
    }
}

async fn stalled(server: &Server, seconds: u64) {
    println!("A client that stops reading for {seconds} s");
    let before = latencies(server, seconds.min(5)).await;
    let memory = server.memory();
    let (sent, mut stream, answer) = unread(server).await;
    let during = latencies(server, seconds).await;
    println!("  the server accepted {sent} requests; its memory grew by {} KiB", server.memory() - memory);
    println!("  other clients: {} before; {} meanwhile", summary(&before), summary(&during));
    // The client resumes reading, and gets every answer.
    stream.send_data(Bytes::new(), true).unwrap();
    let mut body = answer.await.unwrap().into_body();
    let mut bytes = 0;
    while let Some(chunk) = body.data().await {
        let chunk = chunk.unwrap();
        bytes += chunk.len();
        body.flow_control().release_capacity(chunk.len()).unwrap();
    }
    let code = body.trailers().await.unwrap().unwrap().get("grpc-status").unwrap().clone();
    println!("  then the client read on: {bytes} bytes, grpc-status {}", code.to_str().unwrap());
    assert_eq!(code, "0");
}

async fn dying(server: &Server, count: usize) {
    println!("{count} clients that die mid-stream");
    let (memory, files) = (server.memory(), server.open_files());
    for _ in 0..count {
        let (_, stream, answer) = unread(server).await;
        drop((stream, answer));
    }
    sleep(Duration::from_secs(2)).await;
    println!(
        "  afterwards: {} KiB more memory, {} more open files",
        server.memory() - memory,
        server.open_files() as i64 - files as i64
    );
}

fn main() {
    let numbers: Vec<usize> = std::env::args().filter_map(|argument| argument.parse().ok()).collect();
    let is_quick = std::env::args().any(|argument| argument == "--quick");
    let (proposals, lasting, clients) = if is_quick { (5_000, 1, 3) } else { (1_000_000, 30, 50) };
    let count = numbers.first().copied().unwrap_or(proposals);
    let seconds = numbers.get(1).copied().unwrap_or(lasting) as u64;
    let server = Server::start();
    println!("memory at the beginning: {} KiB", server.memory());
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        sweep(&server, count).await;
        stalled(&server, seconds).await;
        dying(&server, clients).await;
    });
}
