//! What a refused call brings to its client: headers that proxies accept, the faults that fit, and when to retry.

use crate::support::{Answer, Client, EVALUATE, LIST, Server, frame};
use detente::error::{MAX_MESSAGE_BYTES, MAX_STATUS_BYTES};
use detente::schema::proto::v1::evaluate_proposal_request::Subject;
use detente::schema::proto::v1::{
    BatchEvaluateProposalsRequest, BatchEvaluateProposalsResponse, EvaluateProposalRequest, Proposal,
    StreamEvaluateProposalsRequest, StreamEvaluateProposalsResponse, Term, evaluation_result,
    stream_evaluate_proposals_response, term,
};
use detente::server::Settings;
use prost::Message;
use tonic::Code;
use tonic_types::{RpcStatusExt, Status as RpcStatus, StatusExt};

const BATCH: &str = "/detente.v1.RedLineService/BatchEvaluateProposals";
const STREAM: &str = "/detente.v1.RedLineService/StreamEvaluateProposals";
const PUSHBACK: &str = "grpc-retry-pushback-ms";
/// Retries that a server invites before it has answered a call.
const RESERVE: usize = 16;

/// A request with this number of terms, whose issues do not exist. Their names have 300 characters.
fn faulty(count: usize, character: char) -> EvaluateProposalRequest {
    let issue = |number| format!("{number}{}", character.to_string().repeat(300));
    let value = Some(term::Value::Choice("yes".to_owned()));
    let terms = (0..count).map(|number| Term { issue: issue(number), value: value.clone() }).collect();
    let subject = Some(Subject::Proposal(Proposal { terms, ..Proposal::default() }));
    EvaluateProposalRequest { subject, ..EvaluateProposalRequest::default() }
}

fn fields(count: usize) -> Vec<String> {
    (0..count).map(|number| format!("proposal.terms[{number}].issue")).collect()
}

/// The size of the headers of a response without a body, as HTTP/2 counts it.
fn size(answer: &Answer) -> usize {
    assert!(answer.trailers.is_none() && answer.data.is_empty(), "{answer:?}");
    let status = ":status".len() + "200".len() + 32;
    status + answer.headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 32).sum::<usize>()
}

#[tokio::test]
async fn faults_fit_into_the_headers_that_proxies_accept() {
    let server = Server::start().await;
    let client = server.client().await;
    let id = "i".repeat(128);
    // One, two, three and four bytes in UTF-8; the last one is escaped with ten characters.
    for character in ['x', '%', 'é', '語', '\u{10ffff}'] {
        for count in [1, 2, 42, 500] {
            let body = frame(&faulty(count, character).encode_to_vec());
            let answer = client.call(EVALUATE, &[("x-request-id", &id)], body).await;
            assert_eq!((answer.code(), answer.request_id()), (Code::InvalidArgument, id.as_str()));
            assert!(size(&answer) <= MAX_STATUS_BYTES, "{count} times {character:?}: {}", size(&answer));
            assert!(answer.headers["grpc-message"].len() <= MAX_MESSAGE_BYTES, "{answer:?}");

            let details = answer.status().get_error_details();
            let listed = details.bad_request().unwrap().field_violations.iter().map(|fault| fault.field.clone());
            let listed: Vec<String> = listed.collect();
            assert!(!listed.is_empty() && listed == fields(listed.len()), "{listed:?}");
            let info = details.error_info().unwrap();
            assert_eq!(info.reason, "INVALID_REQUEST");
            let number = |key: &str| info.metadata.get(key).map(|value| value.parse::<usize>().unwrap());
            let omitted = count - listed.len();
            assert_eq!(number("violations_total"), (omitted > 0).then_some(count));
            assert_eq!(number("violations_omitted"), (omitted > 0).then_some(omitted));
            // The message in the details is the message of the call: libraries reject a status where they differ.
            let status = RpcStatus::decode(answer.status().details()).unwrap();
            assert_eq!(status.message, answer.status().message());
        }
    }
    server.assert_answers().await;
}

#[tokio::test]
async fn items_of_batches_and_streams_list_all_faults() {
    let server = Server::start().await;
    let client = server.client().await;
    let mut request = faulty(500, '語');
    let Some(Subject::Proposal(proposal)) = &request.subject else { panic!("a proposal") };
    request.overrides.clone_from(&proposal.terms);
    request.cleared_issues = proposal.terms.iter().map(|term| term.issue.clone()).collect();
    let check = |error: RpcStatus| {
        let faults = error.get_details_bad_request().unwrap().field_violations;
        assert_eq!(faults.len(), 1_500, "{:?}", faults.last());
        assert!(error.get_details_error_info().unwrap().metadata.is_empty());
    };
    // The request of the batch is within the size limit of 1 MiB only with shorter names.
    request.cleared_issues.iter_mut().for_each(|name| *name = name.chars().take(70).collect());

    let batch = BatchEvaluateProposalsRequest { requests: vec![request.clone()], ..Default::default() };
    let answer = client.call(BATCH, &[], frame(&batch.encode_to_vec())).await;
    assert_eq!(answer.code(), Code::Ok);
    let response = BatchEvaluateProposalsResponse::decode(&answer.data[5..]).unwrap();
    match response.results.into_iter().next().unwrap().result.unwrap() {
        evaluation_result::Result::Error(error) => check(error),
        other => panic!("{other:?}"),
    }

    let message = StreamEvaluateProposalsRequest { id: "item".to_owned(), request: Some(request) };
    let answer = client.call(STREAM, &[], frame(&message.encode_to_vec())).await;
    let response = StreamEvaluateProposalsResponse::decode(&answer.data[5..]).unwrap();
    match response.result.unwrap() {
        stream_evaluate_proposals_response::Result::Error(error) => check(error),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn messages_that_repeat_a_header_are_shortened() {
    let server = Server::start().await;
    let client = server.client().await;
    for encoding in ["x".repeat(8_000), "%".repeat(8_000)] {
        let answer = client.call(EVALUATE, &[("grpc-encoding", &encoding)], crate::support::flagged(1, &[0])).await;
        assert_eq!(answer.code(), Code::Unimplemented);
        assert!(answer.headers["grpc-message"].len() <= MAX_MESSAGE_BYTES, "{answer:?}");
        assert!(answer.status().message().ends_with("..."), "{answer:?}");
    }
    let answer = client.call(EVALUATE, &[("grpc-encoding", "br")], crate::support::flagged(1, &[0])).await;
    assert_eq!(answer.status().message(), "Content is compressed with `br` which isn't supported");
}

/// The milliseconds after which a refused call may be retried; -1 if it may not.
fn pushback(answer: &Answer) -> i64 {
    assert_eq!(answer.code(), Code::Unavailable, "{answer:?}");
    answer.headers[PUSHBACK].to_str().unwrap().parse().unwrap()
}

#[tokio::test]
async fn an_overloaded_server_invites_few_retries_whatever_the_number_of_its_clients() {
    let server = Server::with(Settings { max_calls: 0, ..Settings::default() }).await;
    let mut delays = Vec::new();
    for _ in 0..64 {
        let client: Client = server.client().await;
        delays.push(pushback(&client.call(LIST, &[], frame(&[])).await));
        // Health checks are no sign that the server has less to do.
        for _ in 0..5 {
            let health = client.call("/grpc.health.v1.Health/Check", &[], frame(&[])).await;
            assert_eq!(health.code(), Code::Ok);
        }
    }
    let (invited, others) = delays.split_at(RESERVE);
    assert!(invited.iter().all(|delay| (250..=750).contains(delay)), "{delays:?}");
    assert!(invited.iter().min() != invited.iter().max(), "all clients retry at the same time: {delays:?}");
    assert!(others.iter().all(|delay| *delay == -1), "{delays:?}");
}
