//! Callers take turns on the threads for analyses: a caller with many long analyses does not keep others waiting.

use crate::support::credentials::entry;
use crate::support::pigeons::pigeons;
use crate::support::{Server, quick};
use detente::access::{Authority, Tokens};
use detente::schema::proto::v1;
use detente::schema::proto::v1::analysis_service_client::AnalysisServiceClient;
use detente::schema::proto::v1::suggest_amendments_request::Subject;
use detente::server::Settings;
use detente::serving::{Store, source};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::task::JoinSet;
use tonic::metadata::MetadataValue;
use tonic::transport::Channel;
use tonic::{Code, Request, Status};
use tonic_types::StatusExt;

/// Time within which ten short analyses are answered beside long ones.
///
/// Alone on two processors, they take a third of a second. This is longer, because other tests run at the same time, but
/// shorter than one long analysis.
const SHORT_ONES: Duration = Duration::from_secs(15);

type Answered = Result<v1::SuggestAmendmentsResponse, Status>;

/// A server with one analysis thread, two callers, and two scenarios: analyses of one take minutes, and analyses of the
/// other milliseconds.
async fn server() -> Server {
    let scenarios = [("pigeons.yaml", pigeons(12, 11)), ("ukraine-2025.yaml", source::EMBEDDED.to_owned())];
    let compiled = scenarios.map(|(name, text)| source::compile(name, &text).unwrap());
    let entries = ["busy", "desk"].map(|name| entry(name, name, "analyst", ""));
    let tokens = Tokens::read(&format!("tokens:\n{}", entries.concat())).unwrap();
    let settings = Settings { drain: quick(), analyses: 1, ..Settings::default() };
    Server::run(Arc::new(Store::new(compiled.into()).unwrap()), settings, |server| {
        server.with_authority(Arc::new(Authority::new(Some(tokens), None)))
    })
    .await
}

async fn ask(channel: Channel, token: &'static str, message: v1::SuggestAmendmentsRequest) -> Answered {
    let mut request = Request::new(message);
    let header: MetadataValue<_> = format!("Bearer {token}").parse().unwrap();
    request.metadata_mut().insert("authorization", header);
    AnalysisServiceClient::new(channel).suggest_amendments(request).await.map(tonic::Response::into_inner)
}

/// One of many different questions that take minutes.
fn long(number: i32) -> v1::SuggestAmendmentsRequest {
    let goal = format!("i0 == \"town_{}\"", number % 7);
    v1::SuggestAmendmentsRequest {
        scenario: "scenarios/pigeons".to_owned(),
        subject: Some(Subject::Proposal(v1::Proposal::default())),
        aim: Some(v1::Aim { goal, ..v1::Aim::default() }),
        max_amendments: 1 + number / 7,
        ..v1::SuggestAmendmentsRequest::default()
    }
}

/// One of several different questions that take milliseconds.
fn short(number: i32) -> v1::SuggestAmendmentsRequest {
    v1::SuggestAmendmentsRequest {
        scenario: "scenarios/ukraine-2025".to_owned(),
        subject: Some(Subject::ProposalName("scenarios/ukraine-2025/proposals/jeddah-ceasefire".to_owned())),
        max_amendments: 1 + number,
        ..v1::SuggestAmendmentsRequest::default()
    }
}

/// Sends 70 long questions of one caller. Returns when one runs, half of the queue waits and the others are refused.
async fn occupied(server: &Server) -> JoinSet<Answered> {
    let channel = server.channel().await;
    let mut calls = JoinSet::new();
    for number in 0..70 {
        calls.spawn(ask(channel.clone(), "busy", long(number)));
    }
    for _ in 0..70 - 33 {
        let refused = calls.join_next().await.unwrap().unwrap().unwrap_err();
        assert_eq!(
            (refused.code(), refused.get_details_error_info().unwrap().reason.as_str()),
            (Code::Unavailable, "OVERLOADED")
        );
        assert!(refused.metadata().get("grpc-retry-pushback-ms").is_some());
    }
    server.until("detente_analyses_waiting", |count| count == 32.0).await;
    calls
}

/// Fails if a long question has been answered, or the short ones took too long.
fn check(calls: &mut JoinSet<Answered>, begun: Instant) {
    assert!(calls.try_join_next().is_none(), "a long analysis has ended");
    assert_eq!(calls.len(), 33);
    assert!(begun.elapsed() < SHORT_ONES, "{:?}", begun.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn short_analyses_are_answered_at_once_beside_seventy_long_ones_of_another_caller() {
    let server = server().await;
    let mut calls = occupied(&server).await;
    let (channel, begun) = (server.channel().await, Instant::now());
    let mut short_ones = JoinSet::new();
    for number in 0..10 {
        short_ones.spawn(ask(channel.clone(), "desk", short(number)));
    }
    while let Some(answer) = short_ones.join_next().await {
        assert!(answer.unwrap().unwrap().complete);
    }
    check(&mut calls, begun);
}

#[tokio::test(flavor = "multi_thread")]
async fn short_analyses_are_answered_one_after_another_beside_seventy_long_ones_of_another_caller() {
    let server = server().await;
    let mut calls = occupied(&server).await;
    let (channel, begun) = (server.channel().await, Instant::now());
    for number in 0..10 {
        assert!(ask(channel.clone(), "desk", short(number)).await.unwrap().complete);
    }
    check(&mut calls, begun);
}

/// The busy caller asks the questions of the other one beforehand, so that they wait behind its long ones.
#[tokio::test(flavor = "multi_thread")]
async fn a_question_that_a_busy_caller_has_asked_already_is_answered_at_once() {
    let server = server().await;
    let channel = server.channel().await;
    let mut calls = JoinSet::new();
    calls.spawn(ask(channel.clone(), "busy", long(0)));
    server.until("detente_analyses_running", |count| count == 1.0).await;
    for number in 1..20 {
        calls.spawn(ask(channel.clone(), "busy", long(number)));
    }
    server.until("detente_analyses_waiting", |count| count == 19.0).await;
    let asked_before = tokio::spawn(ask(channel.clone(), "busy", short(0)));
    server.until("detente_analyses_waiting", |count| count == 20.0).await;
    let begun = Instant::now();
    let answer = ask(channel, "desk", short(0)).await.unwrap();
    assert!(answer.complete && begun.elapsed() < SHORT_ONES, "{:?}", begun.elapsed());
    assert_eq!(server.value("detente_analyses_shared_total"), 1.0);
    assert_eq!(asked_before.await.unwrap().unwrap(), answer);
    assert!(calls.try_join_next().is_none(), "a long analysis has ended");
}

/// At shutdown, parked analyses return their results so far.
#[tokio::test(flavor = "multi_thread")]
async fn parked_analyses_are_answered_at_shutdown() {
    let server = server().await;
    let channel = server.channel().await;
    let first = tokio::spawn(ask(channel.clone(), "busy", long(0)));
    server.until("detente_analyses_running", |count| count == 1.0).await;
    let second = tokio::spawn(ask(channel, "desk", long(1)));
    server.until("detente_analyses_parked", |count| count == 1.0).await;
    let ended = server.stop();
    for call in [first, second] {
        let answer = call.await.unwrap().unwrap();
        assert!(!answer.complete && answer.cut_short() == v1::CutShort::Deadline);
    }
    ended.await.unwrap().unwrap();
}
