//! The errors that the transport itself returns, as docs/errors.md lists them, and hostile callers that affect no
//! others.

use crate::support;
use crate::support::credentials::entry;
use crate::support::{Answer, Client, EVALUATE, LIST, PATIENCE, Server, flagged, frame};
use bytes::Bytes;
use detente::access::{Authority, Tokens};
use detente::server::Settings;
use detente::serving::{Store, source};
use flate2::Compression;
use flate2::write::GzEncoder;
use http::StatusCode;
use std::io::{ErrorKind, Write};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tonic::Code;

const DOCUMENT: &str = include_str!("../../../docs/errors.md");
const MIB: usize = 1024 * 1024;
const BATCH: &str = "/detente.v1.RedLineService/BatchEvaluateProposals";

/// A situation in the words of docs/errors.md, followed by the path, the headers and the body of a call that leads to
/// it.
type Case = (&'static str, &'static str, &'static [(&'static str, &'static str)], Bytes);

fn cases() -> Vec<Case> {
    let gzip: &[(&str, &str)] = &[("grpc-encoding", "gzip")];
    let zstd: &[(&str, &str)] = &[("grpc-encoding", "zstd")];
    vec![
        ("Unknown method of a known service", "/detente.v1.RedLineService/Nothing", &[], frame(&[])),
        ("Unknown service, or reflection turned off", "/no.Service/Nothing", &[], frame(&[])),
        ("A message over 1 MiB", EVALUATE, &[], frame(&vec![0; MIB + 1])),
        ("A length over 1 MiB, whatever follows", EVALUATE, &[], Bytes::from_static(&[0, 255, 255, 255, 255, 1])),
        ("No message", EVALUATE, &[], Bytes::new()),
        ("Less than the 5 bytes before a message", EVALUATE, &[], Bytes::from_static(&[0, 0])),
        ("A message shorter than its length says", EVALUATE, &[], Bytes::from_static(&[0, 0, 0, 0, 9, 1])),
        ("A compression flag other than 0 and 1", EVALUATE, &[], flagged(7, &[])),
        ("A compressed message without `grpc-encoding`", EVALUATE, &[], flagged(1, &[])),
        ("An unknown `grpc-encoding`", EVALUATE, &[("grpc-encoding", "br")], frame(&[])),
        ("Not gzip, though it says so", EVALUATE, gzip, flagged(1, b"neither")),
        ("Not zstd, though it says so", EVALUATE, zstd, flagged(1, b"neither")),
        ("A compressed message that grows over 1 MiB", EVALUATE, gzip, flagged(1, &gzipped(&vec![0; 64 * MIB]))),
        ("Over 8 MiB of memory once decoded", BATCH, &[], frame(&heavy())),
        ("A compressed message, over 8 MiB of memory once decoded", BATCH, gzip, flagged(1, &gzipped(&heavy()))),
        ("A field's bytes end early", EVALUATE, &[], frame(&[0x0a, 0x7f, b'x'])),
        ("An invalid tag", EVALUATE, &[], frame(&[0x00])),
        ("A wire type that does not fit the field", EVALUATE, &[], frame(&[0x08, 0x01])),
        ("A varint that does not end", EVALUATE, &[], frame(&[0xff; 11])),
        ("A string that is not UTF-8", EVALUATE, &[], frame(&[0x0a, 0x02, 0xc3, 0x28])),
        ("More than 100 levels of nesting", EVALUATE, &[], frame(&nested(101))),
    ]
}

/// A batch of empty requests, each of which takes two bytes, and hundreds once decoded.
fn heavy() -> Vec<u8> {
    [0x12, 0x00].repeat(MIB / 2)
}

fn gzipped(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// A message that nests groups of the field 99, which the schema does not define.
fn nested(levels: usize) -> Vec<u8> {
    let (open, close) = ([0x9b, 0x06], [0x9c, 0x06]);
    [open.repeat(levels), close.repeat(levels)].concat()
}

#[tokio::test]
async fn the_transport_answers_as_documented() {
    let server = Server::start().await;
    let mut table = String::new();
    for (situation, path, headers, body) in cases() {
        let answer = server.client().await.call(path, headers, body).await;
        let status = answer.status();
        assert!(answer.headers.contains_key("x-request-id"), "{situation}");
        let code = format!("{:?}", status.code());
        let code: String = code.chars().enumerate().fold(String::new(), |mut code, (at, letter)| {
            if at > 0 && letter.is_uppercase() {
                code.push('_');
            }
            code.push(letter.to_ascii_uppercase());
            code
        });
        let message = if status.message().is_empty() {
            "(none)".to_owned()
        } else {
            format!("`{}`", status.message().replace('`', "'"))
        };
        table += &format!("| {situation} | {code} | {message} |\n");
        server.assert_answers().await;
    }
    assert!(DOCUMENT.contains(&table), "docs/errors.md should contain these rows:\n{table}");
}

/// Sends a request with this method and these content types, to every kind of path.
async fn assert_not_a_call(method: &str, types: &[&str], status: StatusCode, (name, value): (&str, &str)) {
    let tokens = Tokens::read(&format!("tokens:\n{}", entry("a", "x", "reader", ""))).unwrap();
    let store = Arc::new(Store::new(source::load(&[]).unwrap()).unwrap());
    let settings = Settings { drain: support::quick(), ..Settings::default() };
    let authority = Arc::new(Authority::new(Some(tokens), None));
    let server = Server::run(store, settings, |server| server.with_authority(authority)).await;
    let (send, connection) = h2::client::handshake(TcpStream::connect(server.address).await.unwrap()).await.unwrap();
    tokio::spawn(connection);
    let health = "/grpc.health.v1.Health/Check";
    let reflection = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo";
    for path in [EVALUATE, BATCH, health, reflection, "/no.Service/Nothing", "/", "/readyz"] {
        let mut request = http::Request::builder().method(method).uri(format!("http://detente{path}"));
        for value in types {
            request = request.header("content-type", *value);
        }
        let send = send.clone().ready().await.unwrap();
        let (answer, mut body) = { send }.send_request(request.body(()).unwrap(), false).unwrap();
        let _ = body.send_data(frame(&[]), true);
        let answer = Answer::read(answer).await;
        let context = format!("{method} {types:?} {path}: {answer:?}");
        assert_eq!(answer.http, Some(status), "{context}");
        assert_eq!(answer.headers.get(name).map(|value| value.to_str().unwrap()), Some(value), "{context}");
        assert!(!answer.headers.contains_key("grpc-status") && answer.data.is_empty(), "{context}");
        assert!(answer.headers.contains_key("x-request-id"), "{context}");
    }
    assert_eq!(server.value("detente_refusals_total{reason=\"TRANSPORT\"}"), 7.0);
    assert!(!server.metrics.text().unwrap().contains("detente_call_duration_seconds_count"), "these are not calls");
}

#[tokio::test]
async fn requests_that_are_not_calls_get_an_http_error_before_access() {
    let accept = ("accept", "application/grpc");
    for types in [
        &[][..],
        &["text/html"],
        &["application/json"],
        &["application/grpc-web"],
        &["application/grpc-web+proto"],
        &["application/grpc+json"],
        &["application/grpc", "application/grpc"],
    ] {
        assert_not_a_call("POST", types, StatusCode::UNSUPPORTED_MEDIA_TYPE, accept).await;
    }
    for method in ["GET", "HEAD", "OPTIONS", "PUT", "DELETE", "TRACE", "BREW"] {
        let allow = ("allow", "POST");
        assert_not_a_call(method, &["application/grpc"], StatusCode::METHOD_NOT_ALLOWED, allow).await;
        assert_not_a_call(method, &[], StatusCode::METHOD_NOT_ALLOWED, allow).await;
    }
    for row in [
        "| A content type other than `application/grpc` and `application/grpc+proto` (in upper or lower case, with or \
         without parameters), such as `application/grpc-web` | `415 Unsupported Media Type`, with `accept: \
         application/grpc` |",
        "| An HTTP method other than POST | `405 Method Not Allowed`, with `allow: POST` |",
    ] {
        assert!(DOCUMENT.contains(row), "docs/errors.md should contain this row:\n{row}");
    }
}

#[tokio::test]
async fn content_types_of_grpc_are_accepted_in_any_case_and_with_parameters() {
    let server = Server::start().await;
    let (send, connection) = h2::client::handshake(TcpStream::connect(server.address).await.unwrap()).await.unwrap();
    tokio::spawn(connection);
    for accepted in ["application/grpc", "Application/gRPC", "APPLICATION/GRPC+PROTO", "application/grpc; a=b"] {
        let request = http::Request::post(format!("http://detente{LIST}")).header("content-type", accepted);
        let send = send.clone().ready().await.unwrap();
        let (answer, mut body) = { send }.send_request(request.body(()).unwrap(), false).unwrap();
        body.send_data(frame(&[]), true).unwrap();
        assert_eq!(Answer::read(answer).await.code(), Code::Ok, "{accepted}");
    }
}

#[tokio::test]
async fn a_hundred_levels_of_nesting_are_read() {
    let server = Server::start().await;
    let answer = server.client().await.call(LIST, &[], frame(&nested(99))).await;
    assert_eq!(answer.code(), Code::Ok, "{answer:?}");
}

#[tokio::test]
async fn random_bytes_in_frames_affect_no_other_connection() {
    let server = Server::start().await;
    let client = server.client().await;
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    for _ in 0..500 {
        let length = usize::try_from(random() % 200).unwrap();
        let bytes: Vec<u8> = (0..length).map(|_| random() as u8).collect();
        let body = if random() % 4 == 0 { Bytes::from(bytes) } else { frame(&bytes) };
        let answer = client.call(EVALUATE, &[], body).await;
        assert_ne!(answer.code(), Code::Unknown, "{answer:?}");
    }
    server.assert_answers().await;
}

#[tokio::test]
async fn an_http1_client_gets_an_http1_error() {
    let server = Server::start().await;
    for request in ["GET / HTTP/1.1\r\n\r\n", "POST /x HTTP/1.1\r\nhost: x\r\ncontent-length: 3\r\n\r\nabc", "PUT"] {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        // The server does not read the rest of the request, so the connection may end with a reset.
        let _ = timeout(PATIENCE, stream.read_to_end(&mut answer)).await.unwrap();
        let answer = String::from_utf8(answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 505 "), "{answer:?}");
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.contains(&format!("content-length: {}", body.len())), "{answer:?}");
    }
    server.assert_answers().await;
}

#[tokio::test]
async fn a_connection_that_is_not_http_is_closed() {
    let server = Server::start().await;
    let tls_hello = [0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00, 0x01, 0xfc, 0x03, 0x03];
    for noise in [&tls_hello[..], &[0; 64], &[0xff; 3]] {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        stream.write_all(noise).await.unwrap();
        assert_closes(stream).await;
    }
    server.assert_answers().await;
}

#[tokio::test]
async fn noise_after_the_preface_ends_only_that_connection() {
    let server = Server::start().await;
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await.unwrap();
    stream.write_all(&[0xaa; 512]).await.unwrap();
    assert_closes(stream).await;
    server.assert_answers().await;
}

async fn assert_closes(mut stream: TcpStream) {
    let mut rest = Vec::new();
    match timeout(PATIENCE, stream.read_to_end(&mut rest)).await.expect("the connection is closed") {
        Ok(_) => {}
        Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset),
    }
}

#[tokio::test]
async fn a_preface_in_pieces_is_accepted() {
    let server = Server::start().await;
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    for piece in b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".chunks(7) {
        stream.write_all(piece).await.unwrap();
        tokio::time::sleep(Duration::from_millis(30)).await;
    }
    stream.write_all(&[0, 0, 0, 4, 0, 0, 0, 0, 0]).await.unwrap();
    let mut frame = [0; 9];
    timeout(PATIENCE, stream.read_exact(&mut frame)).await.unwrap().unwrap();
    assert_eq!(frame[3], 4, "SETTINGS of the server");
}

#[tokio::test]
async fn silent_and_aborted_connections_affect_no_others() {
    let server = Server::start().await;
    let mut silent = Vec::new();
    for _ in 0..50 {
        silent.push(TcpStream::connect(server.address).await.unwrap());
        let mut leaving = TcpStream::connect(server.address).await.unwrap();
        leaving.write_all(b"PRI * HT").await.unwrap();
    }
    server.assert_answers().await;
}

#[tokio::test]
async fn rapid_resets_end_only_their_connection() {
    let server = Server::start().await;
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").await.unwrap();
    // POST, http, the path and the authority, as literal headers that are not added to the HPACK table.
    let headers = [&[0x83, 0x86, 0x04, LIST.len() as u8], LIST.as_bytes(), &[0x01, 1, b'x']].concat();
    let mut flood = Vec::new();
    for id in (1..20_000_u32).step_by(2) {
        flood.extend([0, 0, headers.len() as u8, 0x01, 0x04]);
        flood.extend(id.to_be_bytes());
        flood.extend(&headers);
        flood.extend([0, 0, 4, 0x03, 0]);
        flood.extend(id.to_be_bytes());
        flood.extend(8_u32.to_be_bytes());
    }
    // The server may close the connection during the write.
    let _ = stream.write_all(&flood).await;
    assert_closes(stream).await;
    server.assert_answers().await;
}

#[tokio::test]
async fn headers_are_bounded() {
    let server = Server::start().await;
    let large = "x".repeat(20_000);
    let answer = server.client().await.call(LIST, &[("x-large", &large)], frame(&[])).await;
    assert_eq!(answer.http, Some(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE), "{answer:?}");
    server.assert_answers().await;
}

#[tokio::test]
async fn more_connections_than_allowed_wait_while_all_have_calls_in_progress() {
    let settings = detente::server::Settings { max_connections: 2, drain: support::quick(), ..Default::default() };
    let server = Server::with(settings).await;
    let (first, second) = (server.client().await, server.client().await);
    let (of_first, _of_second) = (first.open(EVALUATE, &[]).await, second.open(EVALUATE, &[]).await);
    server.until("detente_calls_in_flight", |count| count == 2.0).await;
    let address = server.address;
    let waiting = tokio::spawn(async move { Client::connect(address).await.call(LIST, &[], frame(&[])).await });
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(!waiting.is_finished());
    drop((first, of_first));
    let answer: Answer = timeout(PATIENCE, waiting).await.unwrap().unwrap();
    assert_eq!(answer.code(), Code::Ok);
    drop(second);
}
