//! Authentication and authorization over real sockets: which callers are admitted, to what, and how others are
//! rejected.

use crate::support::credentials;
use crate::support::credentials::{Signer, claims, entry, jwks, rules};
use crate::support::{Answer, EVALUATE, LIST, Server, frame, quick};
use detente::access::{Authority, Keys, Tokens};
use detente::middleware::callers::FORGERIES;
use detente::schema::proto::v1::evaluate_proposal_request::Subject;
use detente::schema::proto::v1::hypothesis::Kind;
use detente::schema::proto::v1::{
    BatchEvaluateProposalsRequest, BatchEvaluateProposalsResponse, EvaluateProposalRequest, GetRedLineRequest,
    GetScenarioRequest, Hypothesis, ListScenariosResponse, StreamEvaluateProposalsRequest, evaluation_result,
    red_line_service_client,
};
use detente::server::Settings;
use detente::serving::Store;
use detente::serving::source;
use detente_core::engine::Compiled;
use jsonwebtoken::Algorithm;
use prost::Message;
use std::sync::Arc;
use std::time::SystemTime;
use tonic::Code;
use tonic_types::StatusExt;

const IMPASSE: &str = "/detente.v1.AnalysisService/ExplainImpasse";
const BATCH: &str = "/detente.v1.RedLineService/BatchEvaluateProposals";
const GET_SCENARIO: &str = "/detente.v1.RedLineService/GetScenario";
const GET_RED_LINE: &str = "/detente.v1.RedLineService/GetRedLine";
const HEALTH: &str = "/grpc.health.v1.Health/Check";
const REFLECTION: &str = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo";

fn tokens() -> Tokens {
    let entries = [
        entry("reader", "r", "reader", ""),
        entry("analyst", "a", "analyst", ""),
        entry("confined", "c", "analyst", ", scenarios: [draft]"),
    ];
    Tokens::read(&format!("tokens:\n{}", entries.concat())).unwrap()
}

/// A store with the bundled scenario and a copy of it, named `draft`.
fn store() -> Arc<Store> {
    let draft = source::EMBEDDED.replacen("scenario: ukraine-2025", "scenario: draft", 1);
    let scenarios: Vec<Compiled> =
        [source::EMBEDDED, &draft].map(|text| source::compile("a.yaml", text).unwrap()).into();
    Arc::new(Store::new(scenarios).unwrap())
}

async fn server(authority: Authority) -> (Server, Arc<Authority>) {
    let authority = Arc::new(authority);
    let given = authority.clone();
    let settings = Settings { drain: quick(), ..Settings::default() };
    (Server::run(store(), settings, |server| server.with_authority(given)).await, authority)
}

async fn ask(server: &Server, path: &str, token: Option<&str>, message: &impl Message) -> Answer {
    let header = token.map(|token| format!("Bearer {token}"));
    let headers: Vec<_> = header.iter().map(|header| ("authorization", header.as_str())).collect();
    server.client().await.call(path, &headers, frame(&message.encode_to_vec())).await
}

fn assert_refused(answer: &Answer, code: Code, reason: &str) {
    assert_eq!((answer.code(), answer.error_info().reason.as_str()), (code, reason), "{answer:?}");
}

fn proposal(scenario: &str) -> EvaluateProposalRequest {
    let name = format!("scenarios/{scenario}/proposals/jeddah-ceasefire");
    EvaluateProposalRequest { subject: Some(Subject::ProposalName(name)), ..EvaluateProposalRequest::default() }
}

fn supposing(scenario: &str) -> EvaluateProposalRequest {
    let hypotheses = vec![Hypothesis { kind: Some(Kind::DropRedLine("ru-four-regions".to_owned())) }];
    EvaluateProposalRequest { hypotheses, ..proposal(scenario) }
}

#[tokio::test]
async fn without_credentials_only_health_is_answered() {
    let (server, _) = server(Authority::new(Some(tokens()), None)).await;
    for path in [EVALUATE, LIST, IMPASSE, REFLECTION, "/no.such/Method"] {
        for token in [None, Some("wrong")] {
            let answer = ask(&server, path, token, &()).await;
            assert_refused(&answer, Code::Unauthenticated, "UNAUTHENTICATED");
            assert!(!answer.request_id().is_empty());
        }
    }
    assert_eq!(ask(&server, HEALTH, None, &()).await.code(), Code::Ok);
    assert_eq!(ask(&server, LIST, Some("r"), &()).await.code(), Code::Ok);
}

#[tokio::test]
async fn an_unauthenticated_call_is_rejected_before_its_body_is_read() {
    let (server, _) = server(Authority::new(Some(tokens()), None)).await;
    // Bodies that could not be parsed, or would be too large.
    for body in [frame(&[0xff; 64]), frame(&vec![0; 2 << 20]), bytes::Bytes::from_static(b"no frame")] {
        let answer = server.client().await.call(EVALUATE, &[], body.clone()).await;
        assert_refused(&answer, Code::Unauthenticated, "UNAUTHENTICATED");
        let known = server.client().await.call(EVALUATE, &[("authorization", "Bearer r")], body).await;
        assert!(matches!(known.code(), Code::Internal | Code::OutOfRange), "{known:?}");
    }
    // A call whose body has not arrived yet is rejected as well.
    let (answer, _body) = server.client().await.open(EVALUATE, &[]).await;
    assert_refused(&Answer::read(answer).await, Code::Unauthenticated, "UNAUTHENTICATED");
}

#[tokio::test]
async fn duplicate_authorization_headers_are_rejected() {
    let (server, _) = server(Authority::new(Some(tokens()), None)).await;
    let headers = [("authorization", "Bearer r"), ("authorization", "Bearer a")];
    let answer = server.client().await.call(LIST, &headers, frame(&[])).await;
    assert_refused(&answer, Code::Unauthenticated, "UNAUTHENTICATED");
}

#[tokio::test]
async fn a_reader_may_only_evaluate_and_list() {
    let (server, _) = server(Authority::new(Some(tokens()), None)).await;
    for (token, may) in [("r", false), ("a", true)] {
        assert_eq!(ask(&server, EVALUATE, Some(token), &proposal("ukraine-2025")).await.code(), Code::Ok);
        for (path, body) in [(IMPASSE, Vec::new()), (EVALUATE, supposing("ukraine-2025").encode_to_vec())] {
            let header = format!("Bearer {token}");
            let answer = server.client().await.call(path, &[("authorization", &header)], frame(&body)).await;
            match may {
                true => assert_eq!(answer.code(), Code::Ok, "{path}"),
                false => assert_refused(&answer, Code::PermissionDenied, "ROLE_NOT_ENOUGH"),
            }
        }
    }
    // In a batch, only the item with a hypothesis is rejected.
    let requests = vec![proposal("ukraine-2025"), supposing("ukraine-2025")];
    let batch = BatchEvaluateProposalsRequest { requests, ..BatchEvaluateProposalsRequest::default() };
    let answer = ask(&server, BATCH, Some("r"), &batch).await;
    assert_eq!(answer.code(), Code::Ok);
    let results = BatchEvaluateProposalsResponse::decode(&answer.data[5..]).unwrap().results;
    assert!(matches!(results[0].result, Some(evaluation_result::Result::Evaluation(_))));
    let Some(evaluation_result::Result::Error(error)) = &results[1].result else { panic!("{results:?}") };
    assert_eq!(Code::from(error.code), Code::PermissionDenied);
}

#[tokio::test]
async fn scenarios_outside_of_a_callers_list_are_reported_as_not_found() {
    let (server, _) = server(Authority::new(Some(tokens()), None)).await;
    let never = GetScenarioRequest { name: "scenarios/never-was".to_owned(), ..GetScenarioRequest::default() };
    let hidden = GetScenarioRequest { name: "scenarios/ukraine-2025".to_owned(), ..GetScenarioRequest::default() };
    let shown = GetScenarioRequest { name: "scenarios/draft".to_owned(), ..GetScenarioRequest::default() };
    assert_eq!(ask(&server, GET_SCENARIO, Some("c"), &shown).await.code(), Code::Ok);
    assert_eq!(ask(&server, GET_SCENARIO, Some("a"), &hidden).await.code(), Code::Ok);
    let (never, hidden) =
        (ask(&server, GET_SCENARIO, Some("c"), &never).await, ask(&server, GET_SCENARIO, Some("c"), &hidden).await);
    // The answers for a missing and for a hidden scenario differ in the requested name only.
    let describe = |answer: &Answer, name: &str| {
        let details = answer.status().get_error_details();
        format!("{:?} {} {details:?}", answer.code(), answer.status().message()).replace(name, "NAME")
    };
    assert_eq!(describe(&never, "never-was"), describe(&hidden, "ukraine-2025"));
    assert_refused(&hidden, Code::NotFound, "SCENARIO_NOT_FOUND");
    // The suggestion of a similar name does not reveal a hidden scenario either.
    let near = GetScenarioRequest { name: "scenarios/ukraine-2024".to_owned(), ..GetScenarioRequest::default() };
    let near = ask(&server, GET_SCENARIO, Some("c"), &near).await;
    assert!(!near.status().message().contains("2025"), "{near:?}");

    let red_line = "scenarios/ukraine-2025/redLines/ru-four-regions".to_owned();
    let red_line = GetRedLineRequest { name: red_line, ..GetRedLineRequest::default() };
    assert_eq!(ask(&server, GET_RED_LINE, Some("c"), &red_line).await.code(), Code::NotFound);
    assert_eq!(ask(&server, EVALUATE, Some("c"), &proposal("ukraine-2025")).await.code(), Code::NotFound);
    assert_eq!(ask(&server, EVALUATE, Some("c"), &proposal("draft")).await.code(), Code::Ok);
    // The default scenario is hidden from this caller, so its name is not disclosed.
    for path in [IMPASSE, EVALUATE, GET_SCENARIO, "/detente.v1.RedLineService/ListRedLines"] {
        let answer = ask(&server, path, Some("c"), &()).await;
        assert_refused(&answer, Code::NotFound, "SCENARIO_NOT_FOUND");
        assert_eq!(answer.error_info().metadata["name"], "(default)", "{path}");
    }
    let listed = |answer: &Answer| {
        let list = ListScenariosResponse::decode(&answer.data[5..]).unwrap();
        (list.scenarios.into_iter().map(|scenario| scenario.name).collect::<Vec<_>>(), list.revision)
    };
    let (seen, revision) = listed(&ask(&server, LIST, Some("c"), &()).await);
    assert_eq!(seen, ["scenarios/draft"]);
    let (all, other) = listed(&ask(&server, LIST, Some("a"), &()).await);
    assert_eq!(all, ["scenarios/draft", "scenarios/ukraine-2025"]);
    assert_ne!(revision, other);
}

#[tokio::test]
async fn jwts_are_verified_and_all_faults_get_the_same_answer() {
    let now = SystemTime::now();
    let (signer, stranger) = (Signer::new("one", Algorithm::ES256), Signer::new("one", Algorithm::ES256));
    let keys = Keys::read(&jwks(&[signer.jwk()]), rules(&["ES256"])).unwrap();
    let (server, authority) = server(Authority::new(None, Some(keys))).await;
    assert_eq!(ask(&server, IMPASSE, Some(&signer.sign(&claims(now))), &()).await.code(), Code::Ok);
    let with = |name: &str, value: serde_json::Value| {
        let mut claims = claims(now);
        claims[name] = value;
        signer.sign(&claims)
    };
    let header = data_encoding::BASE64URL_NOPAD.encode(br#"{"alg":"none","kid":"one"}"#);
    let body = signer.sign(&claims(now)).split('.').nth(1).unwrap().to_owned();
    for token in [
        with("exp", credentials::seconds(now).saturating_sub(60).into()),
        with("iss", "https://somebody-else.test".into()),
        with("aud", "somebody-else".into()),
        stranger.sign(&claims(now)),
        format!("{header}.{body}."),
        "r".to_owned(),
    ] {
        let answer = ask(&server, LIST, Some(&token), &()).await;
        assert_refused(&answer, Code::Unauthenticated, "UNAUTHENTICATED");
        assert_eq!(answer.status().message(), "the credentials are not accepted");
    }
    // The key that signed the token is removed.
    let good = signer.sign(&claims(now));
    assert_eq!(ask(&server, LIST, Some(&good), &()).await.code(), Code::Ok);
    let other = Signer::new("two", Algorithm::ES256);
    authority.replace_keys(Keys::read(&jwks(&[other.jwk()]), rules(&["ES256"])).unwrap());
    assert_eq!(ask(&server, LIST, Some(&good), &()).await.code(), Code::Unauthenticated);
}

#[tokio::test]
async fn known_tokens_pass_whatever_their_address_has_sent() {
    let now = SystemTime::now();
    let (signer, stranger) = (Signer::new("one", Algorithm::ES256), Signer::new("one", Algorithm::ES256));
    let keys = Keys::read(&jwks(&[signer.jwk()]), rules(&["ES256"])).unwrap();
    let (server, authority) = server(Authority::new(Some(tokens()), Some(keys))).await;
    let client = server.client().await;
    let list = async |token: &str| {
        client.call(LIST, &[("authorization", &format!("Bearer {token}"))], frame(&[])).await.code()
    };
    let token = |signer: &Signer, name: String| {
        let mut claims = claims(now);
        claims["sub"] = name.into();
        signer.sign(&claims)
    };
    let (known, repeated) = (token(&signer, "known".to_owned()), token(&stranger, "repeated".to_owned()));
    assert_eq!(list(&known).await, Code::Ok);
    // A token that the server remembers costs no verification.
    for _ in 0..2 * FORGERIES {
        assert_eq!(list(&repeated).await, Code::Unauthenticated);
    }
    assert_eq!(list(&token(&signer, "second".to_owned())).await, Code::Ok);
    let forged: Vec<_> = (0..3 * FORGERIES).map(|number| token(&stranger, format!("forged-{number}"))).collect();
    let mut codes = Vec::new();
    for forged in &forged {
        codes.push(list(forged).await);
    }
    let verified = codes.iter().filter(|code| **code == Code::Unauthenticated).count() as u64;
    let refused = codes.iter().filter(|code| **code == Code::ResourceExhausted).count() as u64;
    assert_eq!(verified + refused, 3 * FORGERIES, "{codes:?}");
    // While the calls were made, more came to be permitted, at 20 a second.
    assert!(verified >= FORGERIES - 1 && refused >= FORGERIES, "{verified}, {refused}");
    for known in [&known, "r"] {
        assert_eq!(list(known).await, Code::Ok);
    }
    assert_eq!(list("unknown").await, Code::Unauthenticated);
    // On a slow machine, another signature may be permitted by now, and the next token is refused.
    let mut answer = ask(&server, LIST, Some(&token(&stranger, "next".to_owned())), &()).await;
    for number in 0..FORGERIES {
        if answer.code() == Code::ResourceExhausted {
            break;
        }
        answer = ask(&server, LIST, Some(&token(&stranger, format!("next-{number}"))), &()).await;
    }
    assert_refused(&answer, Code::ResourceExhausted, "QUOTA_EXCEEDED");
    // Once the address has waited, a token that the server has not seen passes.
    assert!(answer.status().get_error_details().retry_info().is_some_and(|retry| retry.retry_delay.is_some()));
    tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    assert_eq!(list(&token(&signer, "third".to_owned())).await, Code::Ok);
    // A token that was refused passes once its key is known.
    let both = jwks(&[stranger.jwk()]);
    authority.replace_keys(Keys::read(&both, rules(&["ES256"])).unwrap());
    assert_eq!(list(&repeated).await, Code::Ok);
}

#[tokio::test]
async fn a_stream_ends_when_its_token_is_revoked() {
    let (server, authority) = server(Authority::new(Some(tokens()), None)).await;
    let mut client = red_line_service_client::RedLineServiceClient::new(server.channel().await);
    let (send, requests) = tokio::sync::mpsc::channel(4);
    let mut request = tonic::Request::new(tokio_stream::wrappers::ReceiverStream::new(requests));
    request.metadata_mut().insert("authorization", "Bearer r".parse().unwrap());
    let mut answers = client.stream_evaluate_proposals(request).await.unwrap().into_inner();
    let message = || StreamEvaluateProposalsRequest { id: "1".to_owned(), request: Some(proposal("ukraine-2025")) };
    send.send(message()).await.unwrap();
    assert_eq!(answers.message().await.unwrap().unwrap().id, "1");
    let left = [entry("analyst", "a", "analyst", "")];
    authority.replace_tokens(Tokens::read(&format!("tokens:\n{}", left.concat())).unwrap());
    send.send(message()).await.unwrap();
    let ended = answers.message().await.unwrap_err();
    assert_eq!(ended.code(), Code::Unauthenticated);
}
