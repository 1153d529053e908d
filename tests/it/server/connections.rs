//! The life of a connection: handshake timeout, keepalive and maximum age, with tokio's clock paused and advanced; the
//! places of connections; and calls that their clients cancel.

use crate::support::{Answer, Client, EVALUATE, LIST, PATIENCE, Server, frame, quick};
use detente::middleware::quota::QuotaLimit;
use detente::server::Settings;
use detente::transport::config::ConnectionLimits;
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::{Instant, timeout};
use tonic::Code;

const MINUTE: u64 = 60;

#[tokio::test(start_paused = true)]
async fn a_connection_without_a_complete_preface_is_closed() {
    let server = Server::start().await;
    for words in [&b""[..], b"PRI * HTTP/2"] {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        stream.write_all(words).await.unwrap();
        let begun = Instant::now();
        let _ = stream.read_to_end(&mut Vec::new()).await;
        // The default handshake timeout.
        assert_eq!(begun.elapsed().as_secs(), 10);
    }
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_does_not_answer_pings_is_closed() {
    let server = Server::start().await;
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").await.unwrap();
    let begun = Instant::now();
    let _ = stream.read_to_end(&mut Vec::new()).await;
    // The default keepalive interval of 60 s, and then the default keepalive timeout of 20 s.
    assert_eq!(begun.elapsed().as_secs(), 80);
}

#[tokio::test(start_paused = true)]
async fn old_connections_are_closed_at_staggered_times() {
    let server = Server::start().await;
    let begun = Instant::now();
    let mut ages = Vec::new();
    for _ in 0..5 {
        let stream = TcpStream::connect(server.address).await.unwrap();
        let (send, connection) = h2::client::handshake(stream).await.unwrap();
        ages.push(tokio::spawn(async move {
            connection.await.unwrap();
            drop(send);
            begun.elapsed()
        }));
    }
    let mut seen = std::collections::BTreeSet::new();
    for age in ages {
        let age = age.await.unwrap();
        // The default maximum age is 30 minutes, and varies by a tenth.
        assert!((27 * MINUTE..=33 * MINUTE).contains(&age.as_secs()), "{age:?}");
        seen.insert(age.as_secs());
    }
    assert!(seen.len() > 1, "{seen:?}");
    assert!(begun.elapsed() > Duration::from_secs(27 * MINUTE));
}

/// A connection from one of the loopback addresses, of which every Linux host has all of 127.0.0.0/8.
async fn connect_from(last: u8, server: &Server) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(SocketAddr::from(([127, 0, 0, last], 0))).unwrap();
    socket.connect(server.address).await.unwrap()
}

async fn client_from(last: u8, server: &Server) -> Client {
    Client::over(connect_from(last, server).await).await.unwrap()
}

/// Whether the server has closed the connection.
async fn closes(stream: &mut TcpStream) -> bool {
    timeout(PATIENCE, stream.read_to_end(&mut Vec::new())).await.is_ok()
}

async fn list(client: &Client) -> Code {
    timeout(PATIENCE, client.call(LIST, &[], frame(&[]))).await.unwrap().code()
}

fn displaced(server: &Server, kind: &str) -> f64 {
    server.value(&format!("detente_connections_displaced_total{{kind=\"{kind}\"}}"))
}

#[tokio::test]
async fn newcomers_take_the_places_of_silent_connections() {
    let server = Server::with(Settings { max_connections: 4, drain: quick(), ..Settings::default() }).await;
    let mut silent = Vec::new();
    for last in 2..6 {
        silent.push(connect_from(last, &server).await);
    }
    server.until("detente_connections_open", |count| count == 4.0).await;
    let newcomer = client_from(9, &server).await;
    assert_eq!(list(&newcomer).await, Code::Ok);
    assert!(closes(&mut silent[0]).await, "the first one has been silent for the longest time");
    assert_eq!((displaced(&server, "silent"), displaced(&server, "idle")), (1.0, 0.0));
    server.until("detente_connections_refused_total{reason=\"displaced\"}", |count| count == 1.0).await;
}

#[tokio::test]
async fn watches_and_unanswered_calls_do_not_keep_newcomers_out() {
    let server = Server::with(Settings { max_connections: 3, drain: quick(), ..Settings::default() }).await;
    let busy = client_from(2, &server).await;
    let call = busy.open("/detente.v1.RedLineService/StreamEvaluateProposals", &[]).await;
    let mut strangers = Vec::new();
    for last in 3..5 {
        let stranger = client_from(last, &server).await;
        let (watch, mut body) = stranger.open("/grpc.health.v1.Health/Watch", &[]).await;
        body.send_data(frame(&[]), true).unwrap();
        strangers.push((stranger, timeout(PATIENCE, watch).await.unwrap().unwrap().into_body()));
    }
    tokio::time::sleep(Duration::from_millis(5_100)).await;
    let newcomers = [client_from(5, &server).await, client_from(6, &server).await];
    for newcomer in &newcomers {
        assert_eq!(list(newcomer).await, Code::Ok);
    }
    assert_eq!(displaced(&server, "unanswered"), 2.0);
    server.until("detente_connections_ended_total{reason=\"displaced\"}", |count| count == 2.0).await;
    // The open call keeps its connection, and is answered.
    let (answer, mut body) = call;
    body.send_data(frame(&[]), true).unwrap();
    assert_eq!(Answer::read(answer).await.code(), Code::Ok);
}

#[tokio::test]
async fn a_displaced_connection_gets_goaway_and_ends_without_an_error() {
    let server = Server::with(Settings { max_connections: 1, drain: quick(), ..Settings::default() }).await;
    let (send, connection) = h2::client::handshake(connect_from(2, &server).await).await.unwrap();
    let connection = tokio::spawn(connection);
    let mut send = send.ready().await.unwrap();
    let request = http::Request::post(format!("http://detente{LIST}")).header("content-type", "application/grpc");
    let (answer, mut body) = send.send_request(request.body(()).unwrap(), false).unwrap();
    body.send_data(frame(&[]), true).unwrap();
    assert_eq!(Answer::read(answer).await.code(), Code::Ok);
    let newcomer = client_from(3, &server).await;
    assert_eq!(list(&newcomer).await, Code::Ok);
    let error = timeout(PATIENCE, async { send.ready().await.err() }).await.unwrap();
    timeout(PATIENCE, connection).await.unwrap().unwrap().unwrap();
    assert!(error.is_none_or(|error| error.is_go_away() || error.is_io()));
    assert_eq!(displaced(&server, "idle"), 1.0);
}

#[tokio::test]
async fn a_displaced_connection_leaves_although_its_client_begins_calls() {
    let server = Server::with(Settings { max_connections: 1, drain: quick(), ..Settings::default() }).await;
    let mut staying = connect_from(2, &server).await;
    staying.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").await.unwrap();
    server.until("detente_connections_open", |count| count == 1.0).await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    let newcomer = client_from(3, &server).await;
    let begun = Instant::now();
    // HEADERS that open a stream: `:method POST`, `:scheme http`, `:path /`, of a call whose body does not end.
    let mut reset = 0;
    for stream in (1..=999).step_by(2) {
        let mut headers = b"\0\0\x03\x01\x04\0\0\0\0\x83\x86\x84".to_vec();
        headers[7..9].copy_from_slice(&u16::to_be_bytes(stream));
        if staying.write_all(&headers).await.is_err() {
            break;
        }
        reset += 1;
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(begun.elapsed() < Duration::from_secs(3), "{reset} calls in {:?}", begun.elapsed());
    assert_eq!(list(&newcomer).await, Code::Ok);
}

#[tokio::test]
async fn newcomers_of_a_busy_address_do_not_delay_those_of_others() {
    let server = Server::with(Settings { max_connections: 8, drain: quick(), ..Settings::default() }).await;
    let mut strangers = Vec::new();
    for _ in 0..400 {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(SocketAddr::from(([127, 0, 0, 3], 0))).unwrap();
        let address = server.address;
        strangers.push(tokio::spawn(async move {
            let mut stream = socket.connect(address).await.ok()?;
            stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").await.ok()?;
            Some(stream)
        }));
    }
    server.until("detente_connections_open", |count| count >= 8.0).await;
    // The strangers' connections make room for 64 others in a second. A newcomer that has not spoken may be displaced
    // again, and its client then connects anew.
    let answered = async {
        loop {
            if let Ok(newcomer) = Client::over(connect_from(9, &server).await).await
                && newcomer.try_call(LIST, frame(&[])).await.is_some()
            {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(Duration::from_secs(2), answered).await.expect("an answer before the strangers' connections had a turn");
}

#[tokio::test]
async fn an_address_beyond_its_limit_affects_no_other() {
    // A silent connection leaves only when it is displaced.
    let connection = ConnectionLimits { handshake: PATIENCE * 2, ..ConnectionLimits::default() };
    let settings = Settings { max_connections_per_address: 2, connection, drain: quick(), ..Settings::default() };
    let server = Server::with(settings).await;
    let other = client_from(2, &server).await;
    assert_eq!(list(&other).await, Code::Ok);
    let silent = [connect_from(3, &server).await, connect_from(3, &server).await];
    server.until("detente_connections_open", |count| count == 3.0).await;
    let third = client_from(3, &server).await;
    assert_eq!(list(&third).await, Code::Ok);
    // Both came at almost the same time, so either may make room.
    let silent = silent.map(|mut silent| tokio::spawn(async move { closes(&mut silent).await }));
    timeout(PATIENCE, async {
        while !silent.iter().any(tokio::task::JoinHandle::is_finished) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await
    .expect("a silent connection of the same address makes room");
    let fourth = client_from(3, &server).await;
    let mut open = Vec::new();
    for client in [&third, &fourth] {
        open.push(client.open(EVALUATE, &[]).await);
    }
    server.until("detente_calls_in_flight", |count| count == 2.0).await;
    assert!(closes(&mut connect_from(3, &server).await).await, "both connections have calls in progress");
    server.until("detente_connections_refused_total{reason=\"address\"}", |count| count == 1.0).await;
    assert_eq!(list(&other).await, Code::Ok);
    assert_eq!(displaced(&server, "silent"), 2.0);
    // An address that is a trusted proxy has no limit.
    let trusted_proxies = "127.0.0.3".parse().unwrap();
    let settings = Settings { max_connections_per_address: 2, trusted_proxies, drain: quick(), ..Settings::default() };
    let server = Server::with(settings).await;
    let clients = [client_from(3, &server).await, client_from(3, &server).await, client_from(3, &server).await];
    for client in &clients {
        assert_eq!(list(client).await, Code::Ok);
    }
}

/// Begins 25 calls, and cancels them as soon as their headers have been sent.
async fn begin_and_cancel(client: &Client) {
    let mut calls = Vec::new();
    for _ in 0..25 {
        calls.push(client.try_open(EVALUATE, &[]).await.expect("the connection stays open"));
    }
    tokio::task::yield_now().await;
    for (_, body) in &mut calls {
        body.send_reset(h2::Reason::CANCEL);
    }
    tokio::task::yield_now().await;
}

#[tokio::test]
async fn a_client_that_cancels_its_calls_keeps_its_connection() {
    let server = Server::start().await;
    let client = server.client().await;
    // Twice the streams that it may have open at once, and then as many as the rate permits.
    for _ in 0..20 {
        begin_and_cancel(&client).await;
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    for _ in 0..20 {
        tokio::time::sleep(Duration::from_millis(130)).await;
        begin_and_cancel(&client).await;
    }
    assert_eq!(list(&client).await, Code::Ok);
    assert_eq!(server.value("detente_connections_ended_total{reason=\"flood\"}"), 0.0);
}

#[tokio::test]
async fn a_client_that_resets_calls_without_a_pause_is_closed_as_a_flood() {
    let server = Server::start().await;
    let (client, other) = (server.client().await, server.client().await);
    let mut count = 0;
    while let Ok((answer, mut body)) = client.try_open(EVALUATE, &[]).await {
        count += 1;
        assert!(count < 5_000, "the connection stays open");
        tokio::task::yield_now().await;
        body.send_reset(h2::Reason::CANCEL);
        drop(answer);
    }
    assert!(count > 512, "{count} resets");
    server.until("detente_connections_ended_total{reason=\"flood\"}", |count| count == 1.0).await;
    assert_eq!(list(&other).await, Code::Ok);
    // The calls of many clients arrive over one connection of a trusted proxy.
    let trusted_proxies = "127.0.0.0/8".parse().unwrap();
    let server = Server::with(Settings { trusted_proxies, drain: quick(), ..Settings::default() }).await;
    let proxy = server.client().await;
    for _ in 0..100 {
        begin_and_cancel(&proxy).await;
        // Without a pause, too many calls are reset before the server has read them.
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    assert_eq!(list(&proxy).await, Code::Ok);
}

#[tokio::test]
async fn a_cancelled_call_pays_its_quota() {
    let [per_second, burst] = [1, 30].map(|count| NonZeroU32::new(count).unwrap());
    let quota = Some(QuotaLimit { per_second, burst });
    let server = Server::with(Settings { quota, drain: quick(), ..Settings::default() }).await;
    let client = server.client().await;
    assert_eq!(list(&client).await, Code::Ok);
    begin_and_cancel(&client).await;
    server.until("detente_calls_in_flight", |count| count == 0.0).await;
    let answers = [list(&client).await, list(&client).await, list(&client).await, list(&client).await];
    assert_eq!(answers, [Code::Ok; 4]);
    // Two more, in case the test took so long that tokens came back.
    let last = [list(&client).await, list(&client).await, list(&client).await];
    assert!(last.contains(&Code::ResourceExhausted), "{last:?}");
}
