//! Tests of which stated probability takes precedence.

use super::{CountedLineIndex, Probability, ProbabilityOrigin, StatedProbabilities};
use crate::tests::problem;
use detente_core::scenario::index::RedLineIndex;
use detente_core::scenario::model::Firmness;

fn probability(number: f64) -> Probability {
    Probability::new(number).unwrap()
}

#[test]
fn only_numbers_from_0_to_1_are_probabilities() {
    for number in [-0.1, 1.1, f64::NAN, f64::INFINITY] {
        assert_eq!(Probability::new(number), None);
    }
    for number in [0.0, 0.5, 1.0] {
        assert_eq!(Probability::new(number).map(Probability::number), Some(number));
    }
}

#[test]
fn a_line_comes_before_its_author_and_the_author_before_a_firmness() {
    use ProbabilityOrigin::{Request, RequestByFirmness, Scenario};
    let problem = problem();
    let mut stated = StatedProbabilities::default();
    assert_eq!(problem.binding_probabilities(&stated).unwrap_err().lines, [CountedLineIndex(1)]);
    for firmness in [Firmness::Firm, Firmness::Absolute] {
        assert_eq!(stated.state_for_firmness(firmness, probability(0.5)), None);
    }
    let used = |stated: &StatedProbabilities| {
        let used = problem.binding_probabilities(stated).unwrap();
        used.iter().map(|used| (used.probability, used.origin)).collect::<Vec<_>>()
    };
    assert_eq!(used(&stated), [(0.25, Scenario), (0.5, RequestByFirmness)]);
    assert_eq!(stated.state_for_line(RedLineIndex(0), probability(0.75)), None);
    assert_eq!(used(&stated), [(0.75, Request), (0.5, RequestByFirmness)]);
    assert_eq!(stated.state_for_line(RedLineIndex(0), probability(0.0)), Some(probability(0.75)));
}
