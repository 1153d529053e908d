//! Derives from prime implicants why a statement is certainly true, and which further answers would make it so.
//!
//! The statement says, for example, that a red line is crossed. Its prime implicants are all minimal conjunctions of
//! tests on inputs (issues and circumstances) that make it true. Each is stored as a cube, and each of its tests as a
//! literal. The state has one mask for each input: the values that its answer allows. An [`Axis`] says which values the
//! bits of an input's mask stand for. A cube is satisfied if all allowed values pass its tests; the statement is then
//! certainly true. An answer is settled as far as it determines the value of its input, and open as far as it does not.
//!
//! Must not know of red lines or parties.

use detente_condition::{Axis, Cubes, EntryIndex, InputIndex, Literal, Space};
use std::ops::Range;

/// A list of lists, stored in only two allocations because an evaluation produces many short lists.
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
        // INVARIANT: lists are derived from cubes, and the limit on literals per scenario is far below `u32::MAX`.
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

    /// Iterates over a range of the lists.
    pub(super) fn range(&self, range: &Range<u32>) -> impl ExactSizeIterator<Item = &[T]> {
        range.clone().map(|index| self.get(index))
    }
}

/// A settled answer that contributes to a reason: the answer to an input, or whether a set includes a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cause {
    /// The input.
    pub input: InputIndex,
    /// The member, if the input is a set of members; otherwise `None`.
    pub member: Option<EntryIndex>,
}

/// What a further answer to one input must rule out, so that a statement becomes certainly true.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Opening {
    /// The input whose answer is open.
    pub input: InputIndex,
    /// The values that are possible now, as a mask of the input's axis.
    pub possible: u128,
    /// The values of `possible` that must be ruled out, as a mask of the input's axis.
    pub rules_out: u128,
}

/// Adds the minimal reasons why a statement is certainly true, and returns their range in `into`.
///
/// `cubes` are all prime implicants of the statement. A reason consists of the inputs and members that a satisfied cube
/// tests; it is left out if another satisfied cube tests only some of them. No reason is missing: if a set of settled
/// answers makes the statement true by itself, there is a satisfied cube that tests no other answers.
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

/// Whether `b` tests everything that `a` tests: each input and, for a set of members, each member.
fn supports_within(a: &[Literal], b: &[Literal], space: &Space) -> bool {
    a.iter().all(|ours| {
        b.iter().find(|theirs| theirs.input == ours.input).is_some_and(|theirs| match space.axis(ours.input) {
            Some(Axis::Members { .. }) => tested_members(ours.forbids) & !tested_members(theirs.forbids) == 0,
            _ => true,
        })
    })
}

/// Returns the mask of the members that a literal tests, for inclusion or for exclusion.
fn tested_members(forbids: u128) -> u128 {
    (forbids | forbids >> 64) & u128::from(u64::MAX)
}

/// Iterates over the settled answers on which a satisfied literal depends.
fn causes(literal: Literal, space: &Space) -> impl Iterator<Item = Cause> {
    let (whole, mut members) = match space.axis(literal.input) {
        Some(Axis::Members { .. }) => (None, tested_members(literal.forbids)),
        _ => (Some(Cause { input: literal.input, member: None }), 0),
    };
    let each = std::iter::from_fn(move || {
        let member = u8::try_from(members.trailing_zeros()).ok().filter(|member| *member < 64)?;
        members &= members - 1;
        Some(Cause { input: literal.input, member: Some(EntryIndex(member)) })
    });
    whole.into_iter().chain(each)
}

/// Adds the minimal sets of further answers that make a statement certainly true, and returns their range in `into`.
///
/// `cubes` are all prime implicants of the statement. Each set comes from a cube that can still be satisfied: it
/// contains the values that the cube's tests rule out but the state still allows. A set is left out if another one
/// requires less.
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

/// Whether `a` requires nothing that `b` does not require.
fn weaker(a: &[Opening], b: &[Opening]) -> bool {
    a.iter().all(|ours| b.iter().any(|theirs| theirs.input == ours.input && ours.rules_out & !theirs.rules_out == 0))
}

/// Whether at least one value remains possible after `rules_out` is excluded.
fn leaves_a_value(axis: Option<&Axis>, possible: u128, rules_out: u128) -> bool {
    let left = possible & !rules_out;
    match axis {
        Some(axis @ Axis::Members { .. }) => tested_members(left) == axis.full() & u128::from(u64::MAX),
        _ => left != 0,
    }
}
