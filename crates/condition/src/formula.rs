//! Typed conditions: Boolean formulas over atoms, each of which tests one input.
//!
//! Must not know of CEL or of prime implicants.

use super::domain::{Domain, EntryIndex, InputIndex};
use std::collections::BTreeSet;

/// A set of integers: ascending, disjoint ranges with gaps between them, both ends included.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Numbers(Vec<(i64, i64)>);

impl Numbers {
    /// Creates the union of the given ranges; empty ranges (low above high) are ignored.
    pub fn new(ranges: impl IntoIterator<Item = (i64, i64)>) -> Self {
        let mut sorted: Vec<(i64, i64)> = ranges.into_iter().filter(|(low, high)| low <= high).collect();
        sorted.sort_unstable();
        let mut merged: Vec<(i64, i64)> = Vec::with_capacity(sorted.len());
        for (low, high) in sorted {
            match merged.last_mut() {
                Some(last) if low <= last.1.saturating_add(1) => last.1 = last.1.max(high),
                _ => merged.push((low, high)),
            }
        }
        Self(merged)
    }

    /// Returns the ranges, ascending and disjoint.
    pub fn ranges(&self) -> &[(i64, i64)] {
        &self.0
    }

    /// Whether a number is in the set.
    pub fn contains(&self, number: i64) -> bool {
        self.0.iter().any(|(low, high)| (*low..=*high).contains(&number))
    }
}

/// A test on one input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Atom {
    /// The value of a flag or a choice is one of the allowed options.
    Options {
        /// The input tested.
        input: InputIndex,
        /// The options, as a mask; for a flag, bit 0 is false and bit 1 is true.
        allowed: u64,
    },
    /// A set of members includes this member.
    Member {
        /// The input tested.
        input: InputIndex,
        /// The member.
        member: EntryIndex,
    },
    /// The number of included members is one of the allowed counts.
    Count {
        /// The input tested.
        input: InputIndex,
        /// The counts, as a mask; bit `n` allows `n` members.
        allowed: u128,
    },
    /// The value of a quantity is one of the allowed numbers.
    Numbers {
        /// The input tested.
        input: InputIndex,
        /// The numbers; those outside the domain have no effect.
        allowed: Numbers,
    },
}

/// A condition with resolved names, checked types and expanded macros.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Formula {
    /// Always true or always false.
    Constant(bool),
    /// A test on one input.
    Atom(Atom),
    /// True where the inner formula is false.
    Not(Box<Formula>),
    /// True where every part is true; always true if there are no parts.
    All(Vec<Formula>),
    /// True where at least one part is true; always false if there are no parts.
    Any(Vec<Formula>),
}

impl Formula {
    /// Returns the negation of the formula, without double negations at the top.
    #[must_use]
    pub fn negated(self) -> Self {
        match self {
            Formula::Constant(truth) => Formula::Constant(!truth),
            Formula::Not(inner) => *inner,
            other => Formula::Not(Box::new(other)),
        }
    }

    /// Returns the memory of the formula, in bytes, without the unused capacity of its lists.
    pub fn bytes(&self) -> usize {
        let within = match self {
            Formula::Constant(_) => 0,
            Formula::Atom(Atom::Numbers { allowed, .. }) => size_of_val(allowed.ranges()),
            Formula::Atom(_) => 0,
            Formula::Not(inner) => inner.bytes(),
            Formula::All(parts) | Formula::Any(parts) => parts.iter().map(Formula::bytes).sum(),
        };
        size_of::<Formula>() + within
    }

    /// Counts the nodes of the formula.
    pub(super) fn size(&self) -> usize {
        match self {
            Formula::Constant(_) | Formula::Atom(_) => 1,
            Formula::Not(inner) => 1 + inner.size(),
            Formula::All(parts) | Formula::Any(parts) => 1 + parts.iter().map(Formula::size).sum::<usize>(),
        }
    }

    /// Adds to each input's set in `cuts` the numbers at which the truth of this formula can change.
    pub(super) fn cuts(&self, cuts: &mut [BTreeSet<i64>]) {
        match self {
            Formula::Constant(_) => {}
            Formula::Atom(Atom::Numbers { input, allowed }) => {
                if let Some(cuts) = cuts.get_mut(input.index()) {
                    for (low, high) in allowed.ranges() {
                        cuts.insert(*low);
                        cuts.extend(high.checked_add(1));
                    }
                }
            }
            Formula::Atom(_) => {}
            Formula::Not(inner) => inner.cuts(cuts),
            Formula::All(parts) | Formula::Any(parts) => parts.iter().for_each(|part| part.cuts(cuts)),
        }
    }
}

impl Atom {
    /// Returns the input tested.
    pub fn input(&self) -> InputIndex {
        match self {
            Atom::Options { input, .. }
            | Atom::Member { input, .. }
            | Atom::Count { input, .. }
            | Atom::Numbers { input, .. } => *input,
        }
    }

    /// Returns the result of the test if it is the same for every value of the domain; otherwise `None`.
    pub(super) fn constant(&self, domain: &Domain) -> Option<bool> {
        match (self, domain) {
            (Atom::Options { allowed, .. }, _) => match allowed & domain.all_entries() {
                0 => Some(false),
                some if some == domain.all_entries() => Some(true),
                _ => None,
            },
            (Atom::Count { allowed, .. }, Domain::Members(members)) => {
                let all = (0..=members.len()).fold(0u128, |mask, count| mask | 1 << count);
                match allowed & all {
                    0 => Some(false),
                    some if some == all => Some(true),
                    _ => None,
                }
            }
            (Atom::Numbers { allowed, .. }, Domain::Quantity { min, max }) => match allowed.ranges() {
                [] => Some(false),
                [(low, high)] if low <= min && high >= max => Some(true),
                ranges if ranges.iter().all(|(low, high)| high < min || low > max) => Some(false),
                _ => None,
            },
            _ => None,
        }
    }
}
