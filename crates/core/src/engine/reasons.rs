//! Why a status is what it is, and what would settle one that is open: read off the cubes.

use detente_condition::{Axis, Cubes, InputId, Literal, Space};
use std::ops::Range;

/// Lists of lists in two pieces of memory: an evaluation makes many short ones.
#[derive(Clone, Debug)]
pub(super) struct Lists<T> {
    items: Vec<T>,
    ends: Vec<u32>,
}

impl<T> Lists<T> {
    pub(super) fn with_capacity(items: usize, lists: usize) -> Self {
        Self { items: Vec::with_capacity(items), ends: Vec::with_capacity(lists) }
    }

    pub(super) fn len(&self) -> u32 {
        // INVARIANT: lists come from cubes, whose number per scenario is bounded far below.
        u32::try_from(self.ends.len()).unwrap_or(u32::MAX)
    }

    fn push(&mut self, items: impl IntoIterator<Item = T>) {
        self.items.extend(items);
        self.ends.push(u32::try_from(self.items.len()).unwrap_or(u32::MAX));
    }

    fn get(&self, index: u32) -> &[T] {
        let index = index as usize;
        let start = index.checked_sub(1).and_then(|before| self.ends.get(before)).map_or(0, |end| *end as usize);
        let end = self.ends.get(index).map_or(start, |end| *end as usize);
        self.items.get(start..end).unwrap_or_default()
    }

    pub(super) fn range(&self, range: &Range<u32>) -> impl ExactSizeIterator<Item = &[T]> {
        // `Range<u32>` is not an exact-size iterator on every target that Rust knows.
        (range.start as usize..range.end as usize).map(|index| self.get(u32::try_from(index).unwrap_or(u32::MAX)))
    }
}

/// A settled thing that decides: an input, or one member of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cause {
    /// The input.
    pub input: InputId,
    /// The member, for an input that is a set of members.
    pub member: Option<u8>,
}

/// An answer still missing: what of an input must not come about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Opening {
    /// The input that is open.
    pub input: InputId,
    /// What is possible of it now, as a mask of its axis.
    pub possible: u128,
    /// The part of `possible` that must be ruled out, as a mask of its axis.
    pub rules_out: u128,
}

/// Adds the minimal reasons for which the state lies within the cubes: the inclusion-minimal supports among the
/// satisfied cubes. These are all of them: a set of settled things that decides alone does so through a prime
/// implicant that tests nothing else.
pub(super) fn minimal_reasons(cubes: &Cubes, state: &[u128], space: &Space, into: &mut Lists<Cause>) -> Range<u32> {
    let start = into.len();
    let satisfied = |cube: &&[Literal]| {
        cube.iter()
            .all(|literal| state.get(literal.input.index()).is_some_and(|possible| possible & literal.forbids == 0))
    };
    let mut minimal: Vec<&[Literal]> = Vec::new();
    for cube in cubes.iter().filter(satisfied) {
        if minimal.iter().any(|kept| supports_within(kept, cube, space)) {
            continue;
        }
        minimal.retain(|kept| !supports_within(cube, kept, space));
        minimal.push(cube);
    }
    for cube in minimal {
        into.push(cube.iter().flat_map(|literal| causes(*literal, space)));
    }
    start..into.len()
}

/// Whether everything that `a` tests, `b` tests too: inputs, and for members each member.
fn supports_within(a: &[Literal], b: &[Literal], space: &Space) -> bool {
    a.iter().all(|ours| {
        b.iter().find(|theirs| theirs.input == ours.input).is_some_and(|theirs| match space.axis(ours.input) {
            Some(Axis::Members { .. }) => tested_members(ours.forbids) & !tested_members(theirs.forbids) == 0,
            _ => true,
        })
    })
}

fn tested_members(forbids: u128) -> u128 {
    (forbids | forbids >> 64) & u128::from(u64::MAX)
}

/// The settled things that a satisfied literal rests on.
fn causes(literal: Literal, space: &Space) -> impl Iterator<Item = Cause> {
    let (whole, mut members) = match space.axis(literal.input) {
        Some(Axis::Members { .. }) => (None, tested_members(literal.forbids)),
        _ => (Some(Cause { input: literal.input, member: None }), 0),
    };
    let each = std::iter::from_fn(move || {
        let member = u8::try_from(members.trailing_zeros()).ok().filter(|member| *member < 64)?;
        members &= members - 1;
        Some(Cause { input: literal.input, member: Some(member) })
    });
    whole.into_iter().chain(each)
}

/// Adds the minimal sets of further answers that bring the state within the cubes: the cubes as far as they can still
/// be met, less what is met already, the weakest only. These are the prime implicants of what is left open.
pub(super) fn openings(cubes: &Cubes, state: &[u128], space: &Space, into: &mut Lists<Opening>) -> Range<u32> {
    let start = into.len();
    let mut weakest: Vec<Vec<Opening>> = Vec::new();
    for cube in cubes.iter() {
        let mut missing = Vec::new();
        let mut reachable = true;
        for literal in cube {
            let possible = state.get(literal.input.index()).copied().unwrap_or_default();
            let rules_out = possible & literal.forbids;
            if rules_out == 0 {
                continue;
            }
            if !leaves_a_value(space.axis(literal.input), possible, rules_out) {
                reachable = false;
                break;
            }
            missing.push(Opening { input: literal.input, possible, rules_out });
        }
        if !reachable || weakest.iter().any(|kept| weaker(kept, &missing)) {
            continue;
        }
        weakest.retain(|kept| !weaker(&missing, kept));
        weakest.push(missing);
    }
    for missing in weakest {
        into.push(missing);
    }
    start..into.len()
}

/// Whether `a` asks nothing that `b` does not ask.
fn weaker(a: &[Opening], b: &[Opening]) -> bool {
    a.iter().all(|ours| b.iter().any(|theirs| theirs.input == ours.input && ours.rules_out & !theirs.rules_out == 0))
}

fn leaves_a_value(axis: Option<&Axis>, possible: u128, rules_out: u128) -> bool {
    let left = possible & !rules_out;
    match axis {
        Some(axis @ Axis::Members { .. }) => tested_members(left) == axis.full() & u128::from(u64::MAX),
        _ => left != 0,
    }
}
