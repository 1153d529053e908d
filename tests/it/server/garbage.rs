//! Requests that are not gRPC, and what load balancers send to find out whether the server is healthy.

use crate::support::credentials::entry;
use crate::support::{Client, EVALUATE, Server, flagged, frame, quick};
use bytes::Bytes;
use detente::access::{Authority, Tokens};
use detente::server::Settings;
use detente::serving::{Store, source};
use http::Request;
use std::sync::Arc;
use tokio::net::TcpStream;
use tonic::Code;

/// The path that an Application Load Balancer of AWS asks by default.
const ALB_DEFAULT: &str = "/AWS.ALB/healthcheck";
const CHECK: &str = "/grpc.health.v1.Health/Check";

async fn server(authority: Authority) -> Server {
    let store = Arc::new(Store::new(source::load(&[]).unwrap()).unwrap());
    let settings = Settings { drain: quick(), ..Settings::default() };
    Server::run(store, settings, |server| server.with_authority(Arc::new(authority))).await
}

/// The sum of a counter over all series that begin like this.
fn total(server: &Server, series: &str) -> f64 {
    let text = server.metrics.text().unwrap();
    let values = text.lines().filter(|line| line.starts_with(series)).map(|line| line.rsplit(' ').next().unwrap());
    values.map(|value| value.parse::<f64>().unwrap()).sum()
}

/// Sends 20 GET requests, as `curl --http2-prior-knowledge` does.
async fn get_twenty_times(server: &Server, path: &str) {
    let stream = TcpStream::connect(server.address).await.unwrap();
    let (mut send, connection) = h2::client::handshake(stream).await.unwrap();
    let connection = tokio::spawn(connection);
    for _ in 0..20 {
        let request = Request::get(format!("http://detente{path}")).header("accept", "*/*").body(()).unwrap();
        send = send.ready().await.unwrap();
        let (answer, _) = send.send_request(request, true).unwrap();
        // Whatever the server answers, it is an answer, or a reset of the stream.
        let _ = answer.await;
    }
    connection.abort();
}

#[tokio::test]
async fn what_clients_send_by_mistake_is_not_counted_as_a_fault_of_the_server() {
    let server = server(Authority::none()).await;
    for path in [EVALUATE, CHECK, "/", "/favicon.ico", "/detente.v1.AnalysisService/FindPackages"] {
        get_twenty_times(&server, path).await;
    }
    let client = server.client().await;
    for body in [
        Bytes::new(),
        Bytes::from_static(b"\0"),
        Bytes::from_static(b"\0\0\0\0\x09abc"),
        Bytes::from_static(b"GET / HTTP/1.1\r\n\r\n"),
        frame(b"\xff\xff\xff"),
        flagged(1, b"not compressed"),
        flagged(2, b""),
        flagged(255, b"x"),
        [frame(&[]), frame(&[])].concat().into(),
    ] {
        for headers in [
            &[][..],
            &[("content-type", "text/html")],
            &[("grpc-encoding", "gzip")],
            &[("grpc-encoding", "nothing")],
            &[("grpc-timeout", "soon")],
        ] {
            for path in [EVALUATE, CHECK, "/detente.v1.RedLineService/StreamEvaluateProposals"] {
                client.call(path, headers, body.clone()).await;
            }
        }
    }
    assert!(total(&server, "detente_refusals_total{") > 100.0, "{}", server.metrics.text().unwrap());
    // The alert DetenteInternalErrors counts this reason.
    assert_eq!(total(&server, "detente_refusals_total{reason=\"INTERNAL\"}"), 0.0);
    server.assert_answers().await;
}

async fn code(client: &Client, path: &str, body: Bytes) -> Code {
    client.call(path, &[], body).await.code()
}

#[tokio::test]
async fn load_balancers_find_the_codes_that_the_documentation_states() {
    let anyone = server(Authority::none()).await;
    let tokens = Tokens::read(&format!("tokens:\n{}", entry("a", "x", "reader", ""))).unwrap();
    let known = server(Authority::new(Some(tokens), None)).await;
    for (server, default) in [(anyone, Code::Unimplemented), (known, Code::Unauthenticated)] {
        let client = server.client().await;
        assert_eq!(code(&client, CHECK, frame(&[])).await, Code::Ok);
        for body in [Bytes::new(), frame(&[])] {
            assert_eq!(code(&client, ALB_DEFAULT, body).await, default);
        }
    }
}
