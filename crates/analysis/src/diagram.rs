//! Decision diagrams over the answers to all issues, and over the inputs and bindings that decide a probability.
//!
//! A diagram decides coordinate by coordinate. A coordinate is an input (an issue or a circumstance), one member of an
//! input, or a binding: whether a red line binds, which means that a crossing would in fact undo a deal.
//!
//! Owns the encoding of a coordinate's value as bits, each of which is a variable of the diagram. An input with options
//! or intervals takes as many adjacent bits as its number of values requires, the highest bit first; a member or a
//! binding takes one bit. A code that stands for no value is read as the last value, so that every path to the terminal
//! "true" stands for some values. Must not know of the question that is asked.

use super::budget::{Budget, Held, SearchLimit, SearchPhase};
use super::index::{CoordinateIndex, CountedLineIndex};
use super::problem::Cube;
use biodivine_lib_bdd::{Bdd, BddPointer, BddVariable, BddVariableSet, op_function};
use detente_condition::{Axis, InputIndex, Literal, Space};
use detente_core::scenario::index::IndexVec;
use std::collections::HashMap;

/// The size of a node, in bytes.
const BYTES_PER_NODE: usize = 12;
/// The memory of a cached test besides its nodes, in bytes.
const BYTES_PER_TEST: usize = 256;
/// The number of steps up to which an operation on two diagrams needs no dry run.
const FEW_STEPS: usize = 4_096;

/// Returns the memory of a hash table that is created for `first` entries and grows to `last`, while it grows.
///
/// The library's tables have one control byte for each bucket, a power of two of buckets, and an eighth of them unused.
fn table_bytes(of_entry: usize, first: usize, last: usize) -> usize {
    let buckets = |entries: usize| (entries.saturating_mul(8) / 7 + 1).next_power_of_two();
    let table = buckets(first.max(last)).saturating_mul(of_entry + 1);
    if last > first { table.saturating_add(table / 2) } else { table }
}

/// Returns the memory of an operation on two diagrams besides these, from the size of the larger one, the number of
/// steps, and the maximum number of nodes of the result.
fn operation_bytes(larger: usize, steps: usize, nodes: usize) -> usize {
    let stack = larger.saturating_mul(8);
    let results_of_steps = table_bytes(12, larger, steps);
    let known_nodes = table_bytes(16, larger, nodes);
    let result = nodes.next_power_of_two().saturating_mul(BYTES_PER_NODE * 3 / 2);
    [stack, results_of_steps, known_nodes, result].into_iter().fold(0, usize::saturating_add)
}

/// Returns the memory of a diagram in a list, in bytes; the list may have grown by doubling.
fn part_bytes(part: &Bdd) -> usize {
    part.size().saturating_mul(BYTES_PER_NODE).saturating_add(64)
}

/// The meaning of a coordinate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum CoordinateKind {
    /// An input with options or intervals. The coordinate's value is the position of one of them.
    Values(InputIndex),
    /// One member of an input, given by its position. The coordinate's value is 1 if the member is in, otherwise 0.
    Member(InputIndex, u8),
    /// A red line that counts for the question. The coordinate's value is 1 if the red line binds, otherwise 0.
    Binding(CountedLineIndex),
}

/// One position in the order of a diagram, with its bits.
#[derive(Clone, Copy, Debug)]
pub(super) struct Coordinate {
    pub(super) kind: CoordinateKind,
    /// The number of values.
    pub(super) count: usize,
    first: u16,
    bits: u16,
}

impl Coordinate {
    /// Returns the input of the coordinate; `None` for a binding.
    pub(super) fn input(&self) -> Option<InputIndex> {
        match self.kind {
            CoordinateKind::Values(input) | CoordinateKind::Member(input, _) => Some(input),
            CoordinateKind::Binding(_) => None,
        }
    }

    /// Returns the values of the coordinate that a mask of its input leaves possible.
    pub(super) fn admitted(&self, mask: u128) -> Vec<usize> {
        let is_set = |bit: usize| mask.checked_shr(u32::try_from(bit).unwrap_or(128)).unwrap_or(0) & 1 == 1;
        match self.kind {
            CoordinateKind::Values(_) => (0..self.count).filter(|value| is_set(*value)).collect(),
            CoordinateKind::Member(_, member) => {
                let member = usize::from(member);
                [64 + member, member]
                    .iter()
                    .enumerate()
                    .filter(|(_, bit)| is_set(**bit))
                    .map(|(value, _)| value)
                    .collect()
            }
            CoordinateKind::Binding(_) => vec![0, 1],
        }
    }
}

/// The values of some coordinates.
pub(super) type CoordinateValues = Vec<(CoordinateIndex, usize)>;

/// The coordinates of a set of diagrams, and the operations on these diagrams.
pub(super) struct Diagrams<'a> {
    pub(super) coordinates: IndexVec<CoordinateIndex, Coordinate>,
    /// The coordinate of each bit.
    coordinate_of: Vec<CoordinateIndex>,
    variables: Vec<BddVariable>,
    set: BddVariableSet,
    members: HashMap<(InputIndex, u8), CoordinateIndex>,
    values: HashMap<InputIndex, CoordinateIndex>,
    bindings: HashMap<CountedLineIndex, CoordinateIndex>,
    tests: HashMap<(InputIndex, u128), Bdd>,
    pub(super) budget: &'a Budget<'a>,
    held: Held<'a>,
}

impl<'a> Diagrams<'a> {
    /// Creates the coordinates of the given inputs, in this order.
    ///
    /// The binding coordinates of the lines that are listed with an input come directly after the input.
    ///
    /// # Errors
    /// Returns [`SearchLimit::Work`] if there are more bits than the library has variables.
    pub(super) fn new(
        order: &[(InputIndex, Vec<CountedLineIndex>)],
        space: &Space,
        budget: &'a Budget<'a>,
    ) -> Result<Self, SearchLimit> {
        let mut coordinates = Vec::new();
        let mut first = 0u16;
        let mut push = |kind: CoordinateKind, count: usize| -> Result<(), SearchLimit> {
            let bits = u16::try_from(usize::BITS - count.saturating_sub(1).leading_zeros()).unwrap_or(u16::MAX);
            coordinates.push(Coordinate { kind, count, first, bits });
            // The maximum number of variables in `biodivine_lib_bdd` is a little below `u16::MAX`.
            first = first.checked_add(bits).filter(|bits| *bits < u16::MAX - 8).ok_or(SearchLimit::Work)?;
            Ok(())
        };
        for (input, bindings) in order {
            match space.axis(*input) {
                Some(Axis::Members { count }) => {
                    (0..*count).try_for_each(|member| push(CoordinateKind::Member(*input, member), 2))?;
                }
                Some(axis) => push(CoordinateKind::Values(*input), axis.full().count_ones() as usize)?,
                None => {}
            }
            bindings.iter().try_for_each(|line| push(CoordinateKind::Binding(*line), 2))?;
        }
        let set = BddVariableSet::new_anonymous(first);
        let mut diagrams = Self {
            variables: set.variables(),
            set,
            coordinate_of: Vec::new(),
            members: HashMap::new(),
            values: HashMap::new(),
            bindings: HashMap::new(),
            tests: HashMap::new(),
            budget,
            held: budget.hold_nothing(),
            coordinates: coordinates.into(),
        };
        for (at, coordinate) in diagrams.coordinates.indexed() {
            diagrams.coordinate_of.extend(std::iter::repeat_n(at, usize::from(coordinate.bits)));
            match coordinate.kind {
                CoordinateKind::Values(input) => drop(diagrams.values.insert(input, at)),
                CoordinateKind::Member(input, member) => drop(diagrams.members.insert((input, member), at)),
                CoordinateKind::Binding(line) => drop(diagrams.bindings.insert(line, at)),
            }
        }
        Ok(diagrams)
    }

    pub(super) fn and(&self, one: &Bdd, other: &Bdd) -> Result<Bdd, SearchLimit> {
        self.apply(one, other, op_function::and)
    }

    fn or(&self, one: &Bdd, other: &Bdd) -> Result<Bdd, SearchLimit> {
        self.apply(one, other, op_function::or)
    }

    pub(super) fn and_not(&self, one: &Bdd, other: &Bdd) -> Result<Bdd, SearchLimit> {
        self.apply(one, other, op_function::and_not)
    }

    /// Applies an operation, within the bounds on the number of its steps and on the number of nodes of its result.
    ///
    /// The library's own limit counts only the nodes of the result, so a dry run checks the steps first. The memory of
    /// the operation, which depends on both, must be left.
    fn apply(
        &self,
        one: &Bdd,
        other: &Bdd,
        operation: impl Fn(Option<bool>, Option<bool>) -> Option<bool> + Copy,
    ) -> Result<Bdd, SearchLimit> {
        self.budget.check()?;
        let bounds = &self.budget.bounds;
        let larger = one.size().max(other.size());
        // An operation visits each pair of nodes at most once, so no dry run is needed if the number of pairs is small.
        let mut steps = one.size().saturating_mul(other.size());
        if steps > bounds.steps.min(FEW_STEPS) {
            self.budget.room_for(table_bytes(8, larger, bounds.steps).saturating_add(larger.saturating_mul(8)))?;
            (_, steps) = Bdd::check_binary_op(bounds.steps, one, other, operation).ok_or(SearchLimit::Work)?;
            self.budget.check()?;
        }
        let nodes = bounds.nodes.min(steps.saturating_add(2));
        self.budget.room_for(operation_bytes(larger, steps, nodes))?;
        Bdd::binary_op_with_limit(bounds.nodes, one, other, operation).ok_or(SearchLimit::Work)
    }

    /// Builds the diagram of "all tests of at least one cube are passed".
    pub(super) fn any_of(&mut self, cubes: &[Cube]) -> Result<Bdd, SearchLimit> {
        let mut any = self.set.mk_false();
        for cube in cubes {
            let mut all = self.set.mk_true();
            for literal in cube.iter().rev() {
                let test = self.test(literal)?;
                all = self.and(&test, &all)?;
            }
            any = self.or(&any, &all)?;
        }
        Ok(any)
    }

    /// Builds the diagram of "all these coordinates have these values".
    pub(super) fn exactly(&self, values: &[(CoordinateIndex, usize)]) -> Result<Bdd, SearchLimit> {
        let mut all = self.set.mk_true();
        for (at, value) in values {
            let Some(coordinate) = self.coordinates.get(*at) else { continue };
            let test = if coordinate.count == 2 {
                self.bit(coordinate, 0, *value == 1)
            } else {
                let allowed = 1u128.checked_shl(u32::try_from(*value).unwrap_or(128)).unwrap_or(0);
                self.values_test(coordinate, !allowed, 0, 0)
            };
            all = self.and(&all, &test)?;
        }
        Ok(all)
    }

    /// Builds the diagram of "the red line does not bind, or is not crossed".
    pub(super) fn unless_binding(&self, line: CountedLineIndex, crossed: &Bdd) -> Result<Bdd, SearchLimit> {
        match self.bindings.get(&line).and_then(|at| self.coordinates.get(*at)) {
            Some(coordinate) => {
                let binds = self.bit(coordinate, 0, true);
                Ok(self.and(crossed, &binds)?.not())
            }
            None => Ok(crossed.not()),
        }
    }

    /// Counts the memory of a part for [`Diagrams::all_of`].
    pub(super) fn hold_part(&self, part: Bdd) -> Result<Bdd, SearchLimit> {
        self.held.add(part_bytes(&part))?;
        Ok(part)
    }

    /// Builds the conjunction of the parts, whose memory [`Diagrams::hold_part`] has counted.
    ///
    /// The parts that begin at the last coordinates are added first, so that later steps do not rebuild the lower
    /// nodes.
    pub(super) fn all_of(&self, mut parts: Vec<Bdd>, phase: SearchPhase) -> Result<Bdd, SearchLimit> {
        parts.sort_by_key(|part| std::cmp::Reverse(part.var_of(part.root_pointer()).to_index()));
        let (mut all, total) = (self.set.mk_true(), parts.len());
        for (done, part) in parts.iter().enumerate() {
            self.budget.report(phase, done, total);
            let _held = self.budget.hold(part_bytes(&all))?;
            all = self.and(&all, part)?;
        }
        let bytes = parts.iter().map(part_bytes).fold(0, usize::saturating_add);
        drop(parts);
        self.held.release(bytes);
        self.hold_part(all)
    }

    /// Builds the diagram of "the input passes the test", and caches it.
    fn test(&mut self, literal: &Literal) -> Result<Bdd, SearchLimit> {
        if let Some(test) = self.tests.get(&(literal.input, literal.forbids)) {
            return Ok(test.clone());
        }
        let test = match self.values.get(&literal.input).and_then(|at| self.coordinates.get(*at)) {
            Some(coordinate) => self.values_test(coordinate, literal.forbids, 0, 0),
            None => self.members_test(literal),
        };
        self.held.add(test.size().saturating_mul(BYTES_PER_NODE).saturating_add(BYTES_PER_TEST))?;
        self.tests.insert((literal.input, literal.forbids), test.clone());
        Ok(test)
    }

    fn members_test(&self, literal: &Literal) -> Bdd {
        let mut test = self.set.mk_true();
        for bit in (0..128u32).filter(|bit| literal.forbids >> bit & 1 == 1) {
            let member = u8::try_from(bit % 64).unwrap_or(u8::MAX);
            let coordinate = self.members.get(&(literal.input, member)).and_then(|at| self.coordinates.get(*at));
            if let Some(coordinate) = coordinate {
                // A member that must not be in is out, and a member that must not be out is in.
                test = test.and(&self.bit(coordinate, 0, bit >= 64));
            }
        }
        test
    }

    /// Builds the diagram of "the value is not forbidden", for codes that begin with the bits of `prefix`.
    fn values_test(&self, coordinate: &Coordinate, forbids: u128, prefix: usize, bit: u16) -> Bdd {
        if bit == coordinate.bits {
            let value = prefix.min(coordinate.count.saturating_sub(1));
            let forbidden = forbids.checked_shr(u32::try_from(value).unwrap_or(128)).unwrap_or(0) & 1 == 1;
            return if forbidden { self.set.mk_false() } else { self.set.mk_true() };
        }
        let low = self.values_test(coordinate, forbids, prefix << 1, bit + 1);
        let high = self.values_test(coordinate, forbids, prefix << 1 | 1, bit + 1);
        if low == high {
            return low;
        }
        let is_high = self.bit(coordinate, bit, true);
        is_high.and(&high).or(&low.and_not(&is_high))
    }

    fn bit(&self, coordinate: &Coordinate, bit: u16, value: bool) -> Bdd {
        let variable = self.variables.get(usize::from(coordinate.first + bit)).copied();
        variable.map_or_else(|| self.set.mk_true(), |variable| self.set.mk_literal(variable, value))
    }

    /// Returns the coordinate that a node tests; for a terminal, the position after the last coordinate.
    pub(super) fn coordinate_of(&self, bdd: &Bdd, node: BddPointer) -> CoordinateIndex {
        let end = CoordinateIndex(self.coordinates.len());
        if node.is_terminal() {
            return end;
        }
        self.coordinate_of.get(bdd.var_of(node).to_index()).copied().unwrap_or(end)
    }

    /// Returns the node that a value of a coordinate leads to.
    pub(super) fn follow(&self, bdd: &Bdd, mut node: BddPointer, at: CoordinateIndex, value: usize) -> BddPointer {
        let Some(coordinate) = self.coordinates.get(at) else { return node };
        while self.coordinate_of(bdd, node) == at {
            let bit = bdd.var_of(node).to_index().saturating_sub(usize::from(coordinate.first));
            let shift = usize::from(coordinate.bits).saturating_sub(1 + bit);
            node = if value >> shift & 1 == 1 { bdd.high_link_of(node) } else { bdd.low_link_of(node) };
        }
        node
    }
}

#[cfg(test)]
mod tests;
