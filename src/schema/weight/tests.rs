//! Compares weights with the sizes of decoded messages, for usual and for hostile requests.

use crate::schema::proto::{DESCRIPTORS, v1};
use crate::schema::weight::{Field, SHAPES, SIZES, count_parts, weigh};
use prost::Message;
use prost::encoding::{encode_key, encode_varint};
use prost_reflect::{DescriptorPool, Kind};

const NO_LIMIT: usize = usize::MAX;
const MIB: usize = 1024 * 1024;

fn proposal(terms: usize) -> v1::EvaluateProposalRequest {
    let term = |number| v1::Term { issue: format!("issue_{number}"), value: Some(v1::term::Value::Flag(true)) };
    let proposal = v1::Proposal { terms: (0..terms).map(term).collect(), ..v1::Proposal::default() };
    let subject = Some(v1::evaluate_proposal_request::Subject::Proposal(proposal));
    v1::EvaluateProposalRequest { subject, ..v1::EvaluateProposalRequest::default() }
}

/// A field with these bytes as its content.
fn field(number: u32, content: &[u8]) -> Vec<u8> {
    let mut encoded = Vec::new();
    encode_key(number, prost::encoding::WireType::LengthDelimited, &mut encoded);
    encode_varint(content.len() as u64, &mut encoded);
    encoded.extend_from_slice(content);
    encoded
}

#[test]
fn every_message_of_a_request_and_every_field_has_a_shape() {
    let pool = DescriptorPool::decode(DESCRIPTORS).unwrap();
    assert_eq!(SHAPES.len(), SIZES.len());
    for ((name, size), shape) in SIZES.iter().zip(SHAPES.iter()) {
        let message = pool.get_message_by_name(name).unwrap();
        assert!(*size > 0 || message.fields().len() == 0, "{name}");
        for described in message.fields() {
            let field = shape.fields.get(described.number() as usize).copied().flatten();
            let is_known = match (described.kind(), described.is_list(), field) {
                (
                    Kind::Message(inner),
                    is_list,
                    Some(Field::Message(place) | Field::Boxed(place) | Field::Messages(place)),
                ) => {
                    assert!(!described.is_map(), "{name}.{}: maps are not weighed", described.name());
                    assert_eq!(is_list, matches!(field, Some(Field::Messages(_))));
                    SIZES[place].0 == inner.full_name()
                }
                (Kind::String | Kind::Bytes, true, field) => field == Some(Field::Texts),
                (Kind::String | Kind::Bytes, false, field) => field == Some(Field::Text),
                (_, true, Some(Field::Scalars(_))) | (_, false, Some(Field::Scalar)) => true,
                _ => false,
            };
            assert!(is_known, "{name}.{}: {field:?}", described.name());
        }
    }
}

#[test]
fn a_usual_request_weighs_as_much_as_its_parts() {
    let request = proposal(2);
    let texts = 2 * 16;
    let expected = size_of::<v1::EvaluateProposalRequest>() + 4 * size_of::<v1::Term>() + texts;
    assert_eq!(weigh::<v1::EvaluateProposalRequest>(&request.encode_to_vec(), NO_LIMIT), Some(expected));
}

#[test]
fn a_request_at_the_limit_is_weighed_and_one_byte_less_is_too_little() {
    let request = proposal(30).encode_to_vec();
    let weight = weigh::<v1::EvaluateProposalRequest>(&request, NO_LIMIT).unwrap();
    assert_eq!(weigh::<v1::EvaluateProposalRequest>(&request, weight), Some(weight));
    assert_eq!(weigh::<v1::EvaluateProposalRequest>(&request, weight - 1), None);
}

#[test]
fn large_usual_batches_stay_within_the_limit() {
    let requests = vec![proposal(25); 1_000];
    let batch = v1::BatchEvaluateProposalsRequest { requests, ..v1::BatchEvaluateProposalsRequest::default() };
    let encoded = batch.encode_to_vec();
    assert!(encoded.len() < MIB, "{}", encoded.len());
    let weight = weigh::<v1::BatchEvaluateProposalsRequest>(&encoded, 8 * MIB);
    assert!(weight.is_some(), "{:?}", weigh::<v1::BatchEvaluateProposalsRequest>(&encoded, NO_LIMIT));
}

#[test]
fn small_bytes_that_become_large_messages_are_heavy() {
    // In a batch, `requests` is field 2. In a request, `overrides` is field 4, `cleared_issues` 5.
    let request = |content: &[u8]| field(2, content);
    for hostile in [request(&[]), request(&field(4, &[])), request(&field(5, b"x"))] {
        let encoded = hostile.repeat(MIB / hostile.len());
        assert_eq!(weigh::<v1::BatchEvaluateProposalsRequest>(&encoded, 8 * MIB), None, "{hostile:?}");
    }
}

#[test]
fn bytes_that_are_no_message_are_weighed_up_to_the_fault() {
    let size = size_of::<v1::EvaluateProposalRequest>();
    for invalid in [&[0x00][..], &[0xff; 11], &[0x0a, 0x7f, b'x'], &[0x08, 0x01]] {
        assert!(v1::EvaluateProposalRequest::decode(invalid).is_err());
        assert_eq!(weigh::<v1::EvaluateProposalRequest>(invalid, NO_LIMIT), Some(size), "{invalid:?}");
    }
    // Groups of unknown fields are skipped, however deep.
    let (open, close) = ([0x9b, 0x06], [0x9c, 0x06]);
    let nested = [open.repeat(90), close.repeat(90)].concat();
    assert_eq!(weigh::<v1::EvaluateProposalRequest>(&nested, NO_LIMIT), Some(size));
    assert_eq!(weigh::<v1::EvaluateProposalRequest>(&open.repeat(MIB / 2), NO_LIMIT), Some(size));
}

#[test]
fn the_parts_of_a_batch_are_counted_up_to_a_limit_and_a_fault() {
    let batch = |count| v1::BatchEvaluateProposalsRequest {
        scenario: "s".to_owned(),
        requests: vec![proposal(1); count],
        revision: "r".to_owned(),
    };
    for (count, counted) in [(0, Some(0)), (1, Some(1)), (1_000, Some(1_000)), (1_001, None), (2_000, None)] {
        let encoded = batch(count).encode_to_vec();
        assert_eq!(count_parts::<v1::BatchEvaluateProposalsRequest>(&encoded), counted);
        let truncated = [&encoded[..], &[10, 9]].concat();
        assert_eq!(count_parts::<v1::BatchEvaluateProposalsRequest>(&truncated), counted, "before the fault");
    }
    let comparison = v1::CompareProposalsRequest { proposals: vec![Default::default(); 7], ..Default::default() };
    assert_eq!(count_parts::<v1::CompareProposalsRequest>(&comparison.encode_to_vec()), Some(7));
    assert_eq!(count_parts::<v1::EvaluateProposalRequest>(&proposal(3).encode_to_vec()), None, "it has no parts");
}
