//! The standard health service: NOT_SERVING until the server is ready, then SERVING, then NOT_SERVING while it drains.

use crate::support::{PATIENCE, SERVICE, Server, channel};
use detente::server::health::Readiness;
use detente::server::{Gates, Settings, serve_routes};
use detente::shutdown::{Drain, DrainOutcome};
use detente::telemetry::Metrics;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::time::timeout;
use tokio_stream::StreamExt;
use tokio_util::sync::CancellationToken;
use tonic::service::Routes;
use tonic::transport::Channel;
use tonic::{Code, Status};
use tonic_health::pb::health_check_response::ServingStatus::{self, NotServing, Serving};
use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};

async fn check(channel: &Channel, service: &str) -> Result<ServingStatus, Status> {
    let request = HealthCheckRequest { service: service.to_owned() };
    HealthClient::new(channel.clone()).check(request).await.map(|answer| answer.into_inner().status())
}

#[tokio::test]
async fn services_are_not_serving_until_ready() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let readiness = Readiness::new().await;
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
    readiness.ready().await;
    for name in ["", SERVICE] {
        assert_eq!(check(&channel, name).await.unwrap(), Serving);
    }
    readiness.draining().await;
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
