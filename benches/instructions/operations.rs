//! The counted operations. Each is prepared once, and called repeatedly.

use super::calls::{Messages, SingleFrame, answer, finish, frame, http_request, next_data};
use bytes::Bytes;
use detente::access::Authority;
use detente::convert::request;
use detente::error::Violations;
use detente::middleware::GateLayer;
use detente::middleware::access::Access;
use detente::middleware::account::CallBounds;
use detente::middleware::admission::ConcurrencyLimit;
use detente::middleware::callers::Callers;
use detente::middleware::calls::CallsLayer;
use detente::middleware::compression::MirrorEncodingLayer;
use detente::middleware::connection_context::Peer;
use detente::middleware::deadline::DeadlineLayer;
use detente::middleware::failure_log::FailureLog;
use detente::middleware::panics::PanicsLayer;
use detente::middleware::receive;
use detente::middleware::request_id::RequestIdLayer;
use detente::schema::proto::v1;
use detente::schema::proto::v1::evaluate_proposal_request::Subject;
use detente::schema::proto::v1::term;
use detente::server::Settings;
use detente::services::{Record, RedLines};
use detente::serving::{Cache, Store, source};
use detente::telemetry::Metrics;
use detente_core::engine::{Compiled, Detail, Given, Origin};
use detente_core::scenario;
use http_body::Body;
use prost::Message;
use std::convert::Infallible;
use std::fmt::Debug;
use std::hint::black_box;
use std::net::IpAddr;
use std::sync::Arc;
use tonic::service::Routes;
use tower::{Service, ServiceBuilder, ServiceExt, service_fn};

/// One call of an operation. It does not run on the thread that prepares it.
pub(crate) type Call = Box<dyn FnMut() + Send>;

/// One operation. The argument of `prepare` is the number of calls that will follow.
pub(crate) struct Operation {
    pub(crate) name: &'static str,
    /// The number of calls in the measured region.
    pub(crate) calls: u32,
    /// The number of items, such as the proposals of a batch, that a call answers. The figures are for one item.
    pub(crate) items: u32,
    pub(crate) prepare: fn(u32) -> Call,
}

/// The number of calls before the measured region. They fill lazily created tables and the allocator's free lists.
pub(crate) const WARM_UP: u32 = 20;

const BATCH: u32 = 50;
/// The number of proposals that the calls use in turn if all answers are to come from the cache.
const CACHED: u32 = 50;
const PAGE: i32 = 20;
const EVALUATE: &str = "/detente.v1.RedLineService/EvaluateProposal";
const BATCH_EVALUATE: &str = "/detente.v1.RedLineService/BatchEvaluateProposals";
const STREAM_EVALUATE: &str = "/detente.v1.RedLineService/StreamEvaluateProposals";
const LIST_RED_LINES: &str = "/detente.v1.RedLineService/ListRedLines";

pub(crate) const ALL: &[Operation] = &[
    one("engine/jeddah-ceasefire-basic", 200, |_| evaluation("jeddah-ceasefire", Detail::Basic)),
    one("engine/european-force-full", 200, |_| evaluation("european-force", Detail::Full)),
    one("convert/evaluate-request", 200, |_| conversion()),
    one("handler/cache-hit", 200, |_| cache_hits()),
    one("handler/cache-miss", 200, cache_misses),
    Operation { items: BATCH, ..one("handler/batch-item", 5, |_| unary(BATCH_EVALUATE, &batch())) },
    one("handler/stream-item", 200, |_| stream_items()),
    one("handler/list-red-lines-page", 50, |_| unary(LIST_RED_LINES, &page())),
    one("layers/cache-hit", 200, |_| through_layers()),
    one("scenario/load", 8, |_| loading()),
    one("scenario/compile", 20, |_| compiling()),
];

const fn one(name: &'static str, calls: u32, prepare: fn(u32) -> Call) -> Operation {
    Operation { name, calls, items: 1, prepare }
}

fn bundled() -> Compiled {
    source::load(&[]).unwrap().remove(0)
}

fn evaluation(proposal: &'static str, detail: Detail) -> Call {
    let compiled = bundled();
    let terms = &compiled.scenario().proposal(proposal).unwrap().terms;
    let given: Vec<Given> =
        terms.iter().map(|term| Given { input: term.issue, answer: term.answer, origin: Origin::Proposal }).collect();
    Box::new(move || {
        black_box(compiled.evaluate(black_box(&given), None, detail).unwrap());
    })
}

fn conversion() -> Call {
    let (compiled, asked) = (bundled(), own_proposal());
    Box::new(move || {
        let asked = black_box(&asked);
        let subject = asked.subject.as_ref().map(request::Subject::from);
        black_box(request::to_question(&compiled, asked, subject, Violations::default()).unwrap());
    })
}

/// The service as the server assembles it, with its cache and with budgets and limits that are never exhausted.
fn service() -> RedLines {
    let settings = Settings::default();
    let mut record = Record::default();
    record.metrics = Some(Metrics::new(None).unwrap());
    RedLines::new(Arc::new(Store::new(vec![bundled()]).unwrap()))
        .with_cache(Arc::new(Cache::new(settings.cache_bytes)))
        .with_concurrency_limit(ConcurrencyLimit::new(settings.max_calls))
        .with_record(record)
}

/// A unary call: the server decodes the bytes of the request, runs the handler, and encodes the response.
fn unary(path: &'static str, request: &impl Message) -> Call {
    let (mut server, message) = (service().into_server(1024 * 1024), frame(request));
    Box::new(move || {
        answer(server.call(http_request(path, message.clone())));
    })
}

/// The calls use several proposals in turn, all of whose answers are in the cache. With a single proposal, the lookup
/// in the hash table would by chance take one probe in one process and several in the next.
fn cache_hits() -> Call {
    hits_of(service().into_server(1024 * 1024))
}

fn hits_of<S, B>(mut server: S) -> Call
where
    S: Service<http::Request<SingleFrame>, Response = http::Response<B>, Error = Infallible> + Send + 'static,
    B: Body<Data = Bytes>,
    B::Error: Debug,
{
    let messages: Vec<_> = different_proposals(CACHED).map(|request| frame(&request)).collect();
    for message in &messages {
        answer(server.call(http_request(EVALUATE, message.clone())));
    }
    let mut next = 0;
    Box::new(move || {
        answer(server.call(http_request(EVALUATE, messages[next].clone())));
        next = (next + 1) % messages.len();
    })
}

/// Each call uses a proposal that no earlier call used.
fn cache_misses(calls: u32) -> Call {
    let mut server = service().into_server(1024 * 1024);
    let mut messages = different_proposals(calls).map(|request| frame(&request)).collect::<Vec<_>>().into_iter();
    Box::new(move || {
        answer(server.call(http_request(EVALUATE, messages.next().unwrap())));
    })
}

/// Each call answers the next item of one open stream. An item arrives when the one before it has been answered.
fn stream_items() -> Call {
    let item = v1::StreamEvaluateProposalsRequest { id: "00000001".to_owned(), request: Some(own_proposal()) };
    let mut server = service().into_server(1024 * 1024);
    let messages = Messages::new(frame(&item));
    let response = finish(server.call(http::Request::post(STREAM_EVALUATE).body(messages).unwrap())).unwrap();
    let mut body = Box::pin(response.into_body());
    let first = next_data(&mut body);
    let first = v1::StreamEvaluateProposalsResponse::decode(&first[5..]).expect("one whole item a frame");
    assert!(matches!(first.result, Some(v1::stream_evaluate_proposals_response::Result::Evaluation(_))));
    Box::new(move || {
        black_box(next_data(&mut body));
    })
}

/// Calls that pass the same layers and routes, in the same order, as in the server, but use no connection.
fn through_layers() -> Call {
    let settings = Settings::default();
    let routes = Routes::new(service().into_server(settings.max_request_bytes)).prepare();
    let callers = Callers::default();
    let calls = CallsLayer::new(
        Default::default(),
        Metrics::new(None).unwrap(),
        settings.max_request_bytes,
        FailureLog::default(),
    );
    let server = ServiceBuilder::new()
        .layer(RequestIdLayer)
        .layer(calls)
        .layer(PanicsLayer)
        .layer(DeadlineLayer)
        .layer(GateLayer(Access::new(Arc::new(Authority::none()), callers.clone())))
        .layer(GateLayer(ConcurrencyLimit::new(settings.max_calls)))
        .layer(MirrorEncodingLayer)
        .service(routes.map_request(move |request| receive::with_time_limit(request, settings.receive)));
    // As the transport does for each call.
    let (address, connection) = (IpAddr::from([192, 0, 2, 1]), CallBounds::default().connect());
    let peer = Peer { address, callers: callers.of_address(address), is_proxy: false, certificate: None };
    hits_of(service_fn(move |mut request: http::Request<_>| {
        let account = connection.open();
        request.extensions_mut().insert(account.clone());
        request.extensions_mut().insert(peer.clone());
        account.run(server.clone().oneshot(request))
    }))
}

fn loading() -> Call {
    Box::new(|| {
        black_box(scenario::load("ukraine-2025.yaml", black_box(source::EMBEDDED)).unwrap());
    })
}

fn compiling() -> Call {
    let scenario = Arc::new(scenario::load("ukraine-2025.yaml", source::EMBEDDED).unwrap());
    Box::new(move || {
        black_box(Compiled::new(black_box(scenario.clone())).unwrap());
    })
}

/// A request to evaluate the terms of the Jeddah ceasefire as a caller's own proposal.
fn own_proposal() -> v1::EvaluateProposalRequest {
    let name = "scenarios/ukraine-2025/proposals/jeddah-ceasefire".to_owned();
    let service = RedLines::new(Arc::new(Store::new(vec![bundled()]).unwrap()));
    let terms = service.get_proposal(v1::GetProposalRequest { name, ..Default::default() }).unwrap().terms;
    v1::EvaluateProposalRequest {
        subject: Some(Subject::Proposal(v1::Proposal { terms, ..v1::Proposal::default() })),
        view: v1::EvaluationView::Basic.into(),
        ..v1::EvaluateProposalRequest::default()
    }
}

/// Requests like that of [`own_proposal`], with ceasefires of different lengths. No red line depends on the length, and
/// every length takes two bytes on the wire, so all responses are alike.
fn different_proposals(count: u32) -> impl Iterator<Item = v1::EvaluateProposalRequest> {
    const SHORTEST: i64 = 128;
    let request = own_proposal();
    (0..i64::from(count)).map(move |number| {
        let mut request = request.clone();
        let Some(Subject::Proposal(proposal)) = &mut request.subject else { unreachable!("made above") };
        let days = proposal.terms.iter_mut().find(|term| term.issue == "ceasefire_days").unwrap();
        let (min, max) = (SHORTEST + number, SHORTEST + number + 1);
        days.value = Some(term::Value::Range(v1::Range { min: Some(min), max: Some(max) }));
        request
    })
}

fn batch() -> v1::BatchEvaluateProposalsRequest {
    v1::BatchEvaluateProposalsRequest {
        requests: vec![own_proposal(); BATCH as usize],
        ..v1::BatchEvaluateProposalsRequest::default()
    }
}

fn page() -> v1::ListRedLinesRequest {
    v1::ListRedLinesRequest {
        parent: "scenarios/ukraine-2025".to_owned(),
        page_size: PAGE,
        ..v1::ListRedLinesRequest::default()
    }
}
