//! The order of the inputs (issues and circumstances) of a decision diagram.
//!
//! Owns the FORCE heuristic, which places inputs that are tested together next to each other (Aloul, Markov and
//! Sakallah 2003, "FORCE: a fast and easy-to-implement variable-ordering heuristic"). The order decides the size of the
//! diagram, never its meaning. Must not know of cubes or diagrams.

use detente_condition::InputIndex;
use std::collections::BTreeMap;

/// The maximum number of rounds of the heuristic; further rounds rarely improve the order.
const MAX_ROUNDS: usize = 60;

/// Returns `inputs` in the best order found; each group is a set of inputs that are tested together.
pub(super) fn order_inputs(inputs: &[InputIndex], groups: &[Vec<InputIndex>]) -> Vec<InputIndex> {
    let positions_of = |order: &[InputIndex]| -> BTreeMap<InputIndex, usize> {
        order.iter().enumerate().map(|(position, input)| (*input, position)).collect()
    };
    let total_span = |positions: &BTreeMap<InputIndex, usize>| -> usize {
        let span = |group: &Vec<InputIndex>| {
            let of_group = || group.iter().filter_map(|input| positions.get(input));
            of_group().max().copied().unwrap_or(0) - of_group().min().copied().unwrap_or(0)
        };
        groups.iter().map(span).sum()
    };
    let mut order = inputs.to_vec();
    let mut best = (total_span(&positions_of(&order)), order.clone());
    for _ in 0..MAX_ROUNDS {
        let positions = positions_of(&order);
        // Each group pulls its inputs towards the mean of their positions.
        let mut pulls: BTreeMap<InputIndex, (f64, f64)> = BTreeMap::new();
        for group in groups {
            let of_group: Vec<usize> = group.iter().filter_map(|input| positions.get(input)).copied().collect();
            if of_group.is_empty() {
                continue;
            }
            let middle = of_group.iter().map(|position| *position as f64).sum::<f64>() / of_group.len() as f64;
            for input in group {
                let pull = pulls.entry(*input).or_default();
                (pull.0, pull.1) = (pull.0 + middle, pull.1 + 1.0);
            }
        }
        let target = |input: &InputIndex| {
            let own = positions.get(input).copied().unwrap_or(0) as f64;
            pulls.get(input).map_or(own, |(sum, count)| sum / count)
        };
        order.sort_by(|one, other| target(one).total_cmp(&target(other)));
        let span = total_span(&positions_of(&order));
        if span < best.0 {
            best = (span, order.clone());
        } else if span > best.0 + best.0 / 2 {
            break;
        }
    }
    best.1
}
