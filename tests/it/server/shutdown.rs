//! Shutdown: graceful and bounded in time, in the test process and in the real program by real signals.

use crate::support::program::Program;
use crate::support::{Answer, Client, EVALUATE, LIST, PATIENCE, Server, channel, frame, quick};
use detente::server::Settings;
use detente::shutdown::{Drain, DrainOutcome};
use std::process::Command;
use std::time::{Duration, Instant};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_stream::StreamExt;
use tonic::Code;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};

#[tokio::test]
async fn idle_and_silent_connections_do_not_delay_the_drain() {
    let settings = Settings { drain: Drain { pause: Duration::ZERO, timeout: PATIENCE }, ..Settings::default() };
    let server = Server::with(settings).await;
    let idle = server.client().await;
    // The client leaves a reflection stream open.
    let _stream = idle.open("/grpc.reflection.v1.ServerReflection/ServerReflectionInfo", &[]).await;
    let _silent = TcpStream::connect(server.address).await.unwrap();
    let mut frozen = TcpStream::connect(server.address).await.unwrap();
    // A client that sends the preface and then neither reads nor answers.
    tokio::io::AsyncWriteExt::write_all(&mut frozen, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0")
        .await
        .unwrap();
    server.assert_answers().await;
    let begun = Instant::now();
    assert_eq!(timeout(PATIENCE, server.stop()).await.unwrap().unwrap().unwrap(), DrainOutcome::Complete);
    assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn calls_in_progress_finish_and_new_connections_are_refused() {
    let server = Server::start().await;
    let address = server.address;
    let client = server.client().await;
    let (answer, mut send) = client.open(LIST, &[]).await;
    server.until("detente_calls_in_flight", |calls| calls == 1.0).await;
    let ended = server.stop();
    let closed = async { while TcpStream::connect(address).await.is_ok() {} };
    timeout(PATIENCE, closed).await.expect("the port is closed");
    send.send_data(frame(&[]), true).unwrap();
    assert_eq!(Answer::read(answer).await.code(), Code::Ok);
    assert_eq!(timeout(PATIENCE, ended).await.unwrap().unwrap().unwrap(), DrainOutcome::Complete);
}

#[tokio::test]
async fn a_call_that_never_ends_is_cut_off() {
    let server = Server::with(Settings { drain: quick(), ..Settings::default() }).await;
    let client = server.client().await;
    let (_answer, _send) = client.open(LIST, &[]).await;
    server.until("detente_calls_in_flight", |calls| calls == 1.0).await;
    let begun = Instant::now();
    assert_eq!(timeout(PATIENCE, server.stop()).await.unwrap().unwrap().unwrap(), DrainOutcome::Cut { calls: 1 });
    assert!((1_900..4_000).contains(&begun.elapsed().as_millis()), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn a_signal_ends_the_program_with_exit_code_zero() {
    for (signal, format) in [("-TERM", "human"), ("-INT", "json")] {
        let mut program = Program::start(&["--log-format", format]);
        let mut health = HealthClient::new(channel(program.address).await);
        let mut watch = health.watch(HealthCheckRequest::default()).await.unwrap().into_inner();
        watch.next().await.unwrap().unwrap();
        let mut silent = TcpStream::connect(program.address).await.unwrap();
        let begun = Instant::now();
        program.signal(signal);
        assert_eq!(program.ended().await, Some(0));
        assert!(begun.elapsed() < Duration::from_secs(4), "{:?}", begun.elapsed());
        let _ = silent.read(&mut [0; 1]).await;
        drop(watch);
    }
}

#[tokio::test]
async fn calls_are_logged_with_ids_and_without_contents() {
    let mut program = Program::start(&["--log", "info,detente::call=debug"]);
    let client = Client::connect(program.address).await;
    client.call(LIST, &[("x-request-id", "good-1")], frame(&[])).await;
    client.call(EVALUATE, &[("x-request-id", "bad-1")], frame(b"\x1a\x09my secret")).await;
    drop(client);
    program.signal("-TERM");
    assert_eq!(program.ended().await, Some(0));
    let log = program.log.lock().unwrap();
    assert!(!log.iter().any(|line| line.contains("secret")), "{log:#?}");
    for (id, method, ok) in [("good-1", LIST, true), ("bad-1", EVALUATE, false)] {
        let line = log.iter().find(|line| line.contains(id) && line.contains("answered")).expect(id);
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        assert_eq!(line["method"], method.trim_start_matches('/'));
        assert_eq!(line["status"] == "OK", ok, "{line}");
        assert!(line["micros"].is_u64());
    }
}

#[tokio::test]
async fn a_second_signal_ends_the_program_at_once_with_an_error_code() {
    let mut program = Program::start(&["--drain-pause", "1m"]);
    let mut health = HealthClient::new(channel(program.address).await);
    let mut watch = health.watch(HealthCheckRequest::default()).await.unwrap().into_inner();
    assert_eq!(watch.next().await.unwrap().unwrap().status(), ServingStatus::Serving);
    program.signal("-TERM");
    assert_eq!(watch.next().await.unwrap().unwrap().status(), ServingStatus::NotServing);
    assert_eq!(Client::connect(program.address).await.call(LIST, &[], frame(&[])).await.code(), Code::Ok);
    program.signal("-INT");
    assert_eq!(program.ended().await, Some(1));
}

#[tokio::test]
async fn an_address_in_use_is_a_clear_error() {
    let program = Program::start(&[]);
    let address = program.address.to_string();
    let second = Command::new(env!("CARGO_BIN_EXE_detente"))
        .env("DETENTE_ADMIN_LISTEN", "off")
        .args(["serve", "--listen", &address])
        .output()
        .unwrap();
    assert_eq!(second.status.code(), Some(2));
    let said = String::from_utf8(second.stderr).unwrap();
    assert!(said.contains(&address) && said.contains("--listen"), "{said}");
}
