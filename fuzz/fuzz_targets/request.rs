//! Reads any bytes as a request about the bundled scenario, and lets the service answer it without a connection. The
//! service never panics.
//!
//! A rejection has a reason and fits into the headers that proxies accept. An answer is within the size limit, and the
//! cached answer equals the uncached one. The first byte selects the type of the request in the other bytes.

#![no_main]

use detente::error::{ApiError, MAX_STATUS_BYTES};
use detente::schema::proto::v1;
use detente::schema::proto::v1::ErrorReason;
use detente::services::{AnalysisRequest, MAX_ANSWER_BYTES, MAX_REQUEST_BYTES, RedLines};
use detente::serving::{Cache, Store};
use detente_analysis::Budget;
use detente_core::engine::Compiled;
use detente_core::scenario;
use libfuzzer_sys::{Corpus, fuzz_target};
use prost::Message;
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};
use tonic::Status;

/// The size of the cache. It is small, so that the cache also evicts answers.
const CACHE_BYTES: u64 = 256 * 1024;

/// The maximum time for one analysis.
const PATIENCE: Duration = Duration::from_millis(200);

static SERVICE: LazyLock<RedLines> = LazyLock::new(|| {
    let scenario = scenario::load("ukraine-2025.yaml", include_str!("../../scenarios/ukraine-2025.yaml")).unwrap();
    let compiled = Compiled::new(Arc::new(scenario)).unwrap();
    let store = Store::new(vec![compiled]).unwrap();
    RedLines::new(Arc::new(store)).with_cache(Arc::new(Cache::new(CACHE_BYTES)))
});

fuzz_target!(init: LazyLock::force(&SERVICE), |bytes: &[u8]| -> Corpus {
    let Some((kind, bytes)) = bytes.split_first() else { return Corpus::Reject };
    let service = &*SERVICE;
    // The seeds contain these numbers, so a new request type is added at the end.
    match kind {
        0 => answer(bytes, |request| evaluate(service, &request)),
        1 => answer(bytes, |request| service.list_red_lines(request)),
        2 => answer(bytes, |request| service.get_red_line(request)),
        3 => answer(bytes, |request| service.list_scenarios(request)),
        4 => answer(bytes, |request| service.get_scenario(request)),
        5 => answer(bytes, |request| service.list_proposals(request)),
        6 => answer(bytes, |request| service.get_proposal(request)),
        7 => answer(bytes, |request| service.batch(&request)),
        8 => answer(bytes, |request| Ok(service.stream_item(&request))),
        9 => answer(bytes, |request| service.evaluate_history(&request)),
        10 => answer(bytes, |request| service.compare_proposals(&request)),
        11 => answer(bytes, |request: v1::SuggestAmendmentsRequest| analyse(service, &request)),
        12 => answer(bytes, |request: v1::FindPackagesRequest| {
            let parts = analyse(service, &request)?.decode().unwrap();
            // The service sends each part as a message of its own, so only the size of the largest part matters.
            Ok(parts.into_iter().max_by_key(Message::encoded_len).unwrap_or_default())
        }),
        13 => answer(bytes, |request: v1::ExplainImpasseRequest| analyse(service, &request)),
        14 => answer(bytes, |request: v1::AssessRobustnessRequest| analyse(service, &request)),
        _ => Corpus::Reject,
    }
});

/// Runs an analysis. If it takes too long, it ends early with the results so far, and its answer says so.
fn analyse<R: AnalysisRequest>(service: &RedLines, request: &R) -> Result<R::Answer, ApiError> {
    let begun = Instant::now();
    let stop = || begun.elapsed() > PATIENCE;
    service.analyse(request, &Budget::new(&stop, &|_| {}))
}

/// Compares the uncached answer with the cached one twice: when the answer is inserted into the cache, and when it is
/// found there. An earlier input may already have inserted it. A failure can then be reproduced only with both inputs.
fn evaluate(
    service: &RedLines,
    request: &v1::EvaluateProposalRequest,
) -> Result<v1::EvaluateProposalResponse, ApiError> {
    let answer = service.evaluate(request);
    let expected = answer.as_ref().map(Message::encode_to_vec);
    for _ in 0..2 {
        let cached = service.evaluate_encoded(request);
        assert_eq!(cached.as_ref().map(Message::encode_to_vec), expected, "{request:?}");
    }
    answer
}

/// Answers one type of request, and checks the size of the answer or the form of the error.
fn answer<Q: Message + Default, A: Message>(bytes: &[u8], service: impl FnOnce(Q) -> Result<A, ApiError>) -> Corpus {
    if bytes.len() > MAX_REQUEST_BYTES {
        return Corpus::Reject;
    }
    let Ok(request) = Q::decode(bytes) else { return Corpus::Reject };
    match service(request) {
        Ok(answer) => assert!(answer.encoded_len() <= MAX_ANSWER_BYTES),
        Err(error) => check_refusal(error),
    }
    Corpus::Keep
}

fn check_refusal(error: ApiError) {
    assert_ne!(error.reason(), ErrorReason::Unspecified);
    let status = Status::from(error);
    let mut trailers = tonic::metadata::MetadataMap::new().into_headers();
    status.add_header(&mut trailers).expect("a refusal can be written as trailers");
    // The server sends the message with fewer escapes than `add_header` writes. Its bound is tested elsewhere.
    trailers.remove("grpc-message");
    let bytes: usize = trailers.iter().map(|(name, value)| name.as_str().len() + value.len() + 32).sum();
    assert!(bytes <= MAX_STATUS_BYTES, "{bytes} bytes of headers: {status:?}");
}
