//! Compression: requests in gzip or zstd are accepted, and their responses are compressed with the same encoding.

use crate::support::{LIST, Server, flagged, frame};
use detente::schema::proto::v1::EvaluateProposalRequest;
use detente::schema::proto::v1::evaluate_proposal_request::Subject;
use detente::schema::proto::v1::red_line_service_client::RedLineServiceClient;
use flate2::Compression;
use flate2::write::GzEncoder;
use std::io::Write;
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

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}
