//! The order of a diagram's inputs: those that are tested together stand together (FORCE: Aloul, Markov and Sakallah
//! 2003, "FORCE: a fast and easy-to-implement variable-ordering heuristic"). The order decides how large a diagram
//! becomes, never what it says.

use detente_condition::InputId;
use std::collections::BTreeMap;

/// Rounds after which nothing is gained any more, as a rule.
const MOST_ROUNDS: usize = 60;

/// `inputs` in a better order; `together` are sets of inputs that are tested together.
pub(super) fn ordered(inputs: &[InputId], together: &[Vec<InputId>]) -> Vec<InputId> {
    let place_of = |order: &[InputId]| -> BTreeMap<InputId, usize> {
        order.iter().enumerate().map(|(place, input)| (*input, place)).collect()
    };
    let spans = |places: &BTreeMap<InputId, usize>| -> usize {
        let span = |set: &Vec<InputId>| {
            let at = || set.iter().filter_map(|input| places.get(input));
            at().max().copied().unwrap_or(0) - at().min().copied().unwrap_or(0)
        };
        together.iter().map(span).sum()
    };
    let mut order = inputs.to_vec();
    let mut best = (spans(&place_of(&order)), order.clone());
    for _ in 0..MOST_ROUNDS {
        let places = place_of(&order);
        // Each set pulls its inputs towards its middle.
        let mut pulls: BTreeMap<InputId, (f64, f64)> = BTreeMap::new();
        for set in together {
            let at: Vec<usize> = set.iter().filter_map(|input| places.get(input)).copied().collect();
            if at.is_empty() {
                continue;
            }
            let middle = at.iter().map(|place| *place as f64).sum::<f64>() / at.len() as f64;
            for input in set {
                let pull = pulls.entry(*input).or_default();
                (pull.0, pull.1) = (pull.0 + middle, pull.1 + 1.0);
            }
        }
        let towards = |input: &InputId| {
            let own = places.get(input).copied().unwrap_or(0) as f64;
            pulls.get(input).map_or(own, |(sum, count)| sum / count)
        };
        order.sort_by(|one, other| towards(one).total_cmp(&towards(other)));
        let span = spans(&place_of(&order));
        if span < best.0 {
            best = (span, order.clone());
        } else if span > best.0 + best.0 / 2 {
            break;
        }
    }
    best.1
}
