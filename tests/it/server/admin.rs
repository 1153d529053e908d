//! The admin listener over real sockets: probes and metrics, also if the main listener requires credentials.

use crate::support::credentials::{Authorities, entry};
use crate::support::{Answer, Client, EVALUATE, PATIENCE, Server, channel, frame, quick};
use detente::access::{Authority, Tokens};
use detente::middleware::connection_context::MAX_WATCHES;
use detente::schema::proto::v1::EvaluateProposalRequest;
use detente::schema::proto::v1::evaluate_proposal_request::Subject;
use detente::server::Settings;
use detente::serving::{Store, source};
use detente::shutdown::Drain;
use detente::transport::tls::{Tls, TlsFiles};
use prost::Message;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{sleep, timeout};
use tonic::Code;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};

async fn get(address: SocketAddr, path: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nhost: here\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    timeout(PATIENCE, stream.read_to_string(&mut answer)).await.unwrap().unwrap();
    let status = answer.split(' ').nth(1).unwrap().parse().unwrap();
    (status, answer.split_once("\r\n\r\n").unwrap().1.to_owned())
}

async fn health(address: SocketAddr) -> ServingStatus {
    let mut client = HealthClient::new(channel(address).await);
    client.check(HealthCheckRequest::default()).await.unwrap().into_inner().status()
}

async fn listener() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

fn store() -> Arc<Store> {
    Arc::new(Store::new(source::load(&[]).unwrap()).unwrap())
}

#[tokio::test]
async fn probes_and_scrapers_are_answered_in_plaintext_and_without_a_token() {
    let (admin, address) = listener().await;
    let authority = Authorities::new("authority");
    let identity = authority.server();
    let files = TlsFiles {
        certificate: identity.certificate.into_bytes(),
        key: identity.key.into_bytes(),
        client_authorities: Some(authority.pem().into_bytes()),
    };
    let tls = Tls::new(&files).unwrap();
    let tokens = Tokens::read(&format!("tokens:\n{}", entry("a", "x", "reader", ""))).unwrap();
    let _server = Server::run(store(), Settings { drain: quick(), ..Settings::default() }, |server| {
        server.with_admin(Some(admin)).with_tls(Some(tls)).with_authority(Arc::new(Authority::new(Some(tokens), None)))
    })
    .await;
    assert_eq!(health(address).await, ServingStatus::Serving);
    assert_eq!(get(address, "/livez").await, (200, "alive\n".to_owned()));
    assert_eq!(get(address, "/readyz").await, (200, "ready\n".to_owned()));
    let (status, version) = get(address, "/version").await;
    let version: serde_json::Value = serde_json::from_str(&version).unwrap();
    assert_eq!((status, version["version"].as_str()), (200, Some(env!("CARGO_PKG_VERSION"))));
    assert_eq!(get(address, "/metrics").await.0, 200);
    assert_eq!(get(address, "/nothing").await.0, 404);
    // The admin listener does not answer RPCs.
    let call = Client::connect(address).await.call(EVALUATE, &[], frame(&[])).await;
    assert!(call.http.is_some_and(|status| status != 200) || call.code() == Code::Unimplemented, "{call:?}");
}

#[tokio::test]
async fn metrics_count_calls_and_connections() {
    let (admin, address) = listener().await;
    let settings = Settings { drain: quick(), cache_bytes: 1 << 20, ..Settings::default() };
    let server = Server::run(store(), settings, |server| server.with_admin(Some(admin))).await;
    let name = "scenarios/ukraine-2025/proposals/european-force".to_owned();
    let request = EvaluateProposalRequest { subject: Some(Subject::ProposalName(name)), ..Default::default() };
    let client = server.client().await;
    for _ in 0..3 {
        assert_eq!(client.call(EVALUATE, &[], frame(&request.encode_to_vec())).await.code(), Code::Ok);
    }
    assert_eq!(client.call("/made.up/By-a-stranger", &[], frame(&[])).await.code(), Code::Unimplemented);
    let (_, metrics) = get(address, "/metrics").await;
    let cached = std::env::var("DETENTE_CACHE").is_ok_and(|cache| cache == "0");
    let method = "detente.v1.RedLineService/EvaluateProposal";
    let mut wanted = vec![
        format!("detente_call_duration_seconds_count{{code=\"OK\",method=\"{method}\"}} 3"),
        format!("detente_call_duration_seconds_bucket{{code=\"OK\",method=\"{method}\",le=\"+Inf\"}} 3"),
        "detente_call_duration_seconds_count{code=\"UNIMPLEMENTED\",method=\"other\"} 1".to_owned(),
        "detente_refusals_total{reason=\"TRANSPORT\"} 1".to_owned(),
        "detente_evaluations_total{verdict=\"VERDICT_BLOCKED\"} 3".to_owned(),
        "detente_evaluations_total{verdict=\"VERDICT_UNOPPOSED\"} 0".to_owned(),
        "detente_calls_in_flight 0".to_owned(),
        "detente_connections_open 1".to_owned(),
        "detente_connections_total 1".to_owned(),
        "detente_analyses_running 0".to_owned(),
        "detente_analyses_waiting 0".to_owned(),
        format!("detente_build_info{{version=\"{}\"}} 1", env!("CARGO_PKG_VERSION")),
        "detente_log_lines_dropped_total 0".to_owned(),
        "detente_scenario_info{revision=\"".to_owned(),
        "process_resident_memory_bytes ".to_owned(),
        "process_open_fds ".to_owned(),
    ];
    if !cached {
        wanted.extend(
            ["detente_cache_hits_total 2", "detente_cache_misses_total 1", "detente_cache_entries 1"]
                .map(str::to_owned),
        );
    }
    for line in wanted {
        assert!(metrics.lines().any(|seen| seen.starts_with(&line)), "no `{line}` in\n{metrics}");
    }
    assert!(!metrics.contains("By-a-stranger"), "the name of an unknown method is in the metrics");
}

#[tokio::test]
async fn the_admin_listener_reports_the_drain_and_answers_until_its_end() {
    let (admin, address) = listener().await;
    let drain = Drain { pause: Duration::from_millis(600), timeout: PATIENCE };
    let server =
        Server::run(store(), Settings { drain, ..Settings::default() }, |server| server.with_admin(Some(admin))).await;
    assert_eq!(get(address, "/readyz").await.0, 200);
    let client = server.client().await;
    let (_answer, body) = client.open(EVALUATE, &[]).await;
    let ended = server.stop();
    let not_ready = async { while get(address, "/readyz").await.0 != 503 {} };
    timeout(Duration::from_millis(500), not_ready).await.expect("/readyz reports the drain");
    assert_eq!(health(address).await, ServingStatus::NotServing);
    sleep(Duration::from_millis(700)).await;
    // The server is draining, because one call is still in progress.
    assert_eq!(get(address, "/livez").await.0, 200);
    assert_eq!(get(address, "/readyz").await.0, 503);
    drop((body, _answer, client));
    timeout(PATIENCE, ended).await.unwrap().unwrap().unwrap();
    assert!(TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn silent_connections_do_not_delay_probes() {
    let (admin, address) = listener().await;
    let settings = Settings { drain: quick(), ..Settings::default() };
    let _server = Server::run(store(), settings, |server| server.with_admin(Some(admin))).await;
    let mut silent = Vec::new();
    for at in 0..300 {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let words: &[u8] = [&b""[..], b"PRI * HT", b"POST /x HTTP/1.1\r\ncontent-length: 9\r\n\r\n1"][at % 3];
        stream.write_all(words).await.unwrap();
        silent.push(stream);
    }
    assert_eq!(timeout(Duration::from_secs(5), get(address, "/livez")).await.expect("an answer").0, 200);
    assert_eq!(timeout(Duration::from_secs(5), health(address)).await.expect("an answer"), ServingStatus::Serving);
}

#[tokio::test]
async fn connections_with_unfinished_headers_are_closed() {
    let (admin, address) = listener().await;
    let _server = Server::run(store(), Settings { drain: quick(), ..Settings::default() }, |server| {
        server.with_admin(Some(admin))
    })
    .await;
    let mut slow = TcpStream::connect(address).await.unwrap();
    slow.write_all(b"GET /livez HTTP/1.1\r\nx-slow: ").await.unwrap();
    let mut read = Vec::new();
    let ended = timeout(PATIENCE, slow.read_to_end(&mut read)).await;
    assert!(ended.is_ok(), "a connection stays open although its headers never end");
    assert_eq!(get(address, "/livez").await.0, 200);
}

#[tokio::test]
async fn health_calls_of_the_admin_listener_are_bounded() {
    let (admin, address) = listener().await;
    let _server = Server::run(store(), Settings { drain: quick(), ..Settings::default() }, |server| {
        server.with_admin(Some(admin))
    })
    .await;
    let client = Client::connect(address).await;
    let watch = "/grpc.health.v1.Health/Watch";
    let mut open = Vec::new();
    for _ in 0..MAX_WATCHES {
        let (answer, mut body) = client.open(watch, &[]).await;
        body.send_data(frame(&[]), true).unwrap();
        open.push((timeout(PATIENCE, answer).await.unwrap().unwrap(), body));
    }
    let refused = client.call(watch, &[], frame(&[])).await;
    assert_eq!((refused.code(), refused.error_info().reason.as_str()), (Code::ResourceExhausted, "TOO_MANY_STREAMS"));
    let (answer, _body) = client.open("/grpc.health.v1.Health/Check", &[]).await;
    let answer = timeout(Duration::from_secs(3), Answer::read(answer)).await.expect("an answer within a second");
    assert_eq!((answer.code(), answer.error_info().reason.as_str()), (Code::DeadlineExceeded, "REQUEST_TOO_SLOW"));
    assert_eq!(health(address).await, ServingStatus::Serving);
    // A refused call does not end the others, and another connection has watches of its own.
    let other = Client::connect(address).await;
    let (answer, mut body) = other.open(watch, &[]).await;
    body.send_data(frame(&[]), true).unwrap();
    assert_eq!(timeout(PATIENCE, answer).await.unwrap().unwrap().status(), 200);
}
