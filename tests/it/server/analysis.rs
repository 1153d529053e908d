//! AnalysisService over real sockets: answers, deadlines, limits, and callers that disconnect.
//!
//! An analysis that runs out of time is cut short: it ends with the results that it has found by then.

use crate::support::pigeons::pigeons;
use crate::support::{self, PATIENCE, Server, channel, frame, quick};
use detente::schema::proto::v1;
use detente::schema::proto::v1::analysis_service_client::AnalysisServiceClient;
use detente::schema::proto::v1::find_packages_response::Part;
use detente::schema::proto::v1::suggest_amendments_request::Subject;
use detente::server::Settings;
use detente::serving::Store;
use detente::shutdown::DrainOutcome;
use detente_core::engine::Compiled;
use detente_core::scenario;
use prost::Message;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tonic::transport::Channel;
use tonic::{Code, Request, Status};
use tonic_types::StatusExt;

type Client = AnalysisServiceClient<Channel>;

/// A server with one analysis thread and a scenario for which each analysis takes minutes.
async fn hard(analysis_time: Duration) -> Server {
    let scenario = scenario::load("pigeons.yaml", &pigeons(12, 11)).unwrap();
    let store = Store::new(vec![Compiled::new(Arc::new(scenario)).unwrap()]).unwrap();
    let settings = Settings { drain: quick(), analyses: 1, analysis_time, ..Settings::default() };
    Server::of(Arc::new(store), settings).await
}

async fn client(server: &Server) -> Client {
    Client::new(server.channel().await)
}

/// A request whose analysis takes minutes. Each number makes a different request, so that none share an answer.
fn question(number: i32) -> v1::SuggestAmendmentsRequest {
    let subject = Some(Subject::Proposal(v1::Proposal::default()));
    v1::SuggestAmendmentsRequest { subject, max_amendments: number, ..Default::default() }
}

fn within<T>(message: T, time: Duration) -> Request<T> {
    let mut request = Request::new(message);
    request.set_timeout(time);
    request
}

fn reason(status: &Status) -> String {
    status.get_details_error_info().unwrap().reason
}

const ALL_FRONTS: &str = "ceasefire_scope == \"all_fronts\"";

#[tokio::test]
async fn packages_that_are_not_read_have_room_as_soon_as_they_are_found() {
    const PACKAGES: &str = "/detente.v1.AnalysisService/FindPackages";
    let server = hard(Duration::from_millis(600)).await;
    let unread = support::Client::with_windows(TcpStream::connect(server.address).await.unwrap(), 0).await.unwrap();
    let request = v1::FindPackagesRequest::default();
    let (_answer, mut body) = unread.open(PACKAGES, &[]).await;
    body.send_data(frame(&request.encode_to_vec()), true).unwrap();
    // The client does not read the first report of progress, which is shorter than the summary.
    let taken = "detente_call_memory_bytes{use=\"answers\"}";
    server.until(taken, |bytes| bytes > 0.0 && bytes < 200.0).await;
    server.until(taken, |bytes| bytes > 200.0).await;
}

#[tokio::test]
async fn packages_come_before_the_final_summary() {
    let server = Server::start().await;
    let aim = Some(v1::Aim { goal: ALL_FRONTS.to_owned(), ..v1::Aim::default() });
    let request = v1::FindPackagesRequest { aim, max_packages: Some(5), efficient: true, ..Default::default() };
    let mut stream = client(&server).await.find_packages(request).await.unwrap().into_inner();
    let (mut packages, mut efficient, mut summary) = (0, 0, None);
    while let Some(response) = stream.message().await.unwrap() {
        assert!(summary.is_none(), "nothing comes after the summary");
        match response.part.unwrap() {
            Part::Progress(_) => assert_eq!(packages, 0),
            Part::Package(package) => {
                assert_eq!(efficient, 0);
                assert!(!package.terms.is_empty());
                packages += 1;
            }
            Part::EfficientPackage(_) => efficient += 1,
            Part::Summary(found) => summary = Some(found),
        }
    }
    let summary = summary.unwrap();
    assert_eq!((packages, summary.sent, summary.packages.as_str(), efficient), (5, 5, "216", 3));
    assert!(summary.complete);
}

#[tokio::test]
async fn all_faults_of_a_request_are_reported_at_once() {
    let server = Server::start().await;
    let aim = v1::Aim {
        pins: vec![v1::Term { issue: "nato_pth".to_owned(), value: Some(v1::term::Value::Flag(true)) }],
        goal: "ceasefire_scope == \"all_frnts\"".to_owned(),
        floor: 9,
        third_parties: Some(v1::PartyList { parties: vec!["russia".to_owned(), "chna".to_owned()] }),
    };
    let request = v1::SuggestAmendmentsRequest { aim: Some(aim), max_amendments: 21, ..Default::default() };
    let status = client(&server).await.suggest_amendments(request).await.unwrap_err();
    assert_eq!((status.code(), reason(&status).as_str()), (Code::InvalidArgument, "INVALID_REQUEST"));
    let mut fields: Vec<String> =
        status.get_details_bad_request().unwrap().field_violations.into_iter().map(|fault| fault.field).collect();
    fields.sort();
    assert_eq!(
        fields,
        [
            "aim.floor",
            "aim.goal",
            "aim.pins[0].issue",
            "aim.third_parties.parties[0]",
            "aim.third_parties.parties[1]",
            "max_amendments",
            "subject"
        ]
    );
}

#[tokio::test]
async fn long_analyses_are_cut_short_before_the_deadline_and_marked() {
    let server = hard(Duration::from_secs(30)).await;
    let mut client = client(&server).await;
    let begun = Instant::now();
    let response = client.suggest_amendments(within(question(1), Duration::from_secs(2))).await.unwrap().into_inner();
    assert!(begun.elapsed() < Duration::from_secs(2));
    assert!(!response.complete && response.amendments.is_empty());
    assert_eq!(response.cut_short(), v1::CutShort::Deadline);
    assert!(response.impasse.is_none(), "the search has not proven an impasse");

    let request = v1::ExplainImpasseRequest::default();
    let response = client.explain_impasse(within(request, Duration::from_secs(2))).await.unwrap().into_inner();
    let impasse = response.impasse.unwrap();
    assert!(!impasse.complete && impasse.cut_short() == v1::CutShort::Deadline);
    assert_eq!(impasse.is_impasse, None, "the search has not proven an impasse");
}

#[tokio::test]
async fn without_a_deadline_the_servers_limit_applies() {
    let server = hard(Duration::from_secs(1)).await;
    let begun = Instant::now();
    let response = client(&server).await.suggest_amendments(question(1)).await.unwrap().into_inner();
    assert!(!response.complete && begun.elapsed() < Duration::from_secs(5));
}

#[tokio::test(flavor = "multi_thread")]
async fn analyses_beyond_the_queue_are_rejected_with_a_retry_delay() {
    let server = hard(Duration::from_secs(30)).await;
    // One analysis runs, and 32 wait: half of the queue, which is the share of one caller. The others are rejected. The
    // different goals make the requests different.
    let mut calls = JoinSet::new();
    for number in 0..70 {
        let mut client = client(&server).await;
        let goal = format!("i0 == \"town_{}\"", number % 7);
        let aim = Some(v1::Aim { goal, ..Default::default() });
        let request = v1::SuggestAmendmentsRequest { aim, ..question(1 + number / 7) };
        calls.spawn(async move { client.suggest_amendments(request).await });
    }
    for _ in 0..70 - 33 {
        let refused = calls.join_next().await.unwrap().unwrap().unwrap_err();
        assert_eq!((refused.code(), reason(&refused).as_str()), (Code::Unavailable, "OVERLOADED"));
        assert!(refused.metadata().get("grpc-retry-pushback-ms").is_some());
    }
    let next = tokio::time::timeout(Duration::from_millis(500), calls.join_next()).await;
    assert!(next.is_err(), "the other analyses wait");
}

/// At shutdown, a waiting analysis is rejected, and a running one returns its partial result.
#[tokio::test(flavor = "multi_thread")]
async fn analyses_are_answered_at_shutdown() {
    let server = hard(Duration::from_secs(30)).await;
    let mut running = client(&server).await;
    let running = tokio::spawn(async move { running.suggest_amendments(question(1)).await });
    server.until("detente_analyses_running", |count| count == 1.0).await;
    let mut waiting = client(&server).await;
    let waiting = tokio::spawn(async move { waiting.suggest_amendments(question(2)).await });
    server.until("detente_analyses_waiting", |count| count == 1.0).await;
    let ended = server.stop();
    let answer = running.await.unwrap().unwrap().into_inner();
    assert!(!answer.complete && answer.cut_short() == v1::CutShort::Deadline);
    let status = waiting.await.unwrap().unwrap_err();
    assert_eq!((status.code(), reason(&status).as_str()), (Code::Unavailable, "SHUTTING_DOWN"));
    assert!(status.metadata().get("grpc-retry-pushback-ms").is_some());
    assert_eq!(ended.await.unwrap().unwrap(), DrainOutcome::Complete);
}

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_package_searches_return_the_same_as_single_ones() {
    let server = Server::start().await;
    let aim = Some(v1::Aim { goal: ALL_FRONTS.to_owned(), ..v1::Aim::default() });
    let request = v1::FindPackagesRequest { aim, max_packages: Some(216), efficient: true, ..Default::default() };
    let read = |mut client: Client, request| async move {
        let mut stream = client.find_packages(request).await.unwrap().into_inner();
        let mut parts = Vec::new();
        while let Some(response) = stream.message().await.unwrap() {
            if !matches!(response.part, Some(Part::Progress(_))) {
                parts.push(response);
            }
        }
        parts
    };
    let alone = read(client(&server).await, request.clone()).await;
    assert_eq!(alone.len(), 216 + 3 + 1);
    let mut calls = JoinSet::new();
    for _ in 0..40 {
        calls.spawn(read(client(&server).await, request.clone()));
    }
    while let Some(parts) = calls.join_next().await {
        assert_eq!(parts.unwrap(), alone);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn disconnected_callers_free_the_analysis_thread() {
    let server = hard(Duration::from_secs(30)).await;
    let mut gone = Vec::new();
    for number in 1..=20 {
        let channel = channel(server.address).await;
        gone.push(tokio::spawn(async move { Client::new(channel).suggest_amendments(question(number)).await }));
    }
    server.until("detente_analyses_waiting", |count| count == 19.0).await;
    for call in gone {
        call.abort();
    }
    // The only thread is free again soon: the next request is worked on until its own deadline.
    server.until("detente_analyses_waiting", |count| count == 0.0).await;
    server.until("detente_analyses_running", |count| count == 0.0).await;
    let begun = Instant::now();
    let mut client = client(&server).await;
    let response = client.suggest_amendments(within(question(1), Duration::from_secs(3))).await.unwrap().into_inner();
    assert_eq!(response.cut_short(), v1::CutShort::Deadline);
    assert!(begun.elapsed() > Duration::from_secs(2), "the search ended early, after {:?}", begun.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn equal_concurrent_requests_share_one_answer() {
    let server = hard(Duration::from_secs(4)).await;
    // All clients connect beforehand, so that all calls arrive while the first analysis runs.
    let mut clients = Vec::new();
    for _ in 0..20 {
        clients.push(client(&server).await);
    }
    let calls: Vec<_> = clients
        .into_iter()
        .map(|mut client| tokio::spawn(async move { client.suggest_amendments(within(question(1), PATIENCE)).await }))
        .collect();
    server.until("detente_analyses_shared_total", |shared| shared == 19.0).await;
    let mut answers = Vec::new();
    for call in calls {
        // The deadline of an early call may pass before the shared result is ready.
        match call.await.unwrap() {
            Ok(answer) => answers.push(answer.into_inner()),
            Err(status) => assert_eq!(status.code(), Code::DeadlineExceeded),
        }
    }
    assert!(!answers.is_empty() && answers.windows(2).all(|pair| pair[0] == pair[1]));
}

#[tokio::test(flavor = "multi_thread")]
async fn evaluations_do_not_wait_for_analyses() {
    use detente::schema::proto::v1::evaluate_proposal_request::Subject;
    use detente::schema::proto::v1::red_line_service_client::RedLineServiceClient;
    let server = hard(Duration::from_secs(30)).await;
    let busy = channel(server.address).await;
    let call = tokio::spawn(async move { Client::new(busy).suggest_amendments(question(1)).await });
    server.until("detente_analyses_running", |count| count == 1.0).await;
    let mut client = RedLineServiceClient::new(server.channel().await);
    for _ in 0..100 {
        let request = v1::EvaluateProposalRequest {
            subject: Some(Subject::Proposal(v1::Proposal::default())),
            ..Default::default()
        };
        client.evaluate_proposal(within(request, Duration::from_secs(5))).await.unwrap();
    }
    call.abort();
}
