//! The standard health service: NOT_SERVING until the server is ready, then SERVING, then NOT_SERVING while it drains.

use crate::support::{Answer, Client, PATIENCE, SERVICE, Server, channel, frame, quick};
use detente::middleware::call_limits::CallLimits;
use detente::middleware::connection_context::{MAX_WATCHES, STREAM_GRACE};
use detente::server::health::{MAX_ALL_WATCHES, Readiness};
use detente::server::{Gates, Settings, serve_routes};
use detente::shutdown::{Drain, DrainOutcome};
use detente::telemetry::Metrics;
use detente::transport::config::ConnectionLimits;
use std::time::{Duration, Instant};
use tokio::net::TcpListener;
use tokio::time::timeout;
use tokio_stream::StreamExt;
use tokio_util::sync::CancellationToken;
use tonic::service::Routes;
use tonic::transport::Channel;
use tonic::{Code, Status, Streaming};
use tonic_health::pb::health_check_response::ServingStatus::{self, NotServing, ServiceUnknown, Serving};
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse, health_client::HealthClient};

const CHECK: &str = "/grpc.health.v1.Health/Check";
const WATCH: &str = "/grpc.health.v1.Health/Watch";

async fn check(channel: &Channel, service: &str) -> Result<ServingStatus, Status> {
    let request = HealthCheckRequest { service: service.to_owned() };
    HealthClient::new(channel.clone()).check(request).await.map(|answer| answer.into_inner().status())
}

async fn watch(channel: &Channel, service: &str) -> Result<Streaming<HealthCheckResponse>, Status> {
    let request = HealthCheckRequest { service: service.to_owned() };
    HealthClient::new(channel.clone()).watch(request).await.map(tonic::Response::into_inner)
}

#[tokio::test]
async fn services_are_not_serving_until_ready() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let readiness = Readiness::default();
    let routes = Routes::new(readiness.server());
    tokio::spawn(serve_routes(
        listener,
        routes,
        readiness.clone(),
        Settings::default(),
        Gates::open(Metrics::new(None).unwrap()),
        CancellationToken::new(),
        std::future::pending(),
    ));
    let channel = channel(address).await;
    for name in ["", SERVICE] {
        assert_eq!(check(&channel, name).await.unwrap(), NotServing);
    }
    readiness.set_ready(true);
    for name in ["", SERVICE] {
        assert_eq!(check(&channel, name).await.unwrap(), Serving);
    }
    readiness.draining();
    for name in ["", SERVICE] {
        assert_eq!(check(&channel, name).await.unwrap(), NotServing);
    }
}

#[tokio::test]
async fn known_services_are_serving_and_unknown_ones_not_found() {
    let server = Server::start().await;
    let channel = server.channel().await;
    for name in ["", SERVICE] {
        assert_eq!(check(&channel, name).await.unwrap(), Serving);
    }
    assert_eq!(check(&channel, "detente.v1.Nothing").await.unwrap_err().code(), Code::NotFound);
}

#[tokio::test]
async fn a_watcher_sees_the_drain_and_its_stream_ends() {
    let drain = Drain { pause: Duration::from_millis(300), timeout: Duration::from_secs(10) };
    let server = Server::with(Settings { drain, ..Settings::default() }).await;
    let channel = server.channel().await;
    let request = HealthCheckRequest { service: SERVICE.to_owned() };
    let mut watch = HealthClient::new(channel.clone()).watch(request).await.unwrap().into_inner();
    assert_eq!(watch.next().await.unwrap().unwrap().status(), Serving);
    let ended = server.stop();
    assert_eq!(watch.next().await.unwrap().unwrap().status(), NotServing);
    assert_eq!(check(&channel, "").await.unwrap(), NotServing, "calls are answered during the pause");
    assert!(timeout(PATIENCE, watch.next()).await.unwrap().is_none(), "the stream ends");
    drop(channel);
    assert_eq!(ended.await.unwrap().unwrap(), DrainOutcome::Complete);
}

#[tokio::test]
async fn the_watch_of_an_unknown_service_stays_open() {
    let drain = Drain { pause: Duration::from_millis(100), timeout: PATIENCE };
    let server = Server::with(Settings { drain, ..Settings::default() }).await;
    let channel = server.channel().await;
    let mut unknown = watch(&channel, "detente.v1.Nothing").await.unwrap();
    assert_eq!(unknown.next().await.unwrap().unwrap().status(), ServiceUnknown);
    assert!(timeout(Duration::from_millis(300), unknown.next()).await.is_err(), "nothing follows");
    // It ends with the server, and reports no change of the server's readiness before.
    let _ended = server.stop();
    assert!(timeout(PATIENCE, unknown.next()).await.unwrap().is_none());
}

#[tokio::test]
async fn checks_are_answered_while_the_server_drains() {
    let drain = Drain { pause: Duration::ZERO, timeout: PATIENCE };
    let server = Server::with(Settings { drain, ..Settings::default() }).await;
    let channel = server.channel().await;
    let client = server.client().await;
    let mut open = watch(&channel, "").await.unwrap();
    open.next().await.unwrap().unwrap();
    // The call stays open, so the drain goes on.
    let (_answer, _body) = client.open("/detente.v1.RedLineService/ListScenarios", &[]).await;
    server.until("detente_calls_in_flight", |calls| calls == 1.0).await;
    let (answer, mut body) = client.open(CHECK, &[]).await;
    let _ended = server.stop();
    while open.next().await.is_some() {}
    body.send_data(frame(&[]), true).unwrap();
    let answer = Answer::read(answer).await;
    assert_eq!((answer.code(), &answer.data[5..]), (Code::Ok, &[8, NotServing as u8][..]));
}

#[tokio::test]
async fn a_check_is_answered_or_rejected_within_a_second() {
    let server = Server::start().await;
    let client = server.client().await;
    for sent in [&b""[..], &[0, 0], &[0, 0, 0, 0, 0]] {
        let begun = Instant::now();
        let (answer, mut body) = client.open(CHECK, &[]).await;
        body.send_data(sent.into(), false).unwrap();
        let answer = Answer::read(answer).await;
        assert_eq!((answer.code(), answer.error_info().reason.as_str()), (Code::DeadlineExceeded, "REQUEST_TOO_SLOW"));
        assert_eq!(answer.error_info().metadata["seconds"], "1");
        assert!((900..2_500).contains(&begun.elapsed().as_millis()), "{:?}", begun.elapsed());
    }
    let (answer, mut body) = client.open(CHECK, &[]).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    body.send_data(frame(&[]), true).unwrap();
    assert_eq!(Answer::read(answer).await.code(), Code::Ok);
}

#[tokio::test]
async fn a_connection_has_two_watches() {
    let server = Server::start().await;
    let channel = server.channel().await;
    let mut open = Vec::new();
    for _ in 0..MAX_WATCHES {
        open.push(watch(&channel, "").await.unwrap());
    }
    let refused = server.client().await;
    let refused = Client::call(&refused, WATCH, &[], frame(&[]));
    // Other connections have watches of their own: this one stays open.
    assert!(timeout(Duration::from_millis(300), refused).await.is_err());
    let refused = watch(&channel, "").await.unwrap_err();
    assert_eq!(refused.code(), Code::ResourceExhausted);
    assert_eq!(
        refused.message(),
        "a connection can have 2 `Watch` calls open at a time; end one, or use another connection"
    );
    assert_eq!(check(&channel, "").await.unwrap(), Serving);
    drop(open.pop());
    let again = async {
        while watch(&channel, "").await.is_err() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(PATIENCE, again).await.expect("a watch that ended makes room for another");
}

#[tokio::test]
async fn the_server_has_1024_watches() {
    // One address may have a quarter of the open calls.
    let calls = CallLimits { calls: 16 * MAX_ALL_WATCHES, ..CallLimits::DEFAULT };
    let (max_connections, max_connections_per_address) = (600, 600);
    let settings =
        Settings { max_connections, max_connections_per_address, calls, drain: quick(), ..Default::default() };
    let server = Server::with(settings).await;
    let mut open = Vec::new();
    for _ in 0..MAX_ALL_WATCHES / MAX_WATCHES {
        let channel = server.channel().await;
        for _ in 0..MAX_WATCHES {
            let mut watch = watch(&channel, "").await.unwrap();
            assert_eq!(watch.next().await.unwrap().unwrap().status(), Serving);
            open.push(watch);
        }
    }
    let one_more = server.channel().await;
    let refused = watch(&one_more, "").await.unwrap_err();
    assert_eq!(refused.code(), Code::ResourceExhausted);
    assert!(refused.message().contains("1024 `Watch` calls"), "{refused}");
    assert_eq!(check(&one_more, "").await.unwrap(), Serving);
    server.assert_answers().await;
}

#[tokio::test]
async fn a_watch_does_not_outlive_the_maximum_age_of_its_connection() {
    let connection = ConnectionLimits { max_age: Duration::from_secs(1), ..ConnectionLimits::default() };
    let server = Server::with(Settings { connection, drain: quick(), ..Settings::default() }).await;
    let stream = tokio::net::TcpStream::connect(server.address).await.unwrap();
    let (send, connection) = h2::client::handshake(stream).await.unwrap();
    let begun = Instant::now();
    let mut connection = tokio::spawn(connection);
    // After GOAWAY, the client keeps the connection and its stream open.
    let request = http::Request::post(format!("http://detente{WATCH}")).header("content-type", "application/grpc");
    let (answer, mut body) = send.ready().await.unwrap().send_request(request.body(()).unwrap(), false).unwrap();
    body.send_data(frame(&[]), true).unwrap();
    let answer = answer.await.unwrap();
    // The connection stays open for the grace, and closes after it.
    assert!(timeout(STREAM_GRACE, &mut connection).await.is_err(), "the connection closed before the grace ended");
    let trailers = Answer::rest(answer).await.trailers.expect("the stream ends");
    assert_eq!(trailers["grpc-status"], "0");
    timeout(PATIENCE, connection).await.expect("the connection closes").unwrap().unwrap();
    assert!(begun.elapsed() < STREAM_GRACE + Duration::from_secs(3), "{:?}", begun.elapsed());
}
