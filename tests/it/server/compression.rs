//! Compression: requests in gzip or zstd are accepted, and their responses are compressed with the same encoding.

use crate::support::{Client, EVALUATE, LIST, Server, flagged, frame};
use bytes::Bytes;
use detente::schema::proto::v1::EvaluateProposalRequest;
use detente::schema::proto::v1::StreamEvaluateProposalsRequest;
use detente::schema::proto::v1::evaluate_proposal_request::Subject;
use detente::schema::proto::v1::red_line_service_client::RedLineServiceClient;
use flate2::Compression;
use flate2::write::GzEncoder;
use prost::Message;
use std::io::Write;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};
use tonic::Code;
use tonic::codec::CompressionEncoding;

#[tokio::test]
async fn a_compressed_request_gets_a_response_with_the_same_encoding() {
    let server = Server::start().await;
    let proposal = Subject::ProposalName("scenarios/ukraine-2025/proposals/jeddah-ceasefire".to_owned());
    let request = EvaluateProposalRequest { subject: Some(proposal), ..Default::default() };
    let mut plain = RedLineServiceClient::new(server.channel().await);
    let expected = plain.evaluate_proposal(request.clone()).await.unwrap();
    assert_eq!(expected.metadata().get("grpc-encoding"), None);
    let expected = expected.into_inner();
    for encoding in [CompressionEncoding::Gzip, CompressionEncoding::Zstd] {
        let client = RedLineServiceClient::new(server.channel().await);
        let mut client = client.send_compressed(encoding).accept_compressed(encoding);
        let answer = client.evaluate_proposal(request.clone()).await.unwrap();
        assert_eq!(answer.metadata().get("grpc-encoding").unwrap(), &encoding.to_string());
        assert_eq!(answer.into_inner(), expected);
    }
}

#[tokio::test]
async fn answers_are_plain_unless_the_request_is_compressed() {
    let server = Server::start().await;
    let client = server.client().await;
    let gzipped = flagged(1, &gzip(&[]));
    let cases = [
        (&[("grpc-accept-encoding", "identity, deflate, gzip")][..], frame(&[]), None),
        (
            &[("grpc-accept-encoding", "identity,deflate, gzip"), ("grpc-encoding", "gzip")],
            gzipped.clone(),
            Some("gzip"),
        ),
        (&[("grpc-accept-encoding", "zstd"), ("grpc-encoding", "gzip")], gzipped.clone(), None),
        (&[("grpc-encoding", "gzip")], gzipped, None),
        (&[("grpc-accept-encoding", "gzip"), ("grpc-encoding", "identity")], frame(&[]), None),
    ];
    for (headers, body, expected) in cases {
        let answer = client.call(LIST, headers, body).await;
        assert_eq!(answer.code(), Code::Ok, "{headers:?}: {answer:?}");
        let used = answer.headers.get("grpc-encoding").map(|encoding| encoding.to_str().unwrap());
        assert_eq!(used, expected, "{headers:?}");
        assert_eq!(answer.data[0], u8::from(expected.is_some()));
    }
}

/// More calls and streams than messages that may be decompressed at a time.
const MANY: usize = 2 * 64;

#[tokio::test]
async fn streams_whose_answers_are_not_read_do_not_keep_others_from_decompressing() {
    const STREAM: &str = "/detente.v1.RedLineService/StreamEvaluateProposals";
    let server = Server::start().await;
    let unread = Client::with_windows(TcpStream::connect(server.address).await.unwrap(), 0).await.unwrap();
    let message = flagged(1, &gzip(&StreamEvaluateProposalsRequest::default().encode_to_vec()));
    let two: Bytes = [&message[..], &message[..]].concat().into();
    let mut open = Vec::new();
    for _ in 0..8 {
        let (answer, mut body) = unread.open(STREAM, &[("grpc-encoding", "gzip")]).await;
        body.send_data(two.clone(), false).unwrap();
        open.push((answer, body));
    }
    // The streams stop at their first answers, which they cannot send.
    sleep(Duration::from_millis(300)).await;
    let other = server.client().await;
    let answered = other.call(LIST, &[("grpc-encoding", "gzip")], flagged(1, &gzip(&[])));
    assert_eq!(timeout(Duration::from_secs(5), answered).await.expect("an answer").code(), Code::Ok);
}

#[tokio::test]
async fn compressed_messages_that_never_end_do_not_keep_others_from_decompressing() {
    let server = Server::start().await;
    let client = server.client().await;
    let compressed = flagged(1, &gzip(&EvaluateProposalRequest::default().encode_to_vec()));
    let mut open = Vec::new();
    for _ in 0..MANY {
        let (answer, mut body) = client.open(EVALUATE, &[("grpc-encoding", "gzip")]).await;
        body.send_data(compressed.slice(..compressed.len() - 1), false).unwrap();
        open.push((answer, body));
    }
    let answer = client.call(LIST, &[("grpc-encoding", "gzip")], flagged(1, &gzip(&[]))).await;
    assert_eq!(answer.code(), Code::Ok);
    // The calls whose messages then end are answered as well.
    for (answer, mut body) in open {
        body.send_data(compressed.slice(compressed.len() - 1..), true).unwrap();
        let answer = crate::support::Answer::read(answer).await;
        assert_eq!(answer.code(), Code::InvalidArgument, "it names no proposal");
    }
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}
