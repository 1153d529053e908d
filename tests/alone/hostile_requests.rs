//! The weight of a request is never less than the memory that the decoded request takes.
//!
//! The requests are made from the schema's descriptors: each path of fields from a request to a value, with a short or
//! empty value, and with one of the fields of the path repeated until the request is long. These requests take the most
//! memory for their length.

use crate::hostile_conditions::MEMORY;
use crate::turn;
use detente::schema::proto::{DESCRIPTORS, v1};
use detente::schema::weight::{Weighed, weigh};
use prost::Message;
use prost::encoding::{WireType, encode_key, encode_varint};
use prost_reflect::{DescriptorPool, Kind, MessageDescriptor};

/// Length of each request, in bytes.
const REQUEST_BYTES: usize = 8 * 1024;
/// Fields from a request to a value.
const MAX_PATH: usize = 5;

/// A field of a path: its number, and whether it is encoded as a varint (else with a length).
type Step = (u32, bool);

fn paths(message: &MessageDescriptor, path: &mut Vec<Step>, found: &mut Vec<Vec<Step>>) {
    for field in message.fields() {
        let is_text_or_message = matches!(field.kind(), Kind::Message(_) | Kind::String | Kind::Bytes);
        path.push((field.number(), !is_text_or_message));
        found.push(path.clone());
        if field.is_list() && !is_text_or_message {
            // A list of numbers can also be packed, which has a length.
            found.push([&path[..path.len() - 1], &[(field.number(), false)]].concat());
        }
        if let Kind::Message(inner) = field.kind()
            && path.len() < MAX_PATH
        {
            paths(&inner, path, found);
        }
        path.pop();
    }
}

/// Encodes a path that ends in `value`, with the field at the place `repeated` of the path as often as it fits.
fn encode(path: &[Step], value: &[u8], repeated: usize) -> Vec<u8> {
    let mut content = value.to_vec();
    for (at, (number, is_varint)) in path.iter().enumerate().rev() {
        let mut field = Vec::new();
        if *is_varint {
            encode_key(*number, WireType::Varint, &mut field);
            encode_varint(1, &mut field);
        } else {
            encode_key(*number, WireType::LengthDelimited, &mut field);
            encode_varint(content.len() as u64, &mut field);
            field.extend_from_slice(&content);
        }
        let times = if at == repeated { REQUEST_BYTES / field.len().max(1) } else { 1 };
        content = field.repeat(times.max(1));
    }
    content
}

/// Measures the memory that decoding a request leaves in use, and the most that it takes.
///
/// Decoding takes the same memory each time. The thread that reports finished tests takes and frees memory, too, and
/// can distort one measurement; a result that is not as expected is therefore measured again.
fn taken<T>(decode: impl Fn() -> Option<T>, is_expected: impl Fn(usize, usize) -> bool) -> (usize, usize) {
    let measure = || {
        let before = MEMORY.current_usage();
        MEMORY.reset_peak_usage();
        // An error has memory of its own, which no longer depends on the request.
        let _decoded = decode();
        (MEMORY.current_usage().saturating_sub(before), MEMORY.peak_usage().saturating_sub(before))
    };
    (0..3).map(|_| measure()).find(|&(held, peak)| is_expected(held, peak)).unwrap_or_else(measure)
}

/// Checks all requests of one type; returns their number, and the largest ratio of weight to length.
fn check<M: Weighed + Message + Default>(pool: &DescriptorPool, name: &str) -> (usize, usize) {
    let message = pool.get_message_by_name(name).unwrap();
    let mut found = Vec::new();
    paths(&message, &mut Vec::new(), &mut found);
    let (mut checked, mut most) = (0, 0);
    for path in &found {
        for (repeated, value) in (0..path.len()).flat_map(|at| [(at, &b""[..]), (at, b"x"), (at, &[1; 100])]) {
            let encoded = encode(path, value, repeated);
            let weight = weigh::<M>(&encoded, usize::MAX).unwrap();
            let (held, peak) =
                taken(|| M::decode(&encoded[..]).ok(), |held, peak| held <= weight && peak <= 2 * weight);
            assert!(held <= weight, "{name}, {path:?}, {value:?} at {repeated}: {held} bytes weigh {weight}");
            // While a list grows, its old and its new memory are in use.
            assert!(peak <= 2 * weight, "{name}, {path:?}, {value:?} at {repeated}: up to {peak} bytes weigh {weight}");
            (checked, most) = (checked + 1, most.max(weight / encoded.len()));
        }
    }
    (checked, most)
}

#[test]
fn no_request_takes_more_memory_than_its_weight() {
    let _turn = turn();
    let pool = DescriptorPool::decode(DESCRIPTORS).unwrap();
    let mut most = 0;
    macro_rules! check {
        ($($request:ident),+) => {$({
            let (checked, ratio) = check::<v1::$request>(&pool, concat!("detente.v1.", stringify!($request)));
            assert!(checked > 5, "{}: {checked}", stringify!($request));
            most = most.max(ratio);
        })+};
    }
    check!(
        EvaluateProposalRequest,
        BatchEvaluateProposalsRequest,
        StreamEvaluateProposalsRequest,
        EvaluateHistoryRequest,
        CompareProposalsRequest,
        ListRedLinesRequest,
        ListScenariosRequest,
        ListProposalsRequest,
        GetRedLineRequest,
        GetScenarioRequest,
        GetProposalRequest,
        SuggestAmendmentsRequest,
        FindPackagesRequest,
        ExplainImpasseRequest,
        AssessRobustnessRequest
    );
    // The test has tried requests that take a hundred times their length.
    assert!(most > 100, "{most}");
}
