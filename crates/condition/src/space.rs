//! The space of cubes: for every input, the values that conditions can distinguish, as bits of a mask.
//!
//! A cube is a conjunction of literals, and a literal is a test on one input. For every kind of input the possible
//! values are one `u128`, and a literal is certainly true if `possible & forbidden == 0`. The bits are:
//! - flag and choice: one bit per option;
//! - quantity: one bit per interval between the cuts, which are the numbers that conditions mention;
//! - members: bit `i` means that member `i` may be included, bit `64 + i` that it may be excluded.
//!
//! Must not know of names or of CEL.

use super::domain::{Answer, Domain, InputIndex, Value, low_bits};
use super::formula::{Formula, Numbers};
use std::collections::BTreeSet;
use thiserror::Error;

/// The maximum number of intervals into which the conditions of one scenario may divide a quantity.
pub const MAX_INTERVALS: usize = 128;

/// The conditions divide a quantity into more than [`MAX_INTERVALS`] intervals.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("conditions divide this quantity into {intervals} intervals; the limit is {MAX_INTERVALS}")]
pub struct TooManyCutsError {
    /// The quantity.
    pub input: InputIndex,
    /// The number of intervals that the quantity would have.
    pub intervals: usize,
}

/// The values of one input that conditions can distinguish.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Axis {
    /// A flag (bit 0 false, bit 1 true) or a choice.
    Options {
        /// The number of options.
        count: u8,
    },
    /// A set of members.
    Members {
        /// The number of members.
        count: u8,
    },
    /// A quantity.
    Intervals {
        /// The first value of each interval, ascending; the first is the domain's least value.
        starts: Box<[i64]>,
        /// The domain's greatest value.
        max: i64,
    },
}

impl Axis {
    fn new(domain: &Domain, cuts: &BTreeSet<i64>) -> Self {
        // INVARIANT: the scenario loader and the conversion of requests accept at most MAX_ENTRIES entries.
        let count = |entries: usize| u8::try_from(entries.min(super::MAX_ENTRIES)).unwrap_or(u8::MAX);
        match domain {
            Domain::Flag => Axis::Options { count: 2 },
            Domain::Choice(options) => Axis::Options { count: count(options.len()) },
            Domain::Members(members) => Axis::Members { count: count(members.len()) },
            Domain::Quantity { min, max } => Axis::Intervals {
                starts: std::iter::once(*min)
                    .chain(cuts.iter().copied().filter(|cut| cut > min && cut <= max))
                    .collect(),
                max: *max,
            },
        }
    }

    /// Returns the mask in which every value is possible.
    pub fn full(&self) -> u128 {
        match self {
            Axis::Options { count } => u128::from(low_bits(usize::from(*count))),
            Axis::Members { count } => both_halves(low_bits(usize::from(*count)), low_bits(usize::from(*count))),
            Axis::Intervals { starts, .. } => first_bits(starts.len()),
        }
    }

    /// Returns the mask of the values that an answer leaves possible.
    ///
    /// An answer of a different kind, or one that matches no value, leaves every value possible: nothing is concluded
    /// from an answer that does not fit the input.
    pub fn possible(&self, answer: &Answer) -> u128 {
        let full = self.full();
        let fitting = match (self, answer) {
            (Axis::Options { .. }, Answer::Exact(Value::Flag(flag))) => 1 << u32::from(*flag),
            (Axis::Options { .. }, Answer::Exact(Value::Choice(option))) => u128::from(option.bit()),
            (Axis::Options { .. }, Answer::AnyOf(options)) => u128::from(*options),
            (Axis::Members { .. }, Answer::Exact(Value::Members(members))) => both_halves(*members, !*members),
            (Axis::Members { .. }, Answer::Partial { includes, excludes }) => both_halves(!*excludes, !*includes),
            (Axis::Intervals { .. }, Answer::Exact(Value::Quantity(number))) => self.intervals(*number, *number),
            (Axis::Intervals { .. }, Answer::Range { min, max }) => self.intervals(*min, *max),
            _ => full,
        } & full;
        if fitting == 0 { full } else { fitting }
    }

    /// Returns the mask of the intervals that a range of numbers intersects.
    fn intervals(&self, low: i64, high: i64) -> u128 {
        let Axis::Intervals { starts, .. } = self else { return self.full() };
        let from = starts.partition_point(|start| *start <= low).saturating_sub(1);
        let to = starts.partition_point(|start| *start <= high);
        first_bits(to) & !first_bits(from)
    }

    /// Returns the mask of the intervals in `numbers`.
    ///
    /// Each interval is in `numbers` either completely or not at all, because a space is cut at the numbers of its
    /// formulas.
    pub(super) fn numbers(&self, numbers: &Numbers) -> u128 {
        let Axis::Intervals { starts, max } = self else { return 0 };
        let mut mask = 0;
        for (low, high) in numbers.ranges() {
            let (first, last) = (starts.first().copied().unwrap_or(i64::MIN), *max);
            if *high >= first && *low <= last {
                mask |= self.intervals((*low).max(first), (*high).min(last));
            }
        }
        mask
    }

    /// Converts a mask of `coarser` to a mask of this axis.
    ///
    /// Both axes must be axes of the same input, and this axis must have all cuts of `coarser`.
    pub fn refined(&self, coarser: &Axis, mask: u128) -> u128 {
        match (self, coarser) {
            (Axis::Intervals { starts: ours, .. }, Axis::Intervals { starts: theirs, .. }) if ours != theirs => {
                let of = |at| coarser.interval(at).map_or(0, |(low, high)| self.intervals(low, high));
                (0..theirs.len()).filter(|at| mask >> at & 1 == 1).map(of).fold(0, |all, some| all | some)
            }
            _ => mask,
        }
    }

    /// Whether forbidding the values of this mask leaves no value.
    pub fn contradicts(&self, forbids: u128) -> bool {
        match self {
            Axis::Members { .. } => forbids & (forbids >> 64) & u128::from(u64::MAX) != 0,
            Axis::Options { .. } | Axis::Intervals { .. } => forbids == self.full(),
        }
    }

    /// Returns the literals whose disjunction is the negation of a literal, each as the mask of the values that it
    /// forbids.
    ///
    /// The negation of a literal on members has one literal per member tested; the negation of any other literal is one
    /// literal.
    pub(super) fn negations(&self, forbids: u128) -> impl Iterator<Item = u128> + use<> {
        let (mut bits, whole) = match self {
            Axis::Members { .. } => (forbids, None),
            Axis::Options { .. } | Axis::Intervals { .. } => (0, Some(self.full() & !forbids)),
        };
        let singles = std::iter::from_fn(move || {
            let bit = bits & bits.wrapping_neg();
            bits ^= bit;
            (bit != 0).then(|| bit.rotate_left(64))
        });
        whole.into_iter().chain(singles)
    }

    /// Returns the ends of an interval, both included; `None` if the axis has no such interval.
    pub fn interval(&self, index: usize) -> Option<(i64, i64)> {
        let Axis::Intervals { starts, max } = self else { return None };
        let low = *starts.get(index)?;
        let high = starts.get(index + 1).map_or(*max, |next| next - 1);
        Some((low, high))
    }
}

fn both_halves(low: u64, high: u64) -> u128 {
    u128::from(low) | u128::from(high) << 64
}

fn first_bits(count: usize) -> u128 {
    match count {
        0 => 0,
        1..=127 => (1 << count) - 1,
        _ => u128::MAX,
    }
}

/// The axes of all inputs, for a set of formulas.
///
/// A formula is exact in a space if it never distinguishes two values that share a bit of an axis.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Space {
    axes: Vec<Axis>,
}

impl Space {
    /// Returns the memory of the space, in bytes.
    pub fn bytes(&self) -> usize {
        let starts = |axis: &Axis| match axis {
            Axis::Intervals { starts, .. } => size_of_val(&**starts),
            Axis::Options { .. } | Axis::Members { .. } => 0,
        };
        size_of_val(&*self.axes) + self.axes.iter().map(starts).sum::<usize>()
    }

    /// Creates the coarsest space in which the given formulas are exact.
    ///
    /// # Errors
    /// Returns every quantity that would have more than [`MAX_INTERVALS`] intervals.
    pub fn new<'a>(
        domains: impl IntoIterator<Item = &'a Domain>,
        formulas: impl IntoIterator<Item = &'a Formula>,
    ) -> Result<Self, Vec<TooManyCutsError>> {
        let domains: Vec<&Domain> = domains.into_iter().collect();
        let mut cuts = vec![BTreeSet::new(); domains.len()];
        for formula in formulas {
            formula.cuts(&mut cuts);
        }
        let axes: Vec<Axis> = domains.iter().zip(&cuts).map(|(domain, cuts)| Axis::new(domain, cuts)).collect();
        let faults: Vec<TooManyCutsError> = (0..)
            .zip(&axes)
            .filter_map(|(input, axis)| match axis {
                Axis::Intervals { starts, .. } if starts.len() > MAX_INTERVALS => {
                    Some(TooManyCutsError { input: InputIndex(input), intervals: starts.len() })
                }
                _ => None,
            })
            .collect();
        if faults.is_empty() { Ok(Self { axes }) } else { Err(faults) }
    }

    /// Creates a space with the cuts of this space, the cuts of the other spaces, and the given cuts.
    ///
    /// All spaces must be spaces of the same inputs. A given cut separates the values below a number from that number
    /// and the values above.
    ///
    /// # Errors
    /// Returns every quantity that would have more than [`MAX_INTERVALS`] intervals.
    pub fn joined(&self, others: &[&Space], cuts: &[(InputIndex, i64)]) -> Result<Self, Vec<TooManyCutsError>> {
        let mut faults = Vec::new();
        let mut join = |(input, axis): (u16, &Axis)| {
            let Axis::Intervals { starts, max } = axis else { return axis.clone() };
            let mut joined: BTreeSet<i64> = starts.iter().copied().collect();
            let input = InputIndex(input);
            for other in others.iter().filter_map(|space| space.axis(input)) {
                if let Axis::Intervals { starts, .. } = other {
                    joined.extend(starts);
                }
            }
            let least = starts.first().copied().unwrap_or(*max);
            let of_input = cuts.iter().filter(|(of, cut)| *of == input && *cut > least && cut <= max);
            joined.extend(of_input.map(|(_, cut)| cut));
            if joined.len() > MAX_INTERVALS {
                faults.push(TooManyCutsError { input, intervals: joined.len() });
            }
            Axis::Intervals { starts: joined.into_iter().collect(), max: *max }
        };
        let axes = (0u16..).zip(&self.axes).map(&mut join).collect();
        if faults.is_empty() { Ok(Self { axes }) } else { Err(faults) }
    }

    /// Returns all axes, in the order of the inputs.
    pub fn axes(&self) -> &[Axis] {
        &self.axes
    }

    /// Returns the axis of an input; `None` if the space has no such input.
    pub fn axis(&self, input: InputIndex) -> Option<&Axis> {
        self.axes.get(input.index())
    }
}
