//! The packages (deals) that pass and are nearest to a proposal, found by trying every way to keep or change each
//! issue.
//!
//! A package passes if it meets the goal (a condition), the pins (terms that it must have) and the constraints of a
//! question, and crosses no red line that counts.

use super::search::{Search, place};
use super::world::{Knowledge, Value};
use detente_analysis::AmendmentDistance;
use detente_condition::Space;

/// The choice for an issue: `None` keeps what the proposal says, `Some` sets a value.
pub type Choice = Option<Value>;

/// A choice for each issue, with the distance from the proposal that the choices have together.
#[derive(Clone, Debug)]
pub struct Way {
    /// The four parts of the distance, in the order of [`AmendmentDistance`].
    pub numbers: [usize; 4],
    /// This decides the order of ways with equal distance. It has a list for each issue, which [`key`] makes.
    key: Vec<Vec<usize>>,
    /// The issues that the choices set to a value, as a bit mask.
    pub touched: u32,
    pub choices: Vec<Choice>,
}

impl Way {
    pub fn distance(&self) -> AmendmentDistance {
        let [terms_changed, terms_settled, members_toggled, cuts_moved] = self.numbers;
        AmendmentDistance { terms_changed, terms_settled, members_toggled, cuts_moved }
    }
}

/// What one issue adds to the four parts of the distance if it is set to a value. [`AmendmentDistance`] documents the
/// parts.
fn numbers(space: &Space, input: usize, before: &Knowledge, value: Value) -> [usize; 4] {
    let is_open = !matches!(before, Knowledge::Exactly(_));
    if before.admits(value) {
        return [0, usize::from(is_open), 0, 0];
    }
    let toggled = match (before, value) {
        (Knowledge::Exactly(Value::Members(before)), Value::Members(after)) => before ^ after,
        (Knowledge::Partly { includes, excludes }, Value::Members(after)) => includes & !after | excludes & after,
        _ => 0,
    };
    let at = |number: i64| place(space, input, Value::Quantity(number));
    let moved = match (before, value) {
        (Knowledge::Exactly(Value::Quantity(before)), Value::Quantity(after)) => at(*before).abs_diff(at(after)),
        (Knowledge::Between(_, high), Value::Quantity(after)) if after > *high => at(after) - at(*high),
        (Knowledge::Between(low, _), Value::Quantity(after)) => at(*low) - at(after),
        _ => 0,
    };
    [1, 0, toggled.count_ones() as usize, moved]
}

/// The rank of a choice for an issue. An unchanged issue comes first. Otherwise, options are in their order, quantities
/// are ordered by their distance, and sets are compared member by member.
fn key(space: &Space, input: usize, before: &Knowledge, choice: Choice) -> Vec<usize> {
    let is_open = !matches!(before, Knowledge::Exactly(_));
    let value = match (choice, before) {
        (Some(value), _) => value,
        (None, Knowledge::Exactly(value)) => *value,
        (None, _) => return vec![0],
    };
    let mut key = vec![usize::from(is_open)];
    match value {
        Value::Members(members) => {
            for member in 0..8 {
                let bit = 1 << member;
                let was_in = match before {
                    Knowledge::Exactly(Value::Members(before)) => before & bit != 0,
                    Knowledge::Partly { includes, .. } => includes & bit != 0,
                    _ => false,
                };
                key.push(usize::from(was_in != (members & bit != 0)));
            }
        }
        Value::Quantity(_) => {
            key.push(numbers(space, input, before, value)[3]);
            key.push(place(space, input, value));
        }
        _ => {
            key.push(usize::from(!before.admits(value)));
            key.push(place(space, input, value));
        }
    }
    key
}

/// All ways that pass.
fn ways(search: &Search<'_>, space: &Space, before: &[Knowledge]) -> Vec<Way> {
    let mut pending = vec![(Way { numbers: [0; 4], key: Vec::new(), touched: 0, choices: Vec::new() }, vec![0])];
    for (issue, (domain, stride)) in search.domains.iter().zip(&search.strides).enumerate() {
        let known = &before[issue];
        let mut next = Vec::new();
        for (way, within) in &pending {
            let keeps = domain.iter().enumerate().filter(|(_, value)| known.admits(**value)).map(|(at, _)| at);
            let sets = domain.iter().enumerate().map(|(at, value)| (Some(*value), vec![at]));
            // Giving an issue the exact value that it has is the same as keeping it.
            let sets = sets.filter(|(value, _)| value.map(Knowledge::Exactly).as_ref() != Some(known));
            for (choice, places) in std::iter::once((None, keeps.collect::<Vec<_>>())).chain(sets) {
                let mut way = way.clone();
                if let Some(value) = choice {
                    let each = numbers(space, issue, known, value);
                    way.numbers.iter_mut().zip(each).for_each(|(sum, number)| *sum += number);
                    way.touched |= 1 << issue;
                }
                way.key.push(key(space, issue, known, choice));
                way.choices.push(choice);
                let within: Vec<usize> =
                    within.iter().flat_map(|so_far| places.iter().map(move |place| so_far + place * stride)).collect();
                next.push((way, within));
            }
        }
        pending = next;
    }
    let passes = |within: &Vec<usize>| within.iter().all(|assignment| search.met[*assignment].passes());
    pending.into_iter().filter(|(_, within)| passes(within)).map(|(way, _)| way).collect()
}

/// Up to `most` ways, the nearest first. A way is left out if it sets all the issues that an earlier one sets.
pub fn nearest(search: &Search<'_>, space: &Space, before: &[Knowledge], most: usize) -> Vec<Way> {
    let mut left = ways(search, space, before);
    let mut found: Vec<Way> = Vec::new();
    while found.len() < most {
        let nearest = left.iter().min_by(|one, other| (one.numbers, &one.key).cmp(&(other.numbers, &other.key)));
        let Some(nearest) = nearest.cloned() else { break };
        left.retain(|way| nearest.touched & !way.touched != 0);
        found.push(nearest);
    }
    found
}
