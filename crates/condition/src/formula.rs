//! A typed condition: logic over atoms, each about one input.

use super::domain::{Domain, InputId};
use std::collections::BTreeSet;

/// A set of integers as ascending, disjoint ranges with gaps between them, ends included.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Numbers(Vec<(i64, i64)>);

impl Numbers {
    /// The union of the given ranges; empty ones (low above high) are left out.
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

    /// The ranges.
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
    /// A flag or a choice has one of these options (a mask; for a flag, bit 0 false and bit 1 true).
    Options {
        /// The input.
        input: InputId,
        /// The options, as a mask.
        allowed: u64,
    },
    /// A member is in.
    Member {
        /// The input.
        input: InputId,
        /// The member's position.
        member: u8,
    },
    /// The number of members that are in is one of these (bit `n`: `n` members).
    Count {
        /// The input.
        input: InputId,
        /// The counts, as a mask.
        allowed: u128,
    },
    /// A quantity is one of these numbers.
    Numbers {
        /// The input.
        input: InputId,
        /// The numbers, within the domain.
        allowed: Numbers,
    },
}

/// A condition, typed and with all macros spelled out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Formula {
    /// Always or never.
    Constant(bool),
    /// A test on one input.
    Atom(Atom),
    /// The opposite.
    Not(Box<Formula>),
    /// Every one of these holds; none of them: always.
    All(Vec<Formula>),
    /// At least one of these holds; none of them: never.
    Any(Vec<Formula>),
}

impl Formula {
    /// The opposite of a formula.
    #[must_use]
    pub fn negated(self) -> Self {
        match self {
            Formula::Constant(truth) => Formula::Constant(!truth),
            Formula::Not(inner) => *inner,
            other => Formula::Not(Box::new(other)),
        }
    }

    /// How many parts it has.
    pub(super) fn size(&self) -> usize {
        match self {
            Formula::Constant(_) | Formula::Atom(_) => 1,
            Formula::Not(inner) => 1 + inner.size(),
            Formula::All(parts) | Formula::Any(parts) => 1 + parts.iter().map(Formula::size).sum::<usize>(),
        }
    }

    /// Adds the numbers at which the truth of this formula can change, to the set of each input.
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
    /// The input tested.
    pub fn input(&self) -> InputId {
        match self {
            Atom::Options { input, .. }
            | Atom::Member { input, .. }
            | Atom::Count { input, .. }
            | Atom::Numbers { input, .. } => *input,
        }
    }

    /// Whether no value of the domain, or every value, passes.
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
